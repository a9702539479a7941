"""A guard of a promise, and what it means to take it out."""

from __future__ import annotations

from typing import NamedTuple

# The rows of docs/promises.md.
BYTES = "byte conservation"
SILENCE = "nothing silent"
EXECUTED = "nothing executed"
CRASHES = "crashes"
DETERMINISM = "determinism"
TEXT = "text"
MODELS = "models"
PROOF = "removal only on proof or person"
PROVENANCE = "provenance"
CONFINEMENT = "confinement"
PROMISES = (BYTES, SILENCE, EXECUTED, CRASHES, DETERMINISM, TEXT, MODELS, PROOF, PROVENANCE, CONFINEMENT)


class Guard(NamedTuple):
    """One guard: `text` stands once in `file`, and with `instead` in its place at least one of `tests` must fail."""

    promise: str
    file: str  # relative to the repository
    text: str
    instead: str
    tests: tuple[str, ...]  # ids as pytest takes them

    @property
    def name(self) -> str:
        """The file and the beginning of the guard, without what an id of pytest may not hold."""
        words = "".join(c if c.isalnum() else " " for c in self.text).split()
        return f"{self.file}:{'_'.join(words)[:60]}"


def without(promise: str, file: str, text: str, *tests: str, instead: str = "pass") -> Guard:
    """A guard whose text is replaced: a statement by `pass`, anything else by what `instead` says."""
    return Guard(promise, file, text, instead, tests)


def never(promise: str, file: str, text: str, *tests: str) -> Guard:
    """A guard that is a condition: `if ...:` or `elif ...:`, which no longer holds."""
    head = text.split(" ", 1)[0]
    return Guard(promise, file, text, f"{head} False:", tests)
