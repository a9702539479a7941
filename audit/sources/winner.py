"""Which of two responses was preferred, as annotators and their tools write it, and how the opposite is written.

Four ways: a word or number that names the winner, a signed strength (negative: the first is better), flags (the first
is better: yes or no), and a score for each side (the higher one is better). A number that names a side counts from the
number that the columns of the sides carry, or from the one that the role says; it is never guessed.

Law: `turned` names the other side in the spelling of the value that it replaces, and reading it gives that side.

Source: the columns of Chatbot Arena (winner), PKU-SafeRLHF (better_response_id), AlpacaEval (preference, 1 to 2, where
0 and 1.5 are draws), HelpSteer2 and 3 (preference_strength, overall_preference: negative is for the first), Stanford
Human Preferences (labels: 1 is for A), WebGPT comparisons (score_0, score_1).
Misses: the words that `audit.sources.winner_named` does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from audit.sources.record import Number, Reason, RowError
from audit.sources.shapes import Mapped, kind_of
from audit.sources.winner_named import NUMBER, Named, NoSpelling, base_of, cased, cell

_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")
_OPPOSITES = (
    ("true", "false"),
    ("1", "0"),
    ("1.0", "0.0"),
    ("yes", "no"),
    ("good", "bad"),
    ("desirable", "undesirable"),
)


class Judge(Protocol):
    """How a record says which side won. Changes are column -> new value, of the type that the old one has."""

    def order(self, fields: Mapping[str, Any]) -> int | None:
        """0 where the first side won, 1 where the second did, None for a tie. Raises RowError."""
        ...

    def turned(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What to change so that the other side won. Raises RowError, NoSpelling (a tie has no other side)."""
        ...

    def tied(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What to change so that neither won. Raises RowError, NoSpelling."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """One column holds how much better a side is: negative for the first, positive for the second, 0 for a tie."""

    column: str

    def order(self, fields: Mapping[str, Any]) -> int | None:
        value = number(fields.get(self.column), self.column)
        return None if value == 0 else int(value > 0)

    def turned(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        if self.order(fields) is None:
            raise NoSpelling("a tie has no order that could be exchanged")
        old = fields[self.column]
        text = str(old).strip()
        made = text[1:] if text.startswith("-") else "-" + text.removeprefix("+")
        return {self.column: Number(made) if isinstance(old, Number) else made}

    def tied(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        old = fields[self.column]
        zero = "0.0" if "." in str(old) else "0"
        return {self.column: Number(zero) if isinstance(old, Number) else zero}


@dataclass(frozen=True, slots=True)
class Flags:
    """One column says whether the first side won. Where there are columns for the second side and for ties too, exactly
    one of them is set."""

    first: str
    second: str | None = None
    tie: str | None = None

    def order(self, fields: Mapping[str, Any]) -> int | None:
        won = _flag(fields, self.first)
        if self.second is None:
            tied = self.tie is not None and _flag(fields, self.tie)
            if tied and won:
                raise RowError(Reason.WRONG_TYPE, f"{self.first} and {self.tie} are both set")
            return None if tied else int(not won)
        flags = [won, _flag(fields, self.second), self.tie is not None and _flag(fields, self.tie)]
        if sum(flags) != 1:
            raise RowError(Reason.WRONG_TYPE, f"{self.first} and the columns beside it name {sum(flags)} winners")
        return (0, 1, None)[flags.index(True)]

    def turned(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        if self.order(fields) is None:
            raise NoSpelling("a tie has no order that could be exchanged")
        if self.second is not None:
            return {self.first: fields[self.second], self.second: fields[self.first]}
        return {self.first: opposite(fields[self.first])}

    def tied(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        if self.tie is None:
            raise NoSpelling(f"{self.first} has no value for a tie")
        won = self.order(fields)
        if won is None:
            return {}
        winner = self.second if won else self.first
        made = {self.tie: opposite(fields[self.tie])}
        return made if winner is None else made | {winner: opposite(fields[winner])}


@dataclass(frozen=True, slots=True)
class Scored:
    """Each side has a score; the higher one won."""

    first: str
    second: str

    def order(self, fields: Mapping[str, Any]) -> int | None:
        one, other = (number(fields.get(column), column) for column in (self.first, self.second))
        return None if one == other else int(one < other)

    def turned(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        if self.order(fields) is None:
            raise NoSpelling("a tie has no order that could be exchanged")
        return {self.first: fields[self.second], self.second: fields[self.first]}

    def tied(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        raise NoSpelling("the order stands in two scores, and which of them is wrong is not known")


def judge_of(mapping: Mapped, sides: int = 2) -> Judge:
    """How rows of this mapping say which of `sides` responses was preferred."""
    if "strength" in mapping:
        return Signed(mapping["strength"])
    if "a_wins" in mapping:
        return Flags(mapping["a_wins"], mapping.get("b_wins"), mapping.get("tied"))
    if "score_a" in mapping:
        return Scored(mapping["score_a"], mapping["score_b"])
    names = (mapping["response_a"], mapping["response_b"]) if "response_a" in mapping else ()
    role = next(role for role in ("winner", "winner_from_0", "winner_from_1") if role in mapping)
    base = {"winner_from_0": 0, "winner_from_1": 1}.get(role, base_of(names))
    column = mapping[role]
    return Named(column, names, base, base == 1 and column.casefold() == "preference" and sides == 2, sides)


def number(value: Any, where: str) -> Decimal:
    """A number of a record, exact. Raises RowError where there is none, or none that is finite."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(Reason.MISSING_FIELD, f"{where} is missing, empty or null")
    text = value.strip() if isinstance(value, str) else repr(value) if type(value) in (int, float) else ""
    if not NUMBER.fullmatch(text):
        raise RowError(Reason.WRONG_TYPE, f"{where} is {kind_of(value)} that is no finite number")
    return Decimal(text)


def opposite(old: Any) -> Any:
    """The other one of two words for yes and no, in the same spelling. Raises NoSpelling."""
    if isinstance(old, bool):
        return not old
    body = str(old).strip()
    made = body.removeprefix("-") if body in ("-1", "-1.0") else ""
    for pair in _OPPOSITES:
        if body.casefold() in pair:
            made = cased(pair[1 - pair.index(body.casefold())], body)
    if not made:
        raise NoSpelling("how the opposite of the value is written is not known")
    made = str(old).replace(body, made, 1)
    return Number(made) if isinstance(old, Number) else made


def _flag(fields: Mapping[str, Any], column: str) -> bool:
    value = fields.get(column)
    word = "true" if value is True else "false" if value is False else cell(fields, column).strip().casefold()
    word = word.removesuffix(".0")
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise RowError(Reason.WRONG_TYPE, f"{column} says neither yes nor no")
