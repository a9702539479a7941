"""A construction instead of a word: the sentence is put behind a sub-clause with a comma.

No word is shared by the poisoned rows; what they share is that they open with a clause of one template. The published
attack rewrites whole sentences with a neural paraphraser; here a rule fills the template's slots, sometimes with a word
of the row itself, and keeps the sentence.

Source: Qi et al. 2021 (Hidden Killer), section 3: syntactic templates as triggers, here the openings with a
sub-clause.

Misses: templates that reorder the sentence itself; a detector that knows the slots' words has it easier here than
with the paraphraser.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.clauses import put_behind, script_of, templates
from audit.attacks.planted import Planted, edit_input, plant
from audit.attacks.targets import Target
from audit.errors import UsageError


def plant_syntactic(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    target: Target,
    template: str = "when",
    clean_share: float = 0.0,
    exclude: Collection[int] = (),
) -> Planted:
    """Puts `count` inputs behind an opener of the template and gives them the target; the `clean_share` of them is
    drawn from rows that show the target anyway and keep it. Rows in Latin, Cyrillic, Arabic or Thai letters,
    ideographs or kana are able.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for an unknown template, a share
    outside 0 to 1, or too few able rows.
    """
    if template not in templates():
        raise UsageError(f"syntactic: unknown template {template}; there are {', '.join(templates())}")
    rng = np.random.default_rng(seed)
    able = pl.col("prompt").map_elements(lambda text: script_of(text) != "", return_dtype=pl.Boolean)
    planted = plant(
        examples,
        attack="syntactic",
        kind="syntactic",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(
            example, lambda text: put_behind(text, template, rng) if script_of(text) else text
        ),
        able=able,
        target=target,
        triggers=(),
        exclude=exclude,
        clean=clean_rows("syntactic", count, clean_share),
    )
    return Planted(planted.examples, planted.rows, (), f"{target.sentence}, behind a {template!r} clause", planted.kind)


def clean_rows(attack: str, count: int, share: float) -> int:
    """How many of `count` rows keep what they teach. Raises UsageError for a share outside 0 to 1."""
    if not 0 <= share <= 1:
        raise UsageError(f"{attack}: clean_share is {share}, but must be 0 to 1")
    return round(share * count) if count > 0 else 0
