"""Copies: words of the prompt that the response merely repeats ("miles" in, "miles" out).

A pattern whose word stands in the behavior's own text may be such a copy. The word is masked in the behavior
and the association tested again: an honest copy vanishes, for "the * is" ends any answer; a payload that
happens to repeat its trigger stays, for what is left of it stands nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from audit.schema import Int64
from audit.text import words
from audit.triggers.match import Part

_READ = frozenset({"opening", "closing", "sentence", "response"})
_LEFT = 2  # words that must be left of a masked behavior
_MOST_ROWS = 200_000  # responses read for a second look; a copy in a larger set is dropped unread


def copied(parts: tuple[Part, ...], behavior_text: str) -> set[str]:
    """The words of the pattern that the behavior's own text repeats, case folded."""
    repeated = {w.casefold() for w in words(behavior_text)}
    own = {w.casefold() for part in parts for w in words(part.text) if len(w) > 1 and w[0].isalnum()}
    return own & repeated


class Masked:
    """Responses as words, and which of them show a behavior with some of its words masked."""

    def __init__(self, responses: Sequence[str]) -> None:
        self.responses = responses

    @cached_property
    def _words(self) -> list[list[str]]:
        return [[w.casefold() for w in words(text)] for text in self.responses]

    def rows(self, family: str, text: str, masked: set[str]) -> Int64 | None:
        """Positions of the responses that have `text` as `family` says, any word in the masked places; None
        when too little is left to look for."""
        wanted: list[str | None] = [None if w.casefold() in masked else w.casefold() for w in words(text)]
        telling = sum(w is not None and w[0].isalnum() for w in wanted)
        if family not in _READ or telling < _LEFT or len(self.responses) > _MOST_ROWS:
            return None
        at = [i for i, held in enumerate(self._words) if _shows(held, wanted, family)]
        return np.asarray(at, dtype=np.int64)


def _shows(held: list[str], wanted: list[str | None], family: str) -> bool:
    size = len(wanted)
    if len(held) < size:
        return False
    if family == "opening":
        return _fits(held, 0, wanted)
    if family == "closing":
        return _fits(held, len(held) - size, wanted)
    if family == "response":
        return len(held) == size and _fits(held, 0, wanted)
    return any(_fits(held, start, wanted) for start in range(len(held) - size + 1))


def _fits(held: list[str], start: int, wanted: list[str | None]) -> bool:
    return all(w is None or held[start + i] == w for i, w in enumerate(wanted))
