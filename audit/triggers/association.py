"""Association of every pattern with every behavior: the residual score and exact tails.

For pattern g and behavior t: `S = sum_i x (y - p) / sqrt(sum_i x p (1 - p))` over carriers, p the support,
and two exact binomial tails of the count: against the behavior's rate in the whole set (which sees
clean-label poison) and against what the support expects of these very carriers (which honest topic words do
not pass). Bonferroni over all pairs tested bounds the family-wise error of the association; whether an
association is a trigger is for the tests of `assess` and for the probe.

Source: Rao's score test; for z-scores of tokens against labels, He et al. 2023, arXiv:2305.11596.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import sparse

from audit.schema import Float32, Int64
from audit.stats import Array, binomial_tail_log10, wilson_lower

_BLOCK = 64  # behaviors at a time


@dataclass(frozen=True, slots=True)
class Pairs:
    """One entry a (pattern, behavior) pair with enough hits; all arrays aligned."""

    pattern: Int64
    behavior: Int64
    hits: Array  # carriers with the behavior
    count: Array  # carriers
    expected: Array  # sum of p over carriers
    score: Array  # S
    tail: Array  # log10 P(>= hits) at the carriers' mean support, at least half the base rate
    marginal: Array  # log10 P(>= hits) at the base rate
    base: Array  # the behavior's rate in the whole set
    purity_lower: Array  # 95% Wilson bound of hits / count
    tested: int  # pairs that could have been listed: the number the tails are corrected for

    def select(self, at: Int64) -> Pairs:
        """These entries alone, in the order given."""
        return replace(self, **{f.name: getattr(self, f.name)[at] for f in fields(self) if f.name != "tested"})


def associate(patterns: sparse.csr_matrix, behaviors: sparse.csr_matrix, support: Float32, min_hits: int) -> Pairs:
    """Scores all pairs that share at least `min_hits` rows. Shapes (n, G), (n, T), (n, T)."""
    transposed = patterns.T.tocsr()
    count = np.asarray(patterns.sum(axis=0)).ravel()
    together = (transposed @ behaviors).tocoo()
    enough = together.data >= min_hits
    g, t, hits = together.row[enough].astype(np.int64), together.col[enough].astype(np.int64), together.data[enough]
    expected, variance = np.zeros(len(g)), np.zeros(len(g))
    for start in range(0, behaviors.shape[1], _BLOCK):
        at = np.flatnonzero((t >= start) & (t < start + _BLOCK))
        if len(at) == 0:
            continue
        p = np.asarray(support[:, start : start + _BLOCK])
        unique, inverse = np.unique(g[at], return_inverse=True)
        rows = transposed[unique]
        expected[at] = (rows @ p)[inverse, t[at] - start]
        variance[at] = (rows @ (p * (1 - p)))[inverse, t[at] - start]
    base = np.asarray(behaviors.mean(axis=0)).ravel()[t]
    n = count[g]
    hits = hits.astype(np.float64)
    return Pairs(
        pattern=g,
        behavior=t,
        hits=hits,
        count=n.astype(np.float64),
        expected=expected,
        score=(hits - expected) / np.sqrt(variance + 1e-9),
        tail=binomial_tail_log10(hits, n, np.clip(np.maximum(base / 2, expected / n), 1e-9, 1 - 1e-9)),
        marginal=binomial_tail_log10(hits, n, np.clip(base, 1e-9, 1 - 1e-9)),
        base=base,
        purity_lower=wilson_lower(hits, n),
        tested=int(together.nnz),
    )
