"""Word n-grams grown level by level: an n-gram is counted only where both of its (n-1)-grams are frequent.

A phrase that always stands inside one longer phrase is left out for it (a closed-pattern prune): the two have
the same rows. Single words stay, whatever stands around them.

Source: the a-priori rule, Agrawal and Srikant 1994; closed patterns, Pasquier et al. 1999.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.patterns.counting import (
    Counters,
    Scratch,
    Tally,
    UInt64,
    fair_shares,
    mixed,
    octaves,
    once_a_row,
    starts_of,
)
from audit.schema import Float32, Int32, Int64

_LEFT, _RIGHT = np.uint64(0xD1342543DE82EF95), np.uint64(0xAEF17502108EF2D9)
_BINS = 64  # of the excess, where the n-grams of one size are more than the room
_OPEN = -1  # the lowest bin to count, where all fit


@dataclass(frozen=True, slots=True)
class Level:
    """The n-grams of one size, in the order of their words' numbers. Arrays of K entries, aligned."""

    words: Int32  # (K, size) numbers of the words
    count: Int64  # rows
    signature: UInt64  # equal for n-grams with the same rows
    excess: Float32  # see `excess_of`
    closed: NDArray[np.bool_]  # False where an n-gram of the next size has the same rows
    tally: Tally
    place: Int64  # number in the tally -> position here, or -1; the last entry is -1
    pairs: Scratch  # groups of (row, number in the tally), each pair once
    passed_over: int  # frequent n-grams that were not counted for want of room, about


def excess_of(count: NDArray[Any], expected: NDArray[Any]) -> Float32:
    """By how many standard deviations the rows of a pattern exceed those that its parts predict. Below one
    expected row it grows no further, or every pair of rare words would come before a phrase of common ones."""
    return np.asarray((count - expected) / np.sqrt(expected + 1), dtype=np.float32)


def grow(
    tokens: Scratch, counts: Int64, min_support: int, longest: int, room: int, done: Callable[[int], None]
) -> list[Level]:
    """The levels from 2 to `longest` words. `tokens` holds groups of (row, word number or -1) in reading order,
    each row within one group; `counts` are the words' rows. At most `room` n-grams of each size, about, are
    counted exactly. `done` is told each size."""
    level = Scratch(tokens.folder)
    total = np.float32(max(tokens.size, 1))
    for _, ids in tokens:
        at = np.flatnonzero(ids >= 0).astype(np.int32)
        rows_of = counts[ids[at]].astype(np.float32)
        level.put(at, mixed(ids[at].astype(np.uint64)), rows_of, np.full(len(at), total, dtype=np.float32), rows_of)
    out: list[Level] = []
    for size in range(2, longest + 1):
        level = _frequent(tokens, level, min_support)
        if level.size == 0:
            break
        out.append(_exact(tokens, level, size, min_support, room))
        if len(out) > 1:
            _close(out[-2], out[-1])
        done(size)
    level.close()
    return out


def _frequent(tokens: Scratch, level: Scratch, min_support: int) -> Scratch:
    """The n-grams that may be frequent, from the (n-1)-grams that may be: groups of (place in the group of
    tokens, key, rows, rows of the (n-1)-gram there, rows that the parts predict). Rows are upper bounds."""
    counters = Counters(level.size)
    candidates = Scratch(tokens.folder)
    for (rows, _), (at, key, count, shorter, _) in zip(tokens, level, strict=True):
        here = np.flatnonzero((at[1:] == at[:-1] + 1) & (rows[at[1:]] == rows[at[:-1]]))
        new = _joined(key[here], key[here + 1])
        counters.add(new[once_a_row(rows[at[here]], new)])
        candidates.put(at[here], new, count[here], count[here] * count[here + 1] / np.maximum(shorter[here + 1], 1))
    level.close()
    out = Scratch(tokens.folder)
    for at, key, shorter, expected in candidates:
        upper = counters.of(key)
        keep = upper >= min_support
        out.put(at[keep], key[keep], upper[keep].astype(np.float32), shorter[keep], expected[keep])
    candidates.close()
    return out


