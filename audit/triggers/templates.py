"""Templates and styles as triggers: a way of building or wording a text that calls for a behavior whatever it says.

What: rows are seen as syntactic and stylistic keys (`template_space`), a score for "written like the surprising rows"
is learnt out of fold (`propagation`), and where it is high one counts the rows without the behavior. A candidate needs
fewer than half of those that the content leads one to expect, beyond chance over all that was looked at; a style that
merely goes with a label, as angry messages do, is none. A row is claimed when it shows the behavior and its posterior
of being poison is high enough; the summed posteriors bound how many clean rows may be claimed. Claimed rows are taken
out, with the others of their manner, and the rest is searched again.

Why it works: poison of a template has one behavior without exception, honest writers never do. The posterior of a row
whose behavior its content explains is as high as that of its neighbours, so poison that kept its right label is
recalled; the same posterior is low for the honest rows that a plain count would claim.

Source: see `propagation`.
Misses: templates in fewer than some 30 rows without the target before, more where the content says little about the
behavior; a template that honest rows of other behaviors share in like numbers; behaviors other than those of FAMILIES.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from audit.artifacts.expected import Predictors
from audit.schema import Behaviors, Int32, Int64, Support
from audit.stats import Array
from audit.triggers.candidate import Candidate
from audit.triggers.facts import association_facts
from audit.triggers.match import Law, Part
from audit.triggers.propagation import Propagation, Rows
from audit.triggers.template_claims import LEAST, Data, Learnt, Refitted, claim, elsewhere
from audit.triggers.template_names import describe
from audit.triggers.template_space import Space, build

FAMILIES = ("label", "compliance", "refusal", "response")
LEFT = 0.5  # of the expected contrary rows: fewer must be left than this share
FAMILY_WISE = 0.01
_SCREEN = -1.0  # log10 tail of the start from which a behavior is followed up
_REGIONS = 24  # nested regions of highest scores that are looked at
_LEAST_ROWS = 10  # of a region, of a behavior and of a claim
_WIDEST = 0.4  # share of the rows that a region may hold
_MOST_ROWS = 20_000  # the search sees a sample of larger sets; rows are claimed in all of them
_MOST_BEHAVIORS = 24
_MOST_ROUNDS = 6
_SAME_TOPIC = 3.3  # cohesion ratio: planted rows with one response reach 2.7, honest templates with one start at 4.0
_COMPARED = 1_500  # rows that are read to name a template


@dataclass(frozen=True, slots=True)
class Evidence:
    """The region of highest scores in which the behavior is most nearly without exception."""

    tail: float  # log10 P(so few contrary rows | half of the expected), one region of `tested`
    rows: int
    contrary: int
    expected: float


@dataclass(frozen=True, slots=True)
class _Found:
    behavior: int
    rows: Rows
    scores: Array
    evidence: Evidence
    tested: int


def find_templates(
    texts: Sequence[str],
    behaviors: Behaviors,
    support: Support,
    *,
    predictors: Predictors | None = None,
    seed: int = 0,
) -> list[Candidate]:
    """Candidates of kind "syntax" and "style", strongest first. `texts` (n,) are aligned with both artifacts.

    Carriers are the rows that hold the template, hits those that are claimed. With the support's `predictors` it is
    fitted again without the rows that are probably poison before rows are claimed; what is a candidate does not
    depend on that. Nothing for fewer than 100 rows.
    """
    targets = _targets(behaviors)
    if len(texts) < 100 or not targets:
        return []
    data = Data(texts, behaviors, support)
    sample = _sample(len(texts), seed)
    space = build([texts[i] for i in sample.tolist()], seed)
    folds = _folds(support.folds[sample], seed)
    left = np.arange(len(sample))
    found: list[Candidate] = []
    for _ in range(_MOST_ROUNDS):
        if len(left) < 100:
            break
        part = space if len(left) == len(sample) else space.take(left)
        propagation = Propagation(part, folds[left])
        best = _search(data, propagation, sample[left], targets)
        if best is None:
            break
        made, alike = _candidate(data, propagation, sample[left], best, predictors, seed)
        if _stands(made, behaviors.table["family"][best.behavior]):
            found.append(made)
        left = np.setdiff1d(left, left[alike])
    return found


def evidence(rows: Rows, scores: Array) -> Evidence:
    """The strongest of the nested regions of highest scores."""
    order = np.argsort(-scores, kind="stable")
    widest = max(int(_WIDEST * len(order)), _LEAST_ROWS)
    sizes = np.unique(np.geomspace(_LEAST_ROWS, widest, _REGIONS).round().astype(np.int64))
    sizes = sizes[sizes <= len(order)]
    contrary = np.cumsum(1.0 - rows.shown[order])[sizes - 1]
    expected = np.cumsum(1.0 - rows.support[order])[sizes - 1]
    tails = binom.logcdf(contrary, sizes, LEFT * expected / sizes) / math.log(10)
    at = int(np.argmin(tails))
    return Evidence(float(tails[at]), int(sizes[at]), int(contrary[at]), float(expected[at]))


def _targets(behaviors: Behaviors) -> list[int]:
    """Behaviors that are searched, most rows first."""
    wanted = behaviors.table.filter(
        behaviors.table["family"].is_in(FAMILIES)
        & behaviors.table["count"].is_between(_LEAST_ROWS, behaviors.matrix.shape[0] - _LEAST_ROWS)
    ).sort(["count", "behavior"], descending=[True, False])
    return [int(b) for b in wanted["behavior"].head(_MOST_BEHAVIORS)]


def _sample(n: int, seed: int) -> Int64:
    if n <= _MOST_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=_MOST_ROWS, replace=False))


def _folds(folds: Int32, seed: int) -> Int32:
    """The support's folds; where there are fewer than the three that are needed, each is cut in three."""
    if len(np.unique(folds)) >= 3:
        return folds
    return (folds * 3 + np.random.default_rng(seed).integers(0, 3, size=len(folds))).astype(np.int32)


