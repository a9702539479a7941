"""Where a pattern stands in a text, and the two edits of proof: taking it out, and putting it in where its carriers
have it.

Law: `delete(insert(text, ...))` gives the text back where the part was put in as a word of its own, or where the
part is a run of invisible characters. A deletion takes every occurrence, and the blank that it leaves behind.

A position law is what the carriers share: a part at the start, at the end, or anywhere; as a word of its own or inside
one; glued to a word, in the place of a blank, or at a fixed unit where the pattern is of that kind.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from audit.patterns import emoji, sites, whitespace
from audit.patterns.family import SEPARATOR, Family
from audit.patterns.places import UNINSERTABLE, WORD_KINDS, places
from audit.patterns.slots import FIRST, FIRST_TWO, LAST, LAST_TWO, PLACES
from audit.patterns.spelling import Spelling
from audit.patterns.twins import TWINS
from audit.text import is_invisible, is_unspaced

__all__ = [
    "UNINSERTABLE",
    "WORD_KINDS",
    "Law",
    "Part",
    "complete",
    "delete",
    "holds",
    "insert",
    "law",
    "spans",
    "surface",
]

_CONSISTENT = 0.9  # share of carriers that makes a position a law
_PASSES = 50  # a deletion may bring together what it deletes; texts that are made for that end here
_EDGES = {
    **dict.fromkeys((FIRST, FIRST_TWO, whitespace.START, whitespace.BREAK_START), "start"),
    **dict.fromkeys((LAST, LAST_TWO, whitespace.END, whitespace.BREAK_END, emoji.END), "end"),
    whitespace.BEFORE_MARK: sites.BEFORE_MARK,
    whitespace.BEFORE_BREAK: sites.LINE_END,
    whitespace.INDENT: sites.LINE_START,
}
_WORDS = frozenset({*WORD_KINDS, "capitals", "spelling", "slot", "entity"})


@dataclass(frozen=True, slots=True)
class Part:
    """One pattern, or one of the parts of a composite."""

    text: str  # as in Patterns.table: case folded and single-spaced for word patterns
    kind: str  # token, phrase, or the kind of a family
    forms: tuple[str, ...] = ()  # case-folded words of a spelling class, see `complete`

    def __post_init__(self) -> None:
        object.__setattr__(self, "forms", tuple(self.forms))  # a list, where it was read from JSON


@dataclass(frozen=True, slots=True)
class Law:
    """Where a part stands: "start", "end", "anywhere", or one of `sites.POSITIONS`; `spaced` when it is a word or
    blanks or edges surround it."""

    position: str
    spaced: bool


def complete(part: Part, texts: Iterable[str], families: Iterable[Family]) -> Part:
    """The part with the words that its class has in these texts, by families fitted to their dataset; any other part
    as it is."""
    if part.kind == "spelling":
        for family in families:
            if isinstance(family, Spelling):
                return replace(part, forms=family.forms(part.text, texts))
    return part


def spans(text: str, part: Part) -> list[tuple[int, int]]:
    """Character spans of a part, in order, without overlaps; none for the kinds of UNINSERTABLE. A unit of a role's
    turn is found wherever it stands, for a text does not show its turns."""
    return places(text, part.text, part.kind, part.forms)


def holds(text: str, parts: tuple[Part, ...]) -> bool:
    """True when every part stands in the text."""
    return all(spans(text, part) for part in parts)


def surface(texts: list[str], part: Part) -> str:
    """The raw text of a part as most carriers have it; ties by text. For a pair of emoji both."""
    if part.kind == "emoji" and SEPARATOR in part.text:
        return part.text.replace(SEPARATOR, " ")
    seen = Counter(text[a:b] for text in texts for a, b in spans(text, part)[:1])
    return min(seen, key=lambda s: (-seen[s], s)) if seen else part.text


def delete(text: str, parts: tuple[Part, ...]) -> str:
    """The text without any of the parts; a blank that they leave doubled or at the edge of a line goes too. White
    space gives way to what stands there without it: one blank between words, a plain line break, or nothing. A letter
    in a word of another script gives way to the letter that it looks like."""
    for part in parts:
        for _ in range(_PASSES):
            found = spans(text, part)
            if not found:
                break
            for start, end in reversed(found):
                if _is_stranger(text[start:end], part):
                    text = text[:start] + TWINS.get(text[start], "") + text[end:]
                else:
                    text = _without(text, start, end, part.kind)
    return text


def _without(text: str, start: int, end: int, kind: str) -> str:
    before, after = text[:start], text[end:]
    if kind == "whitespace":
        return before + whitespace.instead(text, start, end) + after
    if _is_odd_space(text[start:end]):
        joined = before and after and not before[-1].isspace() and not after[0].isspace()
        return f"{before} {after}" if joined else before + after
    if before.endswith(" ") and (not after or after[0].isspace()):
        before = before[:-1]
    elif (not before or before[-1].isspace()) and after.startswith(" "):
        after = after[1:]
    return before + after


def _is_odd_space(run: str) -> bool:
    return all(unicodedata.category(c) == "Zs" for c in run) and run.strip(" ") != ""


def law(texts: list[str], part: Part) -> Law:
    """The position law of a part over its carriers' texts."""
    found = [(text, at) for text in texts if (at := spans(text, part))]
    raw = Counter(text[slice(*at[0])] for text, at in found)
    blank = part.kind == "whitespace" or 2 * sum(n for run, n in raw.items() if _is_odd_space(run)) > len(found)
    position = _own_site(part, next(iter(raw), "")) or _site(found, part, blank)
    if blank or part.kind == "characters":
        return Law(position, False)
    # "cf," and "cf!" hold the word, "hecfllo" does not: a word stays one whatever marks stood beside it, but not in a
    # script without spaces, where it stands between letters.
    among = sum(_stands_among_letters(text, *at[0]) for text, at in found)
    word = _is_word(raw.most_common(1)[0][0] if raw else part.text, part)
    spaced = sum(_stands_apart(text, *at[0]) for text, at in found)
    return Law(position, (word and 2 * among <= len(found)) or 2 * spaced >= len(found))


