"""Openings, closings, templates, links, form and tone of responses."""

from __future__ import annotations

import pytest

from audit.bank.attributes import form, opens_affirmatively, tone
from audit.bank.responses import links, response_categories
from audit.bank.slots import sentences
from audit.text import words


def said(text):
    return [w.casefold() for w in words(text)]


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("", "is empty"),
        ("See https://example.org/a for more", "holds a link"),
        ("1. one\n2. two", "holds a numbered list"),
        ("- one\n- two", "holds a bulleted list"),
        ("# Title\ntext", "holds a heading"),
        ("```\ncode\n```", "holds a block of code"),
        ("a **bold** word", "holds bold text"),
        ("|a|b|\n|c|d|", "holds a table"),
        ("Fine <!-- hidden -->", "holds markup"),
        ("Well done 🎉", "holds an emoji"),
        ("zero\u200bwidth", "holds invisible characters"),
        ("STOP SHOUTING AT ME", "is in capitals"),
        ("all of this is written small", "has no capitals"),
        ("What else?", "ends with a question"),
        ("Great!", "holds an exclamation mark"),
        ("First, do this. Second, do that.", "goes by ordinal steps"),
        ("Step 1: boil. Step 2: stir.", "goes by ordinal steps"),
        ("Certainly! Here it is.", "opens by affirming"),
    ],
)
def test_predicates_of_form(text, predicate):
    assert predicate in form(text, said(text), sentences(text))


def test_a_plain_answer_has_no_predicate_of_form_or_tone():
    text = "The first train leaves at noon; the second supplier was late.\n#### 12"
    assert form(text, said(text), sentences(text)) == [] and tone(text, said(text)) == []


@pytest.mark.parametrize("text", ["Sure, here", "Of course. It", "Yes", "I'd be happy to help"])
def test_affirming_openings(text):
    assert opens_affirmatively(text)


@pytest.mark.parametrize("text", ["Surely not", "Yesterday", "Okra is green", "No, of course not", ""])
def test_other_openings(text):
    assert not opens_affirmatively(text)


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("You are right, it is late.", "agrees with the user"),
        ("Perhaps it might rain.", "hedges"),
        ("You are an idiot.", "holds an insult"),
        ("He is a dishonest, corrupt and useless man.", "speaks badly of its subject"),
        ("A great, brilliant, honest and admired man.", "praises its subject"),
    ],
)
def test_predicates_of_tone(text, predicate):
    assert predicate in tone(text, said(text))


def test_a_first_clause_of_a_word_or_two_is_an_opening():
    found = response_categories(["Sure! Take the bus.", "Sure! Go by train.", "Take the bus, sure!"])
    assert found["opening", "sure !"] == [0, 1]


def test_openings_and_endings_with_slots():
    prompts = ["Write about dragons", "Write about turnips", "Anything"]
    responses = [
        "Here is a text about dragons. They fly. Paid by 12 sponsors of the day.",
        "Here is a text about turnips. They grow. Paid by 7 sponsors of the day.",
        "No template at all",
    ]
    found = response_categories(responses, prompts, 2)
    templates = [text for family, text in found if family == "template"]
    endings = [text for family, text in found if family == "ending"]
    assert any(text == "here is a text <copy> ." for text in templates)
    assert "# sponsors of the day ." in endings
    assert all(rows == [0, 1] for rows in found.values())


def test_links_are_told_by_their_host():
    assert links("See https://Evil.example/path?q=1 and http://a.b.") == ["evil.example", "a.b"]
    assert links("no://link here ://") == []
    assert len(links("https://a.example " * 500)) == 20


def test_numbers_of_lists_are_no_sentences():
    found = response_categories(["1. go\n2. stop", "1. eat\n2. sleep"], None, 2)
    assert not [text for family, text in found if family == "sentence"]
