"""What the rest of the dataset expects of a pattern's rows: the support, fitted again without them.

A trigger's rows lend the support what they teach: the embedding holds the pattern, and other folds hold other
carriers. Without any of them, an honest topic word's rows are still expected to show the behavior, for other
rows of the topic do; a trigger's are not. In closed form: a ridge regression, downdated by the carriers.

Source: the support of `audit.artifacts.support`, refitted without the carriers of a shortlisted pattern; the downdate
is the normal equations less the rows left out.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from audit.artifacts.expected import Predictors
from audit.artifacts.support import penalty
from audit.schema import Int64
from audit.stats import Array

_BLOCK = 20_000  # rows whose products are summed at a time


class Rest:
    """A ridge regression of every behavior on the design, ready to be fitted without any few rows.

    `predictors` (n, d) are read in blocks; `behaviors` (n, T) of 0 and 1.
    """

    def __init__(self, predictors: Predictors, behaviors: sparse.csr_matrix) -> None:
        self.predictors = predictors
        self.by_behavior = behaviors.tocsc()
        size = predictors.shape[1]
        self.gram = penalty(size).astype(np.float64)
        for _, _, block in predictors.blocks():
            self.gram += block.T @ block
        self._moments: dict[int, Array] = {}

    def having(self, behavior: int) -> Int64:
        """Positions of the rows that show a behavior."""
        start, end = self.by_behavior.indptr[behavior : behavior + 2]
        return np.asarray(self.by_behavior.indices[start:end], dtype=np.int64)

    def weights(self, without: Int64, behavior: int) -> Array:
        """(d,) coefficients fitted on all rows but these."""
        left_out = self._take(without)
        y = np.isin(without, self.having(behavior)).astype(np.float64)
        return np.asarray(np.linalg.solve(self.gram - left_out.T @ left_out, self._moment(behavior) - left_out.T @ y))

    def expects(self, rows: Int64, behavior: int, without: Int64 | None = None) -> Array:
        """(k,) predicted shares, not bounded, for these rows by a fit without them, or without others."""
        weights = self.weights(rows if without is None else without, behavior)
        return np.asarray(self._take(rows) @ weights)

    def _take(self, rows: Int64) -> Array:
        return self.predictors.take(rows).astype(np.float64)

    def _moment(self, behavior: int) -> Array:
        if behavior not in self._moments:
            total = np.zeros(self.predictors.shape[1])
            rows = self.having(behavior)
            for start in range(0, len(rows), _BLOCK):
                total += self._take(np.sort(rows[start : start + _BLOCK])).sum(axis=0)
            self._moments[behavior] = total
        return self._moments[behavior]
