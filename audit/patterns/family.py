"""What a pattern family is: it names the patterns of one kind that a row holds.

A key is the text of a pattern in `Patterns.table`: the raw text where the pattern is a text, else a name such as "any
zero-width character" or a slot and a unit ("start\\x1fcf"). The unit separator U+001F stands in no unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

SEPARATOR = "\x1f"

Found = tuple[str, int, int]  # a key, and the character span of one of its places


@dataclass(frozen=True, slots=True)
class Row:
    """What a family reads of an example."""

    prompt: str
    turns: tuple[tuple[str, str], ...] = ()  # (role, text) of the input's turns, in order


class Family(Protocol):
    """One kind of pattern. Keys depend on the row alone, or on it and the counts that the family was fitted to."""

    @property
    def kind(self) -> str:
        """As in Patterns.table."""
        ...

    def keys(self, row: Row) -> Iterable[str]:
        """Keys of one row; a key may repeat."""
        ...


class CorpusFamily(Family, Protocol):
    """A family that needs to know which words are frequent; without `prepare` it names nothing."""

    def prepare(self, counts: Mapping[str, int]) -> Family:
        """The same family fitted to the row counts of this dataset's units (`words.tokens`); a unit without a
        count is rare, so the counts of frequent units are enough."""
        ...
