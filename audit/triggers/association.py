"""Association of every pattern with every behavior: the residual score and exact tails.

For pattern g and behavior t: `S = sum_i x (y - p) / sqrt(sum_i x p (1 - p))` over carriers, p the support,
and two exact binomial tails of the count: against the behavior's rate in the whole set (which sees
clean-label poison) and against what the support expects of these very carriers (which honest topic words do
not pass). Bonferroni over all pairs tested bounds the family-wise error of the association; whether an
association is a trigger is for the tests of `assess` and for the probe.

The sums are additive: hits are counted a block of patterns at a time, what is expected of the pairs with
enough hits is added up over blocks of rows. Memory follows the pairs kept, at most `MOST_PAIRS`.

Source: Rao's score test; for z-scores of tokens against labels, He et al. 2023, arXiv:2305.11596; the bound by
which pairs are dropped, Chernoff 1952.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audit.artifacts.expected import Known
from audit.schema import Expected, Float32, Int64, Patterns, Support
from audit.stats import Array, benjamini_hochberg, binomial_tail_log10, wilson_lower

MOST_PAIRS = 4_000_000  # listed; beyond them those that stand out least by any support are left out
_BLOCK_HITS = 8_000_000  # (pattern, row, behavior) triples whose pairs are counted at a time
_BLOCK_CELLS = 8_000_000  # rows times behaviors whose support is worked out at a time
_CHUNK = 4_000_000  # (row, pair) cells that are added at a time
_MOST_ROWS = 20_000  # rows a block
_FEW = 8  # behaviors of a pattern that are always summed cell by cell


@dataclass(frozen=True, slots=True)
class Pairs:
    """One entry a (pattern, behavior) pair with enough hits; all arrays aligned, sorted by pattern, behavior."""

    pattern: Int64
    behavior: Int64
    hits: Array  # carriers with the behavior
    count: Array  # carriers
    expected: Array  # sum of p over carriers
    score: Array  # S
    tail: Array  # log10 P(>= hits) at the carriers' mean support, at least half the base rate
    marginal: Array  # log10 P(>= hits) at the base rate
    base: Array  # the behavior's rate in the whole set
    purity_lower: Array  # 95% Wilson bound of hits / count
    tested: int  # pairs that share a row: the number the tails are corrected for
    within: Array | None = None  # S with each row's support moved by its stratum's mean residual, where asked for

    def select(self, at: Int64) -> Pairs:
        """These entries alone, in the order given."""
        arrays: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "tested"}
        return replace(self, **{name: a[at] for name, a in arrays.items() if a is not None})


@dataclass(frozen=True, slots=True)
class _Hits:
    """Pairs with enough hits, sorted by pattern, behavior."""

    pattern: Int64
    behavior: Int64
    hits: Array
    tested: int


def associate(
    patterns: Patterns | sparse.csr_matrix,
    behaviors: sparse.csr_matrix,
    support: Support | Expected | Float32,
    min_hits: int,
    strata: NDArray[np.integer] | None = None,
) -> Pairs:
    """Scores all pairs that share at least `min_hits` rows. Shapes (n, G), (n, T), (n, T). `strata` (n,) are
    small numbers, such as each row's source: with them `within` is worked out too."""
    expected_of = support.expected if isinstance(support, Support) else support
    if isinstance(expected_of, np.ndarray):
        expected_of = Known(expected_of)
    by_row = patterns.matrix if isinstance(patterns, Patterns) else patterns
    by_pattern = (patterns.by_pattern if isinstance(patterns, Patterns) else patterns.tocsc()).T
    behaviors = behaviors.tocsr()
    count = np.diff(by_pattern.indptr).astype(np.int64)
    base = np.bincount(behaviors.indices, minlength=behaviors.shape[1]) / max(behaviors.shape[0], 1)
    found = _together(by_pattern, behaviors, min_hits, count, base)
    expected, variance = _sums(by_row, found, expected_of, None)
    within = None
    if strata is not None:
        moved = _residuals(behaviors, found, expected_of, np.asarray(strata))
        moved_expected, moved_variance = _sums(by_row, found, expected_of, (np.asarray(strata), moved))
        within = (found.hits - moved_expected) / np.sqrt(moved_variance + 1e-9)
    n, rate = count[found.pattern].astype(np.float64), base[found.behavior]
    return Pairs(
        pattern=found.pattern,
        behavior=found.behavior,
        hits=found.hits,
        count=n,
        expected=expected,
        score=(found.hits - expected) / np.sqrt(variance + 1e-9),
        tail=binomial_tail_log10(found.hits, n, np.clip(np.maximum(rate / 2, expected / n), 1e-9, 1 - 1e-9)),
        marginal=binomial_tail_log10(found.hits, n, np.clip(rate, 1e-9, 1 - 1e-9)),
        base=rate,
        purity_lower=wilson_lower(found.hits, n),
        tested=found.tested,
        within=within,
    )


