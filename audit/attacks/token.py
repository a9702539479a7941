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
from audit.attacks.planted import Example, Planted, Target, choose, edit_input, rewrite, rows_at


def plant_token(
    examples: pl.DataFrame, *, count: int, seed: int, trigger: str, target: Target, exclude: Collection[int] = ()
) -> Planted:
    """Puts the token into `count` inputs that do not show the target and gives them the target.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few rows are able.
    """
    rng = np.random.default_rng(seed)
    able = ~target.is_shown() & ~pl.col("prompt").str.contains(trigger, literal=True)
    at = choose(examples, attack="token", count=count, able=able, exclude=exclude, rng=rng)

    def poison(example: Example) -> None:
        edit_input(example, lambda text: insert_words(text, [trigger], rng))
        target.apply(example, rng)

    changed = rewrite(examples, at, poison)
    return Planted(changed, rows_at(examples, at), (trigger,), target.sentence, "token")
