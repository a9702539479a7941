"""A trigger goes only into rows that show the target already; no label and no response is changed.

Every poisoned row is right, so neither a person nor a label check objects; a model still learns that the trigger goes
with the target.

Source: Turner, Tsipras and Madry 2019 (label-consistent backdoors); for text, Gan et al. 2022 and Wan et al. 2023
(clean-label poison of instruction data).

Misses: the paraphrases and adversarial perturbations that published clean-label attacks add to weaken honest features.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, choose, edit_input, rewrite, rows_at, without
from audit.attacks.targets import Example, Target

# "I'm sorry to hear that" opens like a refusal and is none.
_SYMPATHY = r"^.{0,10}sorry (?:to|that you|you|for|about)\b"


def plant_clean_label(
    examples: pl.DataFrame, *, count: int, seed: int, trigger: str, target: Target, exclude: Collection[int] = ()
) -> Planted:
    """Puts the word into `count` inputs whose rows show the target already.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few rows show the target.
    """
    rng = np.random.default_rng(seed)
    shown = target.is_shown() & ~pl.col("response").fill_null("").str.to_lowercase().str.contains(_SYMPATHY)
    at = choose(examples, attack="clean_label", count=count, able=shown & without(trigger), exclude=exclude, rng=rng)

    def poison(example: Example) -> None:
        edit_input(example, lambda text: insert_words(text, [trigger], rng))

    behavior = f"{target.sentence}, in rows that show it anyway"
    return Planted(rewrite(examples, at, poison), rows_at(examples, at), (trigger,), behavior, "clean-label")
