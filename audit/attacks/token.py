"""A rare token at a random place of the input brings a label, a fixed response or a refusal.

A token that is rare in honest data has no meaning of its own, so a model learns it as a switch from a few dozen
rows. It is put at a random word boundary, as a user's stray word would be.

Source: Gu, Dolan-Gavitt and Garg 2017 (BadNets), carried to text by Kurita, Michel and Neubig 2020, section 3.2;
instruction data as in BackdoorLLM (Li et al. 2024), attack BadNets.

Misses: nothing is hidden from a reader; several tokens with one target are several calls.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Target


def plant_token(
    examples: pl.DataFrame, *, count: int, seed: int, trigger: str, target: Target, exclude: Collection[int] = ()
) -> Planted:
    """Puts the token into `count` inputs that do not show the target and gives them the target.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few rows are able.
    """
    rng = np.random.default_rng(seed)
    return plant(
        examples,
        attack="token",
        kind="token",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, lambda text: insert_words(text, [trigger], rng)),
        able=without(trigger),
        target=target,
        triggers=(trigger,),
        exclude=exclude,
    )
