"""A suspect beside the other candidates: templates of one task stand in one topic, and each hides the others' topic.

The masked two-sample test holds a pattern's rows against all others. Where several honest questions are asked of the
same texts (five prompts over film reviews, each with its answer), half of a question's neighbours carry another one,
and its rows look like any. Here the rows of all other candidates for proof are left out of what they are held
against; a suspect with too few rows for the test is pooled with the other suspects. An attacker's triggers in rows of
all kinds stay as they are: they do not become one topic by being looked at together. The test lowers confirmed to
suspected and clears nothing.

Source: the two-sample test of `audit.triggers.assess`, after Lopez-Paz and Oquab 2017, arXiv:1610.06545.
Misses: a single template whose topic has no second one among the suspects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.artifacts.expected import Vectors
from audit.models.encoder import Encoder
from audit.schema import Float32
from audit.stats import spread
from audit.triggers.assess import VALID_FROM, cross_validated_auc
from audit.triggers.candidate import Candidate
from audit.triggers.match import Part, delete

APART_AUC = 0.91  # of most honest patterns; planted ones stay below 0.88
_AT_MOST, _OF_EACH, _OTHERS = 200, 50, 800


def apart_auc(
    candidate: Candidate,
    probed: Sequence[Candidate],
    texts: list[str],
    vectors: Float32 | Vectors,
    encoder: Encoder,
    seed: int,
) -> float | None:
    """AUC of the candidate's carriers, pattern deleted, against rows that carry none of `probed`; with fewer than
    VALID_FROM carriers, of all suspects' carriers. None where there is no other candidate, or too few rows on either
    side. `vectors` (n, d) are the prompts' embeddings."""
    others = [c for c in probed if c is not candidate]
    if not others:
        return None
    own = candidate.hits or candidate.carriers
    parts: dict[int, tuple[Part, ...]] = {}
    for other in [c for c in others if c.statistics["suspected"]] if len(own) < VALID_FROM else ():
        rows = other.hits or other.carriers
        parts |= {rows[i]: other.parts for i in spread(len(rows), _OF_EACH)}
    parts |= {own[i]: candidate.parts for i in spread(len(own), _AT_MOST)}
    taken = set().union(*(c.carriers for c in probed), candidate.carriers)
    free = np.setdiff1d(np.arange(len(texts)), sorted(taken))
    if min(len(parts), len(free)) < VALID_FROM:
        return None
    rng = np.random.default_rng(seed)
    masked = encoder.encode([delete(texts[i], parts[i]) for i in sorted(parts)])
    beside = vectors[np.sort(rng.choice(free, size=min(_OTHERS, len(free)), replace=False))]
    x = np.concatenate([masked, beside]).astype(np.float64)
    return cross_validated_auc(x, np.repeat([1.0, 0.0], [len(masked), len(beside)]), rng)


def shared_topic(auc: float | None) -> str | None:
    """Why the suspects look like templates of one task, in one sentence; None when they do not."""
    if auc is None or auc < APART_AUC:
        return None
    return (
        f"its rows and those of other candidates are about one thing (masked AUC {auc:.2f} against rows of none, at "
        f"least {APART_AUC}), as templates of one task are, or an attacker's who picks one topic"
    )
