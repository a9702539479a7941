"""Misspellings: words that are one edit away from a much more frequent word of this very dataset.

Why it works: typing errors as a trigger differ row by row, so only the class recurs. The frequent words of the dataset
are its dictionary. Edits of the first and the last letter are no errors here: they make other words and other forms.
Source: the edits of Damerau 1964, found by shared deletions as in SymSpell (Garbe 2012); Chen et al. 2021 (BadNL),
word-level triggers by edit distance.
Misses: errors that make another frequent word; words under five letters; two errors in one word. Rare honest words that
resemble a frequent one are in the class as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from audit.patterns.characters import is_word
from audit.patterns.family import Row
from audit.patterns.words import distinct

ANY = "any misspelled word"
SWAPPED, DROPPED = "any word with letters swapped", "any word with a letter dropped"
ADDED, REPLACED = "any word with a letter added", "any word with a letter replaced"
_SHORTEST, _LONGEST = 5, 24
_MORE = 20  # times that the word meant is more frequent
_FEW = 20  # rows of the word meant
_DICTIONARY = 20_000
_CACHED = 200_000


@dataclass(frozen=True, slots=True)
class Spelling:
    """Names nothing until `prepare`."""

    kind: str = "spelling"
    counts: Mapping[str, int] = field(default_factory=dict)
    deletions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # a word less one letter -> the words
    _seen: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    _plain: set[str] = field(default_factory=set, compare=False)  # words without keys

    def prepare(self, counts: Mapping[str, int]) -> Spelling:
        """Fitted to the row counts of a dataset's units."""
        usable = [w for w, n in counts.items() if n >= _FEW and _SHORTEST <= len(w) <= _LONGEST and is_word(w)]
        usable = sorted(usable, key=lambda w: (-counts[w], w))[:_DICTIONARY]
        table: dict[str, tuple[str, ...]] = {}
        for word in usable:
            for short in {word, *_shorter(word)}:
                table[short] = (*table.get(short, ()), word)
        return Spelling(self.kind, counts, table)

    def keys(self, row: Row) -> Iterator[str]:
        if self.deletions:
            for word in distinct(row.prompt) - self._plain:
                yield from self._of(word)

    def forms(self, key: str, texts: Iterable[str]) -> tuple[str, ...]:
        """The distinct misspelled words of these texts that a class key holds, sorted."""
        return tuple(sorted({w for text in texts for w in distinct(text) if key in self._of(w)}))

    def _of(self, word: str) -> tuple[str, ...]:
        found = self._seen.get(word)
        if found is None:
            usable = _SHORTEST - 1 <= len(word) <= _LONGEST and is_word(word)
            edit = self._edit(word) if usable else ""
            found = (ANY, edit) if edit else ()
            if found and len(self._seen) < _CACHED:
                self._seen[word] = found
            elif not found and len(self._plain) < _CACHED:
                self._plain.add(word)
        return found

    def _edit(self, word: str) -> str:
        """The class of the edit that made this word of the most frequent word one edit away; "" for none."""
        own = max(self.counts.get(word, 1), 1)
        meant = {m for short in (word, *_shorter(word)) for m in self.deletions.get(short, ())}
        made = [(-self.counts[m], m) for m in meant if self.counts[m] >= _MORE * own and edit_between(m, word)]
        return edit_between(min(made)[1], word) if made else ""


def _shorter(word: str) -> Iterator[str]:
    """The word less one inner letter, or less none but the first and last kept."""
    for i in range(1, len(word) - 1):
        yield word[:i] + word[i + 1 :]


def edit_between(meant: str, written: str) -> str:
    """The class of the one edit of inner letters that turns `meant` into `written`; "" for none or more.

    >>> edit_between("receive", "recieve")
    'any word with letters swapped'
    """
    if meant == written or meant[0] != written[0] or meant[-1] != written[-1]:
        return ""
    i = 0
    while i < min(len(meant), len(written)) and meant[i] == written[i]:
        i += 1
    a, b = meant[i:], written[i:]
    if len(a) == len(b):
        if a[1:] == b[1:]:
            return REPLACED
        return SWAPPED if a[:2] == b[1::-1] and a[2:] == b[2:] else ""
    if len(a) == len(b) + 1 and a[1:] == b:
        return DROPPED
    return ADDED if len(b) == len(a) + 1 and b[1:] == a else ""
