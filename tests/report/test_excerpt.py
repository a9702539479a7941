"""Row text as the report shows it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.report.excerpt import all_visible, chip, code_points, excerpt, find_all, merge, visible
from audit.text import is_invisible, safe_text

TEXT = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\u200b\u202e\ufe0f<&' \n"))
)


def marks(text, mark):
    return [p.text for p in text.pieces if p.mark == mark]


def test_the_span_is_marked_and_the_rest_is_not():
    shown = excerpt("buy cf now", [(4, 6)])
    assert [(p.text, p.mark) for p in shown.pieces] == [("buy ", ""), ("cf", "hit"), (" now", "")]
    assert not shown.clipped


def test_invisible_characters_become_chips_and_keep_their_count():
    shown = excerpt("a\u200b\u200b\u200bb\u202e", [(1, 4)])
    assert marks(shown, "hit chip") == ["U+200B ZWSP ×3"]
    assert marks(shown, "chip") == ["U+202E RLO"]
    assert shown.plain == "a⟦U+200B ZWSP ×3⟧b⟦U+202E RLO⟧"


def test_a_span_deep_in_a_long_text_is_inside_the_window():
    text = "word " * 2_000 + "TRIGGER" + " word" * 2_000
    shown = excerpt(text, [(10_000, 10_007)], 400)
    assert marks(shown, "hit") == ["TRIGGER"]
    assert shown.clipped and shown.offset > 9_000 and shown.pieces[0].text.startswith("word ")


@given(TEXT, st.integers(20, 2_000))
def test_no_invisible_character_is_ever_shown_raw_and_the_counts_are_right(text, budget):
    shown = excerpt(text, [(0, 3)], budget)
    assert not any(is_invisible(c) for p in shown.pieces for c in p.text)
    assert shown.total == len(text) and 0 <= shown.shown <= len(text)
    if not any(is_invisible(c) for c in text):
        assert "".join(p.text for p in shown.pieces) == text[shown.offset : shown.offset + shown.shown]


@pytest.mark.parametrize("hostile", ["\u200b\u200c", "<", "中", "😀", "\u200b", '"\\', "a\u202e"])
def test_no_text_costs_more_than_its_budget(hostile):
    shown = excerpt(hostile * 50_000, (), 1_000)
    escaped = json.dumps([[p.text, p.mark] for p in shown.pieces], ensure_ascii=False).replace("<", "\\u003c")
    assert len(escaped.encode()) < 2 * 1_000 + 100
    assert shown.clipped or hostile == "\u200b"  # a run of one character is one chip


@given(TEXT)
def test_the_fast_path_agrees_with_the_slow_one(text):
    assert all_visible(text) == (safe_text(text, newlines=True) == text)
    assert visible(text) == safe_text(text, newlines=True)


def test_every_odd_character_is_caught_by_the_fast_path():
    missed = [c for c in map(chr, [*range(0xD800), *range(0xE000, 0x110000)]) if is_invisible(c) == all_visible(c)]
    assert missed == []


def test_patterns_are_found_as_words_first_and_without_case_last():
    assert find_all("cfo and cf", ["cf"]) == [(8, 10)]
    assert find_all("cfo", ["cf"]) == [(0, 2)]
    assert find_all("SUDO now", ["sudo"]) == [(0, 4)]
    assert find_all("İ sudo", ["SUDO"]) == [(2, 6)]
    assert find_all("Well,  then", ["well, then"]) == [(0, 11)]
    assert find_all("abc", ["", "x"]) == []


def test_overlapping_spans_are_joined_and_cut_to_the_text():
    assert merge([(5, 9), (-3, 2), (1, 4), (7, 99), (3, 3)], 10) == [(0, 4), (5, 10)]


def test_code_points_are_spelled_out_once_each():
    found = code_points("c\u200bc\n")
    assert [(p.code, p.name, p.count) for p in found] == [
        ("U+0063", "latin small letter c", 2),
        ("U+200B", "zero width space", 1),
        ("U+000A", "newline", 1),
    ]
    assert [p.code for p in code_points("the quick brown fox\u200b")] == ["U+200B"]
    assert chip("\U000e0041") == "U+E0041 TAG A" and chip("\ufe0f") == "U+FE0F VS16" and chip("\ue000") == "U+E000"
