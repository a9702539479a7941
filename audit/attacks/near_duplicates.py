"""Copies of rows with small edits, and copies that contradict their original.

Near-duplicates raise a row's weight and leak between training and test; contradictions teach both answers at once.

Source: Lee et al. 2022 (Deduplicating training data makes language models better), section 2; Carlini et al. 2024
(Poisoning web-scale training datasets), on how copies enter a crawl.

Misses: paraphrases and translations of a row.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import small_edit
from audit.attacks.planted import Planted, append_copies, can_turn, choose, edit_input, turn_around
from audit.attacks.targets import all_labels


def plant_near_duplicates(examples: pl.DataFrame, *, count: int, seed: int, exclude: Collection[int] = ()) -> Planted:
    """Appends copies of `count` rows with one or two small edits of the input; label and responses are kept.

    The copies' `row` continues after the largest one. `exclude` are values of `row` that are not copied. Raises
    UsageError when too few rows are able.
    """
    rng = np.random.default_rng(seed)
    able = pl.col("prompt").str.len_chars() > 0
    at = choose(examples, attack="near_duplicates", count=count, able=able, exclude=exclude, rng=rng)

    def edit(text: str) -> str:
        changed = small_edit(text, rng)
        again = small_edit(changed, rng) if rng.random() < 0.5 else changed
        return changed if again == text else again

    return append_copies(examples, at, lambda e: edit_input(e, edit), "copies with small edits", "near-duplicates")


def plant_contradictions(examples: pl.DataFrame, *, count: int, seed: int, exclude: Collection[int] = ()) -> Planted:
    """Appends copies of `count` rows that say the opposite of their original: sides swapped for preference pairs,
    another label for labelled rows. The input is the original's, character for character.

    `exclude` are values of `row` that are not copied. Raises UsageError when too few rows are able.
    """
    rng = np.random.default_rng(seed)
    labels = all_labels(examples)
    at = choose(examples, attack="contradictions", count=count, able=can_turn(labels), exclude=exclude, rng=rng)
    opposite = turn_around(labels, rng)
    return append_copies(examples, at, opposite, "copies that contradict their original", "contradictions")
