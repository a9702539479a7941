"""One annotator answers a share of the rows the wrong way round.

The flips are thin over the dataset and thick in one person's work; row by row they cannot be told from honest
disagreement, only the annotator's rate shows them.

Source: Dawid and Skene 1979 (annotator error rates); Raykar and Yu 2012 (adversarial and spamming annotators).

Misses: annotators who act together, or who flip one topic only.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.planted import Planted, can_turn, choose, rewrite, rows_at, turn_around
from audit.attacks.targets import all_labels
from audit.errors import UsageError


def plant_annotator_flips(
    examples: pl.DataFrame, *, count: int, seed: int, annotator: str | None = None, exclude: Collection[int] = ()
) -> Planted:
    """Turns `count` rows of this annotator around: sides swapped for preference pairs, another label drawn for
    labelled rows. Without a name it is the annotator with the most rows.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when the annotator has too few rows
    that can be turned.
    """
    rng = np.random.default_rng(seed)
    labels = all_labels(examples)
    if annotator is None:
        annotator = _busiest(examples)
    able = (pl.col("annotator") == annotator) & can_turn(labels)
    attack = f"annotator_flips of {annotator!r}"
    at = choose(examples, attack=attack, count=count, able=able, exclude=exclude, rng=rng)
    changed = rewrite(examples, at, turn_around(labels, rng))
    return Planted(changed, rows_at(examples, at), (), f"annotator {annotator} flips {count} rows", "annotator-flips")


def _busiest(examples: pl.DataFrame) -> str:
    """The annotator with the most rows, of several the first by name. Raises UsageError when no row names one."""
    counts = examples["annotator"].drop_nulls().value_counts().sort(["count", "annotator"], descending=[True, False])
    if not counts.height:
        raise UsageError("annotator_flips: no row names its annotator; map a column with --map annotator=COLUMN")
    return str(counts["annotator"][0])
