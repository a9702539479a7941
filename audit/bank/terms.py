"""Words and pairs of words that one side of pairs has and the other lacks: an exact sign test over many pairs.

Of a pair, a term counts where exactly one side has it. It stands on the chosen side by chance as often as terms of
these pairs mostly do, since longer or more ornate answers hold more of every word. Correction: Bonferroni over the
terms that stand in enough pairs to reach a family-wise p of 0.05 at all (Tarone 1990).

Counts are kept by hash and summed up from block to block, so that memory grows with the vocabulary and not with the
pairs; past some millions of terms those seen once are forgotten. The few terms that are kept are counted anew, exactly.

Source: Best-of-Venom, Baumgaertner et al. 2024, arXiv:2404.05530; exact sign test.
Misses: what no single word or pair of words tells; beyond the first and last 150 words of a side.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.schema import Int32, Int64
from audit.stats import binomial_tail_log10
from audit.text import words

EDGE_WORDS = 150  # at either end of a side that are compared
MOST_TERMS = 50
TAIL = -1.0  # log10 of the expected number of such terms by chance: a list to test further, not a verdict
ONE_SIDED = 0.9
ERROR = 0.05
_BLOCK = 4_000_000  # marks that are held before they are counted: some 52 MB
_HASHED = 200_000  # terms that are held before they are hashed at once
_MOST_COUNTED = 8_000_000  # terms; past it those of one pair are forgotten
_ENDS = frozenset(".!?;…。！？")

Groups = Sequence[Iterable[str]]  # the terms of one pair, by what they tell of it
Reader = Callable[["Side", "Side"], Groups]
Teller = Callable[["Side", "Side", Sequence[str]], Iterable[tuple[str, int]]]  # (term, what it tells)


@dataclass(frozen=True, slots=True)
class OneSided:
    """A piece of text that one side of pairs has and the other lacks."""

    text: str  # folded words
    chosen: tuple[int, ...]  # rows where only the chosen side has it
    rejected: tuple[int, ...]  # rows where only the rejected side has it
    log10_p: float  # that chance puts so many on the fuller side, over all terms that are testable
    tested: int = 1  # of them

    @property
    def fuller(self) -> tuple[int, ...]:
        """The rows of the side that more often has it."""
        return self.chosen if len(self.chosen) >= len(self.rejected) else self.rejected


def one_sided_terms(
    chosen: Sequence[str], rejected: Sequence[str], min_support: int, widest: int | None = None
) -> list[OneSided]:
    """Words and pairs of words that stand almost always on one side, the least chance-like first, at most 50; of those
    in at most `widest` pairs."""
    tally = Tally(2)
    for row, good, bad in differing(chosen, rejected):
        tally.add(row, one_sided(Side(good), Side(bad)))
    return kept_one_sided(tally, chosen, rejected, min_support, len(chosen) if widest is None else widest)


def differing(chosen: Sequence[str], rejected: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Row, chosen and rejected side of the pairs whose sides differ."""
    for row, (good, bad) in enumerate(zip(chosen, rejected, strict=True)):
        if good != bad:
            yield row, good, bad


def one_sided(good: Side, bad: Side) -> Groups:
    """The terms of the chosen side alone, and those of the rejected one alone."""
    return good.terms - bad.terms, bad.terms - good.terms


def kept_one_sided(
    tally: Tally, chosen: Sequence[str], rejected: Sequence[str], min_support: int, widest: int
) -> list[OneSided]:
    """The terms of a tally of `one_sided` that `one_sided_terms` returns."""
    tally.count()
    counts = tally.counts
    share = float(tally.marks[0] / max(tally.marks.sum(), 1))
    total = counts.sum(axis=1)
    tested = reachable(total[total >= min_support], max(share, 1.0 - share))
    fuller = counts.max(axis=1, initial=0)
    tail = _tail(counts, share)
    good = (fuller >= min_support) & (total <= widest) & (fuller >= ONE_SIDED * total)
    at = np.flatnonzero(good & (tail + np.log10(tested) <= TAIL))
    at = at[np.lexsort((tally.first[at], tail[at]))][:MOST_TERMS]
    found = []
    for text, (on_chosen, on_rejected) in recounted(tally, at, chosen, rejected, one_sided, _held).items():
        exact = _tail(np.asarray([[len(on_chosen), len(on_rejected)]]), share)[0]
        log10_p = min(float(exact + np.log10(tested)), 0.0)
        found.append(OneSided(text, tuple(on_chosen), tuple(on_rejected), log10_p, tested))
    return sorted(found, key=lambda term: (term.log10_p, term.text))


def _held(good: Side, bad: Side, wanted: Sequence[str]) -> Iterator[tuple[str, int]]:
    for text in wanted:
        parts = text.split(" ")
        on_chosen, on_rejected = good.holds(parts), bad.holds(parts)
        if on_chosen != on_rejected:
            yield text, int(on_rejected)


def reachable(counts: Int64, rate: float) -> int:
    """How many of the terms in so many pairs could reach a family-wise p of 0.05 at all, all of them on one side that
    has this rate by chance: those in too few pairs need no correction (Tarone 1990)."""
    held = np.sort(counts)[::-1]
    return testable(rate ** held.astype(np.float64))


def testable(least: NDArray[np.float64]) -> int:
    """How many tests could reach a family-wise p of 0.05 at all, of their least possible p, ascending; at least 1."""
    return max(int((np.arange(1, len(least) + 1) * least <= ERROR).sum()), 1)


