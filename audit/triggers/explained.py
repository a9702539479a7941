"""Which rows the candidates found so far explain, so that variants of one trigger do not crowd the list.

A candidate that is a mixture, rows of one trigger among others, explains nothing of what is pure in it; a suspected one
explains all of its rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.schema import Int64
from audit.triggers.assess import HONEST_RATIO

MIXED = 0.15  # by which a candidate must be less pure than a pattern in its rows to leave that pattern to be seen


class Explained:
    """The rows that accepted candidates explain."""

    def __init__(self, n: int) -> None:
        self._sets = np.zeros((0, n), dtype=bool)  # a row a candidate
        self._purity, self._ratio = np.zeros(0), np.zeros(0)
        self._suspected = np.zeros(0, dtype=bool)

    def add(self, rows: Int64, purity: float = 1.0, ratio: float = 1.0, suspected: bool = True) -> None:
        """Adds a candidate: the rows it explains, its purity, how alike its rows are (`cohesion_ratio`)."""
        held = np.zeros((1, self._sets.shape[1]), dtype=bool)
        held[0, rows] = True
        self._sets = np.concatenate([self._sets, held])
        self._purity, self._ratio = np.append(self._purity, purity), np.append(self._ratio, ratio)
        self._suspected = np.append(self._suspected, suspected)

    def by(self, rows: Int64, purity: float, ratio: float = np.inf) -> NDArray[np.bool_]:
        """(c, k) which of these rows each candidate explains that may stand for a pattern of this purity whose rows
        are alike by this ratio: a suspected one, or one that is neither a mixture nor failed for what its rows have in
        common beside it, where this pattern is all that they have in common."""
        whole = self._purity >= purity - MIXED
        if ratio <= HONEST_RATIO:
            whole &= self._ratio <= HONEST_RATIO
        return np.asarray(self._sets[np.ix_(np.flatnonzero(self._suspected | whole), rows)])

    def by_suspects(self, rows: Int64) -> NDArray[np.bool_]:
        """(c, k) the same of suspected candidates alone."""
        return np.asarray(self._sets[np.ix_(np.flatnonzero(self._suspected), rows)])
