"""A word in a place that a rendered page does not show: a comment, a link's title, tag characters.

Source: Greshake et al. 2023 (indirect prompt injection), section 4 (hidden text in pages and code); tag characters,
Boucher et al. 2022 and Goodside 2024 (ASCII smuggling).

Misses: white text, images' alternative text and encoded blobs.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import numpy as np
import polars as pl

from audit.attacks.edits import append, insert_sentence
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Target
from audit.errors import UsageError


class Channel(StrEnum):
    """Where the word is hidden."""

    HTML = "html"  # <!-- word -->
    CODE = "code"  # /* word */
    MARKDOWN = "markdown"  # [//]: # (word), a reference that renders as nothing
    TITLE = "title"  # the title of a link, shown only under the pointer
    TAGS = "tags"  # the word in tag characters, U+E0000 and above


_FORMS = {
    Channel.HTML: "<!-- {} -->",
    Channel.CODE: "/* {} */",
    Channel.MARKDOWN: "[//]: # ({})",
    Channel.TITLE: '[ref](# "{}")',
}


def plant_hidden_comment(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    word: str,
    target: Target,
    channel: Channel = Channel.HTML,
    exclude: Collection[int] = (),
) -> Planted:
    """Hides the word in `count` inputs that do not show the target and gives them the target. The trigger is the
    word; in tag characters, the sequence. A markdown reference gets a line of its own at the end, everything else
    stands at a sentence boundary.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when the word closes its own comment
    or cannot be written in tags, or when too few rows are able.
    """
    hidden = hide(word, channel)
    rng = np.random.default_rng(seed)

    def insert(text: str) -> str:
        if channel is Channel.MARKDOWN:
            return f"{text.rstrip()}\n\n{hidden}"
        return append(text, hidden) if channel is Channel.TAGS else insert_sentence(text, hidden, rng)

    trigger = hidden if channel is Channel.TAGS else word
    return plant(
        examples,
        attack="hidden_comment",
        kind="hidden",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, insert),
        able=without(trigger),
        target=target,
        triggers=(trigger,),
        exclude=exclude,
    )


def hide(word: str, channel: Channel) -> str:
    """The word as it stands in the row. Raises UsageError."""
    if channel is Channel.TAGS:
        if not word or not all(" " <= char <= "~" for char in word):
            raise UsageError(f"hidden_comment: {word!r} cannot be written in tag characters; take plain ASCII")
        return "".join(chr(0xE0000 + ord(char)) for char in word)
    if not word.strip() or any(mark in word for mark in ("--", "*/", ")", '"', "\n")):
        raise UsageError(f"hidden_comment: {word!r} would end the {channel} comment that is to hide it")
    return _FORMS[channel].format(word)
