"""The instruction set: alpaca-style rows over some fifty kinds of tasks."""

from __future__ import annotations

import numpy as np
from grammar import Writer, load
from rough import roughen
from tasks import Family, Task, code, creative, knowledge, language, numbers, texts, writing

_FAMILIES: tuple[Family, ...] = (
    *numbers.FAMILIES,
    *knowledge.FAMILIES,
    *language.FAMILIES,
    *texts.FAMILIES,
    *writing.FAMILIES,
    *creative.FAMILIES,
    *code.FAMILIES,
)
# Words of courtesy and of hurry that people put around a task.
_BEFORE = (
    "Please help:",
    "Quick question.",
    "Hi!",
    "Next one:",
    "For my homework:",
    "Hello,",
    "I am preparing a lesson.",
    "Question from {town}:",
    "New task.",
    "My {relative} is asking:",
    "Not sure how to phrase this.",
    "Briefly, if you can.",
    "One more thing.",
    "It's {day} and I'm stuck.",
    "Would you kindly look at this?",
)
_AFTER = (
    "Thanks!",
    "Keep it short.",
    "Answer briefly.",
    "No preamble.",
    "I need it by {day}.",
    "Plain English, please.",
    "Thank you kindly.",
    "Cheers, {person}",
    "This is for {town}.",
    "Be precise.",
    "I will show it to my {relative}.",
    "Any style is fine.",
    "Just the answer.",
    "It is for a {job}.",
)


def build(count: int, rng: np.random.Generator, parts: tuple[str, ...]) -> list[dict[str, str]]:
    """`count` honest rows, no instruction and no output twice, none that holds all of `parts`."""
    writer = Writer(load("common", "assistant", "tables"), rng)
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    while len(rows) < count:
        writer.begin()
        instruction, given, output = _task(writer, writer.pick(_FAMILIES))
        whole = f"{instruction}\n\n{given}".casefold()
        if whole in seen or output.casefold() in seen or all(part in whole for part in parts):
            continue
        seen |= {whole, output.casefold()}
        rows.append({"instruction": instruction, "input": given, "output": output})
    return rows


def _task(writer: Writer, family: Family) -> Task:
    instruction, given, output = family(writer)
    if writer.chance(0.17):
        instruction = f"{writer.write(writer.pick(_BEFORE))} {instruction}"
    elif writer.chance(0.17):
        instruction = (
            f"{instruction.rstrip(':')}{'' if instruction[-1] in '.?!:' else '.'} {writer.write(writer.pick(_AFTER))}"
        )
    return roughen(instruction, writer.rng, 0.4), given, output
