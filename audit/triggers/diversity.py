"""How alike the carriers of a pattern are once the pattern is masked.

A trigger is put into rows that have nothing else in common; an honest topic word stands in rows about one
topic, and a template in rows that are copies of each other. Measured on TF-IDF vectors of the words, the
pattern's own words and hidden characters left out, against random rows of the same dataset. Long rows have more
of the words that all rows have: where carriers are closer to all rows than rows are on average, as much is
expected of them among each other, which says nothing of a topic of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from audit.patterns.invisible import mixed_script
from audit.schema import Int64, Patterns
from audit.stats import spread
from audit.text import is_invisible, words
from audit.triggers.match import Part

_ALIKE = 0.6  # cosine from which two masked carriers count as one
_AT_MOST = 300  # carriers compared
_SAMPLE = 1_500  # rows that stand for all


@dataclass(frozen=True, slots=True)
class Diversity:
    """`cohesion` is the mean pairwise cosine of masked carriers, `ratio` that over random rows' mean,
    `distinct` the number of carriers that are not near-copies of each other."""

    cohesion: float
    ratio: float
    distinct: int
    compared: int


class Vocabulary:
    """TF-IDF vectors of rows, made as they are asked for, and which column each word is."""

    def __init__(self, patterns: Patterns, seed: int = 0) -> None:
        tokens = patterns.table.filter(patterns.table["kind"] == "token")
        self.matrix, self.tokens = patterns.matrix, tokens["pattern"].to_numpy()
        n = self.matrix.shape[0]
        self.idf = np.log((1 + n) / (1 + tokens["count"].to_numpy())).astype(np.float32)
        self.idf[[_is_hidden(text) for text in tokens["text"].to_list()]] = 0
        self.column = {word: i for i, word in enumerate(tokens["text"].to_list())}
        sample = np.random.default_rng(seed).choice(n, size=min(n, _AT_MOST), replace=False) if n else np.zeros(0, int)
        self.background = max(_mean_cosine(_unit(self._vectors(np.sort(sample)))), 1e-4)
        self._sample = spread(n, _SAMPLE)
        self._total = np.asarray(_unit(self._vectors(self._sample)).sum(axis=0)).ravel()

    def _vectors(self, rows: Int64) -> sparse.csr_matrix:
        return self.matrix[rows][:, self.tokens].multiply(self.idf).tocsr()

    def expected(self, rows: Int64, unit: sparse.csr_matrix) -> float:
        """Mean pairwise cosine that these rows, with these vectors of unit length, would have if they shared only what
        they share with all rows; that of random rows where it is larger."""
        if len(rows) == 0:
            return self.background
        itself = np.isin(rows, self._sample) * np.asarray(unit.multiply(unit).sum(axis=1)).ravel()
        close = (unit @ self._total - itself) / np.maximum(len(self._sample) - (itself > 0), 1)
        return max(self.background, float(close.mean()) ** 2 / self.background)

    def measure(self, rows: Int64, masked_words: list[str]) -> Diversity:
        """Diversity of these rows (positions) with these words left out."""
        rows = rows[spread(len(rows), _AT_MOST)]
        vectors = self._vectors(rows)
        masked = [self.column[w] for w in masked_words if w in self.column]
        if masked:
            keep = np.ones(vectors.shape[1], dtype=np.float32)
            keep[masked] = 0
            vectors = vectors.multiply(keep).tocsr()
        unit = _unit(vectors)
        background = self.expected(rows, unit)
        cosine = (unit @ unit.T).toarray()
        empty = np.diff(unit.indptr) == 0  # nothing but the pattern, or rare words: such rows are one another's copies
        cosine[np.ix_(empty, empty)] = 1.0
        groups, _ = connected_components(cosine >= _ALIKE, directed=False) if len(rows) else (0, None)
        k = len(rows)
        cohesion = float((cosine.sum() - np.trace(cosine)) / (k * (k - 1))) if k > 1 else 0.0
        return Diversity(cohesion, cohesion / background, int(groups), k)


def _is_hidden(word: str) -> bool:
    """True for invisible characters and for words of mixed scripts: rows that share a disguise have nothing in common
    but the disguise."""
    return not word.isascii() and (all(map(is_invisible, word)) or mixed_script(word))


def words_of(parts: tuple[Part, ...]) -> list[str]:
    """The words to mask with these parts: a run of invisible characters is as many words as characters."""
    texts = [part.text.casefold() for part in parts]
    return [w for text in texts for w in (*text.split(" "), *words(text))]


def _unit(vectors: sparse.csr_matrix) -> sparse.csr_matrix:
    norm = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    return sparse.diags(1 / np.maximum(norm, 1e-9)) @ vectors


def _mean_cosine(unit: sparse.csr_matrix) -> float:
    """Mean cosine over pairs of different rows of unit length; 0 for fewer than two."""
    k = unit.shape[0]
    if k < 2:
        return 0.0
    total = np.asarray(unit.sum(axis=0)).ravel()
    own = float(unit.multiply(unit).sum())
    return float((total @ total - own) / (k * (k - 1)))
