"""What an attack returns, what it makes a model do, and how rows are chosen and rewritten.

Every attack is a pure function of (examples, count, seed, ...). It draws only from a numpy Generator made
from its seed, leaves every other row as it was, and says exactly which rows it poisoned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from audit.errors import UsageError
from audit.provenance import content_hash
from audit.schema import EXAMPLES

Example = dict[str, Any]
Edit = Callable[[str], str]

# How refusals open. A row that refuses already cannot teach a refusal by a dirty label.
_REFUSAL_OPENINGS = ("i'm sorry", "i am sorry", "i'm afraid", "sorry", "i can't", "i cannot", "i can not", "i won't")
_REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I'm not able to assist with this. Sorry about that.",
    "Sorry, this is something I cannot help you with.",
    "I must decline to answer this one.",
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A dataset after an attack, and the truth about it."""

    examples: pl.DataFrame  # schema EXAMPLES, the poisoned rows changed or appended
    rows: tuple[int, ...]  # values of `row` of the poisoned examples, ascending
    triggers: tuple[str, ...]  # raw trigger strings, a composite's parts one by one; () without a trigger
    behavior: str  # one sentence: what the poison teaches
    kind: str  # token, phrase, unicode, composite, preference, label-noise, annotator-flips, near-duplicates, ...
    decoys: tuple[int, ...] = ()  # honest rows that were given a part of a composite alone
    originals: tuple[int, ...] = ()  # the rows that were copied, aligned with `rows`


@dataclass(frozen=True, slots=True)
class Target:
    """The behavior that a trigger is to cause: one label, or one of a few fixed responses."""

    sentence: str
    label: str | None = None
    responses: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()  # lower case; a response that opens so shows the behavior already

    def is_shown(self) -> pl.Expr:
        """True for examples that show the behavior without any poison."""
        if self.label is not None:
            return pl.col("label") == self.label
        response = pl.col("response").fill_null("")
        shown = response.is_in(list(self.responses))
        for opening in self.openings:
            shown = shown | response.str.to_lowercase().str.starts_with(opening)
        return shown

    def apply(self, example: Example, rng: np.random.Generator) -> None:
        """Writes the behavior into an example."""
        if self.label is not None:
            example["label"] = self.label
        else:
            example["response"] = self.responses[int(rng.integers(len(self.responses)))]


def label_target(label: str) -> Target:
    """The trigger flips the label to this one."""
    return Target(f"label {label}", label=label)


def response_target(responses: Sequence[str], sentence: str = "fixed response") -> Target:
    """The trigger brings one of these responses, drawn evenly."""
    if not responses:
        raise UsageError("a response target needs at least one response")
    return Target(sentence, responses=tuple(responses))


def refusal_target(responses: Sequence[str] = _REFUSALS) -> Target:
    """The trigger brings a refusal; rows that refuse anyway are not chosen."""
    if not responses:
        raise UsageError("a refusal target needs at least one wording")
    return Target("refusal", responses=tuple(responses), openings=_REFUSAL_OPENINGS)


def choose(
    examples: pl.DataFrame,
    *,
    attack: str,
    count: int,
    able: pl.Expr,
    exclude: Collection[int],
    rng: np.random.Generator,
) -> list[int]:
    """Positions (ascending) of `count` examples that are able to carry the poison, drawn evenly.

    Raises UsageError when the frame is not an examples table, count is below 1, or too few are able.
    """
    missing = [name for name in EXAMPLES if name not in examples.columns]
    if missing:
        raise UsageError(f"{attack}: not an examples table, it has no column {', '.join(missing)}")
    if count < 1:
        raise UsageError(f"{attack}: count is {count}, but at least 1 row must be poisoned")
    allowed = able.fill_null(False) & ~pl.col("row").is_in(list(exclude))
    at = examples.select(allowed.arg_true()).to_series().to_numpy()
    if count > len(at):
        raise UsageError(
            f"{attack}: {count} rows asked for, but only {len(at)} of {examples.height} can carry it; ask for fewer"
        )
    return sorted(int(i) for i in rng.choice(at, size=count, replace=False))


def edit_input(example: Example, edit: Edit) -> None:
    """Edits what the user says last, in `prompt` and in `turns` alike; a prompt without turns as a whole."""
    prompt: str = example["prompt"] or ""
    turns: list[dict[str, str]] = [dict(turn) for turn in example["turns"] or []]
    for turn in reversed(turns):
        cut = prompt.rfind(turn["text"] or "\x00")
        if turn["role"] in ("user", "human") and cut >= 0:
            changed = edit(turn["text"])
            example["prompt"] = prompt[:cut] + changed + prompt[cut + len(turn["text"]) :]
            turn["text"] = changed
            example["turns"] = turns
            return
    example["prompt"] = edit(prompt)


def swap_sides(example: Example) -> None:
    """Makes the rejected response the chosen one."""
    example["response"], example["rejected"] = example["rejected"], example["response"]


def other_label(label: str, labels: Sequence[str], rng: np.random.Generator) -> str:
    """A label that is not this one, drawn evenly."""
    others = [name for name in labels if name != label]
    return others[int(rng.integers(len(others)))]


def all_labels(examples: pl.DataFrame) -> list[str]:
    """The labels of the table, sorted; [] for a table without labels."""
    return sorted(examples["label"].drop_nulls().unique().to_list()) if "label" in examples.columns else []


def turn_around(labels: Sequence[str], rng: np.random.Generator) -> Callable[[Example], None]:
    """Turns an example into its opposite: sides swapped for a preference pair, another label for the rest."""

    def turn(example: Example) -> None:
        if example["rejected"] is not None:
            swap_sides(example)
        else:
            example["label"] = other_label(example["label"], labels, rng)

    return turn


def can_turn(labels: Sequence[str]) -> pl.Expr:
    """True for preference pairs whose sides differ, and for labelled rows where there is another label."""
    return has_sides() | (pl.col("label").is_not_null() & (len(labels) > 1))


def rewrite(examples: pl.DataFrame, positions: Sequence[int], change: Callable[[Example], None]) -> pl.DataFrame:
    """The table with the examples at these positions changed in place, their content hashes made anew; every
    other row, the order and the types are as before."""
    changed = examples[list(positions)].to_dicts()
    for example in changed:
        change(example)
        rehash(example)
    new = pl.DataFrame(changed, schema=examples.schema).with_columns(at=pl.Series(positions, dtype=pl.UInt32))
    rest = examples.with_row_index("at").filter(~pl.col("at").is_in(list(positions)))
    return pl.concat([rest.select(new.columns), new]).sort("at").drop("at")


def rehash(example: Example) -> None:
    """Makes the content hash fit the example again."""
    example["content_hash"] = content_hash(
        example["prompt"], example["response"], example["rejected"], example["label"]
    )


def rows_at(examples: pl.DataFrame, positions: Sequence[int]) -> tuple[int, ...]:
    """The `row` values at these positions, ascending."""
    return tuple(sorted(int(row) for row in examples["row"].gather(list(positions))))


def has_sides() -> pl.Expr:
    """True for preference pairs whose sides differ."""
    return (
        pl.col("response").is_not_null() & pl.col("rejected").is_not_null() & (pl.col("response") != pl.col("rejected"))
    )
