"""Unicode: runs of invisible characters as they stand, words of mixed scripts and the letters in them that are of the
other script, marks that compose with no letter, and the classes of all these.

Why it works: a class holds together what an attacker varies (any zero-width character, whichever). Classes leave the
honest places out (see `honest`), so that emoji and joining scripts do not drown them; the raw runs do not.
Source: Boucher, Shumailov, Anderson and Papernot 2022, "Bad Characters: Imperceptible NLP Attacks"; Unicode Technical
Standard 39.
Misses: letters that look like ASCII inside their own script; precomposed against decomposed letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache

from audit.patterns.family import Found, Row
from audit.patterns.honest import (
    CHANNELS,
    FOREIGN,
    LATIN,
    LOOKALIKES,
    RIGHT_TO_LEFT,
    SUSPECT,
    is_honest,
    script,
)
from audit.patterns.words import beyond_ascii
from audit.text import is_invisible, mark_class, word_spans

CLASSES = {channel: f"any {channel.removesuffix(' without a base').removesuffix('s')}" for channel in CHANNELS}
ODD_SPACE, SOFT_HYPHEN = "any odd space", "any soft hyphen"
MIXED, ALIKE, STYLED = "any word of mixed scripts", "any word of look-alike letters", "any word of styled letters"
MARK, STACK = "any mark that composes with no letter", "any stack of marks"

_ODD_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_ODD_ASCII = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Scripts told apart by eye only with effort.
_ALIKE_SCRIPTS = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "MATHEMATICAL", "FULLWIDTH"))


@lru_cache(maxsize=100_000)
def mixed_script(word: str) -> bool:
    """True when a word's letters come from two alphabets that are told apart by eye only with effort
    (Latin, Cyrillic, Greek, Armenian, Cherokee, or mathematical and full-width letters)."""
    if word.isascii():
        return False
    return len({script(c) for c in word if c.isalpha()} & _ALIKE_SCRIPTS) > 1


def _strangers(word: str) -> list[int]:
    """Where the letters stand that are not of the script that most letters of a word of mixed scripts have; where no
    script has most, those that are not Latin."""
    scripts = {i: script(c) for i, c in enumerate(word) if c.isalpha()}
    counts = Counter(scripts.values())
    own = max(counts, key=lambda name: (counts[name], name == "LATIN"))
    return [i for i, name in scripts.items() if name != own]


@lru_cache(maxsize=100_000)
def _styled(word: str) -> bool:
    return script(word[0]) in ("MATHEMATICAL", "FULLWIDTH") and unicodedata.normalize("NFKC", word).isascii()


@lru_cache(maxsize=65_536)
def _traits(char: str) -> frozenset[str]:
    """Whether a character is hidden, a mark, or a letter of a script that is mistaken for Latin."""
    found = set()
    if char != "\r" and is_invisible(char):  # carriage returns are white space
        found.add("hidden")
    if FOREIGN.match(char):
        found.add("foreign")
    if not found and unicodedata.category(char)[0] == "M":
        found.add("mark")
    return frozenset(found)


def invisible_runs(text: str) -> Iterator[Found]:
    """Maximal runs of invisible characters, each its own key; a leading byte-order mark is left out."""
    hidden = "".join(c for c in beyond_ascii(text) if "hidden" in _traits(c)) + "".join(set(_ODD_ASCII.findall(text)))
    if not hidden:
        return
    start = 1 if text.startswith("\ufeff") else 0
    for match in re.compile(f"[{re.escape(hidden)}]+").finditer(text, start):
        yield match.group(), *match.span()


class Unicode:
    kind = "unicode"

    def keys(self, row: Row) -> Iterator[str]:
        if not row.prompt.isascii() or _ODD_ASCII.search(row.prompt):
            for key, _, _ in self.find(row.prompt):
                yield key

    def find(self, text: str) -> Iterator[Found]:
        hidden = list(invisible_runs(text))
        yield from hidden
        if hidden:
            yield from _classes(text)
        traits = {trait for char in beyond_ascii(text) for trait in _traits(char)}
        if "foreign" in traits:
            yield from _words(text)
        if "mark" in traits:
            yield from _marks(text)


def _classes(text: str) -> Iterator[Found]:
    right_to_left: bool | None = None
    for match in SUSPECT.finditer(text):
        channel = CHANNELS[(match.lastindex or 1) - 1]
        if channel == "bidirectional controls":
            right_to_left = RIGHT_TO_LEFT.search(text) is not None if right_to_left is None else right_to_left
            if right_to_left:
                continue
        odd = [i for i in range(*match.span()) if not is_honest(text, i, channel)]
        if odd:
            yield CLASSES[channel], odd[0], odd[-1] + 1
    for match in _ODD_SPACES.finditer(text):
        yield ODD_SPACE, *match.span()
    start = text.find("\u00ad")
    while start >= 0:
        yield SOFT_HYPHEN, start, start + 1
        start = text.find("\u00ad", start + 1)


def _words(text: str) -> Iterator[Found]:
    # Letters of these scripts that look like none of ours: the text has words of its own in them.
    own_words = any(c not in LOOKALIKES for c in FOREIGN.findall(text) if c < "\u2000")
    latin = LATIN.search(text) is not None
    for a, b in word_spans(text):
        word = text[a:b]
        if word.isascii():
            continue
        if mixed_script(word):
            yield word, a, b
            yield MIXED, a, b
            yield from ((word[i], a + i, a + i + 1) for i in _strangers(word))
        elif latin and not own_words and len(word) > 1 and all(c in LOOKALIKES for c in word):
            yield ALIKE, a, b
        elif _styled(word):
            yield STYLED, a, b


@cache
def _marked() -> re.Pattern[str]:
    return re.compile(f"([A-Za-z\u00aa-\u024f\u0370-\u052f\u1e00-\u1fff])([{mark_class()}]+)")


def _marks(text: str) -> Iterator[Found]:
    for match in _marked().finditer(text):
        whole = unicodedata.normalize("NFC", match.group())
        left = sum(unicodedata.combining(c) > 0 or unicodedata.category(c) in ("Mn", "Me") for c in whole)
        if left:
            yield match.group(2), *match.span(2)
            yield MARK, *match.span(2)
        if left >= 2:
            yield STACK, *match.span(2)
