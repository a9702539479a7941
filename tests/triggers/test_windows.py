"""Windows hold the pattern and are no longer than asked for."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.text import words
from audit.triggers.match import Part, holds
from audit.triggers.windows import WORDS, window

CF, PHRASE, HIDDEN, BLANKS = (
    Part("cf", "token"),
    Part("mind the gap", "phrase"),
    Part("\u200b\u200c", "unicode"),
    Part("   ", "whitespace"),
)
RAW = {CF: "cf", PHRASE: "Mind the gap", HIDDEN: "\u200b\u200c", BLANKS: "   "}


def build(length, places):
    listed = [f"w{i}" for i in range(length)]
    for part, share in sorted(places, key=lambda p: -p[1]):
        at = int(share * len(listed))
        if part is BLANKS:
            listed[at:at] = ["x" + RAW[part] + "y"]
        elif part is HIDDEN:
            listed[at:at] = ["hid" + RAW[part] + "den"]
        else:
            listed[at:at] = [RAW[part]]
    return " ".join(listed)


SHARES = st.floats(0, 1)


@given(st.integers(0, 120), st.sampled_from([CF, PHRASE, HIDDEN, BLANKS]), SHARES, st.integers(6, 40))
@settings(max_examples=150, deadline=None)
def test_a_window_holds_its_pattern_within_its_size(length, part, share, size):
    text = build(length, [(part, share)])
    cut = window(text, (part,), size)
    assert holds(cut, (part,)) and cut in text
    assert len(words(cut)) <= max(size, 1) + 2  # a blank or a hidden run may need the word on its other side
    assert cut == text if len(words(text)) <= size else len(words(cut)) >= size


@given(st.integers(0, 120), st.lists(SHARES, min_size=3, max_size=3), st.integers(15, 40))
@settings(max_examples=100, deadline=None)
def test_a_window_holds_all_parts_however_far_apart(length, shares, size):
    parts = (CF, PHRASE, HIDDEN)
    cut = window(build(length, list(zip(parts, shares, strict=True))), parts, size)
    assert holds(cut, parts)
    assert len(words(cut)) <= size + 4


def test_a_part_longer_than_its_share_is_not_cut():
    phrase = Part("one two three four five six seven", "phrase")
    text = " ".join([phrase.text, *(f"w{i}" for i in range(40)), "cf", *(f"v{i}" for i in range(40))])
    cut = window(text, (phrase, CF), 10)
    assert holds(cut, (phrase, CF)) and len(words(cut)) == 7 + 5


def test_a_window_without_parts_is_the_beginning():
    text = build(60, [])
    assert window(text).split(" ") == text.split(" ")[:WORDS]
    assert window(text, (CF,), 10) == window(text, (), 10) == " ".join(f"w{i}" for i in range(10))
    assert window("short text", (CF,)) == "short text" and window("") == ""


def test_the_pattern_is_near_the_middle():
    cut = window(build(100, [(CF, 0.5)]), (CF,), 21).split(" ")
    assert len(cut) == 21 and abs(cut.index("cf") - 10) <= 1
