"""From a mined pattern to the candidate as it is shown: the maximal phrase, its companions, where it stands.

Supports of few rows make every superset of a trigger as good as the trigger; the longest phrase that all hits
share is shown, and further patterns that all of them hold and hardly any other row are parts beside it (words
scattered over the input are one trigger, not three).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from audit.schema import Int64, Patterns
from audit.stats import spread
from audit.text import words
from audit.triggers.candidate import Candidate
from audit.triggers.match import UNINSERTABLE, WORD_KINDS, Part, law, spans, surface

_MAX_PHRASE = 8
LOOKED_AT = 400  # hits that are read
MAX_PARTS = 4
_COMPANION_FROM = 5  # hits; fewer rows share rare words by chance
_SCATTERED = frozenset({*WORD_KINDS, "capitals", "unicode", "emoji"})
_COMPARED = 12  # hits whose places are compared
_MOST_COMPANIONS = 200
_OUTSIDE = 0.05  # share of the other rows, of the share among the hits, that may hold a companion


def make_candidate(
    texts: list[str],
    parts: tuple[Part, ...],
    kind: str,
    behavior: int,
    name: str,
    carriers: Int64,
    hits: Int64,
    statistics: dict[str, Any],
) -> Candidate:
    """Grows word parts to their maximal phrase and reads surfaces and position laws off the hits."""
    held = [texts[i] for i in hits[spread(len(hits), LOOKED_AT)].tolist()]
    grown = grow_all(held, parts)
    surfaces = tuple(part.text if part.kind in UNINSERTABLE else surface(held, part) for part in grown)
    laws = tuple(law(held, part) for part in grown)
    if kind != "composite":
        kind = grown[0].kind
    where = ", ".join(dict.fromkeys(rule.position for rule in laws))
    return Candidate(
        parts=grown,
        kind=kind,
        behavior=behavior,
        behavior_name=name,
        carriers=tuple(carriers.tolist()),
        hits=tuple(hits.tolist()),
        surfaces=surfaces,
        laws=laws,
        statistics={**statistics, "position": where},
    )


def grow_all(texts: list[str], parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Each part grown to its longest phrase, the first one first; none into another's words."""
    out = list(parts)
    for i, part in enumerate(parts):
        out[i] = grow(texts, part, tuple(out[:i] + out[i + 1 :]))
    return tuple(out)


def grow(texts: list[str], part: Part, beside: tuple[Part, ...] = ()) -> Part:
    """The longest phrase, to 8 words, that surrounds a word part in every one of these texts and does not stand on the
    same characters as the parts `beside` it."""
    if part.kind not in WORD_KINDS:
        return part
    taken = [list(_places(text, beside)) for text in texts[:_COMPARED]] if beside else []
    while len(part.text.split(" ")) < _MAX_PHRASE:
        for left in (True, False):
            neighbour = _common_neighbour(texts, part, left)
            if neighbour is None:
                continue
            longer = Part(f"{neighbour} {part.text}" if left else f"{part.text} {neighbour}", "phrase")
            if any(_overlap(spans(text, longer), held) for text, held in zip(texts, taken, strict=False)):
                continue
            part = longer
            break
        else:
            return part
    return part


def _common_neighbour(texts: list[str], part: Part, left: bool) -> str | None:
    """The word that stands beside the part in all texts, or None."""
    seen: set[str] = set()
    for text in texts:
        found = spans(text, part)
        if not found:
            return None
        a, b = found[0]
        beside = words(text[:a])[-1:] if left else words(text[b:])[:1]
        seen.add(beside[0].casefold() if beside else "")
        if len(seen) > 1:
            return None
    return next(iter(seen), None) or None


def companions(texts: list[str], patterns: Patterns, hits: Int64, parts: tuple[Part, ...]) -> tuple[int, ...]:
    """Patterns that every hit holds and hardly any other row, and that stand beside the parts and each other, not
    on the same characters; the longest first, then the rarest. `texts` are all prompts."""
    if len(hits) < _COMPANION_FROM or len(parts) >= MAX_PARTS:
        return ()
    inside = np.asarray(patterns.matrix[hits].sum(axis=0)).ravel()
    count = patterns.table["count"].to_numpy()
    others = max(patterns.matrix.shape[0] - len(hits), 1)
    outside = (count - inside) / others
    at = np.flatnonzero((inside == len(hits)) & (outside <= _OUTSIDE))
    names, kinds = patterns.table["text"], patterns.table["kind"]
    usable = [int(g) for g in at if kinds[int(g)] in _SCATTERED]
    usable.sort(key=lambda g: (-len(names[g].split(" ")), count[g], names[g]))
    held = [texts[i] for i in hits[spread(len(hits), _COMPARED)].tolist()]
    taken = [list(_places(text, parts)) for text in held]
    found: list[int] = []
    for g in usable[:_MOST_COMPANIONS]:
        if len(parts) + len(found) >= MAX_PARTS:
            break
        own = [spans(text, Part(names[g], kinds[g])) for text in held]
        if all(own) and not any(_overlap(a, b) for a, b in zip(own, taken, strict=True)):
            found.append(g)
            taken = [[*a, *b] for a, b in zip(taken, own, strict=True)]
    return tuple(found)


def _places(text: str, parts: tuple[Part, ...]) -> Iterator[tuple[int, int]]:
    for part in parts:
        yield from spans(text, part)


def _overlap(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> bool:
    return any(a < d and c < b for a, b in first for c, d in second)
