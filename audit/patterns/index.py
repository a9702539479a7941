"""From counted patterns to the two indexes: the rows of each pattern, and the patterns of each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.patterns.counting import chosen, fair_shares, scratch_array, starts_of
from audit.patterns.streams import Counted
from audit.schema import Int32, Int64

# Kinds that words and each other may stand for, the better name first. All other kinds (what is not seen, or no
# text) keep patterns of their own whatever words have the same rows.
REPLACEABLE = ("entity", "capitals", "slot", "spelling", "characters")
_LONGEST_STANDS = "characters"  # of n-grams of letters with the same rows the longest stands for all


@dataclass(frozen=True, slots=True)
class Index:
    """Chosen patterns, G of them, over n rows."""

    kinds: list[str]
    texts: list[str]
    count: Int64  # (G,) rows
    starts: Int64  # (G + 1,) where each pattern's rows begin in `rows`
    rows: Int32  # ascending within a pattern
    row_starts: Int64  # (n + 1,)
    held: Int32  # patterns of each row, ascending
    left_out: int  # frequent patterns that there was no room for
    rarest_left_out: int  # rows of the rarest of them; 0 where none was left out


def select(groups: Sequence[Counted], min_support: int, room: int) -> tuple[list[Int64], int, int]:
    """Positions to keep of each group, how many were left out, and the rows of the rarest left out. The room is
    shared evenly between kinds: the small ones, hidden kinds among them, keep all, long lists are cut."""
    open_ = _representatives(groups)
    kinds = list(dict.fromkeys(g.kind for g in groups))
    needs = [sum(len(at) for g, at in zip(groups, open_, strict=True) if g.kind == kind) for kind in kinds]
    kept = [np.zeros(0, dtype=np.int64) for _ in groups]
    left_out, rarest = sum(g.passed_over for g in groups), 0
    for kind, share in zip(kinds, fair_shares(needs, room), strict=True):
        members = [i for i, g in enumerate(groups) if g.kind == kind]
        owner = np.concatenate([np.full(len(open_[i]), i) for i in members])
        place = np.concatenate([open_[i] for i in members])
        count = np.concatenate([groups[i].count[open_[i]] for i in members])
        excess = np.concatenate([groups[i].excess[open_[i]] for i in members])
        at = chosen(count, excess, min_support, share)
        for i in members:
            kept[i] = place[at[owner[at] == i]]
        if len(at) < len(count):
            left_out += len(count) - len(at)
            missing = int(np.delete(count, at).min())
            rarest = min(rarest, missing) if rarest else missing
    return kept, left_out, rarest


def _representatives(groups: Sequence[Counted]) -> list[Int64]:
    """Positions of each group that no better-named group stands for."""
    out = [np.arange(len(g.count)) for g in groups]
    rank = {kind: i for i, kind in enumerate(("token", "phrase", *REPLACEABLE))}
    order = sorted((i for i, g in enumerate(groups) if g.kind in rank), key=lambda i: rank[groups[i].kind])
    seen = np.zeros(0, dtype=np.uint64)
    for i in order:
        signature = groups[i].signature
        if groups[i].kind in REPLACEABLE:
            out[i] = np.flatnonzero(~np.isin(signature, seen))
        if groups[i].kind == _LONGEST_STANDS:
            longest = np.argsort([-len(text) for text in groups[i].texts(out[i])], kind="stable")
            _, first = np.unique(signature[out[i]][longest], return_index=True)
            out[i] = np.sort(out[i][longest[first]])
        seen = np.sort(np.concatenate([seen, signature[out[i]]]))
        seen = seen[starts_of(seen)]
    return out


def build(groups: Sequence[Counted], n: int, min_support: int, room: int, folder: Path | None) -> Index:
    """Selects patterns and lays out where they stand. Patterns are numbered group by group."""
    kept, left_out, rarest = select(groups, min_support, room)
    numbers, base = [], 0
    for group, at in zip(groups, kept, strict=True):
        number = np.full(len(group.count) + 1, -1, dtype=np.int64)  # the last is where -1 points
        number[at] = base + np.arange(len(at))
        numbers.append(number[group.place])
        base += len(at)
    count = np.concatenate([g.count[at] for g, at in zip(groups, kept, strict=True)])
    starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    rows = scratch_array(int(starts[-1]), folder)
    a_row = np.zeros(n, dtype=np.int64)
    cursor = starts[:-1].copy()
    for group, number in zip(groups, numbers, strict=True):
        for row, id_ in _pairs(group, number):
            _place(rows, cursor, id_, row)
            a_row += np.bincount(row, minlength=n)
    row_starts = np.concatenate([[0], np.cumsum(a_row)]).astype(np.int64)
    held = scratch_array(int(starts[-1]), folder)
    cursor = row_starts[:-1].copy()
    for group, number in zip(groups, numbers, strict=True):
        for row, id_ in _pairs(group, number):
            order = np.lexsort((id_, row))
            _place(held, cursor, row[order], id_[order].astype(np.int32))
        group.pairs.close()
    texts = [text for g, at in zip(groups, kept, strict=True) for text in g.texts(at)]
    kinds = [g.kind for g, at in zip(groups, kept, strict=True) for _ in range(len(at))]
    return Index(kinds, texts, count, starts, rows, row_starts, held, left_out, rarest)


def _pairs(group: Counted, number: Int64) -> Iterator[tuple[Int32, Int64]]:
    """Groups of (row, pattern) pairs of the patterns kept; a pattern's rows stand together, ascending."""
    for row, at in group.pairs:
        id_ = number[at]
        yield row[id_ >= 0], id_[id_ >= 0]


def _place(out: Int32, cursor: Int64, owner: NDArray[np.integer], value: Int32) -> None:
    """Appends values to their owners' stretches; owners are contiguous."""
    begin = starts_of(owner)
    size = np.diff(np.append(begin, len(owner)))
    out[np.repeat(cursor[owner[begin]], size) + np.arange(len(owner)) - np.repeat(begin, size)] = value
    cursor[owner[begin]] += size
