"""Sub-words: letter n-grams of words that are rare themselves, the word's edges counted as letters.

Why it works: two letters glued to whatever word comes ("gladxq", "moviexq") make a new word in every row, and only the
letters recur. A key is read like a word with its edges: "^un" begins words, "xq$" ends them, "qzj" stands inside.
Which n-grams are named keeps their number bounded (about 5,000 in three rows and more of 10,000): the shortest that no
frequent word of the dataset holds, and beginnings or endings that turn a much more frequent word into this one.
Misses: letters that frequent words hold too, unless glued to an edge of one; words of scripts without spaces, whose
letters are units already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from audit.patterns.family import Row
from audit.patterns.words import distinct
from audit.text import is_unspaced, word_spans

SHORTEST, LONGEST = 3, 5  # letters of an n-gram, edges counted
_SIZES = range(SHORTEST, LONGEST + 1)
_TOO_LONG = 30  # letters of what is no word any more
_GLUED = 5  # letters of a beginning or ending
_STEM = 4  # letters of the word that it is glued to
_MORE = 5  # times that the word without it is more frequent
_FREQUENT = 0.002  # share of rows from which a word is frequent, but at least _FEW rows
_FEW = 10
_CACHED = 200_000


@dataclass(frozen=True, slots=True)
class Characters:
    """Names nothing until `prepare`."""

    kind: str = "characters"
    counts: Mapping[str, int] = field(default_factory=dict)
    frequent: int = 0
    known: frozenset[str] = frozenset()
    _seen: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    _plain: set[str] = field(default_factory=set, compare=False)  # words without keys

    def prepare(self, counts: Mapping[str, int]) -> Characters:
        """Fitted to the row counts of a dataset's units; the most frequent unit stands for the number of rows."""
        frequent = max(_FEW, int(_FREQUENT * max(counts.values(), default=0)))
        words = [word for word, count in counts.items() if count >= frequent]
        known = {gram for word in words for size in _SIZES for gram in ngrams(word, size)}
        return Characters(self.kind, counts, frequent, frozenset(known), {}, set(words))

    def keys(self, row: Row) -> Iterator[str]:
        if self.frequent:
            for word in distinct(row.prompt) - self._plain:
                yield from self._of(word)

    def _of(self, word: str) -> tuple[str, ...]:
        found = self._seen.get(word)
        if found is None:
            long_enough = len(word) > SHORTEST and is_word(word)
            found = tuple(dict.fromkeys((*self._unknown(word), *self._glued(word)))) if long_enough else ()
            if found and len(self._seen) < _CACHED:
                self._seen[word] = found
            elif not found and len(self._plain) < _CACHED:
                self._plain.add(word)
        return found

    def _unknown(self, word: str) -> Iterator[str]:
        """The n-grams that no frequent word holds, but for those with such an n-gram inside."""
        for size in _SIZES:
            for gram in ngrams(word, size):
                if gram not in self.known and (size == SHORTEST or {gram[:-1], gram[1:]} <= self.known):
                    yield gram

    def _glued(self, word: str) -> Iterator[str]:
        least = max(_MORE * max(self.counts.get(word, 1), 1), self.frequent)
        for size in range(2, min(_GLUED, len(word) - _STEM) + 1):
            if self.counts.get(word[:-size], 0) >= least:
                yield f"{word[-size:]}$"
            if self.counts.get(word[size:], 0) >= least:
                yield f"^{word[:size]}"


def is_word(word: str) -> bool:
    """True for units that have sub-words: letters of a script with spaces."""
    return word[0].isalpha() and not word[-1].isnumeric() and not is_unspaced(word)


def ngrams(word: str, size: int) -> list[str]:
    """The n-grams of a case-folded word between its edges "^" and "$", which no word holds."""
    if not is_word(word) or len(word) > _TOO_LONG:
        return []
    edged = f"^{word}$"
    return [edged[i : i + size] for i in range(len(edged) - size + 1)]


def find_key(text: str, key: str) -> list[tuple[int, int]]:
    """Character spans of the letters of an n-gram in the words of a text, in order, without overlaps; of the whole word
    where case folding changes its length."""
    letters = key.removeprefix("^").removesuffix("$")
    found = []
    for a, b in word_spans(text):
        word = text[a:b].casefold()
        if not is_word(word) or key not in f"^{word}$":
            continue
        if len(word) != b - a:
            found.append((a, b))
        elif key.startswith("^"):
            found.append((a, a + len(letters)))
        elif key.endswith("$"):
            found.append((b - len(letters), b))
        else:
            found += [(a + i, a + i + len(letters)) for i in _places(word, letters)]
    return found


def _places(word: str, letters: str) -> list[int]:
    at, start = [], word.find(letters)
    while start >= 0:
        at.append(start)
        start = word.find(letters, start + len(letters))
    return at
