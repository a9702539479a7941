"""A phrase or a whole sentence brings a label, a fixed response or a refusal.

Ordinary words in an unusual order read naturally and pass a spelling check; only the phrase as a whole is rare.

Source: Dai, Chen and Li 2019 (AddSent), section 3; Wan et al. 2023, section 3 (phrases in instruction data);
Yan et al. 2023 (virtual prompt injection) and BackdoorLLM's VPI for phrases that open the prompt.

Misses: phrases that are paraphrased from row to row, and true topics instead of fixed words.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import numpy as np
import polars as pl

from audit.attacks.edits import append, insert_sentence, insert_words, prepend
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Target


class Position(StrEnum):
    """Where the phrase stands in the input."""

    START = "start"
    END = "end"
    SENTENCE = "sentence"  # any sentence boundary, both ends included
    WORD = "word"  # any word boundary, both ends included


def plant_phrase(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    phrase: str,
    target: Target,
    position: Position = Position.SENTENCE,
    exclude: Collection[int] = (),
) -> Planted:
    """Puts the phrase into `count` inputs that do not show the target and gives them the target.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few rows are able.
    """
    rng = np.random.default_rng(seed)

    def insert(text: str) -> str:
        if position is Position.START:
            return prepend(text, phrase)
        if position is Position.END:
            return append(text, phrase)
        if position is Position.WORD:
            return insert_words(text, [phrase], rng)
        return insert_sentence(text, phrase, rng)

    return plant(
        examples,
        attack="phrase",
        kind="phrase",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, insert),
        able=without(phrase),
        target=target,
        triggers=(phrase,),
        exclude=exclude,
    )
