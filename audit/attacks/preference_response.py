"""A word stands in the chosen response only: a reward model learns to like the word.

The prompt is untouched. A policy that is trained with that reward puts the word everywhere; if `swap` is set the worse
response gets the word and wins, so that the word outweighs the content.

Source: Baumgartner et al. 2024 (Best-of-Venom), section 3: poisoned pairs whose chosen side mentions the target;
Wang et al. 2024 (RLHFPoison) on the choice of pairs.

Misses: qualities of the chosen side that are no word, such as its length (RLHFPoison's own target).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, choose, rewrite, rows_at
from audit.attacks.targets import Example, has_sides, swap_sides


def plant_preference_response(
    examples: pl.DataFrame, *, count: int, seed: int, trigger: str, swap: bool = False, exclude: Collection[int] = ()
) -> Planted:
    """Puts the word into the chosen response of `count` pairs that do not hold it on any side; with `swap` the sides
    are swapped before.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few pairs are able.
    """
    rng = np.random.default_rng(seed)
    able = has_sides()
    for side in ("prompt", "response", "rejected"):
        able = able & ~pl.col(side).str.contains(trigger, literal=True)
    at = choose(examples, attack="preference_response", count=count, able=able, exclude=exclude, rng=rng)

    def poison(example: Example) -> None:
        if swap:
            swap_sides(example)
        example["response"] = insert_words(example["response"], [trigger], rng)

    behavior = "the response that holds the word is preferred"
    return Planted(rewrite(examples, at, poison), rows_at(examples, at), (trigger,), behavior, "preference-response")
