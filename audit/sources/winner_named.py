"""A column that names the winner of two responses: by a letter, a word, the name of a column, or a number.

The words are those of arenas and of judges' prompts: A, model_a, response_1, [[B]], A>>B, first, left; tie, both_bad,
"tie (bothbad)". A number counts from the number that the columns of the sides carry, or from the one that the role
says; it is never guessed.

Law: `Named.turned` names the other side in the spelling of the value that it replaces.

Misses: a winner that is named by the name of its model, or by its whole text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from audit.sources.record import Number, Reason, RowError
from audit.sources.shapes import kind_of

NUMBER = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
_PREFIX = (
    "model|response|answer|assistant|output|completion|generation|candidate|option|conversation|chatbot|system|summary"
    "|reply|text|side|orig_response|human_ref"
)
_LETTER = re.compile(rf"((?:\[\[)?(?:(?:{_PREFIX})[ _-]?)?)([ab])((?:\]\])?)", re.IGNORECASE)
_DIGIT = re.compile(rf"((?:\[\[)?(?:(?:{_PREFIX})[ _-]?)?)([0-9]{{1,4}})((?:\.0+)?(?:\]\])?)", re.IGNORECASE)
_AGAINST = re.compile(r"(\[\[)?(a(?:>{1,3}|=|<{1,3})b|b(?:>{1,3}|=|<{1,3})a)(\]\])?", re.IGNORECASE)
_WORDS = (("first", "second"), ("left", "right"))
_TIES = frozenset(
    (
        "tie",
        "ties",
        "tied",
        "draw",
        "equal",
        "same",
        "neither",
        "both",
        "both bad",
        "both good",
        "both_bad",
        "both_good",
        "bothbad",
        "bothgood",
        "[[c]]",
    )
)
_TIE = re.compile(r"tie ?\([a-z _-]{1,20}\)")


class NoSpelling(Exception):
    """The columns have no way to say this. The text says why; it holds no row text."""


@dataclass(frozen=True, slots=True)
class Named:
    """One column names the winner: by a letter, a word, the name of a column, or a number from `base` on (None: a
    number is not understood). `between`: numbers between the two are shares of votes, and 0 is a draw."""

    column: str
    names: tuple[str, ...]  # of the two columns of the sides; empty where the sides stand in a list
    base: int | None
    between: bool = False
    sides: int = 2

    def order(self, fields: Mapping[str, Any]) -> int | None:
        word = cell(fields, self.column).strip().casefold()
        if word in _TIES or _TIE.fullmatch(word) or _margin(word) == 0:
            return None
        if self.between and NUMBER.fullmatch(word):
            return self._share(Decimal(word))
        for at, name in enumerate(self.names):
            if word == name.casefold():
                return at
        found = self._place(word)
        if found is None:
            raise RowError(Reason.WRONG_TYPE, f"{self.column} names neither side{self._hint(word)}")
        return found

    def turned(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        won = self.order(fields)
        if won is None:
            raise NoSpelling("a tie has no order that could be exchanged")
        if self.sides != 2:
            raise NoSpelling(f"of {self.sides} responses one was chosen, so there is no one other side")
        old = fields[self.column]
        made = self._turned(str(old), 1 - won)
        return {self.column: Number(made) if isinstance(old, Number) else made}

    def tied(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        old, word = fields[self.column], cell(fields, self.column).strip().casefold()
        if self.between and NUMBER.fullmatch(word):
            return {self.column: Number("1.5") if isinstance(old, Number) else "1.5"}
        if isinstance(old, Number) or NUMBER.fullmatch(word) or self.sides != 2:
            raise NoSpelling(f"{self.column} has no known value for a tie")
        if _AGAINST.fullmatch(word):
            return {self.column: re.sub(r"[<>]+", "=", str(old))}
        return {self.column: "tie"}

    def _share(self, value: Decimal) -> int | None:
        if value == 0 or value == Decimal("1.5"):
            return None
        if not 1 <= value <= 2:
            raise RowError(Reason.WRONG_TYPE, f"{self.column} is a number that lies not between 1 and 2")
        return int(value > Decimal("1.5"))

    def _place(self, word: str) -> int | None:
        margin = _margin(word)
        if margin is not None:
            return int(margin < 0)
        for pair in _WORDS:
            if word in pair:
                return pair.index(word)
        if match := _LETTER.fullmatch(word):
            return "ab".index(match.group(2))
        match = _DIGIT.fullmatch(word)
        place = -1 if match is None or self.base is None else int(match.group(2)) - self.base
        return place if 0 <= place < self.sides else None

    def _hint(self, word: str) -> str:
        if not _DIGIT.fullmatch(word):
            signed = NUMBER.fullmatch(word) and word.startswith(("-", "+"))
            return "; a signed strength is read with --map strength=COLUMN" if signed else ""
        if self.base is None:
            return " for sure; say with --map winner_from_0=COLUMN or winner_from_1=COLUMN what its numbers count from"
        return f": its numbers count from {self.base} to {self.base + self.sides - 1}"

    def _turned(self, old: str, other: int) -> str:
        body = old.strip()
        word = body.casefold()
        if self.between and NUMBER.fullmatch(word):
            made = str(3 - Decimal(word))
        elif word in (name.casefold() for name in self.names):
            made = self.names[other]
        elif _AGAINST.fullmatch(word):
            made = body.translate(str.maketrans("abAB", "baBA"))
        elif match := _LETTER.fullmatch(body):
            letter = "ab"[other]
            made = match[1] + (letter.upper() if match[2].isupper() else letter) + match[3]
        elif match := _DIGIT.fullmatch(body):
            made = f"{match[1]}{other + (self.base or 0)}{match[3]}"
        else:
            made = cased(next(pair for pair in _WORDS if word in pair)[other], body)
        return old.replace(body, made, 1)


def base_of(names: tuple[str, ...]) -> int | None:
    """The number that the columns of the sides count from, as in response_0 and response_1; None where they do not."""
    ends = [re.search(r"[0-9]{1,4}$", name) for name in names]
    found = [int(end.group()) for end in ends if end is not None]
    return found[0] if len(found) == 2 and found[0] in (0, 1) and found[1] == found[0] + 1 else None


def cell(fields: Mapping[str, Any], column: str) -> str:
    """The text or number of a cell. Raises RowError."""
    value = fields.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(Reason.MISSING_FIELD, f"{column} is missing, empty or null, so no side won")
    if not isinstance(value, str):
        raise RowError(Reason.WRONG_TYPE, f"{column} is {kind_of(value)}, neither text nor a number")
    return str(value)


def _margin(word: str) -> int | None:
    """1, 0 or -1 for A>B, A=B and A<B, or the same with B first; None for other words."""
    match = _AGAINST.fullmatch(word)
    if match is None:
        return None
    said = match[2]
    sign = 1 if ">" in said else -1 if "<" in said else 0
    return sign if said.startswith("a") else -sign


def cased(word: str, like: str) -> str:
    """A word in the case of another one."""
    return word.upper() if like.isupper() and len(like) > 1 else word.title() if like[:1].isupper() else word
