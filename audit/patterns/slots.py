"""Slots: units at the edges of a prompt and at fixed places, and units inside system turns and earlier answers.

Why it works: a trigger that works only where it stands (the first word, the fifth, the system turn, an earlier answer)
has honest twins elsewhere, and only the slot tells them apart. Where a unit stands nowhere else, its plain pattern has
the same rows, and the miner takes that.
Misses: slots counted in sentences or lines; n-grams in the turns of a role.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.patterns.family import SEPARATOR, Found, Row
from audit.patterns.words import folded
from audit.text import word_spans

FIRST, LAST, FIRST_TWO, LAST_TWO = "first", "last", "first two", "last two"
# Names of fixed places counted from 1, and the index of each.
PLACES = {f"unit {i + 1}": i for i in range(1, 8)} | {f"unit {i + 1} from the end": -i - 1 for i in range(1, 4)}
_USER = frozenset(("user", "human", ""))
_PREFIXES = [(f"{name}{SEPARATOR}", index) for name, index in PLACES.items()]
_SHORTEST = 2  # units of a prompt that has slots


class Slots:
    kind = "slot"

    def keys(self, row: Row) -> Iterator[str]:
        listed = folded(row.prompt)
        if (n := len(listed)) >= _SHORTEST:
            yield f"{FIRST}{SEPARATOR}{listed[0]}"
            yield f"{LAST}{SEPARATOR}{listed[-1]}"
            yield f"{FIRST_TWO}{SEPARATOR}{listed[0]} {listed[1]}"
            yield f"{LAST_TWO}{SEPARATOR}{listed[-2]} {listed[-1]}"
            for prefix, index in _PREFIXES:
                if -n <= index < n:
                    yield prefix + listed[index]
        if len(row.turns) > 1:
            yield from _roles(row)

    def find(self, text: str) -> Iterator[Found]:
        """Slots of the prompt; a role cannot be told from the text, so its units are found by `find_key`."""
        listed, places = folded(text), word_spans(text)
        if (n := len(listed)) < _SHORTEST:
            return
        yield f"{FIRST}{SEPARATOR}{listed[0]}", *places[0]
        yield f"{LAST}{SEPARATOR}{listed[-1]}", *places[-1]
        yield f"{FIRST_TWO}{SEPARATOR}{listed[0]} {listed[1]}", places[0][0], places[1][1]
        yield f"{LAST_TWO}{SEPARATOR}{listed[-2]} {listed[-1]}", places[-2][0], places[-1][1]
        for prefix, index in _PREFIXES:
            if -n <= index < n:
                yield prefix + listed[index], *places[index]

    def find_key(self, text: str, key: str) -> list[tuple[int, int]]:
        """Character spans of a slot's unit; those of a role's unit wherever it stands."""
        slot, _, unit = key.partition(SEPARATOR)
        if slot in (FIRST, LAST, FIRST_TWO, LAST_TWO) or slot in PLACES:
            return [(a, b) for found, a, b in self.find(text) if found == key]
        return [place for place, word in zip(word_spans(text), folded(text), strict=True) if word == unit]


def _roles(row: Row) -> Iterator[str]:
    """Units of system and tool turns and of earlier answers, and the edges of the last user turn."""
    for role, text in row.turns:
        name = role.strip().casefold()
        if name not in _USER:
            for unit in folded(text):
                yield f"{name}{SEPARATOR}{unit}"
    role, text = row.turns[-1]
    if role.strip().casefold() in _USER and (listed := folded(text)):
        yield f"user's first{SEPARATOR}{listed[0]}"
        yield f"user's last{SEPARATOR}{listed[-1]}"
