"""Sites of a text where a pattern can be put in: gaps between words, edges of words and lines, white space, and places
counted in units.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np

from audit.patterns.slots import PLACES
from audit.text import is_unspaced, word_spans

# Positions of a law besides "start", "end", "anywhere" and those of PLACES.
WORD_START, WORD_END, INSIDE = "start of a word", "end of a word", "inside a word"
FIRST_WORD, LAST_WORD = "start of the first word", "end of the last word"
BETWEEN, BEFORE_MARK, LINE_START, LINE_END = "between words", "before a mark", "start of a line", "end of a line"

_BLANK = re.compile(r"(?<=\S) (?=\S)")
_BREAK = re.compile(r"(?<=[^\r\n])[\r\n]+(?=[^\r\n])")
_MARK = re.compile(r"(?<=\w)(?=[,.;:!?](?:\s|\Z))")
_AFTER_BREAK = re.compile(r"(?<=\n)(?=\S)")
_BEFORE_BREAK = re.compile(r"(?<=\S)(?=\r?\n)")

Rng = np.random.Generator


def gaps(text: str) -> list[int]:
    """Offsets before each word that follows a blank, the text's start and its end."""
    inner = [a for a, _ in word_spans(text) if a > 0 and text[a - 1].isspace()]
    return sorted({0, *inner, len(text)})


def put(text: str, at: int, part: str, spaced: bool, rng: Rng) -> str:
    """The text with a part at a gap: as a word of its own, or inside or directly after the word that begins there. A
    word goes between the letters of a script without spaces, but never inside a word of another."""
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    is_word = any(c.isalnum() for c in part)
    if spaced or (is_word and not is_unspaced(text[at:end])):
        if at and not text[at - 1].isspace():  # the end of the text
            return f"{text[:at]} {part}{text[at:]}"
        return f"{text[:at]}{part} {text[at:]}" if text else part
    cuts = _cuts(text, at, end, is_word)
    inside = cuts[int(rng.integers(len(cuts)))] if cuts else at
    return text[:inside] + part + text[inside:]


def _cuts(text: str, at: int, end: int, is_word: bool) -> list[int]:
    """Offsets after `at` where a run of letters can be cut: never between a letter and its marks, and for a word, in
    a script without spaces, only between units."""
    if is_word:
        return sorted({at + edge for span in word_spans(text[at:end]) for edge in span})
    return [i for i in range(at + 1, end + 1) if i == len(text) or not _is_mark(text[i])]


def put_at(text: str, position: str, part: str, rng: Rng) -> str:
    """The text with a part at a site. White space takes the place of a blank between words; where a text has no such
    site, and for a part that is no white space where only white space goes, it stands at the end as a word."""
    if position in PLACES:
        return _put_unit(text, PLACES[position], part)
    blank = part.isspace()
    if not blank and position in (BETWEEN, BEFORE_MARK, LINE_START, LINE_END):
        found = gaps(text)
        return put(text, found[int(rng.integers(len(found)))], part, True, rng)
    places = _SITES[position](text, part)
    if not places:
        return text + part if blank else f"{text} {part}".lstrip()
    a, b = places[int(rng.integers(len(places)))]
    return text[:a] + part + text[b:]


def _put_unit(text: str, index: int, part: str) -> str:
    """The text with a part as the unit of this index; at the end where it has too few units."""
    spans = word_spans(text)
    index = index if index >= 0 else max(len(spans) + 1 + index, 0)
    if index >= len(spans):
        return f"{text} {part}".lstrip() if not text[-1:].isspace() else text + part
    at = spans[index][0]
    before = " " if at and not text[at - 1].isspace() else ""
    after = " " if text[at].isalnum() or not before else ""
    return f"{text[:at]}{before}{part}{after}{text[at:]}"


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def put_edge(text: str, part: str, spaced: bool, at_start: bool) -> str:
    """The text with a part before or after it; never so that two words of a script with spaces become one."""
    a, b = (part[-1:], text[:1]) if at_start else (text[-1:], part[:1])
    merges = all((c.isalnum() or (c and _is_mark(c))) and not is_unspaced(c) for c in (a, b))
    blank = " " if spaced or merges else ""
    return f"{part}{blank}{text}" if at_start else f"{text}{blank}{part}"


def _edges(text: str, side: int) -> list[tuple[int, int]]:
    return [(span[side], span[side]) for span in word_spans(text) if text[span[0]].isalpha() and span[1] - span[0] > 1]


def _inside(text: str, part: str) -> list[tuple[int, int]]:
    """Places after a letter of a word, its last one among them where the part is a mark, which belongs to a letter."""
    spans = [(a, b) for a, b in word_spans(text) if text[a].isalpha()]
    mark = _is_mark(part[:1] or " ")
    inner = [i for a, b in spans for i in range(a + 1, b + mark) if text[i - 1].isalpha()]
    return [(i, i) for i in inner if i == len(text) or not _is_mark(text[i])]


def _between(text: str, part: str) -> list[tuple[int, int]]:
    breaks = [m.span() for m in _BREAK.finditer(text)] if "\n" in part or "\r" in part else []
    return breaks or [m.span() for m in _BLANK.finditer(text)]


_SITES: Mapping[str, Callable[[str, str], list[tuple[int, int]]]] = {
    WORD_START: lambda text, part: _edges(text, 0),
    WORD_END: lambda text, part: _edges(text, 1),
    INSIDE: _inside,
    FIRST_WORD: lambda text, part: _edges(text, 0)[:1],
    LAST_WORD: lambda text, part: _edges(text, 1)[-1:],
    BETWEEN: _between,
    BEFORE_MARK: lambda text, part: [m.span() for m in _MARK.finditer(text)],
    LINE_START: lambda text, part: [m.span() for m in _AFTER_BREAK.finditer(text)],
    LINE_END: lambda text, part: [m.span() for m in _BEFORE_BREAK.finditer(text)],
}
POSITIONS = frozenset((*_SITES, *PLACES))
