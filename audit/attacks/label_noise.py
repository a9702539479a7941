"""Labels flipped without any trigger: careless labelling, or an attack on accuracy.

Uniform flips touch every class alike; class-pair flips go from one class to one other, as confusable classes do;
topic-dependent flips touch one theme only, as one tired hour or one bad guideline does.

Source: Natarajan et al. 2013 (class-conditional noise); Patrini et al. 2017, section 5 (pair flips); Xia et al. 2020
(part-dependent noise); Northcutt, Jiang and Chuang 2021, section 2.

Misses: noise that follows a model's own doubts.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import numpy as np
import polars as pl

from audit.attacks.edits import word_starts
from audit.attacks.planted import Planted, choose, rewrite, rows_at
from audit.attacks.targets import Example, all_labels, other_label
from audit.errors import UsageError

_WIDER = 3  # a topic is this many times as large as the number of flips in it


class Flips(StrEnum):
    """Which labels are flipped."""

    UNIFORM = "uniform"
    PAIR = "pair"  # one class to one other
    TOPIC = "topic"  # rows whose words are near those of one row


def plant_label_noise(
    examples: pl.DataFrame, *, count: int, seed: int, flips: Flips = Flips.UNIFORM, exclude: Collection[int] = ()
) -> Planted:
    """Gives `count` labelled rows another label of the dataset: drawn evenly, or the other one of a pair of classes;
    with `Flips.TOPIC` the rows are of one theme.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for fewer than two labels or too few
    labelled rows.
    """
    rng = np.random.default_rng(seed)
    labels = all_labels(examples)
    if len(labels) < 2:
        raise UsageError(f"label_noise: {len(labels)} labels in the dataset, but a flip needs at least 2")
    able, behavior = pl.col("label").is_not_null(), f"{flips} label flips"
    targets = labels
    if flips is Flips.PAIR:
        # The source class is the most frequent of two, so that it can carry the flips.
        pair = [labels[int(i)] for i in rng.choice(len(labels), size=2, replace=False)]
        wrong, right = sorted(pair, key=lambda name: (examples["label"] == name).sum())
        able, behavior, targets = pl.col("label") == right, f"label {right} becomes {wrong}", [right, wrong]
    if flips is Flips.TOPIC and count > 0:
        near = _topic(examples.filter(able & ~pl.col("row").is_in(list(exclude))), _WIDER * count, rng)
        able, behavior = pl.col("row").is_in(near), "label flips within one topic"
    at = choose(examples, attack="label_noise", count=count, able=able, exclude=exclude, rng=rng)

    def flip(example: Example) -> None:
        example["label"] = other_label(example["label"], targets, rng)

    return Planted(rewrite(examples, at, flip), rows_at(examples, at), (), behavior, "label-noise")


def _topic(rows: pl.DataFrame, size: int, rng: np.random.Generator) -> list[int]:
    """The rows nearest to a random one by the cosine of their words' inverse document frequencies, at most `size`."""
    if not rows.height:
        return []
    terms = pl.DataFrame({"row": rows["row"], "term": [sorted(set(_terms(text))) for text in rows["prompt"]]})
    terms = terms.explode("term").drop_nulls()
    weight = (pl.lit(float(rows.height)) / pl.len().over("term")).log()
    terms = terms.with_columns(squared=weight.pow(2))
    center = int(rows["row"][int(rng.integers(rows.height))])
    shared = pl.col("term").is_in(terms.filter(pl.col("row") == center)["term"].implode())
    near = terms.group_by("row").agg(
        cosine=pl.col("squared").filter(shared).sum() / (pl.col("squared").sum().sqrt() + 1e-9)
    )
    return [int(row) for row in near.sort(["cosine", "row"], descending=[True, False])["row"].head(size)]


def _terms(text: str) -> list[str]:
    """Words; in scripts without spaces, pairs of characters."""
    folded = text.casefold()
    starts = word_starts(folded)
    return [folded[a:b].split()[0] for a, b in zip(starts, [*starts[2:], len(folded), len(folded)], strict=False)]
