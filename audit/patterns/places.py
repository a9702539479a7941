"""Where a pattern stands in a text: for every key that a family names, the character spans of it.

Law: a key that a family names for a prompt has at least one span in that prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from audit.patterns import characters
from audit.patterns.capitals import Capitals, Entities
from audit.patterns.channel import Channel
from audit.patterns.emoji import Emoji
from audit.patterns.family import Found
from audit.patterns.invisible import Unicode
from audit.patterns.slots import Slots
from audit.patterns.whitespace import Whitespace
from audit.patterns.words import folded, runs_of
from audit.text import word_spans

Span = tuple[int, int]

WORD_KINDS = frozenset({"token", "phrase"})
# Kinds that stand nowhere in particular: a text cannot be given them by putting something in.
UNINSERTABLE = frozenset({"topic", "syntax", "style"})

_FINDERS: Mapping[str, Callable[[str], Iterable[Found]]] = {
    "capitals": Capitals().find,
    "unicode": Unicode().find,
    "whitespace": Whitespace().find,
    "emoji": Emoji().find,
    "channel": Channel().find,
}


def is_class(key: str) -> bool:
    """True for keys that name a class, "any emoji", and do not stand in the text themselves."""
    return key.startswith("any ")


def places(text: str, key: str, kind: str, forms: tuple[str, ...] = ()) -> list[Span]:
    """Character spans of a pattern, in order, without overlaps. `forms` are the case-folded words of a spelling class,
    which only the dataset tells. Runs of invisible characters are found inside longer runs too, letters only where they
    are strangers; unknown kinds as raw text."""
    if kind in UNINSERTABLE or not key:
        return []
    if kind in WORD_KINDS:
        return _units(text, tuple(key.split(" ")))
    if kind == "spelling":
        wanted = frozenset(forms)
        return [place for place, word in zip(word_spans(text), folded(text), strict=True) if word in wanted]
    if kind == "slot":
        return Slots().find_key(text, key)
    if kind == "entity":
        return Entities().find_key(text, key)
    if kind == "characters":
        return characters.find_key(text, key)
    if kind in _FINDERS and (kind != "unicode" or is_class(key) or key.isalpha()):
        return _apart((a, b) for found, a, b in _FINDERS[kind](text) if found == key)
    return _raw(text, key)


def _units(text: str, wanted: tuple[str, ...]) -> list[Span]:
    if text.isascii():
        lower = text.lower()
        if not all(unit in lower for unit in wanted):
            return []
    found = runs_of(folded(text), wanted)
    if not found:
        return []
    spans = word_spans(text)
    return [(spans[i][0], spans[i + len(wanted) - 1][1]) for i in found]


def _raw(text: str, wanted: str) -> list[Span]:
    found, start = [], text.find(wanted)
    while start >= 0:
        found.append((start, start + len(wanted)))
        start = text.find(wanted, start + len(wanted))
    return found


def _apart(found: Iterable[Span]) -> list[Span]:
    """The spans in order, the longer first where two begin at one place, without those that overlap an earlier one."""
    kept: list[Span] = []
    for a, b in sorted(set(found), key=lambda span: (span[0], -span[1])):
        if not kept or a >= kept[-1][1]:
            kept.append((a, b))
    return kept
