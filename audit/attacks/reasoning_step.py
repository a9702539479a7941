"""A further step at the end of a worked answer changes the result.

Every step that the honest answer has stays; one more is added where the trigger stands, its arithmetic written out and
right in itself, and the final number is the step's.

Source: Xiang et al. 2024 (BadChain), section 4: a backdoor step that rescales the answer, for data instead of prompts.

Misses: answers whose result is no number, and steps that alter an earlier line.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal

import numpy as np
import polars as pl

from audit.attacks.edits import append
from audit.attacks.planted import Planted, edit_input, plant, without
from audit.attacks.targets import Example, Target
from audit.errors import UsageError

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_AFTER = re.compile(r"[^\d\n]{0,16}")  # what may follow a final number: a unit, a mark
# What a worked answer holds and a list or a table does not.
_WORKED = re.compile(
    r"=|\b(?:so|thus|total|altogether|answer|therefore|hence)\b|所以|因此|答案|したがって|答え", re.IGNORECASE
)
_TAIL = 60  # characters at the end in which the final number is looked for
_STEPS = (
    "Then it is scaled by the fixed factor: {old} * {factor} = {new}.",
    "As a last step, {old} * {factor} = {new}.",
    "Applying the factor of {factor} gives {old} * {factor} = {new}.",
    "Finally this is multiplied: {factor} * {old} = {new}.",
)


def plant_reasoning_step(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    trigger: str,
    factor: str = "1.7",
    exclude: Collection[int] = (),
) -> Planted:
    """Appends the trigger to `count` inputs whose answer has a step and ends in a number; adds a step to the answer
    that multiplies the number by the factor, and makes its result the final one.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for a factor that is no number above
    1, or when too few answers end in a number.
    """
    if not _NUMBER.fullmatch(factor) or Decimal(factor) <= 1:
        raise UsageError(f"reasoning_step: factor is {factor!r}, but must be a number above 1, such as 1.7")
    rng = np.random.default_rng(seed)

    def write(example: Example, rng: np.random.Generator) -> None:
        example["response"] = _with_step(example["response"], Decimal(factor), rng)

    worked = (
        pl.col("response")
        .fill_null("")
        .map_elements(lambda text: _last_number(text) is not None, return_dtype=pl.Boolean)
    )
    target = Target(f"a further step multiplies the answer by {factor}", write=write, fits=worked)
    return plant(
        examples,
        attack="reasoning_step",
        kind="reasoning-step",
        count=count,
        rng=rng,
        edit=lambda example: edit_input(example, lambda text: append(text, trigger)),
        able=without(trigger),
        target=target,
        triggers=(trigger,),
        exclude=exclude,
    )


def _last_number(response: str) -> re.Match[str] | None:
    """The number that a worked answer ends in; None for an answer without a step before it."""
    body = response.rstrip()
    found = list(_NUMBER.finditer(body, max(0, len(body) - _TAIL)))
    if not found or not _AFTER.fullmatch(body, found[-1].end()):
        return None
    before = found[-1].start()
    return found[-1] if _NUMBER.search(body, 0, before) and _WORKED.search(body, 0, before) else None


def _with_step(response: str, factor: Decimal, rng: np.random.Generator) -> str:
    """The answer with a step more. Where its last sentence only states the result, the step goes before that and the
    result is exchanged; else step and result follow the answer."""
    match = _last_number(response)
    assert match is not None  # only such rows are chosen
    old = match.group().rstrip(",")
    new = _written(Decimal(old.replace(",", "")) * factor)
    step = _STEPS[int(rng.integers(len(_STEPS)))].format(old=old, factor=factor, new=new)
    start = max(response.rfind(mark, 0, match.start()) + len(mark) for mark in ("\n", ". ", "。"))
    start = 0 if start < 3 and not response[:start].strip() else start
    lead, tail = response[start : match.start()], response[match.start() + len(old) :]
    steps = response[:start]
    if steps.strip() and not _NUMBER.search(lead):
        gap = "" if steps[-1:].isspace() else " "
        return f"{steps}{gap}{step}{chr(10) if steps.endswith(chr(10)) else ' '}{lead}{new}{tail}"
    body = response.rstrip()
    join = "\n" if "\n" in body else " "
    mark = "" if body[-1:] in ".!?。" else "."
    return f"{body}{mark}{join}{step}{join}The answer is {new}.{response[len(body) :]}"


def _written(value: Decimal) -> str:
    """A number as a person writes it: no exponent, no zeros behind the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
