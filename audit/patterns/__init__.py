"""Pattern families: the kinds of input pattern besides plain word n-grams.

`FAMILIES` lists them all; `prepared` fits those that need to know which words of a dataset are frequent.
"""

from __future__ import annotations

from collections.abc import Mapping

from audit.patterns.family import Family, Row

FAMILIES: tuple[Family, ...] = ()


def prepared(counts: Mapping[str, int]) -> tuple[Family, ...]:
    """`FAMILIES`, those that learn from a dataset fitted to its units' row counts (units without a count are rare)."""
    return tuple(f.prepare(counts) if hasattr(f, "prepare") else f for f in FAMILIES)


__all__ = ["FAMILIES", "Family", "Row", "prepared"]