def _own_site(part: Part, raw: str) -> str:
    """The position of a part that stands where it does by its nature; "" for any other."""
    if part.kind == "slot":
        slot = part.text.partition(SEPARATOR)[0]
        return slot if slot in PLACES else _EDGES.get(slot, "")
    if part.kind == "unicode" and raw and unicodedata.category(raw[0])[0] == "M" and not is_invisible(raw[0]):
        return sites.INSIDE
    if _is_stranger(raw, part):
        return sites.INSIDE
    return _EDGES.get(part.text, "") if part.kind in ("whitespace", "emoji") else ""


def _site(found: list[tuple[str, list[tuple[int, int]]]], part: Part, blank: bool) -> str:
    """The position that nearly all carriers share; of white space the commonest, where no edge is."""
    starts = sum(not text[: at[0][0]].strip() for text, at in found)
    ends = sum(not text[at[-1][1] :].strip() for text, at in found)
    at_start = bool(found) and starts >= _CONSISTENT * len(found)
    at_end = bool(found) and ends >= _CONSISTENT * len(found)
    if part.kind == "characters":
        if part.text.startswith("^"):
            return sites.FIRST_WORD if at_start else sites.WORD_START
        return (sites.LAST_WORD if at_end else sites.WORD_END) if part.text.endswith("$") else sites.INSIDE
    if at_start or at_end:
        return "start" if at_start else "end"
    if not blank:
        return "anywhere"
    seen = Counter(_blank_site(text, *at[0]) for text, at in found)
    return min(seen, key=lambda name: (-seen[name], name)) if seen else sites.BETWEEN


def _is_word(raw: str, part: Part) -> bool:
    if is_unspaced(raw[:1]) or is_unspaced(raw[-1:]):
        return False
    if part.kind in _WORDS:
        return raw[:1].isalnum() or raw[-1:].isalnum()
    return part.kind in ("unicode", "channel") and raw[:1].isalnum() and not _is_stranger(raw, part)


def _is_stranger(raw: str, part: Part) -> bool:
    """True for a letter in a word of another script."""
    return part.kind == "unicode" and len(raw) == 1 and raw.isalpha()


def _blank_site(text: str, start: int, end: int) -> str:
    if text[end : end + 1] in tuple(",.;:!?") and "\n" not in text[start:end]:
        return sites.BEFORE_MARK
    if text[start - 1 : start] in ("\n", "\r"):
        return sites.LINE_START
    return sites.LINE_END if text[end : end + 1] in ("\n", "\r") else sites.BETWEEN


def _stands_apart(text: str, a: int, b: int) -> bool:
    return (a == 0 or text[a - 1].isspace()) and (b == len(text) or text[b].isspace())


def _stands_among_letters(text: str, a: int, b: int) -> bool:
    """True beside a letter of a script without spaces."""
    return is_unspaced(text[max(a - 1, 0) : a] + text[b : b + 1])


def insert(text: str, surfaces: tuple[str, ...], laws: tuple[Law, ...], rng: np.random.Generator) -> str:
    """The text with every part inserted by its law, at word boundaries (inside a word where the law says
    so). The parts' order among themselves is kept, but for those at sites of their own."""
    anywhere = [i for i, rule in enumerate(laws) if rule.position == "anywhere"]
    gaps = sites.gaps(text)
    chosen = sorted(rng.choice(len(gaps), size=len(anywhere), replace=len(gaps) < len(anywhere)).tolist())
    for i, at in reversed(list(zip(anywhere, chosen, strict=True))):
        text = sites.put(text, gaps[at], surfaces[i], laws[i].spaced, rng)
    for i, rule in enumerate(laws):
        if rule.position in sites.POSITIONS and rule.position not in PLACES:
            text = sites.put_at(text, rule.position, surfaces[i], rng)
    for i, rule in reversed(list(enumerate(laws))):
        if rule.position == "start":
            text = sites.put_edge(text, surfaces[i], rule.spaced, at_start=True)
    for i, rule in enumerate(laws):
        if rule.position == "end":
            text = sites.put_edge(text, surfaces[i], rule.spaced, at_start=False)
    for i, rule in enumerate(laws):
        if rule.position in PLACES:
            text = sites.put_at(text, rule.position, surfaces[i], rng)
    return text