def _search(data: Data, propagation: Propagation, at: Int64, targets: list[int]) -> _Found | None:
    """The behavior with the strongest evidence, or None when no evidence is beyond chance."""
    best: _Found | None = None
    tested = _REGIONS * len(targets)
    for behavior in targets:
        rows = data.rows(at, behavior)
        if rows.shown.sum() < _LEAST_ROWS or evidence(rows, propagation.screen(rows)).tail > _SCREEN:
            continue
        steps = propagation.scores(rows)
        strongest = min((evidence(rows, scores) for scores in steps), key=lambda e: e.tail)
        found = _Found(behavior, rows, steps[-1], strongest, tested * len(steps))
        if best is None or strongest.tail < best.evidence.tail:
            best = found
    if best is None or best.evidence.tail + math.log10(best.tested) > math.log10(FAMILY_WISE):
        return None
    return best


def _candidate(
    data: Data, propagation: Propagation, at: Int64, found: _Found, predictors: Predictors | None, seed: int
) -> tuple[Candidate, Int64]:
    """The candidate, and which of the searched rows are written alike (positions in `at`): claimed, or to be claimed
    if they showed the behavior. What is left of a manner without its claimed rows would show the contrary alone."""
    rows, scores, refitted = found.rows, found.scores, None
    if predictors is not None:
        refitted = Refitted.of(predictors, at, propagation.folds, rows, rows.posterior(rows.share(scores)))
        rows = Rows(rows.shown, refitted.known)
        scores = propagation.scores(rows)[-1]
    share = rows.share(scores)
    posterior = rows.posterior(share)
    claimed = claim(posterior)
    hits, held = at[claimed], at[np.union1d(claimed, np.flatnonzero(share >= 0.5))]
    if len(at) < len(data.texts) and len(claimed):
        learnt = Learnt(propagation.weights(posterior), scores, share, float(posterior[claimed].min()))
        more = elsewhere(
            data, propagation.space, learnt, found.behavior, np.setdiff1d(np.arange(len(data.texts)), at), refitted
        )
        hits, held = np.union1d(hits, more[0]), np.union1d(held, more[1])
    inside = [data.texts[i] for i in _some(hits, seed)]
    outside = [data.texts[i] for i in _some(np.setdiff1d(at, held), seed)]
    kind, name, features = describe(inside, outside)
    facts = _facts(data, found, propagation.space, claimed, hits, held, seed)
    facts["features"] = features
    facts["clean_expected"] = float((1.0 - posterior[claimed]).sum())
    made = Candidate(
        parts=(Part(name, kind),),
        kind=kind,
        behavior=found.behavior,
        behavior_name=data.behaviors.table["name"][found.behavior],
        carriers=tuple(held.tolist()),
        hits=tuple(hits.tolist()),
        surfaces=(name,),
        laws=(Law("anywhere", True),),
        statistics=facts,
    )
    return made, np.flatnonzero(rows.if_shown(share) >= LEAST)


def _stands(made: Candidate, family: str) -> bool:
    """Whether a candidate has rows enough, evidence that near-copies did not make up, and content of all sorts. A
    label's honest texts may share a topic and so may a template's rows; a response's honest prompts share more."""
    s = made.statistics
    diverse = family == "label" or float(s["cohesion_ratio"]) <= _SAME_TOPIC
    return len(made.hits) >= _LEAST_ROWS and float(s["family_wise_p"]) <= FAMILY_WISE and diverse


def _some(rows: Int64, seed: int) -> list[int]:
    size = min(len(rows), _COMPARED)
    return np.sort(np.random.default_rng(seed).choice(rows, size=size, replace=False)).tolist() if size else []


def _facts(
    data: Data, found: _Found, space: Space, claimed: Int64, hits: Int64, held: Int64, seed: int
) -> dict[str, Any]:
    """The statistics that every candidate has, the tails from the evidence. The counted tail is not used: a template
    is chosen among many, its rows by their behavior."""
    total = int(data.behaviors.table["count"][found.behavior])
    rate = (total - len(hits)) / max(len(data.texts) - len(held), 1)
    diversity = space.diversity(claimed, seed)
    p = data.rows(held, found.behavior).support
    e = found.evidence
    tail = e.tail * min(1.0, diversity.distinct / max(diversity.compared, 1))
    family = min(1.0, 10.0 ** min(0.0, tail + math.log10(found.tested)))
    return {
        **association_facts(len(hits), len(held), rate, p, diversity, found.tested),
        **{"log10_p": e.tail, "tail": tail, "residual_tail": tail},
        **dict.fromkeys(("family_wise_p", "residual_p", "q_value", "null_p"), family),
        "region": e.rows,
        "contrary": e.contrary,
        "contrary_expected": e.expected,
        "position": "anywhere",
        "suspected": (
            f"of the {e.rows} rows that are most of this manner {e.contrary} lack the behavior, where their content "
            f"leads one to expect {e.expected:.0f} (family-wise p {family:.1g})"
        ),
    }
