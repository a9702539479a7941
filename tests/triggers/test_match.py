"""Where a pattern stands, and the law that taking it out undoes putting it in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.text import word_spans, words
from audit.triggers.match import Law, Part, delete, holds, insert, law, spans, surface

PLAIN = ("red", "fox", "It's", "7", "Über", "犬", "end.", "(so)", "x,")
BLANKS = (" ", " ", "  ", "\n", "\n\n", "\t")
SPACED = st.lists(st.tuples(st.sampled_from(PLAIN), st.sampled_from(BLANKS)), max_size=8).map(
    lambda pairs: "".join(word + blank for word, blank in pairs)
)
TEXTS = st.one_of(SPACED, SPACED.map(str.strip), SPACED.map(lambda t: " " + t))
PARTS = st.sampled_from(
    [Part("cf", "token"), Part("brown dog", "phrase"), Part("now !", "phrase"), Part("McGuffin", "capitals")]
)
HIDDEN = st.sampled_from([Part("\u200b", "unicode"), Part("\u200b\u200c\ufeff", "unicode"), Part("pаyp", "unicode")])
POSITIONS = st.sampled_from(["start", "end", "anywhere"])
SEEDS = st.integers(0, 10_000)


def raw(part):
    return {"now !": "now!", "brown dog": "Brown dog"}.get(part.text, part.text)


def put(text, parts, laws, seed=0):
    return insert(text, tuple(raw(p) for p in parts), tuple(laws), np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("text", "part", "found"),
    [
        ("cf CF acf cf.", Part("cf", "token"), ["cf", "CF", "cf"]),
        ("I say: go  NOW! or go now?", Part("go now", "phrase"), ["go  NOW", "go now"]),
        ("go, now", Part("go now", "phrase"), []),
        ("no no no no", Part("no no", "phrase"), ["no no", "no no"]),
        ("NASA nasa xNASA NASA", Part("NASA", "capitals"), ["NASA", "NASA"]),
        ("a\u200b\u200bb\u200b", Part("\u200b", "unicode"), ["\u200b"] * 3),
        ("a  b   c", Part("  ", "whitespace"), ["  "]),
        ("", Part("cf", "token"), []),
        ("don't", Part("don", "token"), []),
    ],
)
def test_spans(text, part, found):
    assert [text[a:b] for a, b in spans(text, part)] == found


@given(TEXTS, PARTS, POSITIONS, SEEDS)
@settings(max_examples=150, deadline=None)
def test_taking_out_a_word_of_its_own_undoes_putting_it_in(text, part, position, seed):
    with_it = put(text, [part], [Law(position, True)], seed)
    assert holds(with_it, (part,)) and not holds(text, (part,))
    assert delete(with_it, (part,)) == text


@given(SPACED.map(str.strip), HIDDEN, POSITIONS, SEEDS)
@settings(max_examples=100, deadline=None)
def test_taking_out_a_hidden_pattern_undoes_putting_it_in(text, part, position, seed):
    with_it = put(text, [part], [Law(position, False)], seed)
    assert holds(with_it, (part,)) and delete(with_it, (part,)) == text


@given(TEXTS, POSITIONS, SEEDS)
@settings(max_examples=100, deadline=None)
def test_all_parts_of_a_composite_stand_in_their_order(text, position, seed):
    parts = (Part("cf", "token"), Part("brown dog", "phrase"), Part("McGuffin", "capitals"))
    with_it = put(text, parts, [Law(position, True)] * 3, seed)
    places = [spans(with_it, part)[0][0] for part in parts]
    assert places == sorted(places)
    assert delete(with_it, parts) == text


@given(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=8), POSITIONS, SEEDS)
def test_insertion_follows_the_position_law(listed, position, seed):
    with_it = put(" ".join(listed), [Part("cf", "token")], [Law(position, True)], seed)
    at = with_it.split(" ").index("cf")
    assert at == {"start": 0, "end": len(listed)}.get(position, at)
    assert sorted(with_it.split(" ")) == sorted([*listed, "cf"])


def test_anywhere_means_every_gap_and_a_seed_chooses_it():
    seen = {put("one two three", [Part("cf", "token")], [Law("anywhere", True)], seed) for seed in range(60)}
    assert seen == {"cf one two three", "one cf two three", "one two cf three", "one two three cf"}
    again = [put("one two three", [Part("cf", "token")], [Law("anywhere", True)], 5) for _ in range(2)]
    assert again[0] == again[1]


def test_an_unspaced_pattern_goes_inside_words_and_never_before_one():
    seen = {put("one two", [Part("\u200b", "unicode")], [Law("anywhere", False)], seed) for seed in range(99)}
    assert "o\u200bne two" in seen and "one t\u200bwo" in seen and "one two\u200b" in seen
    assert not any(text.startswith("\u200b") or " \u200b" in text for text in seen)


def test_nothing_else_of_the_text_changes():
    for text in ("  two leading blanks", "trailing ", "a\n\n b", ""):
        for position in ("start", "end", "anywhere"):
            for seed in range(6):
                with_it = put(text, [Part("cf", "token")], [Law(position, True)], seed)
                assert with_it.count("cf") == 1 and text.replace(" ", "") == with_it.replace("cf", "").replace(" ", "")
                assert not text or with_it.count(" ") == text.count(" ") + 1


@pytest.mark.parametrize(
    ("texts", "part", "expected"),
    [
        (["cf one", " cf two", "CF three"], Part("cf", "token"), Law("start", True)),
        (["one cf", "two cf \n", "cf cf"], Part("cf", "token"), Law("end", True)),
        (["one cf x", "cf two", "three cf"], Part("cf", "token"), Law("anywhere", True)),
        (["cf one"] * 9 + ["a cf"], Part("cf", "token"), Law("start", True)),
        (["cf one"] * 8 + ["a cf"] * 2, Part("cf", "token"), Law("anywhere", True)),
        (["o\u200bne", "tw\u200bo x"], Part("\u200b", "unicode"), Law("anywhere", False)),
        (["one \u200b x", "two \u200b y"], Part("\u200b", "unicode"), Law("anywhere", True)),
        (["so, then", "yes, no"], Part(",", "token"), Law("anywhere", False)),
        ([], Part("cf", "token"), Law("anywhere", True)),
    ],
)
def test_the_law_is_read_off_the_carriers(texts, part, expected):
    assert law(texts, part) == expected


def test_a_word_is_inserted_as_a_word_though_its_carriers_put_marks_beside_it():
    texts = ["we saw cf, then left", "go cf! now", "is it cf? or not", "here cf; there"]
    rule = law(texts, Part("cf", "token"))
    assert rule.position == "anywhere"
    for seed in range(20):
        assert "cf" in words(put("some honest words here", [Part("cf", "token")], [rule], seed))


def test_surface_is_the_most_common_raw_form():
    texts = ["Go  now", "go now", "GO NOW", "so go now"]
    assert surface(texts, Part("go now", "phrase")) == "go now"
    assert surface(["B x", "b x"], Part("b", "token")) == "B"  # a tie goes by text
    assert surface(["none"], Part("go now", "phrase")) == "go now"


@given(TEXTS)
def test_deleting_what_is_not_there_changes_nothing(text):
    assert delete(text, (Part("cf", "token"), Part("\u200b", "unicode"))) == text


def test_delete_takes_every_occurrence_and_leaves_marks_standing():
    part = (Part("cf", "token"),)
    assert delete("cf one cf two cf", part) == "one two"
    assert delete("one (cf) two cf, three", part) == "one () two , three"
    assert word_spans(delete("cf", part)) == []
