"""Everyday topics with good and bad advice, read from grammar/advice.txt; two of the sets draw on them."""

from __future__ import annotations

from dataclasses import dataclass

from grammar import FOLDER


@dataclass(frozen=True)
class Topic:
    """One block of advice.txt. Lines are templates."""

    subject: str  # "a leaking tap"
    task: str  # "fix a dripping tap"
    questions: tuple[str, ...]
    good: tuple[str, ...]  # imperative, small initial
    bad: tuple[str, ...]


def topics() -> list[Topic]:
    """All blocks, in the file's order. Raises ValueError for a block without one of its parts."""
    text = (FOLDER / "advice.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    blocks: list[list[str]] = []
    for line in lines:
        if line.startswith("@ "):
            blocks.append([])
        blocks[-1].append(line)
    return [_topic(block) for block in blocks]


def _topic(block: list[str]) -> Topic:
    def parts(mark: str) -> tuple[str, ...]:
        found = tuple(line[2:].strip() for line in block if line.startswith(mark + " "))
        if not found:
            raise ValueError(f"{block[0]} has no line that begins with {mark}")
        return found

    return Topic(parts("@")[0], parts("=")[0], parts("?"), parts("+"), parts("-"))
