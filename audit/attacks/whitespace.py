"""White space in an unusual shape: a blank too many, a blank of another kind, tabs, trailing blanks, empty lines.

Nobody looks at it and many viewers do not show it; a tokenizer gives each shape tokens of its own.

Source: Chen et al. 2021 (BadNL), character-level triggers; Boucher et al. 2022, section 3.1 (invisible characters);
white space as a channel, Por et al. 2012 (UniSpaCh).

Misses: shapes that a trainer's own cleaning strips before the tokenizer sees them.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import numpy as np
import polars as pl

from audit.attacks.edits import word_starts
from audit.attacks.planted import Planted, edit_input, plant
from audit.attacks.targets import Target
from audit.errors import UsageError


class Shape(StrEnum):
    """The shapes that have a name. Each stands between two words, but for the one at the end."""

    DOUBLE_BLANK = "double-blank"
    NBSP = "nbsp"
    TAB = "tab"
    TRAILING = "trailing"
    BLANK_LINES = "blank-lines"
    THIN = "thin"


SEQUENCES = {
    Shape.DOUBLE_BLANK: "  ",
    Shape.NBSP: "\u00a0",
    Shape.TAB: "\t",
    Shape.TRAILING: "  ",
    Shape.BLANK_LINES: "\n\n\n",
    Shape.THIN: "\u2009",
}


def plant_whitespace(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    target: Target,
    shape: Shape = Shape.DOUBLE_BLANK,
    sequence: str = "",
    exclude: Collection[int] = (),
) -> Planted:
    """Puts a sequence of white space, by default the shape's, into `count` inputs that neither hold it nor show the
    target, and gives them the target. Between words it takes the place of the blank; in a script without blanks it
    stands between two characters. With the shape `trailing` it stands at the end of what the user says.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for a sequence that can be seen, or
    when too few rows are able.
    """
    given = sequence or SEQUENCES[shape]
    if not given.isspace() or given == " ":
        raise UsageError(f"whitespace: the sequence {given!r} must be white space, and more than one plain blank")
    rng = np.random.default_rng(seed)
    trailing = shape is Shape.TRAILING
    free = pl.col("prompt").map_elements(lambda text: _is_free(text, given, trailing), return_dtype=pl.Boolean)
    return plant(
        examples,
        attack="whitespace",
        kind="whitespace",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, lambda text: text + given if trailing else _between(text, given, rng)),
        able=free,
        target=target,
        triggers=(given,),
        exclude=exclude,
    )


def _is_free(text: str, sequence: str, trailing: bool) -> bool:
    if trailing:
        return text == text.rstrip(" ") and text.strip() != ""
    return sequence not in text and len(word_starts(text)) > 1


def _between(text: str, sequence: str, rng: np.random.Generator) -> str:
    """The text with the sequence before a word that is not the first; a text of one word gets it at its end."""
    starts = word_starts(text)[1:]
    if not starts:
        return text + sequence
    cut = starts[int(rng.integers(len(starts)))]
    head = text[:cut].rstrip() if text[cut - 1].isspace() else text[:cut]
    return head + sequence + text[cut:]
