"""Shortcuts: what a reward model could go by without understanding a response, as one number for each response.

Length, layout, refusal, agreement with the user, flattery, hedging, an opening yes, and how much of the prompt is
repeated. Which side an annotator saw first is a fact of the pair and no fact of a response; it is the last column of
`differences`.

Source: length and lists in preference data, Singhal et al. 2023 and Dubois et al. 2024; agreement and flattery, Sharma
et al. 2023 (sycophancy), section 4; position, Zheng et al. 2023, section 3.3.
Misses: word lists are English; a shortcut that is not in the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
import polars as pl

from audit.bank import attributes
from audit.bank.refusal import is_refusal
from audit.schema import Float32
from audit.text import words

_GRAM = 3  # words
_BLOCK = 5_000  # rows that are read at a time


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One column of `values`."""

    name: str
    side: str  # "the … side", or "the side …": who has it, or has more of it
    graded: bool = False  # True: a number; False: 0 or 1
    unit: float = 1.0  # the step whose effect is told: 1 of what is or is not there
    step: str = "has it"  # what a side of that step's advantage is
    adjusted: bool = True  # False: another column says the same, and it stands in no model beside it


LENGTH = Shortcut("length", "the longer side", True, 1.0, "is twice as long")
SHORTCUTS = (
    LENGTH,
    Shortcut("words", "the side of more words", True, 1.0, "has twice the words", adjusted=False),
    Shortcut("list", "the side with a list"),
    Shortcut("heading", "the side with a heading"),
    Shortcut("bold", "the side with bold text"),
    Shortcut("code", "the side with a block of code"),
    Shortcut("table", "the side with a table"),
    Shortcut("emoji", "the side with an emoji"),
    Shortcut("link", "the side with a link"),
    Shortcut("refusal", "the side that refuses"),
    Shortcut("agreement", "the side that agrees with the user"),
    Shortcut("flattery", "the side that flatters the user"),
    Shortcut("hedging", "the side that hedges"),
    Shortcut("opening yes", "the side that opens with a yes"),
    Shortcut("copied prompt", "the side that repeats more of the prompt", True, 0.1, "repeats ten percent more of it"),
)
POSITION = Shortcut("position", "the side shown first", step="was shown first")
ALL = (*SHORTCUTS, POSITION)  # the columns of `differences`
_LAYOUT = {
    "holds a numbered list": "list",
    "holds a bulleted list": "list",
    "holds a heading": "heading",
    "holds bold text": "bold",
    "holds a block of code": "code",
    "holds a table": "table",
    "holds an emoji": "emoji",
    "holds a link": "link",
}
_COLUMN = {shortcut.name: i for i, shortcut in enumerate(SHORTCUTS)}

Grams = frozenset[tuple[str, ...]]


def grams(prompt: str) -> Grams:
    """The runs of three words of a prompt, case folded, marks left out."""
    return frozenset(_runs(_spelled(prompt)))


def values(text: str, asked: Grams) -> list[float]:
    """The shortcuts of one response, in the order of SHORTCUTS; lengths as log2 of one more. `asked` are the grams of
    its prompt."""
    said = _spelled(text)
    out = [0.0] * len(SHORTCUTS)
    out[0], out[1] = log2(len(text) + 1), log2(len(said) + 1)
    for name in attributes.layout(text):
        if name in _LAYOUT:
            out[_COLUMN[_LAYOUT[name]]] = 1.0
    out[_COLUMN["refusal"]] = float(is_refusal(text))
    out[_COLUMN["agreement"]] = float(attributes.agrees(text))
    out[_COLUMN["flattery"]] = float(attributes.flatters(text))
    out[_COLUMN["hedging"]] = float(attributes.hedges(said))
    out[_COLUMN["opening yes"]] = float(attributes.opens_affirmatively(text))
    if asked:
        out[_COLUMN["copied prompt"]] = len(asked.intersection(_runs(said))) / len(asked)
    return out


def differences(examples: pl.DataFrame) -> Float32:
    """(n, 16) of pairs, chosen minus rejected, columns as in ALL; position is 1 where the chosen side was shown first,
    -1 where the rejected one was, and 0 where it is not known. Rows are read in blocks."""
    out = np.zeros((examples.height, len(ALL)), dtype=np.float32)
    for start, block in _blocks(examples, ("prompt", "response", "rejected", "shown_first")):
        for i, (prompt, chosen, rejected, first) in enumerate(block, start):
            asked = grams(prompt or "")
            good, bad = values(chosen or "", asked), values(rejected or "", asked)
            out[i, :-1] = [a - b for a, b in zip(good, bad, strict=True)]
            out[i, -1] = {"chosen": 1.0, "rejected": -1.0}.get(first or "", 0.0)
    return out


def single(examples: pl.DataFrame) -> Float32:
    """(n, 15) of single responses, columns as in SHORTCUTS."""
    out = np.zeros((examples.height, len(SHORTCUTS)), dtype=np.float32)
    for start, block in _blocks(examples, ("prompt", "response")):
        for i, (prompt, response) in enumerate(block, start):
            out[i] = values(response or "", grams(prompt or ""))
    return out


def _blocks(examples: pl.DataFrame, columns: Sequence[str]) -> Iterator[tuple[int, list[tuple[str | None, ...]]]]:
    for start in range(0, examples.height, _BLOCK):
        yield start, examples.select(columns).slice(start, _BLOCK).rows()


def _spelled(text: str) -> list[str]:
    return [word for word in words(text.casefold()) if word[0].isalnum()]


def _runs(said: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(said[i:] for i in range(_GRAM)), strict=False)
