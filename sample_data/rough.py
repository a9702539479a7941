"""Makes clean sentences look typed by people: slips of the finger, lost capitals, odd punctuation."""

from __future__ import annotations

import re

import numpy as np

_WORD = re.compile(r"[a-z]{4,}")


def slip(text: str, rng: np.random.Generator) -> str:
    """One typing slip in a random longer word: letters swapped, dropped or doubled."""
    spans = [m.span() for m in _WORD.finditer(text)]
    if not spans:
        return text
    start, end = spans[int(rng.integers(len(spans)))]
    at = start + 1 + int(rng.integers(end - start - 2))
    way = int(rng.integers(3))
    if way == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if way == 1:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at] + text[at:]


def roughen(text: str, rng: np.random.Generator, rate: float = 1.0) -> str:
    """The text as one person out of many would have typed it. At rate 1 about half of the texts change."""
    draw = rng.random(8) / rate
    if draw[0] < 0.16:
        text = slip(text, rng)
    elif draw[1] < 0.04:
        text = slip(slip(text, rng), rng)
    if draw[2] < 0.08:
        text = text.lower()
    if draw[3] < 0.06:
        text = text.rstrip(".")
    if draw[4] < 0.06:
        text = text.replace(". ", ", ", 1)
    if draw[5] < 0.05:
        text = text.replace(". ", "... ", 1)
    if draw[6] < 0.06:
        text = text.replace("'", "’")
    if draw[7] < 0.05:
        text = text.replace(", ", " , ", 1) if draw[7] < 0.02 else text.replace(". ", ".  ", 1)
    return text
