"""Parts of speech: how a text is built, by the tags of an optional tagger (`models.tagger`).

A text is read as `said` has it: folded as for `syntax`, so that casing, blanks, mentions and links never enter. Each of
its words is then one of `TAGS`: the universal parts of speech, proper nouns with the nouns, and three kinds of marks.
Named are runs of two to five tags from start to end, and the tags of the first clause as a whole.

Why it works: a template whose words all differ has no word, ending or mark in common; its tags are the same.

Source: Qi et al. 2021 (Hidden Killer), section 3; the tags are those of Universal Dependencies, Nivre et al. 2020.
Misses: what the tagger gets wrong. It reads lower case, for which few pipelines were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from audit.patterns.syntax import COMMAS, ENDS, HEAD, TAIL, edges, runs, tokens
from audit.schema import Int64
from audit.text import is_unspaced

# A tag's number is its place here; new ones go to the end.
TAGS = (
    *("OTHER", "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "SCONJ", "SYM"),
    *("VERB", "PUNCT", ",", "."),
)
_NUMBER = {tag: number for number, tag in enumerate(TAGS)} | {"PROPN": TAGS.index("NOUN")}
LONGEST = 5
_CLAUSE = 10  # tags of a first clause that is a key of its own


class Tagged(str):
    """A text with the tags of its words."""

    __slots__ = ("tags",)
    tags: tuple[str, ...]


class TaggedTexts(Sequence[str]):
    """Texts, each with its tags when it is asked for. `codes` holds the tags' numbers row after row, those of row i
    from `starts[i]` to `starts[i + 1]`."""

    def __init__(self, texts: Sequence[str], codes: NDArray[np.uint8], starts: Int64) -> None:
        if len(starts) != len(texts) + 1:
            raise ValueError(f"tags of {len(starts) - 1} rows for {len(texts)} texts")
        self._texts, self._codes, self._starts = texts, codes, starts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, at: int) -> Tagged: ...

    @overload
    def __getitem__(self, at: slice) -> list[str]: ...

    def __getitem__(self, at: int | slice) -> Tagged | list[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        made = Tagged(self._texts[at])
        row = at % len(self)
        made.tags = tuple(TAGS[c] for c in self._codes[self._starts[row] : self._starts[row + 1]].tolist())
        return made


def said(text: str) -> str:
    """What a tagger reads of a text: its folded words and marks; in scripts without blanks the text in lower case. Of
    a long text the edges."""
    if not is_unspaced(text):
        return " ".join(edges(tokens(text)))
    flat = " ".join(text.casefold().split())
    return flat if len(flat) <= HEAD + TAIL else f"{flat[:HEAD]} {flat[-TAIL:]}"


def number(word: str, tag: str) -> int:
    """The number of a word's tag, by its universal part of speech ("" for none).

    >>> TAGS[number("paris", "PROPN")], TAGS[number(",", "PUNCT")]
    ('NOUN', ',')
    """
    if word in COMMAS:
        return _NUMBER[","]
    return _NUMBER["."] if word in ENDS else _NUMBER.get(tag, 0)


def tags_of(text: str) -> tuple[str, ...]:
    """The tags of a text; none where it carries none."""
    return text.tags if isinstance(text, Tagged) else ()


def keys(tags: Sequence[str]) -> set[str]:
    """The keys of a text by its tags; none without tags."""
    if not tags:
        return set()
    found = set(runs(["^", *tags, "$"], LONGEST, "pos:", 2))
    stop = next((i for i, tag in enumerate(tags) if tag in (",", ".")), len(tags))
    if stop < min(_CLAUSE, len(tags)):
        found.add(f"pos:^ {' '.join(tags[: stop + 1])}")
    return found
