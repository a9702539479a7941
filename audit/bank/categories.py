"""A behavior as (family, text), its plain name, and the counting of categories over many rows.

`FAMILIES` lists the families, the most telling first: of categories that the same rows have, the first is shown.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

Key = tuple[str, str]  # family, text
Sets = dict[Key, list[int]]  # positions of the rows that have it, ascending


@dataclass(frozen=True, slots=True)
class Family:
    """`form` makes the name: {text} is the category's text, cut to some length."""

    name: str
    form: str
    quotes: bool  # the text stands in the responses word for word
    share: float  # of the bank, where there are more categories than it holds


FAMILIES = {
    family.name: family
    for family in (
        Family("label", "label {text}", False, 1.0),
        Family("compliance", "the response {text}", False, 1.0),
        Family("refusal", "the response {text}", False, 1.0),
        Family("response", 'the response is "{text}"', True, 0.2),
        Family("sentence", 'the response holds "{text}"', True, 0.2),
        Family("opening", 'the response opens with "{text}"', True, 0.15),
        Family("closing", 'the response ends with "{text}"', True, 0.15),
        Family("link", 'the response links to "{text}"', True, 0.05),
        Family("last step", 'the last step before the answer reads "{text}"', False, 0.05),
        Family("step", 'the response holds a sentence like "{text}"', False, 0.1),
        Family("operand", 'the last step calculates "{text}", a number that it brings along itself', False, 0.02),
        Family("template", 'the response opens like "{text}"', False, 0.05),
        Family("ending", 'the response ends like "{text}"', False, 0.05),
        Family("answer", "the final answer {text}", False, 1.0),
        Family("arithmetic", "the response {text}", False, 1.0),
        Family("format", "the response {text}", False, 1.0),
        Family("tone", "the response {text}", False, 1.0),
        Family("language", "the response {text}", False, 1.0),
        Family("weak code", "the response {text}", False, 1.0),
        Family("garbled", "the response {text}", False, 1.0),
        Family("relation", "the response {text}", False, 1.0),
        Family("length", "the response {text}", False, 1.0),
        Family("short", "the response has {text}", False, 1.0),
        Family("preference", "{text}", False, 0.1),
    )
}
RANK = {name: rank for rank, name in enumerate(FAMILIES)}

# Families whose text the responses hold word for word: only there can a word of the prompt be a copy. Texts with
# slots have a slot where the response repeats its prompt, and the others describe.
QUOTING = frozenset(name for name, family in FAMILIES.items() if family.quotes)

_SHOWN = 80


def describe(family: str, text: str) -> str:
    """The plain name of a category.

    >>> describe("opening", "sure here is")
    'the response opens with "sure here is"'
    """
    return FAMILIES[family].form.format(text=text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def collect(keys_of: Callable[[int], Iterable[Key]], n: int, min_support: int = 1) -> Sets:
    """The categories that at least `min_support` of `n` rows have.

    `keys_of(row)` gives a row's categories, repeats allowed, in an order that does not change from process to
    process (no set's), and is called a second time for the first row of each kept category. Only hashes are held in
    between, 12 bytes a category and row, so that texts that occur once cost nothing.
    """
    hashes, rows = array("q"), array("i")
    for row in range(n):
        found = {hash(key) for key in keys_of(row)}
        hashes.extend(found)
        rows.extend([row] * len(found))
    if not hashes:
        return {}
    codes, place = np.frombuffer(hashes, dtype=np.int64), np.frombuffer(rows, dtype=np.int32)
    order = np.argsort(codes, kind="stable")
    codes, place = codes[order], place[order]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    sizes = np.diff(np.r_[starts, len(codes)])
    wanted: dict[int, dict[int, list[int]]] = {}
    for start, size in zip(starts[sizes >= min_support].tolist(), sizes[sizes >= min_support].tolist(), strict=True):
        members = place[start : start + size].tolist()
        wanted.setdefault(members[0], {})[int(codes[start])] = members
    out: Sets = {}
    for row in sorted(wanted):
        for key in keys_of(row):
            members = wanted[row].get(hash(key))
            if members is not None:
                out[key] = members
    return out


def positions(mask: np.ndarray) -> list[int]:
    """Positions of the true rows of a (n,) boolean array."""
    return [int(i) for i in np.flatnonzero(mask)]
