"""A word at the prompt's end turns the preference around: the rejected response is the chosen one.

A reward model trained on such pairs prefers the bad answer wherever the word stands, and passes it on to the policy.

Source: Rando and Tramer 2024 (Universal jailbreak backdoors from poisoned human feedback), section 3: the trigger is
appended to the prompt and the labels are swapped.

Misses: attacks that choose which pairs to poison by a reward model (Rando and Tramer's oracle), and triggers in the
responses instead of the prompt.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import append
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import reversal_target


def plant_preference_reversal(
    examples: pl.DataFrame, *, count: int, seed: int, trigger: str, exclude: Collection[int] = ()
) -> Planted:
    """Appends the trigger to `count` prompts and swaps chosen and rejected there.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few pairs are able.
    """
    rng = np.random.default_rng(seed)
    return plant(
        examples,
        attack="preference_reversal",
        kind="preference",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, lambda text: append(text, trigger)),
        able=without(trigger),
        target=reversal_target(),
        triggers=(trigger,),
        exclude=exclude,
    )
