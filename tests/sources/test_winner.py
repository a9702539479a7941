"""Who won, read and written: each way of judging two responses, turned in the spelling of its column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.sources.record import Number, RowError
from audit.sources.winner import Flags, Scored, Signed, judge_of, opposite
from audit.sources.winner_named import Named, NoSpelling

# What names a side, and how the other one is then named.
SPELLED = [
    ("A", "B"),
    ("b", "a"),
    ("model_a", "model_b"),
    ("Model B", "Model A"),
    (" response_b\n", " response_a\n"),
    ("[[A]]", "[[B]]"),
    ("A>>B", "B>>A"),
    ("b<a", "a<b"),
    ("First", "Second"),
    ("RIGHT", "LEFT"),
]


@pytest.mark.parametrize(("old", "new"), SPELLED)
def test_a_winner_is_turned_in_its_own_spelling(old, new):
    judge = judge_of({"response_a": "response_a", "response_b": "response_b", "winner": "w"})
    before = judge.order({"w": old})
    assert judge.turned({"w": old}) == {"w": new} and judge.order({"w": new}) == 1 - before


@pytest.mark.parametrize(
    ("judge", "fields", "new"),
    [
        (Named("w", ("x_0", "x_1"), 0), {"w": Number("1")}, {"w": Number("0")}),
        (Named("w", ("x_1", "x_2"), 1), {"w": Number("1.0")}, {"w": Number("2.0")}),
        (Named("w", ("x_1", "x_2"), 1), {"w": "x_2"}, {"w": "x_1"}),
        (Named("w", ("this", "that"), None), {"w": "THAT"}, {"w": "this"}),
        (Named("w", ("x_1", "x_2"), 1, True), {"w": Number("1.9998")}, {"w": Number("1.0002")}),
        (Signed("w"), {"w": Number("-2")}, {"w": Number("2")}),
        (Signed("w"), {"w": "+2.50"}, {"w": "-2.50"}),
        (Flags("w"), {"w": True}, {"w": False}),
        (Flags("w"), {"w": "No"}, {"w": "Yes"}),
        (Flags("w", "v"), {"w": Number("1"), "v": Number("0")}, {"w": Number("0"), "v": Number("1")}),
        (Scored("w", "v"), {"w": Number("1e1"), "v": "3"}, {"w": "3", "v": Number("1e1")}),
    ],
)
def test_each_way_of_judging_is_turned_and_turned_back(judge, fields, new):
    assert judge.turned(fields) == new
    assert all(type(new[name]) is type(judge.turned(fields)[name]) for name in new)
    assert {judge.order(fields), judge.order(fields | new)} == {0, 1}
    assert judge.turned(fields | new) == {name: fields[name] for name in new} or fields["w"] in ("+2.50", "THAT")


@pytest.mark.parametrize(
    ("judge", "fields"),
    [
        (Named("w", ("a", "b"), None), {"w": "tie (bothbad)"}),
        (Signed("w"), {"w": Number("-0.0")}),
        (Flags("w", "v", "t"), {"w": "0", "v": "0", "t": "1"}),
        (Scored("w", "v"), {"w": Number("1"), "v": Number("1.0")}),
        (Named("w", (), 0, False, 3), {"w": Number("2")}),
    ],
)
def test_what_has_no_other_side_is_not_turned(judge, fields):
    with pytest.raises(NoSpelling):
        judge.turned(fields)


@pytest.mark.parametrize(
    ("judge", "fields"),
    [
        (Named("w", ("a", "b"), None), {"w": "model_b"}),
        (Named("w", ("a", "b"), None), {"w": "[[A<<B]]"}),
        (Named("w", ("x_1", "x_2"), 1, True), {"w": Number("2")}),
        (Signed("w"), {"w": Number("-1.5")}),
        (Flags("w", "v", "t"), {"w": True, "v": False, "t": False}),
        (Flags("w", "v", "t"), {"w": "0", "v": "1", "t": "0"}),
        (Flags("w", None, "t"), {"w": "0", "t": "0"}),
    ],
)
def test_a_tie_can_be_written_where_the_columns_have_a_word_for_it(judge, fields):
    made = judge.tied(fields)
    assert judge.order(fields) is not None and judge.order(fields | made) is None
    assert all(isinstance(new, type(fields[name])) for name, new in made.items())


@pytest.mark.parametrize(
    ("judge", "fields"),
    [
        (Named("w", ("x_0", "x_1"), 0), {"w": Number("1")}),
        (Flags("w"), {"w": True}),
        (Scored("w", "v"), {"w": Number("1"), "v": Number("2")}),
    ],
)
def test_where_there_is_no_word_for_a_tie_none_is_made_up(judge, fields):
    with pytest.raises(NoSpelling):
        judge.tied(fields)


@pytest.mark.parametrize("value", ["x", Number("7"), None, "01"])
def test_an_opposite_that_is_not_known_is_not_made_up(value):
    with pytest.raises(NoSpelling):
        opposite(value)


hostile = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["1e999999999", "9" * 400, "NaN", "Infinity", "-0", "١", "1_0", "tie(" * 50, "a>" * 99, "[[a]"]),
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
    st.integers().map(lambda n: Number(str(n))),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda n: Number(repr(n))),
)


@given(hostile, hostile)
def test_a_judge_reads_or_refuses_whatever_stands_there(one, other):
    sides = {"response_a": "x_1", "response_b": "x_2"}
    roles = [{"winner": "w"}, {"strength": "w"}, {"a_wins": "w", "b_wins": "v"}, {"score_a": "w", "score_b": "v"}]
    for role in [*roles, {"winner_from_0": "w"}, {"winner": "preference"}]:
        judge, fields = judge_of(sides | role), {"w": one, "v": other, "preference": one}
        try:
            won = judge.order(fields)
        except RowError as error:
            assert error.detail
            continue
        try:
            turned = judge.turned(fields)
        except NoSpelling:
            assert won is None
            continue
        assert judge.order(fields | turned) == 1 - won
