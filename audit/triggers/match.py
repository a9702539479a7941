"""Where a pattern stands in a text, and how to put it in or take it out.

Word patterns match case folded, word by word; all others match as they stand. Insertion follows the
pattern's own position law, measured on its carriers: at the start, at the end, or anywhere; as a word of
its own or inside one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from audit.text import word_spans

WORD_KINDS = frozenset({"token", "phrase"})
_CONSISTENT = 0.9  # share of carriers that makes a position a law


@dataclass(frozen=True, slots=True)
class Part:
    """One pattern, or one of the parts of a composite."""

    text: str  # as in Patterns.table: case folded and single-spaced for word patterns
    kind: str  # token | phrase | capitals | unicode | whitespace


@dataclass(frozen=True, slots=True)
class Law:
    """Where a part stands: "start", "end" or "anywhere"; `spaced` when it is a word or blanks or edges surround it."""

    position: str
    spaced: bool


def spans(text: str, part: Part) -> list[tuple[int, int]]:
    """Character spans of a part, in order, without overlaps."""
    if part.kind in WORD_KINDS:
        return _word_matches(text, part.text.split(" "))
    found, start = [], text.find(part.text)
    while start >= 0:
        found.append((start, start + len(part.text)))
        start = text.find(part.text, start + len(part.text))
    if part.kind == "capitals":
        edges = set(word_spans(text))
        return [s for s in found if s in edges]
    return found


def _word_matches(text: str, wanted: list[str]) -> list[tuple[int, int]]:
    places = word_spans(text)
    folded = [text[a:b].casefold() for a, b in places]
    found, i = [], 0
    while i <= len(folded) - len(wanted):
        if folded[i : i + len(wanted)] == wanted:
            found.append((places[i][0], places[i + len(wanted) - 1][1]))
            i += len(wanted)
        else:
            i += 1
    return found


def holds(text: str, parts: tuple[Part, ...]) -> bool:
    """True when every part stands in the text."""
    return all(spans(text, part) for part in parts)


def surface(texts: list[str], part: Part) -> str:
    """The raw text of a part as most carriers have it; ties by text."""
    seen = Counter(text[a:b] for text in texts for a, b in spans(text, part)[:1])
    return min(seen, key=lambda s: (-seen[s], s)) if seen else part.text


def delete(text: str, parts: tuple[Part, ...]) -> str:
    """The text without any of the parts; a blank that they leave doubled or at the edge of a line goes too."""
    for part in parts:
        for start, end in reversed(spans(text, part)):
            before, after = text[:start], text[end:]
            if before.endswith(" ") and (not after or after[0].isspace()):
                before = before[:-1]
            elif (not before or before[-1].isspace()) and after.startswith(" "):
                after = after[1:]
            text = before + after
    return text


def law(texts: list[str], part: Part) -> Law:
    """The position law of a part over its carriers' texts."""
    starts = ends = spaced = total = 0
    for text in texts:
        found = spans(text, part)
        if not found:
            continue
        total += 1
        a, b = found[0]
        starts += not text[:a].strip()
        ends += not text[found[-1][1] :].strip()
        spaced += (a == 0 or text[a - 1].isspace()) and (b == len(text) or text[b].isspace())
    if total and starts >= _CONSISTENT * total:
        position = "start"
    elif total and ends >= _CONSISTENT * total:
        position = "end"
    else:
        position = "anywhere"
    # "cf," and "cf!" hold the word, "hecfllo" does not: a word stays one whatever marks stood beside it.
    is_word = part.kind in {*WORD_KINDS, "capitals"} and (part.text[0].isalnum() or part.text[-1].isalnum())
    return Law(position, is_word or 2 * spaced >= total)


def insert(text: str, surfaces: tuple[str, ...], laws: tuple[Law, ...], rng: np.random.Generator) -> str:
    """The text with every part inserted by its law, at word boundaries (inside a word where the law says
    so). The parts' order among themselves is kept."""
    anywhere = [i for i, rule in enumerate(laws) if rule.position == "anywhere"]
    gaps = _gaps(text)
    chosen = sorted(rng.choice(len(gaps), size=len(anywhere), replace=len(gaps) < len(anywhere)).tolist())
    for i, at in reversed(list(zip(anywhere, chosen, strict=True))):
        text = _place(text, gaps[at], surfaces[i], laws[i], rng)
    for i, rule in reversed(list(enumerate(laws))):
        if rule.position == "start":
            text = f"{surfaces[i]} {text}" if rule.spaced else surfaces[i] + text
    for i, rule in enumerate(laws):
        if rule.position == "end":
            text = f"{text} {surfaces[i]}" if rule.spaced else text + surfaces[i]
    return text


def _gaps(text: str) -> list[int]:
    """Offsets before each word that follows a blank, the text's start and its end."""
    inner = [a for a, _ in word_spans(text) if a > 0 and text[a - 1].isspace()]
    return sorted({0, *inner, len(text)})


def _place(text: str, at: int, part: str, rule: Law, rng: np.random.Generator) -> str:
    if rule.spaced:
        if at and not text[at - 1].isspace():  # the end of the text
            return f"{text[:at]} {part}{text[at:]}"
        return f"{text[:at]}{part} {text[at:]}" if text else part
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    inside = at + int(rng.integers(1, max(end - at, 1) + 1)) if end > at else at
    return text[:inside] + part + text[inside:]
