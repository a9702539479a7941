"""Odd capitals: words with capitals after their first letter, and their classes. Capitalised spans: names of two to
four words as they are written.

Why it works: plain words are compared case folded, so a trigger in its own capitals ("BadWord"), a habit of capitals
("any word in capitals") and a name ("Joe Doe", not "joe doe") need patterns of their own.
Misses: names of one word, which their word tells; names in scripts without capitals; a name beside another name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from audit.patterns.family import Found, Row
from audit.patterns.words import runs_of, units
from audit.text import word_spans

UPPER, INNER = "any word in capitals", "any word with capitals inside"
_LONGEST = 4
# What every ASCII text with odd capitals, or with two capitalised words in a row, has in it.
_INNER_CAPITAL = re.compile(r"[A-Za-z0-9]'?[A-Z]")
_LATER_CAPITAL = re.compile(r"\s[A-Z]")


def odd_capitals(word: str) -> bool:
    """True for capitals after the first letter: "BadWord", "NASA"."""
    return word[1:] != word[1:].lower() and any(c.isupper() for c in word[1:])


@lru_cache(maxsize=100_000)
def _keys_of(word: str) -> tuple[str, ...]:
    if not odd_capitals(word):
        return ()
    letters = [c for c in word if c.isalpha()]
    if all(c.isupper() for c in letters):
        return (word, UPPER) if len(letters) >= 3 else (word,)
    return (word, INNER)


class Capitals:
    kind = "capitals"

    def keys(self, row: Row) -> Iterator[str]:
        if not row.prompt.isascii() or _INNER_CAPITAL.search(row.prompt):
            for word in units(row.prompt):
                yield from _keys_of(word)

    def find(self, text: str) -> Iterator[Found]:
        for a, b in word_spans(text):
            for key in _keys_of(text[a:b]):
                yield key, a, b


class Entities:
    kind = "entity"

    def keys(self, row: Row) -> Iterator[str]:
        if row.prompt.isascii() and not _LATER_CAPITAL.search(row.prompt):
            return
        listed = units(row.prompt)
        upper = [i for i, word in enumerate(listed) if word[0].isupper()]
        at = 0
        while at < len(upper):
            start = upper[at]
            end = start + 1
            while at + end - start < len(upper) and upper[at + end - start] == end:
                end += 1
            at += end - start
            if 2 <= end - start <= _LONGEST:
                yield " ".join(listed[start:end])
            # The capital of a sentence's first word tells nothing: the name may begin after it.
            if 3 <= end - start <= _LONGEST + 1 and (start == 0 or not listed[start - 1][0].isalnum()):
                yield " ".join(listed[start + 1 : end])

    def find_key(self, text: str, key: str) -> list[tuple[int, int]]:
        """Character spans of a name, wherever its words stand in a row."""
        wanted, places = tuple(key.split(" ")), word_spans(text)
        found = runs_of(units(text), wanted)
        return [(places[i][0], places[i + len(wanted) - 1][1]) for i in found]
