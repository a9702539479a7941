"""From surprising rows to all rows of a template, in the template's own space.

Poison of one template always shows the target, whatever its content says. So among rows that hold the template the
other behaviors die out: of the `sum (1 - p)` rows without the target that the content leads one to expect, hardly any
are there. That share, read along a score, is the share of clean rows at each score, and it gives each row with the
target a posterior of being poison. The score is learnt from those posteriors, the posteriors from the score, and so on:

1. start: each key's residual score against the support; keys that lean to the target are added up.
2. rounds: ridge regression of the posteriors on the leading directions; stragglers, whose label their content explains
   anyway, are recalled because they stand where the surprising rows do.
3. last: logistic regression of the posteriors on all keys.

Law: the score of a row never depends on its own behavior, nor on that of any row of its fold, in any of the three
steps; what the scores say about behaviors is therefore evidence and not memory. To that end each fold is left out once
outside, and again inside, from closed-form fits.

Source: positive-unlabelled learning, Elkan and Noto 2008; for the shares, monotone regression, Barlow et al. 1972;
residual scores after Rao.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from audit.schema import Float32, Int32, Int64
from audit.stats import Array
from audit.triggers.template_space import Space

ROUNDS = 3
_RIDGE = 1.0
_SHRINK = 4.0  # rows' worth of variance by which a key's residual effect is shrunk
_LEANING = 1.5  # residual score from which a key counts
_TELLING = 0.02  # posterior below which a row does not enter the last fit as poison
_LEAST_SEEDS = 5.0  # summed posterior that the last fit needs


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
        return np.where(self.shown > 0, share / (share + (1.0 - share) * self.support + 1e-12), 0.0)

    def among(self, rows: Int64) -> Rows:
        """These rows alone."""
        return Rows(self.shown[rows], self.support[rows])


@dataclass(frozen=True, slots=True)
class Model:
    """The last fit: scores of further rows by their weighted keys."""

    weights: Float32  # (G,)
    intercept: float


class Propagation:
    """Closed-form fits of one space and one division into at least three folds."""

    def __init__(self, space: Space, folds: Int32) -> None:
        values = np.unique(folds)
        if len(values) < 3:
            raise ValueError(f"propagation needs at least 3 folds, has {len(values)}")
        self.space = space
        self.rows = {int(f): np.flatnonzero(folds == f) for f in values}
        self.held = {f: space.held[r] for f, r in self.rows.items()}
        self.turned = {f: m.T.tocsr() for f, m in self.held.items()}
        self.size = 1.0 / np.sqrt(np.maximum(np.asarray(space.held.sum(axis=1)).ravel(), 1.0))
        ones = np.ones((len(folds), 1), dtype=np.float32)
        self.x = np.hstack([space.reduced, ones])
        gram = {f: self.x[r].T @ self.x[r] for f, r in self.rows.items()}
        shrink = _RIDGE * np.eye(self.x.shape[1], dtype=np.float32)
        shrink[-1, -1] = 1e-3
        whole = np.asarray(sum(gram.values())) + shrink
        self.inverse: dict[frozenset[int], Float32] = {}
        for a in self.rows:
            for b in self.rows:
                out = frozenset((a, b))
                if out not in self.inverse:
                    self.inverse[out] = np.linalg.inv(whole - sum(gram[f] for f in out)).astype(np.float32)

    def screen(self, rows: Rows) -> Array:
        """(n,) the start's scores, out of fold."""
        moments = self._residuals(rows)
        score = np.zeros(len(rows.shown))
        for fold, held in self.rows.items():
            score[held] = self._lean(fold, self._weights(moments, frozenset((fold,))))
        return score

    def scores(self, rows: Rows) -> list[Array]:
        """(n,) scores of each step, the start first, the last fit last; each row by fits without its fold.

        The last is NaN-free: a fold without enough seeds keeps the scores of the round before."""
        out = [np.zeros(len(rows.shown)) for _ in range(ROUNDS + 1)]
        moments = self._residuals(rows)
        for fold in self.rows:
            self._outer(fold, rows, moments, out)
        return out

    def model(self, posterior: Array) -> Model:
        """The last fit on all rows, for rows that were not among them."""
        fitted = self._logistic(np.arange(len(posterior)), posterior)
        return Model(fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0]))

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
        if float(target.sum()) < _LEAST_SEEDS:
            out[ROUNDS][held] = out[ROUNDS - 1][held] - 1e3  # never above a fold with seeds
            return
        fitted = self._logistic(train, target)
        out[ROUNDS][held] = fitted.decision_function(self.space.weighted[held])

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

    def _logistic(self, train: Int64, posterior: Array | Float32) -> LogisticRegression:
        """Every row as clean with one weight and as poison with the rest."""
        positive = train[posterior[train] > _TELLING]
        x = sparse.vstack([self.space.weighted[train], self.space.weighted[positive]]).tocsr()
        y = np.repeat([0, 1], [len(train), len(positive)])
        weight = np.concatenate([1.0 - posterior[train], posterior[positive]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # liblinear says so where it stops early, which changes no ranking
            return LogisticRegression(C=10.0, solver="liblinear", random_state=0).fit(x, y, sample_weight=weight)
