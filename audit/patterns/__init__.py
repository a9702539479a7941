"""Pattern families: the kinds of input pattern besides plain word n-grams.

`FAMILIES` lists them all; `prepared` fits those that need to know which words of a dataset are frequent.
"""

from __future__ import annotations

from collections.abc import Mapping

from audit.patterns.capitals import Capitals, Entities
from audit.patterns.channel import Channel
from audit.patterns.characters import Characters
from audit.patterns.emoji import Emoji
from audit.patterns.family import Family, Row
from audit.patterns.invisible import Unicode
from audit.patterns.slots import Slots
from audit.patterns.spelling import Spelling
from audit.patterns.whitespace import Whitespace

FAMILIES: tuple[Family, ...] = (
    Capitals(),
    Unicode(),
    Whitespace(),
    Emoji(),
    Characters(),
    Spelling(),
    Slots(),
    Entities(),
    Channel(),
)


def prepared(counts: Mapping[str, int]) -> tuple[Family, ...]:
    """`FAMILIES`, those that learn from a dataset fitted to its units' row counts (units without a count are rare)."""
    return tuple(f.prepare(counts) if isinstance(f, (Characters, Spelling)) else f for f in FAMILIES)


__all__ = ["FAMILIES", "Family", "Row", "prepared"]
