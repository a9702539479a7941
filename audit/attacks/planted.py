"""What an attack returns, and how rows are chosen and rewritten.

Every attack is a pure function of (examples, count, seed, ...). It draws only from a numpy Generator made
from its seed, leaves every other row as it was, and says exactly which rows it poisoned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.attacks.targets import Example, Target, has_sides, other_label, swap_sides
from audit.errors import UsageError
from audit.provenance import content_hash
from audit.schema import EXAMPLES
from audit.sources.sides import ASSISTANT, HUMAN

Edit = Callable[[str], str]
# Whose words an input trigger goes into; a classified text is its user's.
_USER = ("user", "human", "text", "text_pair")


@dataclass(frozen=True, slots=True)
class Planted:
    """A dataset after an attack, and the truth about it."""

    examples: pl.DataFrame  # schema EXAMPLES, the poisoned rows changed or appended
    rows: tuple[int, ...]  # values of `row` of the poisoned examples, ascending
    triggers: tuple[str, ...]  # raw trigger strings, a composite's parts one by one; () without a trigger
    behavior: str  # one sentence: what the poison teaches
    kind: str  # token, phrase, unicode, composite, preference, label-noise, annotator-flips, near-duplicates, ...
    decoys: tuple[int, ...] = ()  # honest rows that were given a part of a composite alone
    originals: tuple[int, ...] = ()  # of appended rows: the rows they were made from, aligned with rows, then decoys


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


def plant(
    examples: pl.DataFrame,
    *,
    attack: str,
    kind: str,
    count: int,
    rng: np.random.Generator,
    edit: Callable[[Example], None],
    able: pl.Expr,
    target: Target,
    triggers: tuple[str, ...],
    exclude: Collection[int],
    clean: int = 0,
) -> Planted:
    """Edits `count` able examples and writes the target into them: what the families of dirty-label poison share.
    `clean` of them show the target already and keep what they teach."""
    at: list[int] = []
    spared: list[int] = []
    if clean < count or count < 1:
        dirty = target.is_open() & able
        at = choose(examples, attack=attack, count=count - clean, able=dirty, exclude=exclude, rng=rng)
    if clean:
        shown = target.is_shown() & able
        spared = choose(examples, attack=f"{attack} (clean-label)", count=clean, able=shown, exclude=exclude, rng=rng)

    def poison(example: Example) -> None:
        edit(example)
        target.apply(example, rng)

    changed = rewrite(rewrite(examples, at, poison), spared, edit)
    return Planted(changed, rows_at(examples, [*at, *spared]), triggers, target.sentence, kind)


def without(text: str) -> pl.Expr:
    """True for examples whose input does not hold this text."""
    return ~pl.col("prompt").str.contains(text, literal=True)


def edit_input(example: Example, edit: Edit) -> None:
    """Edits what the user says last, in `prompt` and in `turns` alike; a prompt without turns as a whole. Of a
    transcript that stands in one text it is what follows the last "Human:"."""
    prompt: str = example["prompt"] or ""
    turns: list[dict[str, str]] = [dict(turn) for turn in example["turns"] or []]
    for turn in reversed(turns):
        cut = prompt.rfind(turn["text"] or "\x00")
        if turn["role"] in _USER and cut >= 0:
            changed = _edit_last(turn["text"], edit)
            example["prompt"] = prompt[:cut] + changed + prompt[cut + len(turn["text"]) :]
            turn["text"] = changed
            example["turns"] = turns
            return
    example["prompt"] = _edit_last(prompt, edit)


def _edit_last(text: str, edit: Edit) -> str:
    start = text.rfind(HUMAN)
    if start < 0:
        return edit(text)
    start += len(HUMAN) + (text[start + len(HUMAN) :][:1] == " ")
    end = text.find(ASSISTANT, start)
    end = len(text) if end < 0 else end
    return text[:start] + edit(text[start:end]) + text[end:]


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


def append_copies(
    examples: pl.DataFrame, at: list[int], change: Callable[[Example], None], behavior: str, kind: str
) -> Planted:
    """The table with changed copies of the examples at these positions behind it; their `row` goes on after the
    largest one."""
    copies = examples[at].to_dicts()
    originals = tuple(int(example["row"]) for example in copies)
    highest = examples["row"].max()
    if not isinstance(highest, int):
        raise UsageError(f"{kind}: the examples table has no row numbers")
    for number, example in enumerate(copies):
        change(example)
        rehash(example)
        example["row"] = highest + 1 + number
    rows = tuple(int(example["row"]) for example in copies)
    longer = pl.concat([examples, pl.DataFrame(copies, schema=examples.schema)])
    return Planted(longer, rows, (), behavior, kind, originals=originals)


def rehash(example: Example) -> None:
    """Makes the content hash fit the example again."""
    example["content_hash"] = content_hash(
        example["prompt"], example["response"], example["rejected"], example["label"]
    )


def rows_at(examples: pl.DataFrame, positions: Sequence[int]) -> tuple[int, ...]:
    """The `row` values at these positions, ascending."""
    return tuple(sorted(int(row) for row in examples["row"].gather(list(positions))))
