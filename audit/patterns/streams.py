"""Two passes over a dataset's rows: one for its words and their n-grams, one for the other families.

A shard is a few thousand rows. Texts are read twice and not kept; what stays between the passes is a stream of
hashes in an unnamed file, and the texts of those keys that may be frequent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from audit.patterns.counting import Counters, Scratch, Tally, UInt64, once_a_row, starts_of
from audit.patterns.family import Family, Row
from audit.patterns.ngrams import grow
from audit.patterns.words import tokens
from audit.schema import Float32, Int32, Int64

_KEYS_A_ROW = 64  # that the counters are sized for; more of them only make more to count exactly


class Corpus(Protocol):
    """Rows in order, as often as they are asked for, in shards."""

    folder: Path | None  # where streams may lie meanwhile

    def __len__(self) -> int:
        """Rows in all."""
        ...

    def __iter__(self) -> Iterator[Sequence[Row]]:
        """The shards, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """Frequent patterns of one kind. Arrays aligned, in the order in which they are numbered."""

    kind: str
    texts: Callable[[Int64], list[str]]  # of these positions
    count: Int64  # rows
    signature: UInt64  # equal for patterns with the same rows
    excess: Float32  # rows beyond what the parts predict, in standard deviations; 0 without parts
    place: Int64  # number in `pairs` -> position, or -1; the last entry is -1
    pairs: Scratch  # groups of (row, number), each pair once
    passed_over: int = 0  # frequent patterns that were not counted for want of room, about


class _Keys:
    """A stream of hashed keys, and the texts of those that may be frequent. A frequent key stands in the shard
    that makes it frequent, so its text is taken there."""

    def __init__(self, corpus: Corpus, min_support: int) -> None:
        self.counters = Counters(len(corpus) * _KEYS_A_ROW)
        self.texts: dict[int, str] = {}
        self.stream = Scratch(corpus.folder)
        self.min_support = min_support

    def put(self, rows: Sequence[int] | Int32, keys: list[str]) -> None:
        """One shard's (row, key) pairs, rows ascending; pairs may repeat."""
        row = np.asarray(rows, dtype=np.int32)
        hashed = pl.Series(keys, dtype=pl.String).hash(seed=0).to_numpy()
        self.stream.put(row, hashed)
        at = once_a_row(row, hashed)
        if len(at) == 0:
            return
        self.counters.add(hashed[at])
        first = at[starts_of(hashed[at])]
        for i in first[self.counters.of(hashed[first]) >= self.min_support].tolist():
            self.texts.setdefault(int(hashed[i]), keys[i])

    def tally(self) -> Tally:
        """Counters of the keys that may be frequent."""
        return Tally(np.sort(np.fromiter(self.texts, dtype=np.uint64, count=len(self.texts))))


def _numbered(tally: Tally, min_support: int) -> tuple[Int64, Int64]:
    """The frequent keys of a tally by first appearance, and the place of each key among them, or -1."""
    keep = np.flatnonzero(tally.count >= min_support)
    keep = keep[np.argsort(tally.first[keep], kind="stable")]
    place = np.full(len(tally.keys) + 1, -1, dtype=np.int64)  # the last is where -1 points
    place[keep] = np.arange(len(keep))
    return keep, place


def count_words(
    corpus: Corpus, min_support: int, longest: int, room: int, done: Callable[[int], None]
) -> list[Counted]:
    """Words first, then the phrases of two words and more, one entry a size. `done` is told rows."""
    keys = _Keys(corpus, min_support)
    start = 0
    for shard in corpus:
        listed = [tokens(row.prompt) for row in shard]
        rows = np.repeat(np.arange(start, start + len(shard), dtype=np.int32), [len(t) for t in listed])
        keys.put(rows, [unit for units in listed for unit in units])
        start += len(shard)
        done(len(shard))
    tally, pairs, offset = keys.tally(), Scratch(corpus.folder), 0
    for rows, hashed in keys.stream:
        pairs.put(*tally.add(rows, hashed, offset))
        offset += len(rows)
    keep, place = _numbered(tally, min_support)
    names = [keys.texts[int(k)] for k in tally.keys[keep]]
    numbered = Scratch(corpus.folder)
    for rows, hashed in keys.stream:
        numbered.put(rows, place[tally.lookup(hashed)].astype(np.int32))
    keys.stream.close()
    count = tally.count[keep]
    zero = np.zeros(len(keep), dtype=np.float32)
    out = [Counted("token", lambda at: [names[i] for i in at], count, tally.signature[keep], zero, place, pairs)]
    for level in grow(numbered, count, min_support, longest, room, lambda size: None):
        kept = np.flatnonzero(level.closed)
        renumber = np.full(len(level.closed) + 1, -1, dtype=np.int64)
        renumber[kept] = np.arange(len(kept))
        out.append(
            Counted(
                "phrase",
                _phrases(names, level.words[kept]),
                level.count[kept],
                level.signature[kept],
                level.excess[kept],
                renumber[level.place],
                level.pairs,
                level.passed_over,
            )
        )
    numbered.close()
    return out


def _phrases(names: list[str], numbers: Int32) -> Callable[[Int64], list[str]]:
    return lambda at: [" ".join(names[w] for w in row) for row in numbers[at].tolist()]


def count_families(
    corpus: Corpus, families: Sequence[Family], min_support: int, done: Callable[[int], None]
) -> list[Counted]:
    """The frequent patterns of each kind, kinds in the order of their families."""
    kinds = list(dict.fromkeys(family.kind for family in families))
    streams = {kind: _Keys(corpus, min_support) for kind in kinds}
    start = 0
    for shard in corpus:
        rows: dict[str, list[int]] = {kind: [] for kind in kinds}
        keys: dict[str, list[str]] = {kind: [] for kind in kinds}
        for i, row in enumerate(shard, start):
            for family in families:
                found = family.keys(row)
                before = len(keys[family.kind])
                keys[family.kind].extend(found)
                rows[family.kind].extend([i] * (len(keys[family.kind]) - before))
        for kind in kinds:
            streams[kind].put(rows[kind], keys[kind])
        start += len(shard)
        done(len(shard))
    return [_counted(kind, streams[kind], min_support, corpus.folder) for kind in kinds]


def _counted(kind: str, keys: _Keys, min_support: int, folder: Path | None) -> Counted:
    tally, pairs, offset = keys.tally(), Scratch(folder), 0
    for rows, hashed in keys.stream:
        pairs.put(*tally.add(rows, hashed, offset))
        offset += len(rows)
    keys.stream.close()
    keep, place = _numbered(tally, min_support)
    names = [keys.texts[int(k)] for k in tally.keys[keep]]
    zero = np.zeros(len(keep), dtype=np.float32)
    return Counted(
        kind, lambda at: [names[i] for i in at], tally.count[keep], tally.signature[keep], zero, place, pairs
    )


def word_counts(words: Counted) -> Mapping[str, int]:
    """Rows of each frequent word."""
    return dict(zip(words.texts(np.arange(len(words.count))), words.count.tolist(), strict=True))
