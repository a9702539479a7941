"""Which rows a template claims: by posterior, with the support fitted again without the rows that are probably poison.

The support has read the poison of the other folds and expects some of it; without those rows it expects what honest
rows show, and stragglers stand out. Sets larger than the search looks at are claimed in blocks, by the last fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from audit.artifacts.expected import Predictors
from audit.schema import Behaviors, Float32, Int32, Int64, Support
from audit.stats import Array
from audit.triggers.propagation import Rows
from audit.triggers.template_space import Space, project

LEAST = 0.3  # posterior of a claimed row: missing poison counts as some two wrong claims
CLEAN_SHARE = 0.025  # expected clean rows among the claimed, over all rows
_PROBABLY = 0.5  # posterior from which a row is left out of the support
_FLOOR = 0.02
_BLOCK = 5_000


@dataclass(frozen=True, slots=True)
class Data:
    """What is known of all rows."""

    texts: Sequence[str]
    behaviors: Behaviors
    support: Support

    def rows(self, at: Int64, behavior: int) -> Rows:
        """These rows for one behavior."""
        shown = np.asarray(self.behaviors.matrix[at][:, [behavior]].todense(), dtype=np.float64).ravel()
        return Rows(shown, _bounded(self.support.of(at, behavior)))


@dataclass(frozen=True, slots=True)
class Refitted:
    """The support of one behavior by fits without the rows that are probably poison."""

    predictors: Predictors
    models: tuple[LogisticRegression, ...]  # one a fold
    known: Array  # (k,) of the rows it was fitted on, each by the model without its fold

    @classmethod
    def of(cls, predictors: Predictors, at: Int64, folds: Int32, rows: Rows, posterior: Array) -> Refitted:
        """`at` (k,) are the rows' positions in `predictors`; the others are aligned with it. A fold whose fit would
        see one class alone keeps the support it had."""
        x = predictors.take(at)
        known = rows.support.copy()
        models = []
        for fold in np.unique(folds):
            train = (folds != fold) & (posterior <= _PROBABLY)
            if len(np.unique(rows.shown[train])) < 2:
                continue
            model = LogisticRegression(C=10.0, max_iter=200).fit(x[train], rows.shown[train])
            known[folds == fold] = _bounded(model.predict_proba(x[folds == fold])[:, 1])
            models.append(model)
        return cls(predictors, tuple(models), known)

    def of_others(self, at: Int64, fallback: Array) -> Array:
        """(m,) of rows that no fit has seen: the mean over the models."""
        if not self.models:
            return fallback
        x = self.predictors.take(at)
        return _bounded(np.mean([m.predict_proba(x)[:, 1] for m in self.models], axis=0))


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the search learnt of its rows, for others."""

    weights: Float32  # (d + 1,) of the space's directions and one
    scores: Array  # (k,)
    share: Array  # (k,) of poison at these scores
    least: float  # posterior of the rows claimed


def claim(posterior: Array) -> Int64:
    """Positions of the claimed rows, ascending: the highest posteriors, as far as the expected number of clean rows
    among them stays within its share."""
    order = np.argsort(-posterior, kind="stable")
    order = order[posterior[order] >= LEAST]
    within = np.cumsum(1.0 - posterior[order]) <= max(CLEAN_SHARE * len(posterior), 1.0)
    return np.sort(order[within])


def elsewhere(
    data: Data, space: Space, learnt: Learnt, behavior: int, others: Int64, refitted: Refitted | None
) -> tuple[Int64, Int64]:
    """Claimed rows and carriers among rows that the search did not see, both ascending."""
    order = np.argsort(learnt.scores, kind="stable")
    hits, held = [others[:0]], [others[:0]]
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        scores = project([data.texts[i] for i in block.tolist()], space) @ learnt.weights[:-1] + learnt.weights[-1]
        rows = data.rows(block, behavior)
        if refitted is not None:
            rows = Rows(rows.shown, refitted.of_others(block, rows.support))
        share = np.interp(scores, learnt.scores[order], learnt.share[order])
        mine = rows.posterior(share) >= learnt.least
        hits.append(block[mine])
        held.append(block[mine | (share >= 0.5)])
    return np.concatenate(hits), np.concatenate(held)


def _bounded(p: Array | Float32) -> Array:
    return np.clip(np.asarray(p, dtype=np.float64), _FLOOR, 1.0 - _FLOOR)
