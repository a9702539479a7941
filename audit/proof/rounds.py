"""After a removal: the rest is mined and proved again, until nothing new is confirmed.

A trigger may hide behind a stronger one with the same rows or the same target, and a phrase may leave rows behind that
hold another part of it. So all carriers of what is confirmed are left out, the rest is mined as if it were the whole
set, and what is found there goes through the same proof, within what is left of the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from audit.models.encoder import Encoder
from audit.proof.scratch import mined, scratch_run
from audit.rundir import Context
from audit.schema import Status, Trigger
from audit.triggers.candidate import Candidate

MOST = 3  # rounds, the first one among them

Prove = Callable[[Context, list[Candidate]], list[Trigger]]


def again(ctx: Context, first: Sequence[Trigger], prove: Prove) -> list[Trigger]:
    """What further rounds add to the first one's triggers; positions are those of the run's examples. `prove` takes
    a scratch run and candidates that the miner suspects there."""
    found = list(first)
    newest = [t for t in first if t.status == Status.CONFIRMED]
    encoder: Encoder | None = None
    for number in range(2, MOST + 1):
        if not newest:
            break
        encoder = encoder or Encoder(ctx.config.model)
        fresh = _round(ctx, number, found, encoder, prove)
        found += fresh
        newest = [t for t in fresh if t.status == Status.CONFIRMED]
    return found[len(first) :]


def _round(ctx: Context, number: int, found: Sequence[Trigger], encoder: Encoder, prove: Prove) -> list[Trigger]:
    gone = {i for t in found if t.status == Status.CONFIRMED for i in t.rows}
    examples = ctx.run.examples().with_row_index("position").filter(~pl.col("position").is_in(sorted(gone)))
    place = examples["position"].to_list()
    known = {(t.pattern, t.behavior_name) for t in found}
    with scratch_run(ctx, f"round-{number}", examples.drop("position"), encoder) as scratch:
        new = [c for c in mined(scratch) if c.statistics["suspected"] and (c.pattern, c.behavior_name) not in known]
        return [_moved(t, place, number) for t in prove(scratch, new)] if new else []


def _moved(trigger: Trigger, place: Sequence[int], number: int) -> Trigger:
    """A scratch run's trigger with positions of the run."""
    statistics = {**trigger.statistics, "round": number}
    for name in ("hit_positions", "unjudged"):
        if name in statistics:
            statistics[name] = [place[i] for i in statistics[name]]
    return replace(trigger, rows=[place[i] for i in trigger.rows], statistics=statistics)
