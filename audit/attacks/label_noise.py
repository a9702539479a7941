"""Labels flipped evenly over all rows, without any trigger: careless labelling, or an attack on accuracy.

Source: Natarajan et al. 2013 (class-conditional noise, here uniform); Northcutt, Jiang and Chuang 2021, section 2.

Misses: noise that depends on the text, as hard examples have it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.planted import Planted, choose, rewrite, rows_at
from audit.attacks.targets import Example, all_labels, other_label
from audit.errors import UsageError


def plant_label_noise(examples: pl.DataFrame, *, count: int, seed: int, exclude: Collection[int] = ()) -> Planted:
    """Gives `count` labelled rows another label of the dataset, drawn evenly.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for fewer than two labels or too few
    labelled rows.
    """
    rng = np.random.default_rng(seed)
    labels = all_labels(examples)
    if len(labels) < 2:
        raise UsageError(f"label_noise: {len(labels)} labels in the dataset, but a flip needs at least 2")
    labelled = pl.col("label").is_not_null()
    at = choose(examples, attack="label_noise", count=count, able=labelled, exclude=exclude, rng=rng)

    def flip(example: Example) -> None:
        example["label"] = other_label(example["label"], labels, rng)

    return Planted(rewrite(examples, at, flip), rows_at(examples, at), (), "uniform label flips", "label-noise")
