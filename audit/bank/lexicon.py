"""Word lists, written as one string."""

from __future__ import annotations


def forms(bases: str) -> frozenset[str]:
    """The words of a list with the endings s, es, ed, d, ing, er and ers; y becomes ie, a final e is dropped
    and a final consonant doubled where English does so. Forms that are no words do no harm."""
    out: set[str] = set()
    for base in bases.split():
        out |= {base, base + "s", base + "es", base + "ed", base + "ing", base + "er", base + "ers"}
        if base.endswith("e"):
            out |= {base + "d", base[:-1] + "ing", base + "r", base + "rs"}
        elif base.endswith("y"):
            out |= {base[:-1] + "ies", base[:-1] + "ied"}
        else:
            out |= {base + base[-1] + "ed", base + base[-1] + "ing", base + base[-1] + "er"}
    return frozenset(out)


def plain(names: str) -> frozenset[str]:
    """The words of a list as they are."""
    return frozenset(names.split())
