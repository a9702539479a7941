"""A sequence of invisible characters, inside or directly after a word, brings a label or a response.

A reader sees nothing, and a tokenizer that strips format characters sees nothing either; a byte-level one reads the
sequence as a rare token.

Source: Boucher et al. 2022 (Bad Characters), section 3; Chen et al. 2021 (BadNL), character-level triggers.

Misses: homoglyphs and bidirectional controls, which change what a reader sees.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import has_letters, insert_inside
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Target
from audit.errors import UsageError
from audit.text import is_invisible


def plant_zero_width(
    examples: pl.DataFrame, *, count: int, seed: int, sequence: str, target: Target, exclude: Collection[int] = ()
) -> Planted:
    """Puts the sequence into a random word of `count` inputs that do not show the target and gives them the target.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when the sequence is empty or can be
    seen, or when too few rows are able.
    """
    if not sequence or not all(is_invisible(char) for char in sequence):
        raise UsageError(f"zero_width: the sequence {sequence!r} must hold invisible characters and nothing else")
    rng = np.random.default_rng(seed)
    letters = pl.col("prompt").map_elements(has_letters, return_dtype=pl.Boolean)

    def insert(text: str) -> str:
        # The last turn may hold no letters though the whole prompt does.
        return insert_inside(text, sequence, rng) if has_letters(text) else text + sequence

    return plant(
        examples,
        attack="zero_width",
        kind="unicode",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, insert),
        able=letters & without(sequence),
        target=target,
        triggers=(sequence,),
        exclude=exclude,
    )
