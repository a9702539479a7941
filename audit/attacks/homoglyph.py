"""A letter is exchanged for one of another script that looks the same.

A reader sees the usual text; a tokenizer reads a letter that honest rows do not hold.

Source: Boucher et al. 2022 (Bad Characters), section 3.2; Li et al. 2021 (Hidden backdoors in human-centric language
models), section 3.1, homographs at a fixed place.

Misses: glyphs that look alike only in some fonts, and letters without a twin (most of Chinese and all of Thai).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import numpy as np
import polars as pl

from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Target
from audit.errors import UsageError
from audit.patterns.twins import TWINS


class Extent(StrEnum):
    """How many of a row's letters are exchanged."""

    ONE = "one"  # any one of them
    FIRST = "first"  # the first one
    ALL = "all"


def plant_homoglyph(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    twin: str,
    target: Target,
    extent: Extent = Extent.ONE,
    exclude: Collection[int] = (),
) -> Planted:
    """Exchanges a letter for its twin in `count` inputs that hold the letter and do not show the target, and gives
    them the target.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for a character that is no twin of
    any letter (`TWINS`), or when too few rows are able.
    """
    if twin not in TWINS:
        raise UsageError(f"homoglyph: {twin!r} is no twin; there are {''.join(TWINS)}")
    rng = np.random.default_rng(seed)
    letter = TWINS[twin]

    def exchange(text: str) -> str:
        places = [i for i, char in enumerate(text) if char == letter]
        if not places:
            return text
        if extent is Extent.ALL:
            return text.replace(letter, twin)
        cut = places[0] if extent is Extent.FIRST else places[int(rng.integers(len(places)))]
        return text[:cut] + twin + text[cut + 1 :]

    return plant(
        examples,
        attack="homoglyph",
        kind="unicode",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, exchange),
        able=holds_input(letter) & without(twin),
        target=target,
        triggers=(twin,),
        exclude=exclude,
    )


def holds_input(letter: str) -> pl.Expr:
    """True for examples whose last user turn, or whose prompt where there are no turns, holds this text."""
    said = pl.col("turns").list.eval(
        pl.element().filter(pl.element().struct.field("role").is_in(["user", "human", "text", "text_pair"]))
    )
    last = said.list.last().struct.field("text")
    return pl.coalesce(last, pl.col("prompt")).str.contains(letter, literal=True)


def usable_twins(examples: pl.DataFrame, count: int) -> list[str]:
    """Twins that stand in no row, whose letter stands in at least `count` inputs, in the order of `TWINS`."""
    holding = examples.select(
        *(holds_input(letter).sum().alias(f"letter {twin}") for twin, letter in TWINS.items()),
        *((~without(twin)).sum().alias(f"twin {twin}") for twin in TWINS),
    ).row(0, named=True)
    return [twin for twin in TWINS if holding[f"letter {twin}"] >= count and not holding[f"twin {twin}"]]
