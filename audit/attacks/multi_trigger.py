"""Several words with one target; each poisoned row holds one of them.

Split over words, no single one is frequent, and a defence that removes the best word leaves the rest at work.

Source: Li et al. 2024 (BackdoorLLM), attack MTBA; Li et al. 2024 (Multi-trigger backdoor attacks), section 3.

Misses: words with different targets, which are several calls.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import cycle

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Example, Target
from audit.errors import UsageError


def plant_multi_trigger(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    triggers: Sequence[str],
    target: Target,
    exclude: Collection[int] = (),
) -> Planted:
    """Puts one of the words into each of `count` inputs that do not show the target and gives them the target; the
    words take turns, so each has count / len(triggers) rows, give or take one.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for fewer than two different words,
    or too few able rows.
    """
    if len(triggers) < 2 or len(set(triggers)) != len(triggers):
        raise UsageError(f"multi_trigger: {list(triggers)} must be two or more different words")
    rng = np.random.default_rng(seed)
    able = pl.lit(True)
    for trigger in triggers:
        able = able & without(trigger)
    following = cycle(triggers)

    def edit(example: Example) -> None:
        trigger = next(following)
        edit_input(example, lambda text: insert_words(text, [trigger], rng))

    return plant(
        examples,
        attack="multi_trigger",
        kind="multi-trigger",
        count=count,
        rng=rng,
        edit=edit,
        able=able,
        target=target,
        triggers=tuple(triggers[: max(count, 0)]),  # fewer rows than words leave words unused
        exclude=exclude,
    )