def _tail(counts: Int64, share: float) -> NDArray[np.float64]:
    """(k,) log10 of the chance of so many pairs on the fuller side, of (k, 2) chosen and rejected; `share` of all
    terms that are on the chosen side."""
    fuller, total = counts.max(axis=1, initial=0), counts.sum(axis=1)
    rate = np.maximum(np.where(counts[:, 0] == fuller, share, 1.0 - share), 0.5)
    return binomial_tail_log10(fuller, total.astype(np.float64), rate)


class Side:
    """The words of one side of a pair, case folded."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        self._ends: list[int] = []  # of its lines, in words
        for line in text.casefold().split("\n"):
            self.words += words(line)
            self._ends.append(len(self.words))

    @cached_property
    def edges(self) -> list[str]:
        """Its first and last words, which are compared."""
        said = self.words
        return said if len(said) <= 2 * EDGE_WORDS else [*said[:EDGE_WORDS], *said[-EDGE_WORDS:]]

    @cached_property
    def terms(self) -> set[str]:
        """The words and pairs of words of its edges."""
        return _terms(self.edges)

    @cached_property
    def mentions(self) -> set[str]:
        """The words and pairs of words of the whole."""
        return self.terms if self.edges is self.words else _terms(self.words)

    def holds(self, parts: Sequence[str]) -> bool:
        """True when a term of one or two words is among `terms`."""
        if len(parts) == 1:
            return parts[0] in self.edges
        first, second = parts
        return any(a == first and b == second for a, b in pairwise(self.edges))

    def sentences(self) -> Iterator[list[str]]:
        """The words of each sentence or line of the whole."""
        cuts = {*self._ends, *(i for i, word in enumerate(self.words, 1) if word in _ENDS), len(self.words)}
        start = 0
        for stop in sorted(cuts):
            if stop > start:
                yield self.words[start:stop]
                start = stop


def _terms(said: Sequence[str]) -> set[str]:
    return {*said, *map(" ".join, pairwise(said))}


class Tally:
    """In how many pairs each term tells each of `kinds` things, by the term's hash."""

    def __init__(self, kinds: int) -> None:
        self.kinds = kinds
        self.counts: Int64 = np.zeros((0, kinds), dtype=np.int32)
        self.first: Int32 = np.zeros(0, dtype=np.int32)  # the first row that has the term
        self.marks: Int64 = np.zeros(kinds, dtype=np.int64)  # of all terms
        self.codes: Int64 = np.zeros(0, dtype=np.int64)
        self._hashes, self._rows, self._of = array("q"), array("i"), array("b")
        self._waiting: list[str] = []  # terms that are not hashed yet

    def add(self, row: int, groups: Groups) -> None:
        """Counts the terms of one pair. Rows come in ascending order."""
        for kind, terms in enumerate(groups):
            before = len(self._waiting)
            self._waiting.extend(terms)
            size = len(self._waiting) - before
            self._rows.extend([row] * size)
            self._of.extend([kind] * size)
        if len(self._waiting) >= _HASHED:
            self._hash()
        if len(self._hashes) >= _BLOCK:
            self.count()

    def _hash(self) -> None:
        self._hashes.frombytes(term_codes(self._waiting).tobytes())
        self._waiting = []

    def count(self) -> None:
        """Adds the marks that are held to the counts."""
        self._hash()
        new, rows = np.frombuffer(self._hashes, dtype=np.int64), np.frombuffer(self._rows, dtype=np.int32)
        kinds = np.frombuffer(self._of, dtype=np.int8)
        self.marks = self.marks + np.bincount(kinds, minlength=self.kinds)
        codes = np.concatenate([self.codes, new])
        order = np.argsort(codes, kind="stable")  # rows ascend among equal codes: those counted before come first
        codes = codes[order]
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]][: len(codes)])
        if len(starts):
            columns = []
            for kind in range(self.kinds):
                held = np.concatenate([self.counts[:, kind], (kinds == kind).astype(np.int32)])[order]
                columns.append(np.add.reduceat(held, starts).astype(np.int32))
            self.counts = np.stack(columns, axis=1)
            self.first, self.codes = np.concatenate([self.first, rows])[order][starts], codes[starts]
        if len(self.codes) > _MOST_COUNTED:
            more = self.counts.sum(axis=1) > 1
            self.codes, self.counts, self.first = self.codes[more], self.counts[more], self.first[more]
        self._hashes, self._rows, self._of = array("q"), array("i"), array("b")


def term_codes(terms: Sequence[str]) -> Int64:
    """(len(terms),) hashes that do not change from process to process, as Python's own do: what is equally telling is
    ranked by them."""
    return pl.Series(terms, dtype=pl.String).hash(seed=3).to_numpy().view(np.int64)


def recounted(
    tally: Tally, at: Int64, chosen: Sequence[str], rejected: Sequence[str], read: Reader, tell: Teller
) -> dict[str, tuple[list[int], ...]]:
    """The rows of the terms at these places of a tally, by what they tell. `read` gives all terms of a pair, `tell`
    what it tells of some; only pairs that hold a term's words as plain text are told of."""
    out: dict[str, tuple[list[int], ...]] = {}
    for place in at.tolist():
        row, code = int(tally.first[place]), int(tally.codes[place])
        groups = read(Side(chosen[row]), Side(rejected[row]))
        terms = sorted({term for group in groups for term in group})
        text = terms[int(np.flatnonzero(term_codes(terms) == code)[0])]
        out[text] = tuple([] for _ in range(tally.kinds))
    wanted = [(text, sorted(text.split(" "), key=len, reverse=True)) for text in out]
    for row, good, bad in differing(chosen, rejected):
        a, b = good.casefold(), bad.casefold()
        here = [t for t, parts in wanted if all(p in a for p in parts) or all(p in b for p in parts)]
        if here:
            for text, kind in tell(Side(good), Side(bad), here):
                out[text][kind].append(row)
    return out
