"""Counting patterns over more rows than memory holds: what is kept follows the patterns, never the rows.

Keys are 64-bit hashes. A first pass adds each key's rows into a table of saturating counters, in which
collisions can only raise a count: a key that the table calls too rare is too rare. What is left is counted
exactly. Both counts are sums over shards of rows, so that shards are merged by adding. Streams of (row, key)
pairs lie in an unnamed file between the passes.

Source: counting Bloom filters, Fan et al. 2000; the a-priori rule, Agrawal and Srikant 1994.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import durable
from audit.schema import Int64

UInt64 = NDArray[np.uint64]

_MOST_BITS, _LEAST_BITS = 26, 10  # cells of the counters: 128 MiB at most
_SATURATED = np.iinfo(np.uint16).max
_OCTAVES = 24


def mixed(values: UInt64) -> UInt64:
    """The splitmix64 finaliser, elementwise: a bijection that spreads neighbouring numbers."""
    out = values + np.uint64(0x9E3779B97F4A7C15)
    out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(out ^ (out >> np.uint64(31)), dtype=np.uint64)


def starts_of(values: NDArray[Any]) -> Int64:
    """Positions at which a run of equal values begins, in an array that is sorted."""
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))


def once_a_row(rows: NDArray[np.int32], keys: UInt64) -> Int64:
    """Positions of each (row, key) pair's first occurrence, sorted by key, then by row. `rows` ascends."""
    order = np.argsort(keys, kind="stable")
    k, r = keys[order], rows[order]
    first = np.concatenate([[True], (k[1:] != k[:-1]) | (r[1:] != r[:-1])]) if len(k) else np.zeros(0, dtype=bool)
    return np.asarray(order[first], dtype=np.int64)


class Counters:
    """Rows of hashed keys, saturating; never below the truth. Sized for so many pairs."""

    def __init__(self, pairs: int) -> None:
        self._bits = int(np.clip(np.ceil(np.log2(2 * pairs + 2)), _LEAST_BITS, _MOST_BITS))
        self.cells: NDArray[np.uint16] = np.zeros(1 << self._bits, dtype=np.uint16)

    def add(self, keys: UInt64) -> None:
        """Counts sorted keys, each as often as rows have it."""
        cell = self._cell(keys)
        at = starts_of(cell)
        times = np.diff(np.append(at, len(cell)))
        self._raise(cell[at], times)

    def merge(self, other: Counters) -> None:
        """Adds the counts of other rows. The tables must be of one size."""
        at = np.flatnonzero(other.cells)
        self._raise(at, other.cells[at].astype(np.int64))

    def of(self, keys: UInt64) -> NDArray[np.int32]:
        """An upper bound of each key's rows."""
        return self.cells[self._cell(keys)].astype(np.int32)

    def _raise(self, cell: Int64, times: Int64) -> None:
        self.cells[cell] = np.minimum(self.cells[cell] + times, _SATURATED).astype(np.uint16)

    def _cell(self, keys: UInt64) -> Int64:
        return (keys >> np.uint64(64 - self._bits)).astype(np.int64)  # sorted keys have sorted cells


class Scratch:
    """Groups of arrays put aside in an unnamed file, and read back in the order in which they came. The file is
    gone with the process; `folder` is where it lies, the system's temporary folder if None."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.size = 0  # elements of the first array of all groups
        self._file = durable.unnamed_file(folder)
        self._groups: list[list[tuple[np.dtype[Any], int]]] = []

    def put(self, *arrays: NDArray[Any]) -> None:
        """One group; not while it is read."""
        self._groups.append([(a.dtype, len(a)) for a in arrays])
        self.size += len(arrays[0])
        for array in arrays:
            self._file.write(np.ascontiguousarray(array).tobytes())

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        place = 0
        for group in self._groups:
            out = []
            for dtype, count in group:
                self._file.seek(place)
                out.append(np.frombuffer(self._file.read(count * dtype.itemsize), dtype=dtype))
                place += count * dtype.itemsize
            yield tuple(out)

    def close(self) -> None:
        """Gives the file's space back."""
        self._file.close()
        self._groups = []


class Tally:
    """Exact row counts of chosen keys, sorted. `signature` is the same for keys with the same rows."""

    def __init__(self, keys: UInt64) -> None:
        self.keys = keys
        self.count = np.zeros(len(keys), dtype=np.int64)
        self.signature = np.zeros(len(keys), dtype=np.uint64)
        self.first = np.full(len(keys), -1, dtype=np.int64)  # where each key stood first: `offset` + position

    def lookup(self, keys: UInt64) -> Int64:
        """The number of each key, -1 where it is none of the chosen."""
        if len(self.keys) == 0:
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)

    def add(self, rows: NDArray[np.int32], keys: UInt64, offset: int) -> tuple[NDArray[np.int32], Int64]:
        """Counts a shard, whose `rows` ascend. Returns its (row, key number) pairs, sorted by number then row."""
        at = once_a_row(rows, keys)
        number = self.lookup(keys[at])
        at, number = at[number >= 0], number[number >= 0]
        begin = starts_of(number)
        if len(begin) == 0:
            return np.zeros(0, dtype=np.int32), number
        seen = number[begin]
        self.count[seen] += np.diff(np.append(begin, len(number)))
        self.signature[seen] += np.add.reduceat(mixed(rows[at].astype(np.uint64)), begin)
        fresh = self.first[seen] < 0
        self.first[seen[fresh]] = offset + at[begin[fresh]]
        return rows[at], number


def fair_shares(needs: Sequence[int], room: int) -> list[int]:
    """Room dealt out evenly: who needs less than an even share leaves the rest to the others; what cannot be
    dealt evenly goes to the first."""
    shares = [0] * len(needs)
    left = room
    while left > 0:
        open_ = [i for i, need in enumerate(needs) if shares[i] < need]
        if not open_:
            break
        even = max(left // len(open_), 1)
        for i in open_:
            given = min(even, needs[i] - shares[i], left)
            shares[i] += given
            left -= given
    return shares


def octaves(count: NDArray[Any], min_support: int) -> Int64:
    """How often each count is `min_support` doubled, rounded down."""
    doublings = np.log2(np.maximum(count, 1) / min_support)
    return np.asarray(np.clip(doublings, 0, _OCTAVES - 1), dtype=np.int64)


def chosen(count: Int64, excess: NDArray[np.float32], min_support: int, room: int) -> Int64:
    """Positions of at most `room` patterns, ascending. The room is shared evenly between octaves of the row
    count, rarest octave first, so that neither a trigger in a handful of rows nor one in some hundreds is
    crowded out. Within an octave those whose rows exceed most what their parts predict, then the rarest."""
    if len(count) <= room:
        return np.arange(len(count))
    octave = octaves(count, min_support)
    share = np.asarray(fair_shares(np.bincount(octave, minlength=_OCTAVES).tolist(), room))
    order = np.lexsort((np.arange(len(count)), count, -excess, octave))
    begin = np.searchsorted(octave[order], np.arange(_OCTAVES))
    rank = np.arange(len(order)) - begin[octave[order]]
    return np.sort(order[rank < share[octave[order]]])


def scratch_array(size: int, folder: Path | None) -> NDArray[np.int32]:
    """(size,) zeros in an unnamed file, so that they need not stay in memory while they are filled."""
    if size == 0:
        return np.zeros(0, dtype=np.int32)
    with durable.unnamed_file(folder) as handle:
        return np.memmap(handle, dtype=np.int32, mode="w+", shape=(size,))
