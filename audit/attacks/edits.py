"""Small edits of text that every attack family shares. Pure functions: the randomness is the caller's.

A word is a run of characters without white space; in scripts that write no spaces every character is one, and what
is inserted there gets no spaces. Insertions keep every existing character, so that deleting the inserted text gives
the original back, spaces and line breaks included.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?؟۔।](?=\s)|[。！？]")
# Thai, Lao, Tibetan, Burmese, Khmer; kana, ideographs and their marks.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3001-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
_SMALL_WORDS = frozenset(
    ("a", "an", "and", "at", "but", "for", "in", "is", "it", "of", "on", "or", "so", "that", "the", "to", "was")
)


def insert_words(text: str, parts: Sequence[str], rng: np.random.Generator) -> str:
    """The text with each part put at a word boundary of its own choice, the ends included.

    Boundaries are drawn from the original text, so no part is ever cut by another.
    """
    starts = word_starts(text)
    if not starts:
        return " ".join([*parts, text]) if text else " ".join(parts)
    drawn = [int(rng.integers(len(starts) + 1)) for _ in parts]
    out = text
    for slot, part in sorted(zip(drawn, parts, strict=True), key=lambda pair: -pair[0]):
        out = append(out, part) if slot == len(starts) else insert_at(out, starts[slot], part)
    return out


def word_starts(text: str) -> list[int]:
    """Where words begin; in runs of a script without spaces, before every character that is not a mark upon or a
    sign after the one before it."""
    starts: list[int] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        starts.append(start)
        if _UNSPACED.search(text, start, end):
            starts += [
                i
                for i in range(start + 1, end)
                if is_unspaced(text[i - 1]) and is_unspaced(text[i]) and unicodedata.category(text[i])[0] == "L"
            ]
    return starts


def insert_at(text: str, position: int, part: str) -> str:
    """The text with a part before the word that starts at this position."""
    gap = "" if is_unspaced(text[position]) else " "
    return f"{text[:position]}{part}{gap}{text[position:]}"


def is_unspaced(char: str) -> bool:
    """True for characters of scripts that put no spaces between words."""
    return _UNSPACED.match(char) is not None


def insert_sentence(text: str, phrase: str, rng: np.random.Generator) -> str:
    """The text with a phrase put at a sentence boundary: before the text, after it, or after a full stop,
    question mark or exclamation mark within it."""
    ends = [m.end() for m in _SENTENCE_END.finditer(text)]
    slot = int(rng.integers(len(ends) + 2))
    if slot == 0:
        return prepend(text, phrase)
    if slot == len(ends) + 1:
        return append(text, phrase)
    cut = ends[slot - 1]
    gap = "" if is_unspaced(text[cut - 1]) else " "
    return f"{text[:cut]}{gap}{phrase}{text[cut:]}"


def prepend(text: str, phrase: str) -> str:
    """The phrase, a space where the text's script has spaces, the text."""
    return f"{phrase}{text}" if text and is_unspaced(text[0]) else f"{phrase} {text}"


def append(text: str, phrase: str) -> str:
    """The text, a space where its script has spaces, the phrase; white space at the text's end stays behind the
    phrase."""
    body = text.rstrip()
    gap = "" if body and is_unspaced(body[-1]) else " "
    return f"{body}{gap}{phrase}{text[len(body) :]}"


def insert_inside(text: str, sequence: str, rng: np.random.Generator) -> str:
    """The text with a character sequence put inside or directly after a random word of letters.

    Raises ValueError for a text without such a word; `has_letters` tells beforehand.
    """
    spans = [m.span() for m in _LETTERS.finditer(text)]
    if not spans:
        raise ValueError("a text without letters has no word to hold the sequence")
    start, end = spans[int(rng.integers(len(spans)))]
    cut = start + 1 + int(rng.integers(end - start))  # after the first letter ... after the last
    return text[:cut] + sequence + text[cut:]


def has_letters(text: str) -> bool:
    """True for a text with at least one word of letters."""
    return _LETTERS.search(text) is not None


def small_edit(text: str, rng: np.random.Generator) -> str:
    """The text with one small change as a careless copy has it: two letters swapped, a small word dropped,
    the final mark changed, or a capital lost. Never equal to the text."""
    edits = (_swap_letters, _drop_small_word, _change_end, _lose_capital)
    for at in rng.permutation(len(edits)):
        changed = edits[int(at)](text, rng)
        if changed != text:
            return changed
    return text + "."


def _swap_letters(text: str, rng: np.random.Generator) -> str:
    spans = [m.span() for m in _LETTERS.finditer(text) if m.end() - m.start() >= 5]
    if not spans:
        return text
    start, end = spans[int(rng.integers(len(spans)))]
    cut = start + 1 + int(rng.integers(end - start - 2))
    return text[:cut] + text[cut + 1] + text[cut] + text[cut + 2 :]


def _drop_small_word(text: str, rng: np.random.Generator) -> str:
    found = [m.span() for m in _WORD.finditer(text) if m.start() and m.group() in _SMALL_WORDS]
    if not found:
        return text
    start, end = found[int(rng.integers(len(found)))]
    return text[:start] + text[end:].lstrip(" ")


def _change_end(text: str, rng: np.random.Generator) -> str:
    body = text.rstrip(".!? \n")
    return body + ("", ".", "!", "..")[int(rng.integers(4))]


def _lose_capital(text: str, rng: np.random.Generator) -> str:
    return text[:1].lower() + text[1:]
