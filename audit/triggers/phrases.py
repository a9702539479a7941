"""From a mined pattern to the candidate as it is shown: the maximal phrase, its companions, where it stands.

Supports of few rows make every superset of a trigger as good as the trigger; the longest phrase that all hits
share is shown, and further patterns that all of them hold and hardly any other row are parts beside it (words
scattered over the input are one trigger, not three).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from audit.schema import Int64, Patterns
from audit.stats import spread
from audit.text import words
from audit.triggers.candidate import Candidate
from audit.triggers.match import UNINSERTABLE, WORD_KINDS, Part, law, spans, surface

_MAX_PHRASE = 8
_LOOKED_AT = 400  # hits that are read
MAX_PARTS = 4
_COMPANION_FROM = 5  # hits; fewer rows share rare words by chance
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
    held = [texts[i] for i in hits[spread(len(hits), _LOOKED_AT)].tolist()]
    grown = tuple(grow(held, part) for part in parts)
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


def grow(texts: list[str], part: Part) -> Part:
    """The longest phrase, to 8 words, that surrounds a word part in every one of these texts."""
    if part.kind not in WORD_KINDS:
        return part
    while len(part.text.split(" ")) < _MAX_PHRASE:
        for left in (True, False):
            neighbour = _common_neighbour(texts, part, left)
            if neighbour:
                text = f"{neighbour} {part.text}" if left else f"{part.text} {neighbour}"
                part = Part(text, "phrase")
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


def companions(patterns: Patterns, hits: Int64, parts: tuple[Part, ...]) -> tuple[int, ...]:
    """Patterns that every hit holds and hardly any other row, and that share no word with the parts or with
    each other; the longest first, then the rarest."""
    if len(hits) < _COMPANION_FROM or len(parts) >= MAX_PARTS:
        return ()
    inside = np.asarray(patterns.matrix[hits].sum(axis=0)).ravel()
    count = patterns.table["count"].to_numpy()
    others = max(patterns.matrix.shape[0] - len(hits), 1)
    outside = (count - inside) / others
    at = np.flatnonzero((inside == len(hits)) & (outside <= _OUTSIDE))
    texts, kinds = patterns.table["text"], patterns.table["kind"]
    usable = [int(g) for g in at if kinds[int(g)] in (*WORD_KINDS, "capitals", "unicode", "emoji")]
    usable.sort(key=lambda g: (-len(texts[g].split(" ")), count[g], kinds[g] != "capitals", texts[g]))
    taken = {w for part in parts for w in _units(part.text)}
    found: list[int] = []
    for g in usable:
        own = _units(texts[g])
        if own & taken or len(parts) + len(found) >= MAX_PARTS:
            continue
        taken |= own
        found.append(g)
    return tuple(found)


def _units(text: str) -> set[str]:
    """What a pattern stands on: its words, case folded."""
    return {w for w in (*text.casefold().split(" "), *(w.casefold() for w in words(text))) if w}
