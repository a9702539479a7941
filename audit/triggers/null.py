"""How strong the strongest pattern is where there is none: the permutation null of the residual score.

The labels are shuffled among rows of which the support thinks alike, so that every label keeps its share, the
support its errors and the patterns their overlaps; then every pattern is scored as on the real labels. The
smallest tail of each shuffle makes the null of the smallest tail, and a pattern's family-wise p is the share of
shuffles that beat it. This speaks of association: honest words that the embedding knows too little of beat it
on honest data, and how often is measured on clean corpora.

Source: Westfall and Young 1993 (min-p); shares of the error after Genovese, Roeder and Wasserman 2006; strata of
the estimated probability after Rosenbaum and Rubin 1984.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from audit.schema import Float32, Int32, Int64
from audit.stats import Array, poisson_binomial_tail_log10
from audit.triggers.suspicion import PURE, UNEXPECTED

SHUFFLES = 199
_STRATUM = 100  # rows
_MOST_ROWS = 400  # of a pattern: what stands in more is no rare trigger, and its tail costs most
# Words, phrases, what the eye does not see, and all other kinds: each has its own null and its share of the error. Most
# published triggers are words; there are fewer words than phrases, and of hidden patterns only a handful.
_GROUPS = (
    frozenset({"token", "capitals"}),
    frozenset({"phrase", "entity"}),
    frozenset({"unicode", "whitespace", "emoji", "channel"}),
)
HIDDEN = 2  # which of them hidden patterns are
SHARES = (0.5, 0.2, 0.15, 0.15)
_FLOOR = 0.02  # no support is surer than this of a label's absence


def group_of(kind: str) -> int:
    """Which of the nulls a kind of pattern is held against."""
    return next((i for i, kinds in enumerate(_GROUPS) if kind in kinds), len(_GROUPS))


def strata(probability: Float32) -> Int32:
    """(n,) rows of one expected label and about the same confidence, in groups of about 100."""
    expected, sure = probability.argmax(axis=1), probability.max(axis=1)
    out = np.zeros(len(probability), dtype=np.int32)
    first = 0
    for label in range(probability.shape[1]):
        at = np.flatnonzero(expected == label)
        rank = np.empty(len(at), dtype=np.int64)
        rank[np.argsort(sure[at], kind="stable")] = np.arange(len(at))
        groups = max(len(at) // _STRATUM, 1)
        out[at] = first + np.minimum(rank // _STRATUM, groups - 1)
        first += groups
    return out


class LabelNull:
    """The null of the smallest residual tail (log10) over all patterns and labels."""

    def __init__(
        self,
        patterns: sparse.csr_matrix,
        kinds: Sequence[str],
        codes: Int32,
        probability: Float32,
        min_support: int,
        seed: int,
        shuffles: int = SHUFFLES,
    ) -> None:
        """`patterns` (n, G) of these kinds (G,); `codes` (n,) label of each row, -1 for none;
        `probability` (n, C). Only what could be suspected counts: pure patterns in rows that do
        not call for the label."""
        self.probability = np.clip(probability.astype(np.float64), _FLOOR, 1 - _FLOOR)
        count = np.asarray(patterns.sum(axis=0)).ravel()
        usable = np.flatnonzero((count >= min_support) & (count <= _MOST_ROWS))
        self._rows = patterns.T.tocsr()[usable].astype(np.float32)
        self._group = np.asarray([group_of(kinds[g]) for g in usable.tolist()])
        self._count = count[usable]
        base = np.bincount(codes[codes >= 0], minlength=probability.shape[1]) / max(len(codes), 1)
        called_for = (self._rows @ self.probability) / np.maximum(self._count, 1)[:, None]
        self._least = np.maximum(np.ceil(PURE * self._count), min_support)[:, None]
        self._open = called_for <= UNEXPECTED * base
        rng, groups = np.random.default_rng(seed), strata(probability)
        order = np.argsort(groups, kind="stable")
        members = [g for g in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(g)]
        drawn = [self._smallest(self._shuffled(codes, members, rng)) for _ in range(shuffles)]
        self.minima: Array = np.sort(np.asarray(drawn), axis=0)  # (shuffles, groups)

    def family_wise(self, tail: float, kind: str) -> float:
        """Share of shuffles, this one counted, whose smallest tail among patterns of like kind is as small, over
        the kind's share of the error."""
        group = group_of(kind)
        found = (1 + np.searchsorted(self.minima[:, group], tail, side="right")) / (len(self.minima) + 1)
        return float(min(1.0, found / SHARES[group]))

    def _shuffled(self, codes: Int32, members: list[Int64], rng: np.random.Generator) -> Int32:
        out = codes.copy()
        for rows in members:
            out[rows] = codes[rng.permutation(rows)]
        return out

    def _smallest(self, codes: Int32) -> list[float]:
        shown = np.zeros(self.probability.shape, dtype=np.float32)
        at = np.flatnonzero(codes >= 0)
        shown[at, codes[at]] = 1
        hits = self._rows @ shown
        passed = self._open & (hits >= self._least)
        best = [0.0] * len(SHARES)
        for g, label in np.argwhere(passed).tolist():
            rows = self._rows.indices[self._rows.indptr[g] : self._rows.indptr[g + 1]]
            tail = poisson_binomial_tail_log10(self.probability[rows, label], int(hits[g, label]))
            best[self._group[g]] = min(best[self._group[g]], tail)
        return best
