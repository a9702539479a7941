"""From surprising rows to all rows of a template, in the template's own space.

Poison of one template always shows the target, whatever its content says. So among rows that hold the template the
other behaviors die out: of the `sum (1 - p)` rows without the target that the content leads one to expect, hardly any
are there. That share, read along a score, is the share of clean rows at each score, and it gives each row with the
target a posterior of being poison. The score is learnt from those posteriors, the posteriors from the score, and so on:

1. start: each key's residual score against the support; keys that lean to the target are added up.
2. further rounds: ridge regression of the posteriors on the leading directions; stragglers, whose label their content
   explains anyway, are recalled because they stand where the surprising rows do.

Law: the score of a row never depends on its own behavior, nor on that of any row of its fold, in any round; what the
scores say about behaviors is therefore evidence and not memory. To that end each fold is left out once outside, and
again inside, from closed-form fits.

Source: positive-unlabelled learning, Elkan and Noto 2008; for the shares, monotone regression, Barlow et al. 1972;
residual scores after Rao.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from audit.schema import Float32, Int32, Int64
from audit.stats import Array
from audit.triggers.template_space import Space

ROUNDS = 5
_RIDGE = 1.0
_SHRINK = 4.0  # rows' worth of variance by which a key's residual effect is shrunk
_LEANING = 1.5  # residual score from which a key counts


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known of the rows for one behavior; all (n,)."""

    shown: Array  # 1 where the row shows the behavior, else 0
    support: Array  # in (0, 1)

    def share(self, score: Array) -> Array:
        """Share of poison at each row's score, never falling as the score rises."""
        contrary = 1.0 - self.support
        fit = IsotonicRegression(y_min=0.0, increasing=False, out_of_bounds="clip")
        left = fit.fit(score, (1.0 - self.shown) / contrary, sample_weight=contrary).predict(score)
        return np.asarray(1.0 - np.minimum(left, 1.0))

    def posterior(self, share: Array) -> Array:
        """Probability that a row is poison, 0 for rows without the behavior."""
        return np.where(self.shown > 0, self.if_shown(share), 0.0)

    def if_shown(self, share: Array) -> Array:
        """Probability that a row would be poison if it showed the behavior."""
        return np.asarray(share / (share + (1.0 - share) * self.support + 1e-12))

    def among(self, rows: Int64) -> Rows:
        """These rows alone."""
        return Rows(self.shown[rows], self.support[rows])


class Propagation:
    """Closed-form fits of one space and one division into at least three folds."""

    def __init__(self, space: Space, folds: Int32) -> None:
        values = np.unique(folds)
        if len(values) < 3:
            raise ValueError(f"propagation needs at least 3 folds, has {len(values)}")
        self.space, self.folds = space, folds
        self.rows = {int(f): np.flatnonzero(folds == f) for f in values}
        self.held = {f: space.held[r] for f, r in self.rows.items()}
        self.turned = {f: m.T.tocsr() for f, m in self.held.items()}
        self.size = 1.0 / np.sqrt(np.maximum(np.asarray(space.held.sum(axis=1)).ravel(), 1.0))
        ones = np.ones((len(folds), 1), dtype=np.float32)
        self.x = np.hstack([space.reduced, ones])
        gram = {f: self.x[r].T @ self.x[r] for f, r in self.rows.items()}
        shrink = _RIDGE * np.eye(self.x.shape[1], dtype=np.float32)
        shrink[-1, -1] = 1e-3
        self.gram = np.asarray(sum(gram.values())) + shrink
        self.inverse: dict[frozenset[int], Float32] = {}
        for a in self.rows:
            for b in self.rows:
                out = frozenset((a, b))
                if out not in self.inverse:
                    self.inverse[out] = np.linalg.inv(self.gram - sum(gram[f] for f in out)).astype(np.float32)

    def screen(self, rows: Rows) -> Array:
        """(n,) the start's scores, out of fold."""
        moments = self._residuals(rows)
        score = np.zeros(len(rows.shown))
        for fold, held in self.rows.items():
            score[held] = self._lean(fold, self._weights(moments, frozenset((fold,))))
        return score

    def scores(self, rows: Rows) -> list[Array]:
        """(n,) scores of each step, the start first; each row by fits without its fold."""
        out = [np.zeros(len(rows.shown)) for _ in range(ROUNDS)]
        moments = self._residuals(rows)
        for fold in self.rows:
            self._outer(fold, rows, moments, out)
        return out

    def weights(self, posterior: Array) -> Float32:
        """(d + 1,) the last round's fit on all rows, the constant last: for rows that were not among them."""
        return np.asarray(np.linalg.solve(self.gram, self.x.T @ posterior.astype(np.float32)), dtype=np.float32)

    def _outer(self, fold: int, rows: Rows, moments: dict[int, tuple[Array, Array]], out: list[Array]) -> None:
        held = self.rows[fold]
        train = np.sort(np.concatenate([r for f, r in self.rows.items() if f != fold]))
        known = rows.among(train)
        target = np.zeros(len(rows.shown), dtype=np.float32)
        inner = np.zeros(len(rows.shown))
        for step in range(ROUNDS):
            if step == 0:
                out[0][held] = self._lean(fold, self._weights(moments, frozenset((fold,))))
                for f, r in self.rows.items():
                    inner[r] = self._lean(f, self._weights(moments, frozenset((fold, f)))) if f != fold else 0.0
            else:
                out[step][held] = self._ridge(fold, fold, target)
                for f, r in self.rows.items():
                    inner[r] = self._ridge(f, fold, target) if f != fold else 0.0
            target = np.zeros(len(rows.shown), dtype=np.float32)
            target[train] = known.posterior(known.share(inner[train]))

    def _residuals(self, rows: Rows) -> dict[int, tuple[Array, Array]]:
        """Each fold's sums of residuals and of variances by key."""
        residual, variance = rows.shown - rows.support, rows.support * (1.0 - rows.support)
        return {f: (m @ residual[self.rows[f]], m @ variance[self.rows[f]]) for f, m in self.turned.items()}

    @staticmethod
    def _weights(moments: dict[int, tuple[Array, Array]], out: frozenset[int]) -> Array:
        total = np.asarray(sum(m for f, (m, _) in moments.items() if f not in out))
        variance = np.asarray(sum(v for f, (_, v) in moments.items() if f not in out))
        leaning = total > _LEANING * np.sqrt(variance + 1e-9)
        return np.asarray(np.where(leaning, total / (variance + _SHRINK), 0.0))

    def _lean(self, fold: int, weights: Array) -> Array:
        return np.asarray((self.held[fold] @ weights) * self.size[self.rows[fold]], dtype=np.float64)

    def _ridge(self, fold: int, other: int, target: Float32) -> Array:
        """Scores of a fold by a fit without it and without another."""
        kept = np.concatenate([r for f, r in self.rows.items() if f not in (fold, other)])
        weights = self.inverse[frozenset((fold, other))] @ (self.x[kept].T @ target[kept])
        return np.asarray(self.x[self.rows[fold]] @ weights, dtype=np.float64)