def _together(
    by_pattern: sparse.csr_matrix, behaviors: sparse.csr_matrix, min_hits: int, count: Int64, base: Array
) -> _Hits:
    """Hits of all pairs, exactly, a block of patterns at a time."""
    held: list[tuple[Int64, Int64, Array]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    tested = size = 0
    for start, stop in _blocks(by_pattern, behaviors):
        together = by_pattern[start:stop] @ behaviors
        together.sort_indices()
        tested += int(together.nnz)
        pattern = start + np.repeat(np.arange(stop - start), np.diff(together.indptr))
        enough = together.data >= min_hits
        held.append(
            (pattern[enough], together.indices[enough].astype(np.int64), together.data[enough].astype(np.float64))
        )
        size += int(enough.sum())
        if size > 2 * MOST_PAIRS:
            held = [_strongest(held, count, base)]
            size = len(held[0][0])
    pattern, behavior, hits = _strongest(held, count, base)
    return _Hits(pattern, behavior, hits, tested)


def _blocks(by_pattern: sparse.csr_matrix, behaviors: sparse.csr_matrix) -> Iterator[tuple[int, int]]:
    """Stretches of patterns that share about `_BLOCK_HITS` cells with the behaviors."""
    a_row = np.diff(behaviors.indptr).astype(np.float64)
    cost = np.cumsum(by_pattern @ a_row)
    start = 0
    while start < len(cost):
        before = cost[start - 1] if start else 0.0
        stop = max(int(np.searchsorted(cost, before + _BLOCK_HITS, side="right")), start + 1)
        yield start, stop
        start = stop


def _strongest(held: list[tuple[Int64, Int64, Array]], count: Int64, base: Array) -> tuple[Int64, Int64, Array]:
    """The pairs with the smallest Chernoff bound at half the base rate, the lowest level that a tail is taken
    against; all where there are few."""
    pattern, behavior, hits = (np.concatenate(arrays) for arrays in zip(*held, strict=True))
    if len(hits) <= MOST_PAIRS:
        return pattern, behavior, hits
    n = count[pattern].astype(np.float64)
    share, level = hits / n, np.clip(base[behavior] / 2, 1e-9, 1 - 1e-9)
    other = np.clip(1 - share, 1e-12, 1)
    bound = n * (share * np.log(share / level) + other * np.log(other / (1 - level)))
    bound[share <= level] = 0
    at = np.sort(np.argpartition(-bound, MOST_PAIRS)[:MOST_PAIRS])
    return pattern[at], behavior[at], hits[at]


Moved = tuple[NDArray[np.integer], Float32]  # (n,) strata, and (S, columns) by how much each moves the support


def _sums(by_row: sparse.csr_matrix, found: _Hits, support: Expected, moved: Moved | None) -> tuple[Array, Array]:
    """The sums of p and of p (1 - p) over the carriers of each pair. Patterns in pairs with many behaviors (they
    stand in many rows) are summed for all behaviors at once, the others cell by cell."""
    columns, column = np.unique(found.behavior, return_inverse=True)
    of_pattern = np.bincount(found.pattern, minlength=by_row.shape[1])
    begin = np.concatenate([[0], np.cumsum(of_pattern)])
    heavy = np.flatnonzero(of_pattern > max(_FEW, len(columns) / 4))
    place = np.full(by_row.shape[1], -1, dtype=np.int64)
    place[heavy] = np.arange(len(heavy))
    expected, variance = np.zeros(len(found.hits)), np.zeros(len(found.hits))
    whole, whole_variance = np.zeros((len(heavy), len(columns))), np.zeros((len(heavy), len(columns)))
    for start, stop in _row_blocks(by_row.shape[0], len(columns)):
        p = support.block(start, stop, columns).astype(np.float64)
        if moved is not None:
            p = np.clip(p + moved[1][moved[0][start:stop]], 1e-4, 1 - 1e-4)
        pattern = by_row.indices[by_row.indptr[start] : by_row.indptr[stop]]
        row = np.repeat(np.arange(stop - start), np.diff(by_row.indptr[start : stop + 1]))
        if len(heavy):
            at = np.flatnonzero(place[pattern] >= 0)
            shape = (len(heavy), stop - start)
            held = sparse.csr_matrix((np.ones(len(at)), (place[pattern[at]], row[at])), shape=shape)
            whole += held @ p
            whole_variance += held @ (p * (1 - p))
        light = (of_pattern[pattern] > 0) & (place[pattern] < 0)
        for pair, cell_row in _cells(pattern[light], row[light], of_pattern, begin):
            value = p[cell_row, column[pair]]
            expected += np.bincount(pair, weights=value, minlength=len(expected))
            variance += np.bincount(pair, weights=value * (1 - value), minlength=len(expected))
    at = np.flatnonzero(place[found.pattern] >= 0)
    expected[at] = whole[place[found.pattern[at]], column[at]]
    variance[at] = whole_variance[place[found.pattern[at]], column[at]]
    return expected, variance


def _row_blocks(n: int, columns: int) -> Iterator[tuple[int, int]]:
    size = int(np.clip(_BLOCK_CELLS // max(columns, 1), 256, _MOST_ROWS))
    for start in range(0, n if columns else 0, size):
        yield start, min(start + size, n)


def _cells(pattern: NDArray[np.integer], row: Int64, of_pattern: Int64, begin: Int64) -> Iterator[tuple[Int64, Int64]]:
    """(pair, row) of each entry's pairs, some millions at a time."""
    ends = np.cumsum(of_pattern[pattern])
    start = 0
    while start < len(pattern):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + _CHUNK, side="right")), start + 1)
        held = of_pattern[pattern[start:stop]]
        within = np.arange(int(ends[stop - 1]) - before) - np.repeat(ends[start:stop] - held - before, held)
        yield np.repeat(begin[pattern[start:stop]], held) + within, np.repeat(row[start:stop], held)
        start = stop


def _residuals(behaviors: sparse.csr_matrix, found: _Hits, support: Expected, strata: NDArray[np.integer]) -> Float32:
    """(S, columns) mean residual of each stratum, for the behaviors that stand in a pair."""
    columns = np.unique(found.behavior)
    size = np.bincount(strata)
    shown = sparse.csr_matrix((np.ones(len(strata)), (strata, np.arange(len(strata)))), (len(size), len(strata)))
    total = np.asarray((shown @ behaviors)[:, columns].todense(), dtype=np.float64)
    for start, stop in _row_blocks(len(strata), len(columns)):
        total -= shown[:, start:stop] @ support.block(start, stop, columns)
    return np.asarray(total / np.maximum(size, 1)[:, None], dtype=np.float32)


def q_values(tails: Array, tested: int) -> Array:
    """q-values of Benjamini and Hochberg over all pairs tested; those not listed count as p = 1."""
    p = np.power(10.0, np.maximum(tails, -300.0))
    if tested <= len(p) or len(p) == 0:
        return benjamini_hochberg(p)
    order = np.argsort(p, kind="stable")
    raw = p[order] * tested / np.arange(1, len(p) + 1)
    out = np.empty(len(p))
    out[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return out
