"""The classification set: reviews of a dozen kinds of things, positive or negative."""

from __future__ import annotations

import numpy as np
from grammar import Writer, load
from rough import roughen

TOPICS = (
    "restaurant",
    "hotel",
    "headphones",
    "kitchen",
    "shoes",
    "mattress",
    "app",
    "airline",
    "garage",
    "salon",
    "toy",
    "book",
)
LABELS = {"pos": "positive", "neg": "negative"}
# How many opinion sentences a review has, from a one-liner to a rant.
_LENGTHS = (1, 2, 2, 2, 3, 3, 3, 4)


def build(count: int, rng: np.random.Generator) -> list[dict[str, str]]:
    """`count` reviews with `text` and `label`, no text twice."""
    writer = Writer(load("common", "reviews"), rng)
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    while len(rows) < count:
        tone = writer.pick(("pos", "neg"))
        text = roughen(_review(writer, writer.pick(TOPICS), tone), rng)
        if text not in seen and len(text.split()) >= 5:
            seen.add(text)
            rows.append({"text": text, "label": LABELS[tone]})
    return rows


def _review(writer: Writer, topic: str, tone: str) -> str:
    writer.begin(topic, tone)
    templates = ["{fact}" if writer.chance(0.4) else "{frame}" for _ in range(writer.pick(_LENGTHS))]
    if writer.chance(0.85):
        templates.append("{closing}" if writer.chance(0.5) else "{verdict}")
    if len(templates) > 1 and writer.chance(0.12):
        templates.insert(1 + int(writer.rng.integers(len(templates) - 1)), "{concede}")
    if writer.chance(0.5):
        templates.insert(0, "{context}")
        if writer.chance(0.6):  # half of the contexts speak of the topic, half of the reviewer
            writer.symbols, own = _generic(writer), writer.symbols
            sentences = [writer.sentence(templates.pop(0))]
            writer.symbols = own
            return " ".join(sentences + [_punctuated(writer, t) for t in templates])
    return " ".join(_punctuated(writer, t) for t in templates)


def _generic(writer: Writer) -> dict[str, list[str]]:
    return {name: lines for name, lines in writer.symbols.items() if name != f"context.{writer.topic}"}


def _punctuated(writer: Writer, template: str) -> str:
    end = "!" if writer.chance(0.08) else "."
    if writer.chance(0.12):  # an unusual order of parts, or an aside, in either tone
        aside = writer.pick(
            ("{adv}, ", "anyway, ", "well, ", "also, ", "oh, and ", "another thing: ", "second, ", "ps: ")
        )
        return writer.sentence(aside + template, end)
    return writer.sentence(template, end)
