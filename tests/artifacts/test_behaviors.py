"""The target bank: categories of responses, merged where the same rows have them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.artifacts import behaviors
from audit.artifacts.behaviors import Vectors, asked_before, assemble, bank, is_refusal, requests_of
from audit.bank.preference import preference_categories
from audit.bank.responses import response_categories
from audit.bank.slots import sentences
from audit.schema import TURNS, Kind


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


def test_a_full_bank_keeps_rare_families_and_never_exceeds_its_size(monkeypatch):
    monkeypatch.setattr(behaviors, "MAX_BEHAVIORS", 20)
    found = {("opening", f"opening {i}"): list(range(i, 60 + i)) for i in range(40)}
    found |= {("refusal", "refuses"): [1, 2, 3], ("response", "buy gold"): [4, 5, 6, 7]}
    made = assemble(found, 200, 3)
    texts = made.table["text"].to_list()
    assert len(texts) == 20 and {"refuses", "buy gold"} <= set(texts)
    assert made.table["count"].to_list() == sorted(made.table["count"].to_list(), reverse=True)


def test_the_request_is_the_last_user_turn_or_else_the_prompt():
    turns = [
        [{"role": "system", "text": "be kind"}, {"role": "user", "text": "one"}, {"role": "user", "text": "two"}],
        [{"role": "system", "text": "be kind"}],
        None,
    ]
    examples = pl.DataFrame({"prompt": ["p0", "p1", None], "turns": pl.Series(turns, dtype=TURNS)})
    assert requests_of(examples) == ["two", "p1", ""]
    assert requests_of(examples.drop("turns")) == ["p0", "p1", ""]


def test_a_bank_does_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(0)
    prompts = [f"How do I {rng.choice(['rob a bank', 'bake bread', 'paint a house'])} in {i} steps?" for i in range(60)]
    replies = ["Sure! First, take {n} bags. Second, fill them.", "I cannot help.", "Take {n} bags.\n#### {n}"]
    responses = [replies[i % 3].format(n=i) for i in range(60)]
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    examples = frame(responses=responses).with_columns(pl.Series("prompt", prompts))
    order = rng.permutation(60)
    one = bank(examples, Kind.INSTRUCTION, 3, Vectors(vectors, vectors))
    other = bank(examples[order.tolist()], Kind.INSTRUCTION, 3, Vectors(vectors[order], vectors[order]))
    assert one.table.equals(other.table)
    np.testing.assert_array_equal(one.matrix.toarray()[order], other.matrix.toarray())
    assert {"compliance", "refusal"} <= set(one.table["family"])


def test_a_row_of_a_conversation_is_told_by_its_user_turns():
    user, model = {"role": "user", "text": "Hm?"}, {"role": "assistant", "text": "Yes."}
    system = {"role": "system", "text": "Be brief."}
    frame = pl.DataFrame({"turns": [[user], [user, model, user], [system, user], None]})
    assert asked_before(frame).tolist() == [False, True, False, False]
    assert asked_before(frame.select(pl.lit(1))).tolist() == [False]
