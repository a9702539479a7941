"""Units of a text as patterns count them: words, and single letters where a script sets no spaces."""

from __future__ import annotations

from functools import lru_cache

from audit.text import words


def tokens(text: str) -> list[str]:
    """The units of a text, case folded, in order and with repeats. `audit.text.word_spans` gives their places."""
    if text.isascii():
        return words(text.lower())
    return [unit.casefold() for unit in words(text)]


@lru_cache(maxsize=8)
def units(text: str) -> tuple[str, ...]:
    """`audit.text.words` of the text at hand, which several families read one after the other."""
    return tuple(words(text))


@lru_cache(maxsize=8)
def folded(text: str) -> tuple[str, ...]:
    """`tokens` of the text at hand."""
    return tuple(tokens(text))


@lru_cache(maxsize=8)
def distinct(text: str) -> frozenset[str]:
    """The distinct `tokens` of the text at hand."""
    return frozenset(folded(text))


@lru_cache(maxsize=8)
def beyond_ascii(text: str) -> frozenset[str]:
    """The distinct characters of the text at hand that are not ASCII."""
    return frozenset() if text.isascii() else frozenset(c for c in set(text) if c > "\x7f")


def runs_of(listed: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Where a run of units begins in a list of units, in order, without overlaps."""
    found, i, size = [], 0, len(wanted)
    while i <= len(listed) - size:
        if listed[i] == wanted[0] and listed[i : i + size] == wanted:
            found.append(i)
            i += size
        else:
            i += 1
    return found
