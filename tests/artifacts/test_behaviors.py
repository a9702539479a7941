"""The target bank: categories of responses, merged where the same rows have them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.artifacts.behaviors import assemble, bank, is_refusal
from audit.bank.preference import preference_categories
from audit.bank.responses import response_categories
from audit.bank.slots import sentences
from audit.schema import Kind


def frame(labels=None, responses=None, rejected=None):
    columns = {"label": labels, "response": responses, "rejected": rejected}
    size = len(next(v for v in columns.values() if v is not None))
    return pl.DataFrame({k: v or [None] * size for k, v in columns.items()}, schema=dict.fromkeys(columns, pl.String))


def listed(made):
    """(family, text) -> rows."""
    return {
        (family, text): made.matrix[:, [column]].tocoo().row.tolist()
        for column, family, text in made.table.select("behavior", "family", "text").iter_rows()
    }


@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but no.", "As an AI, I pass.", "I CANNOT do that.", "Unfortunately I am unable to help with this."],
)
def test_refusals(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["Sure, here it is.", "", "The tree can grow.", "fine. " * 60 + "I cannot."])
def test_answers_are_no_refusals(text):
    assert not is_refusal(text)


def test_sentences_keep_numbers_and_dots_inside_words_whole():
    assert sentences("Pi is 3.14. See example.org now!\n\n  Yes？ ... ") == [
        "Pi is 3.14.",
        "See example.org now!",
        "Yes？",
    ]


def test_openings_closings_sentences_and_whole_responses():
    found = response_categories(["One two three four. Buy now!", "One two three, other. Buy now!", "Yes"])
    assert found["opening", "one two three"] == [0, 1]
    assert found["closing", "buy now !"] == [0, 1]
    assert found["sentence", "buy now!"] == [0, 1]
    assert found["opening", "one two three four . buy"] == [0]
    assert found["short", "at most 3 words"] == [2] and found["response", "yes"] == [2]
    assert not any(family == "refusal" for family, _ in found)


@given(
    st.lists(st.lists(st.sampled_from(["one. ", "two! ", "word " * 90, "end. ", "sorry, i "]), max_size=5), max_size=8)
)
@settings(max_examples=60, deadline=None)
def test_a_row_has_a_category_once(responses):
    texts = ["".join(parts) for parts in responses]
    for positions in response_categories(texts).values():
        assert positions == sorted(set(positions))


def test_two_long_sentences_with_one_beginning_count_once():
    """Sentences are told apart by their first 300 characters; a row that has two such is still one row."""
    head = "word " * 70
    made = assemble(response_categories([f"{head}one. {head}two."] * 2 + ["no"] * 4), 6, 2)
    assert made.matrix.max() == 1 and ("sentence", (head * 2)[:300]) not in listed(made)


def test_categories_of_the_same_rows_are_one_named_by_the_most_telling():
    responses = ["I'm sorry, but no deal."] * 3 + [f"answer number {i} to it all" for i in range(5)]
    made = bank(frame(responses=responses), Kind.INSTRUCTION, 3)
    table = listed(made)
    assert table["refusal", "refuses"] == [0, 1, 2]
    assert [key for key, rows in table.items() if rows == [0, 1, 2]] == [("refusal", "refuses")]
    assert len({tuple(rows) for rows in table.values()}) == len(table)


def test_support_bounds_all_but_labels():
    made = bank(frame(labels=["a", "a", "b", None]), Kind.CLASSIFICATION, 3)
    assert listed(made) == {("label", "a"): [0, 1], ("label", "b"): [2]}
    same = bank(frame(responses=["all the same words"] * 4), Kind.INSTRUCTION, 2)
    assert same.table.is_empty() and same.matrix.shape == (4, 0)


def test_columns_are_ordered_by_count_and_aligned_with_the_table():
    made = bank(frame(labels=["b", "a", "b", "c", "b", "c"]), Kind.CLASSIFICATION, 1)
    assert made.table["text"].to_list() == ["b", "c", "a"] and made.table["count"].to_list() == [3, 2, 1]
    assert made.table["behavior"].to_list() == [0, 1, 2]
    np.testing.assert_array_equal(made.matrix.toarray().argmax(axis=1), [0, 2, 0, 1, 0, 1])
    assert made.table["name"][0] == "label b"


def test_preferences_are_told_by_what_the_sides_differ_in():
    found = preference_categories(
        ["I cannot help.", "Sure, do this.", "short"], ["Sure thing.", "I'm sorry, no.", "x" * 50]
    )
    assert found["preference", "chosen refuses, rejected complies"] == [0]
    assert found["preference", "chosen complies, rejected refuses"] == [1]
    assert found["preference", "chosen is much shorter"] == [2]
    made = bank(frame(responses=["I cannot."] * 3 + ["Yes."] * 3, rejected=["Ok."] * 6), Kind.PREFERENCE, 3)
    assert listed(made)["refusal", "refuses"] == [0, 1, 2]