def _joined(first: UInt64, second: UInt64) -> UInt64:
    return mixed(first * _LEFT + second * _RIGHT)


def _exact(tokens: Scratch, level: Scratch, size: int, min_support: int, room: int) -> Level:
    """Counts the n-grams of one size that the room allows."""
    floor, passed_over = _floors(level, min_support, room)
    tally = Tally(_keys(level, floor, min_support))
    words = np.zeros((len(tally.keys), size), dtype=np.int32)
    expected = np.zeros(len(tally.keys), dtype=np.float32)
    pairs = Scratch(tokens.folder)
    offset = 0
    for (rows, ids), (at, key, _, _, predicted) in zip(tokens, level, strict=True):
        pairs.put(*tally.add(rows[at], key, offset))
        fresh = np.flatnonzero(tally.first >= offset)
        where = tally.first[fresh] - offset
        words[fresh] = ids[at[where][:, None] + np.arange(size)]
        expected[fresh] = predicted[where]
        offset += len(at)
    keep = np.flatnonzero(tally.count >= min_support)
    keep = keep[np.lexsort(words[keep].T[::-1])]
    place = np.full(len(tally.keys) + 1, -1, dtype=np.int64)
    place[keep] = np.arange(len(keep))
    count = tally.count[keep]
    closed = np.ones(len(keep), dtype=bool)
    excess = excess_of(count, expected[keep])
    return Level(words[keep], count, tally.signature[keep], excess, closed, tally, place, pairs, passed_over)


def _floors(level: Scratch, min_support: int, room: int) -> tuple[Int64, int]:
    """The lowest bin of excess to count in each octave of rows, and how many n-grams lie below."""
    found = np.zeros((int(octaves(np.asarray([1 << 40]), 1)[0]) + 1, _BINS))
    for _, _, count, _, expected in level:
        # A key stands at about as many places as it has rows: each place is that share of a key.
        np.add.at(found, (octaves(count, min_support), _bins(count, expected)), 1 / count)
    held = np.ceil(found.sum(axis=1)).astype(np.int64)
    floor = np.full(len(found), _OPEN, dtype=np.int64)
    if held.sum() <= room:
        return floor, 0
    left_out = 0.0
    for octave, share in enumerate(fair_shares(held.tolist(), room)):
        if share < held[octave]:
            above = np.cumsum(found[octave][::-1])[::-1]
            floor[octave] = int(np.flatnonzero(above > share).max(initial=-1)) + 1
            left_out += float(found[octave][: floor[octave]].sum())
    return floor, int(left_out)


def _bins(count: Float32, expected: Float32) -> Int64:
    surplus = np.maximum(excess_of(count, expected), 0)
    return np.asarray(np.minimum(4 * np.log2(1 + surplus), _BINS - 1), dtype=np.int64)


def _keys(level: Scratch, floor: Int64, min_support: int) -> UInt64:
    """The different keys at or above the floors, sorted."""
    out = np.zeros(0, dtype=np.uint64)
    for _, key, count, _, expected in level:
        wanted = key[_bins(count, expected) >= floor[octaves(count, min_support)]]
        out = np.sort(np.concatenate([out, wanted]))
        out = out[starts_of(out)]
    return out


def _close(shorter: Level, longer: Level) -> None:
    """Marks the shorter n-grams that have the rows of a longer one, which takes over their excess: the parts of a
    long phrase predict it, and only the shortest of them was the surprise."""
    for part in (longer.words[:, :-1], longer.words[:, 1:]):
        at = shorter.place[shorter.tally.lookup(_key(part))]
        same = np.flatnonzero((at >= 0) & (shorter.count[at] == longer.count))
        shorter.closed[at[same]] = False
        longer.excess[same] = np.maximum(longer.excess[same], shorter.excess[at[same]])


def _key(words: Int32) -> UInt64:
    """(K,) key of each n-gram, as `_frequent` makes it."""
    keys = [mixed(words[:, i].astype(np.uint64)) for i in range(words.shape[1])]
    while len(keys) > 1:
        keys = [_joined(a, b) for a, b in pairwise(keys)]
    return keys[0]
