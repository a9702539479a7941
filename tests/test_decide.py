"""Verdicts as a pure function: what is claimed goes, what is suspected is looked at, nothing is lost."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.decide import BAD_ROWS_CODE, TRIGGER_CODE, Check, claimed_rows, decide
from audit.schema import VERDICTS, Severity, Status, Trigger, signals_frame

NAN = float("nan")


def ledger(count, unreadable=()):
    reasons = ["invalid_utf8" if row in unreadable else None for row in range(count)]
    return pl.DataFrame({"row": range(count), "reason": reasons}, schema={"row": pl.Int64, "reason": pl.String})


def hashes(count, unreadable=()):
    return {row: f"h{row}" for row in range(count) if row not in unreadable}


def trigger(status, rows, name="T-1", kind="token", **statistics):
    return Trigger(name, "cf", ["cf"], "cf", kind, str(status), list(rows), "label a", statistics=statistics)


def check(scores, code="TV-X", severity=Severity.LOW, threshold=1.0, **columns):
    return Check(code.lower(), code, severity, threshold, signals_frame(list(scores), list(scores.values()), **columns))


def verdicts(frame):
    return frame["verdict"].to_list()


def test_a_confirmed_trigger_removes_the_rows_it_claims_and_no_other():
    found = decide(ledger(6), hashes(6), [], [trigger(Status.CONFIRMED, [1, 4])], 0)
    assert verdicts(found) == ["keep", "remove", "keep", "keep", "remove", "keep"]
    assert found["trigger_ids"].to_list() == [[], ["T-1"], [], [], ["T-1"], []]
    assert found["codes"][1].to_list() == [TRIGGER_CODE] and found["codes"][0].to_list() == []
    assert found["content_hash"].to_list() == [f"h{i}" for i in range(6)]
    assert dict(found.schema) == VERDICTS


@pytest.mark.parametrize("status", [Status.REFUTED, Status.UNTESTABLE])
def test_a_trigger_that_is_not_proved_touches_nothing(status):
    assert decide(ledger(3), hashes(3), [], [trigger(status, [0, 1])], 5).equals(
        decide(ledger(3), hashes(3), [], [], 5)
    )


def test_carriers_whose_behavior_cannot_be_judged_go_to_review_even_of_a_confirmed_trigger():
    found = decide(ledger(5), hashes(5), [], [trigger(Status.CONFIRMED, [0, 1], unjudged=[3])], 0)
    assert verdicts(found) == ["remove", "remove", "keep", "review", "keep"]
    made = trigger(Status.CONFIRMED, [0, 1, 2], unjudged=[2])
    assert claimed_rows(made, [10, 11, 12], 0.5) == [10, 11, 12] and made.statistics["unjudged"] == [12]


@pytest.mark.parametrize("order", [1, -1])
def test_suspected_rows_go_to_review_outside_the_budget_and_confirmed_wins(order):
    triggers = [trigger(Status.CONFIRMED, [0, 1], "T-c"), trigger(Status.SUSPECTED, [1, 2], "T-s")][::order]
    found = decide(ledger(4), hashes(4), [], triggers, 0)
    assert verdicts(found) == ["remove", "remove", "review", "keep"]
    assert sorted(found["trigger_ids"][1].to_list()) == ["T-c", "T-s"]
    assert found["codes"][1].to_list() == [TRIGGER_CODE]


def test_the_budget_takes_the_most_urgent_rows_and_scores_alone_remove_nothing():
    checks = [
        check({0: 9.0, 1: 1.5, 2: 0.9, 3: NAN}, "TV-A"),
        check({4: 1.1}, "TV-B", Severity.HIGH),
        check({1: 1.2, 5: 3.0}, "TV-C"),
    ]
    for budget, taken in ((0, set()), (1, {4}), (2, {4, 1}), (3, {4, 1, 0}), (4, {4, 1, 0, 5}), (99, {4, 1, 0, 5})):
        found = decide(ledger(7), hashes(7), checks, [], budget)
        assert {row for row, v in enumerate(verdicts(found)) if v == "review"} == taken, budget
        assert set(verdicts(found)) <= {"keep", "review"}
    assert found["codes"][1].to_list() == ["TV-A", "TV-C"]  # beyond the budget a flag is still told
    assert decide(ledger(7), hashes(7), checks, [], 0)["codes"][0].to_list() == ["TV-A"]
    assert found["codes"][2].to_list() == found["codes"][3].to_list() == []


def test_a_threshold_counts_as_reached_and_an_infinite_one_never():
    found = decide(ledger(2), hashes(2), [check({0: 1.0, 1: 0.999})], [], 9)
    assert verdicts(found) == ["review", "keep"]
    never = check({0: 1e9}, threshold=float("inf"))
    assert verdicts(decide(ledger(2), hashes(2), [never], [], 9)) == ["keep", "keep"]


def test_ties_of_the_budget_go_by_row():
    found = decide(ledger(5), hashes(5), [check({3: 2.0, 1: 2.0, 4: 2.0})], [], 2)
    assert verdicts(found) == ["keep", "review", "keep", "review", "keep"]


def test_rows_of_a_trigger_do_not_use_up_the_budget():
    flags = check({0: 5.0, 1: 4.0, 2: 3.0})
    found = decide(ledger(4), hashes(4), [flags], [trigger(Status.SUSPECTED, [0])], 1)
    assert verdicts(found) == ["review", "review", "keep", "keep"]
    assert sorted(found["codes"][0].to_list()) == ["TV-TRG", "TV-X"]
    removed = decide(ledger(4), hashes(4), [flags], [trigger(Status.CONFIRMED, [0])], 1)
    assert verdicts(removed) == ["remove", "review", "keep", "keep"]


def test_a_fix_is_proposed_for_rows_in_review_only():
    flags = check({0: 5.0, 1: 4.0, 2: 3.0}, fix=["relabel"] * 3, new_value=["a", "b", "c"])
    found = decide(ledger(3), hashes(3), [flags], [trigger(Status.CONFIRMED, [0])], 1)
    assert found["fix"].to_list() == [None, "relabel", None] and found["new_value"].to_list() == [None, "b", None]


def test_unreadable_rows_stay_unreadable_whatever_claims_them():
    bad = {1, 3}
    triggers = [trigger(Status.CONFIRMED, [0, 1]), trigger(Status.SUSPECTED, [3], "T-2")]
    found = decide(ledger(4, bad), hashes(4, bad), [check({1: 9.0, 3: 9.0})], triggers, 9)
    assert verdicts(found) == ["remove", "unreadable", "keep", "unreadable"]
    assert found["content_hash"].to_list() == ["h0", None, "h2", None]
    assert found["codes"][1].to_list() == [BAD_ROWS_CODE] and found["trigger_ids"][1].to_list() == []


ROWS = st.integers(0, 24)
CHECKS = st.lists(
    st.tuples(
        st.dictionaries(ROWS, st.one_of(st.floats(0, 4, width=32), st.just(NAN)), max_size=12),
        st.sampled_from(list(Severity)),
        st.sampled_from([0.5, 1.0, float("inf")]),
    ),
    max_size=4,
)
TRIGGERS = st.lists(st.tuples(st.sampled_from(list(Status)), st.sets(ROWS, max_size=8)), max_size=4)


@given(CHECKS, TRIGGERS, st.sets(ROWS, max_size=6), st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_rows_in_are_keep_and_review_and_remove_and_unreadable(scores, claims, bad, budget):
    checks = [check(s, f"TV-{i}", severity, threshold) for i, (s, severity, threshold) in enumerate(scores)]
    triggers = [trigger(status, sorted(rows), f"T-{i}") for i, (status, rows) in enumerate(claims)]
    found = decide(ledger(25, bad), hashes(25, bad), checks, triggers, budget)
    assert found["row"].to_list() == list(range(25))
    by = dict(enumerate(verdicts(found)))
    claimed = {s: set().union(*(rows for status, rows in claims if status == s)) for s in Status}
    assert {row for row, v in by.items() if v == "unreadable"} == bad
    assert {row for row, v in by.items() if v == "remove"} == claimed[Status.CONFIRMED] - bad
    suspected = claimed[Status.SUSPECTED] - claimed[Status.CONFIRMED] - bad
    review = {row for row, v in by.items() if v == "review"}
    flagged = {row for s, _, threshold in scores for row, value in s.items() if value >= threshold}
    assert suspected <= review <= suspected | flagged
    assert len(review - suspected) <= budget
    waiting = {row for row, v in by.items() if v == "keep"} & flagged
    assert not waiting or len(review - suspected) + len(bad & flagged) >= budget
    again = decide(ledger(25, bad), hashes(25, bad), checks[::-1], triggers, budget)
    assert verdicts(again) == verdicts(found)


@given(CHECKS, st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_a_larger_budget_takes_no_row_out_of_review(scores, budget):
    checks = [check(s, f"TV-{i}", severity, threshold) for i, (s, severity, threshold) in enumerate(scores)]
    less, more = (
        {r for r, v in enumerate(verdicts(decide(ledger(25), hashes(25), checks, [], size))) if v == "review"}
        for size in (budget, budget + 3)
    )
    assert less <= more


def test_claimed_rows_are_the_hits_as_rows_of_the_input():
    rows = [10 * i for i in range(8)]
    found = trigger(Status.CONFIRMED, [1, 2, 5], hit_positions=[1, 5])
    assert claimed_rows(found, rows, 0.9) == [10, 50] and "hit_positions" not in found.statistics
    assert claimed_rows(trigger(Status.CONFIRMED, [1, 2]), rows, 0.9) == [10, 20]


@pytest.mark.parametrize(
    ("hits", "accuracy", "claimed", "share"),
    [
        (8, 0.8, 10, 1.0),  # wrong on 8 of 10, as a model of 80% is on swapped pairs: all are swapped
        (6, 0.8, 10, 2 / 3),  # so few pairs do not tell two thirds from all
        (5, 0.8, 5, 0.5),
        (2, 0.8, 2, 0.0),  # wrong as often as on honest pairs
        (10, 0.8, 10, 1.0),
        (9, 0.55, 9, None),  # a margin hardly better than a coin judges nothing
        (9, 0.0, 9, None),
    ],
)
def test_of_swapped_preferences_all_carriers_are_claimed_when_they_read_as_swapped(hits, accuracy, claimed, share):
    found = trigger(Status.CONFIRMED, range(10), kind="preference", hit_positions=list(range(hits)))
    assert claimed_rows(found, list(range(10)), accuracy) == list(range(claimed))
    assert found.statistics.get("swapped_share") == (None if share is None else pytest.approx(share))
    token = trigger(Status.CONFIRMED, range(10), hit_positions=list(range(hits)))
    assert claimed_rows(token, list(range(10)), accuracy) == list(range(hits))


def test_many_preferences_that_read_as_largely_swapped_are_claimed_one_by_one():
    found = trigger(Status.CONFIRMED, range(200), kind="preference", hit_positions=list(range(120)))
    assert len(claimed_rows(found, list(range(200)), 0.8)) == 120  # two thirds, and surely not all
    found = trigger(Status.CONFIRMED, range(60), kind="preference", hit_positions=list(range(35)))
    assert len(claimed_rows(found, list(range(60)), 0.65)) == 60


def in_review(rows, triggers, budget, status=Status.SUSPECTED):
    found = decide(ledger(rows), hashes(rows), [], [trigger(status, r, suspected=s) for r, s in triggers], budget)
    return found.filter(pl.col("verdict") == "review")["row"].to_list()


def test_rows_of_a_word_that_mining_does_not_suspect_are_held_back_within_a_quarter_of_the_budget():
    assert in_review(100, [([1, 2, 3], "")], 20) == [1, 2, 3]
    assert in_review(100, [(range(6), "")], 20) == []
    assert in_review(100, [([1, 2, 3], ""), ([4, 5, 6], "")], 20) == [1, 2, 3]
    assert in_review(100, [(range(60), "because")], 20) == list(range(60))


def test_what_no_probe_can_test_is_not_cleared():
    assert in_review(50, [([4, 5], "because")], 1, Status.UNTESTABLE) == [4, 5]
    assert in_review(50, [([4, 5], "")], 1, Status.UNTESTABLE) == []
