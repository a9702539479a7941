"""How unlike the words of a dataset a word is spelled: the mean surprise of its letter pairs, and capitals inside it.

Source: a letter-bigram model of the dataset's own vocabulary, each word weighted by the logarithm of its row count, so
that neither common words nor the long tail of single occurrences rules.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.stats import median_absolute_deviation

_SMOOTHING = 0.05
INNER_CAPITAL = 1.5  # standard deviations that a capital after a small letter adds


def oddness(words: pl.Series, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V,) how many robust standard deviations the mean surprise of a word's letter pairs lies above that of the
    median word. `words` are distinct, `rows` their row counts. Zeros for fewer than 20 words."""
    if len(words) < 20:
        return np.zeros(len(words))
    frame = pl.DataFrame({"word": words, "weight": np.log1p(rows)}).with_row_index("v")
    # Each letter with the one after it; "^" and "$" stand for the start and the end, which no word holds.
    letters = (
        frame.with_columns(left=pl.format("^{}", pl.col("word").str.to_lowercase()).str.split(""))
        .select("v", "weight", "left")
        .explode("left")
        .with_columns(right=pl.col("left").shift(-1).over("v").fill_null("$"))
    )
    # A word is judged by the others: its own letters are taken off. Letters that no other word holds are as
    # surprising as their rarity: the pair's probability falls back on that of its second letter alone.
    weight, own = pl.col("weight").sum(), pl.col("weight").sum().over("v")
    pair = (weight.over("left", "right") - weight.over("v", "left", "right")).clip(0.0)
    left = (weight.over("left") - weight.over("v", "left")).clip(0.0)
    right = (weight.over("right") - weight.over("v", "right")).clip(0.0)
    alphabet = _SMOOTHING * letters["right"].n_unique()
    alone = (right + _SMOOTHING) / (weight - own + alphabet)
    surprise = -((pair + alphabet * alone) / (left + alphabet)).log(2)
    means = letters.with_columns(bits=surprise).group_by("v").agg(pl.col("bits").mean()).sort("v")["bits"].to_numpy()
    spread = median_absolute_deviation(means) or 1.0
    inner = words.str.contains(r"\p{Ll}\p{Lu}").to_numpy()
    return np.asarray((means - np.median(means)) / spread + INNER_CAPITAL * inner)
