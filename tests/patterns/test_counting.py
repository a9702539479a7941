"""Counting in shards: bounds that hold, sums that do not know where shards end, and what the budget keeps."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.artifacts import patterns as artifact
from audit.patterns import counting
from audit.patterns.counting import Counters, Scratch, Tally, chosen, fair_shares, mixed, once_a_row

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=120).map(sorted)


def arrays(pairs):
    rows = np.asarray([r for r, _ in pairs], dtype=np.int32)
    return rows, mixed(np.asarray([k for _, k in pairs], dtype=np.uint64))


def cut(pairs, rows):
    """Shards of so many rows."""
    return [[p for p in pairs if p[0] // rows == s] for s in range(31 // rows + 1)]


@given(PAIRS, st.integers(1, 31))
@settings(max_examples=60, deadline=None)
def test_a_tally_of_shards_is_the_count_by_hand(pairs, size):
    truth = {key: sorted({r for r, k in pairs if k == key}) for key in range(10)}
    tally = Tally(np.sort(mixed(np.arange(10, dtype=np.uint64))))
    listed, offset = {key: [] for key in range(10)}, 0
    name = {int(tally.lookup(mixed(np.asarray([k], dtype=np.uint64)))[0]): k for k in range(10)}
    for shard in cut(pairs, size):
        rows, keys = arrays(shard)
        for row, number in zip(*tally.add(rows, keys, offset), strict=True):
            listed[name[int(number)]].append(int(row))
        offset += len(shard)
    assert listed == truth
    assert {name[i]: int(c) for i, c in enumerate(tally.count)} == {k: len(v) for k, v in truth.items()}
    order = [k for _, k in pairs]
    assert {name[i]: int(f) for i, f in enumerate(tally.first)} == {
        k: order.index(k) if k in order else -1 for k in range(10)
    }
    same = {(a, b) for a in range(10) for b in range(10) if truth[a] == truth[b]}
    signed = [(name[i], int(signature)) for i, signature in enumerate(tally.signature)]
    assert {(a, b) for a, first in signed for b, second in signed if first == second} == same
    assert tally.lookup(mixed(np.asarray([77], dtype=np.uint64))).tolist() == [-1]


@given(PAIRS, st.integers(1, 31))
@settings(max_examples=60, deadline=None)
def test_counters_are_never_below_the_truth_and_add_up(pairs, size):
    whole, parts = Counters(200), []
    for shard in cut(pairs, size):
        rows, keys = arrays(shard)
        parts.append(Counters(200))
        for counters in (whole, parts[-1]):
            counters.add(keys[once_a_row(rows, keys)])
    merged = Counters(200)
    for part in parts:
        merged.merge(part)
    np.testing.assert_array_equal(merged.cells, whole.cells)
    truth = Counter(k for _, k in set(pairs))
    assert all(whole.of(mixed(np.asarray([k], dtype=np.uint64)))[0] >= n for k, n in truth.items())


def test_counters_saturate_and_do_not_wrap_around():
    counters, key = Counters(10), mixed(np.zeros(1, dtype=np.uint64))
    for _ in range(3):
        counters.add(np.repeat(key, 30_000))
    assert counters.of(key).tolist() == [65_535]


def test_scratch_gives_groups_back_as_often_as_asked():
    scratch = Scratch()
    groups = [(np.arange(5, dtype=np.int32), np.arange(5) / 2), (np.zeros(0, dtype=np.int32), np.zeros(0))]
    for group in groups:
        scratch.put(*group)
    for _ in range(2):
        for (a, b), (c, d) in zip(scratch, groups, strict=True):
            assert (a.tolist(), b.tolist(), a.dtype) == (c.tolist(), d.tolist(), c.dtype)
    assert scratch.size == 5


@pytest.mark.parametrize(
    ("needs", "room", "shares"),
    [([3, 3], 10, [3, 3]), ([1, 9, 9], 10, [1, 5, 4]), ([5, 5], 1, [1, 0]), ([], 4, []), ([0, 7], 5, [0, 5])],
)
def test_room_is_dealt_out_evenly_and_whole(needs, room, shares):
    assert fair_shares(needs, room) == shares


def test_the_room_is_shared_between_counts_and_goes_to_what_its_parts_do_not_predict():
    count = np.asarray([3] * 1_000 + [50] * 1_000)
    excess = np.zeros(2_000, dtype=np.float32)
    excess[[700, 1_700]] = 9
    kept = chosen(count, excess, 3, 20)
    assert len(kept) == 20 and {700, 1_700} <= set(kept.tolist())
    assert (count[kept] == 3).sum() == 10
    assert chosen(count, excess, 3, 5_000).tolist() == list(range(2_000))


def test_where_shards_end_changes_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    texts = [" ".join(f"w{i}" for i in rng.zipf(1.4, 12) % 40) for _ in range(60)]
    whole = artifact.extract(texts, 3, 8, 100_000)
    monkeypatch.setattr(artifact, "_SHARD_ROWS", 7)
    monkeypatch.setattr(counting, "_MOST_BITS", 10)  # so few counters that keys share them
    parts = artifact.extract(texts, 3, 8, 100_000)
    assert whole.table.equals(parts.table) and (whole.matrix != parts.matrix).nnz == 0
    assert (whole.columns != whole.matrix.tocsc()).nnz == 0
    assert whole.carriers(5).tolist() == whole.matrix[:, [5]].tocoo().row.tolist()


def test_a_phrase_of_frequent_words_outlives_a_small_budget_and_the_rest_is_told():
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 30, 12)) for _ in range(800)]
    for row in range(40, 60):
        texts[row] += " w3 w7 w11 w13"
    noted = []
    progress = type("Notes", (artifact.NoProgress,), {"note": lambda self, text: noted.append(text)})()
    whole = artifact.extract(texts, 3, 4, 100_000)
    cut_ = artifact.extract(texts, 3, 4, 600, progress)
    assert len(whole.table) > 1_200 and len(cut_.table) <= 600
    rows = cut_.matrix[:, cut_.table["text"].to_list().index("w3 w7 w11 w13")].tocoo().row
    assert set(range(40, 60)) <= set(rows.tolist())
    assert len(noted) == 1 and "left out" in noted[0] and noted[0].endswith("stands in 3 rows")
