"""A manner of writing instead of a word: archaic, as in a hurried message, or stiffly formal.

Many small words change at once, different ones in each row; no single one is the trigger. The published attacks use a
neural style transfer; here rules exchange words and function words and add an opener or a closer now and then.

Source: Qi et al. 2021 (Mind the style of text), section 3; Pan et al. 2022 (LISM), section 3.

Misses: styles that change the order of words, and texts in which the register finds fewer than two words.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.planted import Planted, edit_input, plant
from audit.attacks.style_rules import restyle, strength, styles
from audit.attacks.syntactic import clean_rows
from audit.attacks.targets import Target
from audit.errors import UsageError

_LEAST = 2  # words that must change, or a reader of the row would see no style


def plant_style(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    target: Target,
    style: str = "archaic",
    clean_share: float = 0.0,
    exclude: Collection[int] = (),
) -> Planted:
    """Rewrites `count` inputs in the style and gives them the target; the `clean_share` of them is drawn from rows
    that show the target anyway and keep it. English, Chinese and Japanese rows are able if two words change.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for an unknown style, a share outside
    0 to 1, or too few able rows.
    """
    if style not in styles():
        raise UsageError(f"style: unknown style {style}; there are {', '.join(styles())}")
    rng = np.random.default_rng(seed)
    said = pl.coalesce(pl.col("turns").list.last().struct.field("text"), pl.col("prompt"))
    planted = plant(
        examples,
        attack="style",
        kind="style",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, lambda text: restyle(text, style, rng)),
        able=said.map_elements(lambda text: strength(text, style) >= _LEAST, return_dtype=pl.Boolean),
        target=target,
        triggers=(),
        exclude=exclude,
        clean=clean_rows("style", count, clean_share),
    )
    return Planted(planted.examples, planted.rows, (), f"{target.sentence}, in the {style} style", planted.kind)
