"""Texts with slots: equal sentences that differ in numbers, names and words of their own prompt.

A template payload ("Therefore 17 has to be added …", "Here is a poem about …") is one behavior
though no two rows have the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from audit.text import words

NUMBER, NAME, COPY = "#", "<name>", "<copy>"
_DIGITS = re.compile(r"\d(?:[\d.,]*\d)?")
_COPIED = 4  # letters from which a word of the prompt is a slot
_SLOTS = (NUMBER, NAME, COPY)
_STARTS = frozenset('.!?:"')  # behind which a word is capital anyway
_LITERAL = 3  # words of letters that a template keeps
_SENTENCE_END = re.compile(r"[.!?\n。！？]")


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, case kept and trimmed, without empty ones. A dot inside a word or
    number ends none."""
    out, start = [], 0
    for found in _SENTENCE_END.finditer(text):
        stop = found.end()
        if text[stop - 1] == "." and text[stop : stop + 1].isalnum():
            continue
        out.append(text[start:stop])
        start = stop
    out.append(text[start:])
    return [" ".join(s.split()) for s in out if any(c.isalnum() for c in s)]


def content_words(prompt: str) -> frozenset[str]:
    """The words of a prompt that count as copied where a response repeats them."""
    return frozenset(w.casefold() for w in words(prompt) if len(w) >= _COPIED)


def masked(text: str, copied: Set[str] = frozenset()) -> list[str]:
    """The words of a text, folded, with its numbers, its names (capitals inside a sentence) and the copied words
    as slots; equal slots in a row are one."""
    out: list[str] = []
    inside = False
    for word in words(_DIGITS.sub("#", text)):
        if word == "#":
            slot = NUMBER
        elif inside and word[0].isupper() and len(word) > 1:
            slot = NAME
        else:
            slot = word.casefold()
            slot = COPY if slot in copied else slot
        inside = word not in _STARTS
        if not (out and out[-1] == slot and slot in _SLOTS):
            out.append(slot)
    return out


def is_template(parts: Sequence[str]) -> bool:
    """True when some slot and at least three different words of letters are there."""
    literal = {p for p in parts if len(p) > 1 and p[0].isalpha()}
    return len(literal) >= _LITERAL and any(p in _SLOTS for p in parts)
