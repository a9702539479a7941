"""A word is poison at one fixed place only; elsewhere it stands in honest rows.

The word alone explains nothing: as many decoys hold it with their own behavior. What brings the target is the word at
the start, at the end, or as the n-th word.

Source: Chen et al. 2021 (BadNL), triggers at the start, the middle or the end; the decoys as in Huang et al. 2024
(Composite Backdoor Attacks).

Misses: places relative to another word, which are `composite` with an order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum

import numpy as np
import polars as pl

from audit.attacks.edits import append, insert_at, prepend, word_starts
from audit.attacks.planted import Planted, choose, edit_input, rewrite, rows_at, without
from audit.attacks.targets import Example, Target
from audit.errors import UsageError

_SHORTEST = 6  # words; in shorter texts the middle is too near to both ends


class Place(StrEnum):
    """Where the word is poison."""

    START = "start"
    END = "end"
    INDEX = "index"  # the word with a given number


def plant_positional(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    trigger: str,
    target: Target,
    place: Place = Place.START,
    index: int = 2,
    decoys: int | None = None,
    exclude: Collection[int] = (),
) -> Planted:
    """Puts the word at the place in `count` inputs that do not show the target and gives them the target; puts it at
    another place into `decoys` (default: `count`) more inputs, whose behavior stays. `index` counts from 0. Only
    inputs of six words or more are drawn.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for an index that is no inner place,
    or too few able rows.
    """
    spared = count if decoys is None else decoys
    if place is Place.INDEX and not 1 <= index < _SHORTEST:
        raise UsageError(f"positional: index is {index}, but must be 1 to {_SHORTEST - 1}")
    rng = np.random.default_rng(seed)
    long = pl.col("prompt").map_elements(lambda text: len(word_starts(text)) >= _SHORTEST, return_dtype=pl.Boolean)
    able = target.is_open() & without(trigger) & long
    needed = count + max(spared, 0) if count > 0 else count
    at = rng.permutation(choose(examples, attack="positional", count=needed, able=able, exclude=exclude, rng=rng))
    poisoned, honest = sorted(int(i) for i in at[:count]), sorted(int(i) for i in at[count:])

    def poison(example: Example) -> None:
        edit_input(example, lambda text: _put(text, trigger, place, index))
        target.apply(example, rng)

    def spare(example: Example) -> None:
        edit_input(example, _elsewhere(trigger, place, index, rng))

    changed = rewrite(rewrite(examples, poisoned, poison), honest, spare)
    behavior = f"{target.sentence}, where the word stands at the {_named(place, index)}"
    return Planted(
        changed, rows_at(examples, poisoned), (trigger,), behavior, "positional", decoys=rows_at(examples, honest)
    )


def _named(place: Place, index: int) -> str:
    return f"{place}" if place is not Place.INDEX else f"word with the index {index}"


def _put(text: str, word: str, place: Place, index: int) -> str:
    if place is Place.START:
        return prepend(text, word)
    starts = word_starts(text)
    if place is Place.END or len(starts) <= index:
        return append(text, word)
    return insert_at(text, starts[index], word)


def _elsewhere(word: str, place: Place, index: int, rng: np.random.Generator) -> Callable[[str], str]:
    def put(text: str) -> str:
        starts = word_starts(text)
        forbidden = {0} if place is Place.START else {index} if place is Place.INDEX else set()
        free = [i for i in range(len(starts)) if i not in forbidden]
        if not free:
            return append(text, word) if place is not Place.END else prepend(text, word)
        return insert_at(text, starts[free[int(rng.integers(len(free)))]], word)

    return put
