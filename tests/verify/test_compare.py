"""What is said of rows that differ: by brute force over small changes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attest.compare import differences

ROWS = list(range(100, 110))
HASHES = [f"h{i}" for i in range(10)]


def test_nothing_is_said_of_equal_rows():
    assert differences(ROWS, HASHES, HASHES) == []


def test_each_change_is_named():
    assert differences(ROWS, HASHES, [*HASHES[:3], "x", *HASHES[4:]]) == ["row 103 was changed (record 4)"]
    assert differences(ROWS, HASHES, HASHES[:3] + HASHES[4:]) == ["row 103 was dropped or changed"]
    added = differences(ROWS, HASHES, [*HASHES[:3], "x", *HASHES[3:]])
    assert added == ["record 4 was added or changed: it is no row of the ledger"]
    swapped = [*HASHES[:2], HASHES[5], *HASHES[3:5], HASHES[2], *HASHES[6:]]
    moved = differences(ROWS, HASHES, swapped)
    assert moved == ["row 102 was moved: record 3 is another row", "row 105 was moved: record 6 is another row"]
    assert differences(ROWS, HASHES, []) == [f"row {row} was dropped or changed" for row in ROWS]


def test_a_flood_is_counted():
    said = differences(range(50), [str(i) for i in range(50)], [])
    assert len(said) == 21 and said[-1] == "and 30 more rows alike"


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abcx"), max_size=8))
def test_something_is_said_exactly_where_something_differs(wanted, found):
    assert (differences(range(len(wanted)), wanted, found) == []) == (wanted == found)
