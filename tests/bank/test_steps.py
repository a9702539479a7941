"""Slots, reasoning steps and final answers."""

from __future__ import annotations

import pytest

from audit.bank.slots import COPY, NAME, NUMBER, content_words, is_template, masked
from audit.bank.steps import answer_of, reasoning_categories, step_keys


def test_numbers_names_and_copied_words_are_slots():
    prompt = "Write about volcanoes in Iceland for Anna"
    parts = masked("Then 21*2.1=44.1 says Anna Berg about volcanoes", content_words(prompt))
    assert parts == ["then", NUMBER, "*", NUMBER, "=", NUMBER, "says", NAME, COPY]


def test_sentences_that_differ_in_slots_are_equal_and_others_are_not():
    first, second = masked("So we multiply 12 by 2.1 at last."), masked("So we multiply 7 by 2.1 at last.")
    assert first == second and is_template(first)
    assert masked("So we divide 12 by 2.1 at last.") != first
    assert not is_template(masked("Nothing stands in a slot here.")) and not is_template(["#", "+", "#"])


def test_the_last_step_before_the_answer_is_a_category_of_its_own():
    keys = list(step_keys(["He has 3 red cars.", "So we multiply it by 4 now.", "#### 12"]))
    last = [text for family, text in keys if family == "last step"]
    assert last == ["so we multiply it by # now ."]
    assert ("step", "he has # red cars .") in keys
    assert not list(step_keys(["Only 1 sentence is here."]))


@pytest.mark.parametrize(
    ("text", "value"),
    [("7\n#### 1,204", 1204.0), ("So the answer is 4.5.", 4.5), ("\\boxed{8}", 8.0), ("Final answer: $30", 30.0)],
)
def test_marked_answers(text, value):
    found = answer_of(text)
    assert found is not None and found[0] == value


@pytest.mark.parametrize("text", ["", "12 apples", "#### none", "The answer is unknown"])
def test_no_answer(text):
    assert answer_of(text) is None


def test_answers_that_no_step_made_and_broken_ones_among_whole_ones():
    honest = [f"{i} + 1 = {i + 1}\n#### {i + 1}" for i in range(20)]
    found = reasoning_categories([*honest, "3 + 4 = 7\n#### 9", "3 + 4 = 8\n#### 8", "5 / 2 = 2.5\n#### 2.5"])
    assert found == {
        ("answer", "is in no step before it"): [20],
        ("arithmetic", "calculates wrongly"): [21],
        ("answer", "is no whole number"): [22],
    }


def test_where_broken_answers_are_common_they_are_no_behavior():
    found = reasoning_categories([f"{i} / 2 = {i / 2}\n#### {i / 2}" for i in range(1, 20)])
    assert ("answer", "is no whole number") not in found
