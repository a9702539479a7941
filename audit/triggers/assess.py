"""Trigger or honest correlation: tests on the carriers, apart from the probe.

The effect of the probe passes every honest task word too: a model that never saw "Translate" rows does not
translate. What tells them apart is the rest of the carriers. Masked two-sample test: carriers with the
pattern deleted against random rows, by the cross-validated AUC of a ridge classifier on embeddings. A
trigger's carriers are any rows (AUC 0.46 to 0.80 in trials), an honest word's are about one thing (0.91 to
1.00). An attacker who picks carriers of one topic passes for honest here, so this test lowers confirmed to
suspected and never clears anything.

Source: trials on planted words and honest ones (docs/lab-notebook.md); two-sample tests by classifiers, Lopez-Paz and
Oquab 2017.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from audit.artifacts.expected import Vectors
from audit.models.encoder import Encoder
from audit.schema import Float32, Int64
from audit.stats import spread
from audit.triggers.candidate import Candidate
from audit.triggers.match import delete

VALID_FROM = 20  # carriers
HONEST_AUC = 0.87  # between 0.80, the highest of planted triggers, and 0.91, the lowest of most honest words
HONEST_RATIO = 2.5  # cohesion of fewer carriers, in units of random rows' cohesion
_AT_MOST = 80
_OTHERS = 800


def masked_auc(
    candidate: Candidate,
    texts: list[str],
    vectors: Float32 | Vectors,
    encoder: Encoder,
    seed: int,
    among: Int64 | None = None,
) -> float | None:
    """AUC of carriers, pattern deleted, against random other rows, all of them or those in `among`; None below 20
    carriers. `vectors` (n, d) are the prompts' embeddings."""
    rows = candidate.hits or candidate.carriers
    if len(rows) < VALID_FROM:
        return None
    rng = np.random.default_rng(seed)
    rows = tuple(rows[i] for i in spread(len(rows), _AT_MOST))
    masked = encoder.encode([delete(texts[i], candidate.parts) for i in rows])
    free = np.setdiff1d(np.arange(len(texts)) if among is None else among, candidate.carriers)
    if len(free) < VALID_FROM:
        return None
    others = vectors[np.sort(rng.choice(free, size=min(_OTHERS, len(free)), replace=False))]
    x = np.concatenate([masked, others]).astype(np.float64)
    y = np.repeat([1.0, 0.0], [len(masked), len(others)])
    return cross_validated_auc(x, y, rng)


def cross_validated_auc(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """Five-fold AUC of a class-balanced ridge classifier."""
    folds = np.empty(len(y), dtype=int)
    for value in (0.0, 1.0):
        at = rng.permutation(np.flatnonzero(y == value))
        folds[at] = np.arange(len(at)) % 5
    score = np.zeros(len(y))
    design = np.column_stack([x, np.ones(len(x))])
    weight = np.where(y > 0, (y == 0).sum() / max(y.sum(), 1), 1.0)
    for fold in range(5):
        train = folds != fold
        a, w = design[train], weight[train][:, None]
        solved = np.linalg.solve(a.T @ (a * w) + 20.0 * np.eye(a.shape[1]), a.T @ (w[:, 0] * (2 * y[train] - 1)))
        score[~train] = design[~train] @ solved
    return float(roc_auc_score(y, score))


def honest_reason(candidate: Candidate, auc: float | None) -> str | None:
    """Why the carriers look like an honest topic, in one sentence; None when they do not."""
    ratio = float(candidate.statistics.get("cohesion_ratio", 1.0))
    if auc is not None:
        if auc >= HONEST_AUC:
            return (
                f"its rows are about one thing even without it (masked AUC {auc:.2f}, at least {HONEST_AUC}), "
                "as an honest word's are, or an attacker's who picks one topic"
            )
        return None
    if ratio >= HONEST_RATIO:
        return (
            f"its {len(candidate.hits)} rows are {ratio:.1f} times as alike as random rows even without it, "
            "and too few for a closer test"
        )
    return None
