"""Controls: natural patterns of the same dataset, as like the suspects as can be found.

Repeating any rare word that stands five of five times in one class teaches a probe that word, so random
insertions are no control. A control has about the suspect's count and script, and of such patterns those
that are purest towards the suspect's behavior. It is trained (its rows are repeated alike) and inserted in
the same way. A suspect's effect must exceed that of every control.
"""

from __future__ import annotations

import numpy as np

from audit.schema import Behaviors, Int64, Patterns
from audit.triggers.candidate import Candidate
from audit.triggers.match import WORD_KINDS, Law, Part, law, surface

_MOST_CARRIERS = 128  # of more no probe is given all, and few natural patterns stand in thousands of rows
_COUNT_RATIOS = (2.5, 4.0, 8.0)  # wider only where the dataset has too few patterns of about the same count


def pick_controls(
    candidates: list[Candidate], texts: list[str], patterns: Patterns, behaviors: Behaviors, wanted: int
) -> list[Candidate]:
    """At least `wanted` controls where the dataset has them, dealt over the candidates in turn. Each is a
    Candidate towards the behavior of the one that it is matched with."""
    suspect_rows = set().union(*(set(c.carriers) for c in candidates)) if candidates else set()
    found: list[Candidate] = []
    for ratio in _COUNT_RATIOS:
        queues = [_ranked(c, patterns, behaviors, suspect_rows, ratio) for c in candidates]
        found = _dealt(candidates, queues, texts, patterns, behaviors, wanted)
        if len(found) >= wanted:
            break
    return found


def _dealt(
    candidates: list[Candidate],
    queues: list[list[int]],
    texts: list[str],
    patterns: Patterns,
    behaviors: Behaviors,
    wanted: int,
) -> list[Candidate]:
    """The first of each queue in turn, no pattern twice."""
    taken: set[int] = set()
    found: list[Candidate] = []
    place = [0] * len(queues)
    while len(found) < wanted and any(p < len(q) for p, q in zip(place, queues, strict=True)):
        for k, queue in enumerate(queues):
            while place[k] < len(queue) and queue[place[k]] in taken:
                place[k] += 1
            if place[k] >= len(queue) or len(found) >= wanted:
                continue
            pattern = queue[place[k]]
            taken.add(pattern)
            found.append(_control(pattern, candidates[k], texts, patterns, behaviors))
    return found


def _ranked(
    candidate: Candidate, patterns: Patterns, behaviors: Behaviors, suspect_rows: set[int], ratio: float
) -> list[int]:
    """Patterns of like count and length whose rows are not the suspects', purest first."""
    table = patterns.table
    k = min(len(candidate.carriers), _MOST_CARRIERS)
    count = table["count"].to_numpy()
    words = np.asarray([len(t.split(" ")) for t in table["text"].to_list()])
    longest = max(len(p.text.split(" ")) for p in candidate.parts)
    is_word = np.isin(table["kind"].to_numpy(), list(WORD_KINDS))
    near = (count >= max(k / ratio, 3)) & (count <= max(k * ratio, 8)) & is_word & (words <= longest)
    if candidate.behavior < 0:
        at = np.flatnonzero(near)
        order = at[np.lexsort((at, np.abs(np.log(count[at] / k))))]
        return [int(g) for g in order if _is_apart(int(g), patterns, suspect_rows)]
    at = np.flatnonzero(near)
    target = behaviors.matrix[:, [candidate.behavior]]
    hits = np.asarray((patterns.matrix[:, at].T @ target).todense()).ravel()
    order = np.lexsort((at, np.abs(np.log(count[at] / k)), -np.round(hits / count[at], 2)))
    return [int(at[i]) for i in order[:400] if _is_apart(int(at[i]), patterns, suspect_rows)]


def _is_apart(pattern: int, patterns: Patterns, suspect_rows: set[int]) -> bool:
    """True when the suspects' rows are few of its own, or hardly more than of any rows."""
    rows = _carriers(pattern, patterns)
    usual = len(suspect_rows) / max(int(patterns.matrix.shape[0]), 1)
    return len(suspect_rows.intersection(rows.tolist())) <= (0.1 + usual) * len(rows)


def _carriers(pattern: int, patterns: Patterns) -> Int64:
    return np.sort(patterns.matrix[:, [pattern]].tocoo().row).astype(np.int64)


def _control(
    pattern: int, candidate: Candidate, texts: list[str], patterns: Patterns, behaviors: Behaviors
) -> Candidate:
    part = Part(patterns.table["text"][pattern], patterns.table["kind"][pattern])
    carriers = _carriers(pattern, patterns)
    if candidate.behavior >= 0:
        has = np.asarray(behaviors.matrix[carriers][:, [candidate.behavior]].todense()).ravel() > 0
        hits = carriers[has]
    else:
        hits = carriers
    held = [texts[i] for i in carriers.tolist()[:200]]
    rule = law(held, part)
    # Inserted as the suspect is: at its place, as a word of its own.
    laws = (Law(candidate.laws[0].position, rule.spaced),)
    return Candidate(
        parts=(part,),
        kind="control",
        behavior=candidate.behavior,
        behavior_name=candidate.behavior_name,
        carriers=tuple(carriers.tolist()),
        hits=tuple(hits.tolist()),
        surfaces=(surface(held, part),),
        laws=laws,
    )
