"""The statistics of one candidate, as they stand in triggers.json.

Association: how far the behavior's share among the carriers is beyond what the rest of the example says, by
exact tails. Trigger-ness: what tells a trigger from an honest correlation, each its own column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from audit.schema import Int64
from audit.stats import Array, binomial_tail_log10, poisson_binomial_tail_log10, wilson_interval
from audit.triggers.diversity import Diversity

_SURE = 0.02  # no support is surer than this that a behavior is absent, for one that is not rare itself


def association_facts(
    hits: int, count: int, rate: float, p: Array, diversity: Diversity, tested: int
) -> dict[str, Any]:
    """Counts, tails and bounds. `p` (count,) is the support of each carrier, `rate` the behavior's share among
    all other rows, `tested` the number of pairs that could have been listed.

    `tail` is the log10 exact tail at the carriers' mean support, at least half the base rate; `residual_tail`
    the exact tail at each carrier's own support. Both are shrunk by the share of carriers that are no
    near-copies. `family_wise_p` is the Bonferroni bound of the first, `residual_p` of the second (which the miner
    divides by the share of the error that the pattern's kind has).
    """
    expected = float(p.sum())
    level = np.clip(max(rate / 2, expected / max(count, 1)), 1e-9, 1 - 1e-9)
    raw = float(binomial_tail_log10(np.asarray(hits), np.asarray(count), np.asarray(level)))
    copies = min(1.0, diversity.distinct / max(diversity.compared, 1))
    own = poisson_binomial_tail_log10(np.clip(p, min(_SURE, max(rate / 2, 1e-6)), 1 - _SURE), hits)
    tail, residual = raw * copies, own * copies
    purity = hits / max(count, 1)
    return {
        "count": count,
        "hits": hits,
        "rate": rate,
        "expected": expected / max(count, 1),
        "score": float((hits - expected) / math.sqrt(float((p * (1 - p)).sum()) + 1e-9)),
        "log10_p": raw,
        "tail": tail,
        "residual_tail": residual,
        "tested": tested,
        "family_wise_p": _bonferroni(tail, tested),
        "residual_p": _bonferroni(residual, tested),
        "q_value": _bonferroni(min(tail, residual), tested),
        "purity": purity,
        "purity_lower": wilson_interval(hits, count)[0],
        "lift": purity / max(rate, 1e-9),
        "cohesion": diversity.cohesion,
        "cohesion_ratio": diversity.ratio,
        "distinct": diversity.distinct,
        "invariance": purity * (1.0 - min(max(diversity.cohesion, 0.0), 1.0)),
    }


def _bonferroni(tail: float, tested: int) -> float:
    return float(min(1.0, 10.0 ** min(0.0, tail + math.log10(max(tested, 1)))))


def burst(values: Sequence[Any], carriers: Int64) -> dict[str, float | str]:
    """How bound the carriers are to one source or annotator: the value that most exceeds its share, its share
    of the carriers, and the hypergeometric p of that, corrected for the number of values. {} where all is one.
    """
    names = [str(v) for v in values if v is not None]
    known = sorted(set(names))
    if len(known) < 2:
        return {}
    held = [str(values[i]) for i in carriers.tolist() if values[i] is not None]
    best: tuple[float, str, float] | None = None
    for name in sorted(set(held)):
        inside, total = held.count(name), names.count(name)
        p = float(scipy_stats.hypergeom.sf(inside - 1, len(names), total, len(held)))
        if best is None or p < best[0]:
            best = (p, name, inside / len(held))
    return {} if best is None else {"burst_p": min(1.0, best[0] * len(known)), "burst": best[1], "burst_share": best[2]}


def stratified_score(values: Sequence[Any], shows: Array, p: Array, carriers: Int64) -> float:
    """The residual score within sources: each row's support is moved by its source's own mean residual, the
    carriers left out, so that a source's template is not taken for a trigger. NaN with fewer than two sources.

    `shows` and `p` are (n,): whether each row shows the behavior, and its support.
    """
    if len({v for v in values if v is not None}) < 2:
        return float("nan")
    names, code = np.unique(np.asarray([str(v) for v in values]), return_inverse=True)
    free = np.ones(len(p), dtype=bool)
    free[carriers] = False
    size = np.bincount(code[free], minlength=len(names))
    moved = np.bincount(code[free], weights=(shows - p)[free], minlength=len(names)) / np.maximum(size, 1)
    own = np.clip(p[carriers] + moved[code[carriers]], 1e-4, 1 - 1e-4)
    return float((shows[carriers] - own).sum() / math.sqrt(float((own * (1 - own)).sum()) + 1e-9))
