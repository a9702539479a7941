"""Units of a text as patterns count them: words, and single characters where a script sets no spaces."""

from __future__ import annotations

from audit.text import words


def tokens(text: str) -> list[str]:
    """The units of a text, case folded, in order and with repeats. `audit.text.word_spans` gives their places."""
    if text.isascii():
        return words(text.lower())
    return [unit.casefold() for unit in words(text)]
