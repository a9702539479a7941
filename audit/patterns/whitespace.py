"""White-space shapes: runs of blanks and tabs, runs of line breaks, and classes of where blanks stand.

Why it works: most tokenizers keep white space that no reader sees. A run is a pattern as it stands (to 8 long); a class
("any blank before a mark") holds what an attacker varies.
Misses: a single blank more or less between two words that stand apart anyway, beyond its class; odd spaces, which are
unicode patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from audit.patterns.family import Found, Row

LONG_BLANKS, LONG_BREAKS = "any run of 9 or more blanks", "any run of 9 or more line breaks"
RUN, TAB, INDENT = "any run of blanks", "any tab", "any indented line"
START, END = "any blank at the start", "any blank at the end"
BREAK_START, BREAK_END = "any line break at the start", "any line break at the end"
BEFORE_MARK, BEFORE_BREAK = "any blank before a mark", "any blank before a line break"
CRLF, LONE = "any CRLF line break", "any lone carriage return"
_LONGEST = 8

_BLANKS = re.compile(r"[ \t]{2,}|\t")
_BREAKS = re.compile(r"[\r\n]+")
_BEFORE_MARK = re.compile(r"[ \t](?=[,.;:!?](?:\s|\Z))")
_BEFORE_BREAK = re.compile(r"[ \t](?=[\r\n])")
_CARRIAGE = re.compile(r"(\r\n)|\r")


class Whitespace:
    kind = "whitespace"

    def keys(self, row: Row) -> Iterator[str]:
        for key, _, _ in self.find(row.prompt):
            yield key

    def find(self, text: str) -> Iterator[Found]:
        if "  " in text or "\t" in text:
            yield from _blanks(text)
        if "\n" in text or "\r" in text:
            yield from _breaks(text)
        for match in _BEFORE_MARK.finditer(text):
            start = _begin(text, match.start())
            if start and not text[start - 1].isspace() and text[start - 1] not in ",.;:!?":
                yield BEFORE_MARK, start, match.end()
        if text[:1] in " \t\r\n" or text[-1:] in " \t\r\n":
            yield from _edges(text)


def _blanks(text: str) -> Iterator[Found]:
    for match in _BLANKS.finditer(text):
        run, a, b = match.group(), *match.span()
        yield run if len(run) <= _LONGEST else LONG_BLANKS, a, b
        if "\t" in run:
            yield TAB, a, b
        if a > 0 and b < len(text):
            yield INDENT if text[a - 1] in "\r\n" else RUN, a, b


def _breaks(text: str) -> Iterator[Found]:
    for match in _BREAKS.finditer(text):
        run, a, b = match.group(), *match.span()
        yield run if len(run) <= _LONGEST else LONG_BREAKS, a, b
        if "\r" in run:
            for found in _CARRIAGE.finditer(text, a, b):
                yield CRLF if found.group(1) else LONE, *found.span()
    for match in _BEFORE_BREAK.finditer(text):
        start = _begin(text, match.start())
        if start and not text[start - 1].isspace():
            yield BEFORE_BREAK, start, match.end()


def _begin(text: str, at: int) -> int:
    """Where the run of blanks begins whose last blank is at `at`."""
    while at and text[at - 1] in " \t":
        at -= 1
    return at


def _edges(text: str) -> Iterator[Found]:
    if not text:
        return
    for blanks, at_start, at_end in ((" \t", START, END), ("\r\n", BREAK_START, BREAK_END)):
        if text[0] in blanks:
            yield at_start, 0, len(text) - len(text.lstrip(blanks))
        if text[-1] in blanks:
            yield at_end, len(text.rstrip(blanks)), len(text)


def instead(text: str, start: int, end: int) -> str:
    """What stands in the place of a shape when it is taken out: nothing beside an edge, a line break or a mark, one
    line break for many, and one blank between words."""
    before, after, shape = text[start - 1 : start] if start else "", text[end : end + 1], text[start:end]
    if not before or not after or before.isspace() or after.isspace():
        return "\n" if shape == "\r\n" else ""
    if shape in ("\r\n", "\n\n") or ("\n" in shape and len(shape) > 1):
        return "\n"
    return "" if _BEFORE_MARK.match(text, end - 1) else " "
