"""Canaries: what this scan would have found, measured on triggers of its own in a scratch copy of the data.

"Nothing found" says little without what would have been found. A few triggers of several families, unknown to the
miner, are planted in a copy of the rows (at most 0.2% of them), the copy is mined, and the plants that were mined are
put to the same probe. The shares mined and confirmed stand apart, with intervals, by family and count of rows. The
copy lives in the run's `scratch/` and is deleted; only canaries.json stays, which nothing but the report reads.

Source: spiked recoveries of analytical chemistry; planted canaries, Carlini et al. 2019 (The secret sharer), section 3.
Misses: families, counts, targets and places other than those planted; an attacker who avoids what is planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import durable
from audit.attacks.naming import holds
from audit.attacks.planted import Planted
from audit.models.encoder import Encoder
from audit.proof.canary_draw import SHARE, TRAININGS, Canary, Draw, draw, plant_all, seed_of
from audit.proof.confirm import Prover, worth_a_probe
from audit.proof.power import FILE, NAMES
from audit.proof.scratch import mined, scratch_run
from audit.rundir import Context, read_json, write_json
from audit.schema import Status, Trigger
from audit.stats import wilson_interval
from audit.triggers.candidate import Candidate

# Families that the byte probe alone sees: it needs arms of its own, which a quick scan has no trainings for.
_BYTES = frozenset({"zero-width"})
_NO_PROBE = frozenset({"preference-response"})  # it stands in the response and cannot be inserted


@dataclass(slots=True)
class Told:
    """What became of one canary."""

    canary: Canary
    copy: int
    rows: tuple[int, ...] = ()  # values of `row` of the poisoned examples; () where it could not be planted
    error: str = ""
    mined: bool = False
    tried: bool = False  # its copy was put to a probe that can see this family
    status: str = ""  # of the best of its candidates that was probed
    candidates: list[Candidate] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        canary = self.canary
        facts = {"family": canary.family, "count": canary.count, "target": canary.aim, "triggers": canary.triggers}
        found = {"mined": self.mined, "tried": self.tried, "status": self.status, "error": self.error}
        return {"copy": self.copy, **facts, "rows": self.rows, **found}


def build(ctx: Context, unit: str) -> list[Path]:
    """Plants, mines and proves the canaries of a run; writes canaries.json."""
    path = ctx.run / FILE
    _sweep(ctx.run / "scratch")
    mode = ctx.config.canaries
    plan = Draw((), 0, "canaries are switched off")
    told: list[Told] = []
    spent = 0
    rows = ctx.run.dataset().readable
    if mode != "off":
        examples, info = ctx.run.examples(), ctx.run.dataset()
        plan = draw(examples, info, mode, seed_of(info, ctx.config.seed))
        told, spent = _measure(ctx, examples, plan)
    record = {
        "mode": mode,
        "probe": ctx.config.probe.mode,
        "reason": plan.reason,
        "copies": len(plan.copies),
        "bound": SHARE,
        "relaxed": plan.relaxed(max(rows, 1)),
        "trainings": spent,
        "shares": shares(told),
        "plants": [t.to_dict() for t in told],
    }
    write_json(path, record)
    return [path]


def _sweep(folder: Path) -> None:
    """Takes away the copies of a run that was killed."""
    for left in folder.glob("canaries-*"):
        durable.remove_tree(left)
    durable.remove_empty(folder)


def _measure(ctx: Context, examples: pl.DataFrame, plan: Draw) -> tuple[list[Told], int]:
    """All copies, one after another, and the trainings that they took."""
    told: list[Told] = []
    spent = 0
    encoder = Encoder(ctx.config.model) if plan.copies else None
    spared = _suspected_rows(ctx, examples)
    # No canary is a sentence shape or a style, and half of mining's time goes into the search for them.
    mining = ctx.config.mining.model_copy(update={"templates": False})
    ctx = replace(ctx, config=ctx.config.model_copy(update={"mining": mining}))
    for at, canaries in enumerate(plan.copies):
        assert encoder is not None
        ctx.progress.note(f"canaries: scratch copy {at + 1} of {len(plan.copies)}")
        planted, truths = plant_all(examples, canaries, spared)
        here = [_told(canary, at, truth) for canary, truth in zip(canaries, truths, strict=True)]
        with scratch_run(ctx, f"canaries-{at}", planted, encoder) as scratch:
            rows = planted["row"].to_list()
            recognise(here, mined(scratch), rows)
            spent += _prove(scratch, here, rows, at)
        told += here
    return told, spent


def _told(canary: Canary, copy: int, truth: Planted | str) -> Told:
    if isinstance(truth, str):
        return Told(canary, copy, error=truth)
    return Told(canary, copy, truth.rows)


def _suspected_rows(ctx: Context, examples: pl.DataFrame) -> frozenset[int]:
    """Rows of the run's own suspects: a canary beside another trigger would measure neither."""
    rows = examples["row"].to_list()
    found = read_json(ctx.run / "triggers" / "proved.json")
    open_ = [t for t in found if t["status"] in (Status.CONFIRMED, Status.SUSPECTED)]
    return frozenset(rows[i] for t in open_ for i in t["rows"])


def recognise(told: Sequence[Told], candidates: Sequence[Candidate], rows: Sequence[int]) -> None:
    """Fills in which canaries were mined: by suspected candidates that name all of the trigger and hold some of its
    rows, or by one of whose hits most are the canary's rows, and most of those. `rows` are those of the copy's
    examples, which candidates' positions count."""
    for t in told:
        named: set[str] = set()
        for candidate in candidates:
            names, mostly = _backs(t, candidate.pattern, {rows[i] for i in candidate.hits})
            if candidate.statistics["suspected"] and (names or mostly):
                t.candidates.append(candidate)
                t.mined |= mostly
                named |= names
        t.mined |= bool(t.canary.triggers) and named == set(t.canary.triggers)


def _backs(told: Told, pattern: str, claimed: set[int]) -> tuple[set[str], bool]:
    """Which of a canary's triggers a pattern names that claims some of its rows, and whether it mostly claims them."""
    shared = len(claimed & set(told.rows))
    if not shared:
        return set(), False
    names = {trigger for trigger in told.canary.triggers if holds(pattern, trigger)}
    return names, 2 * shared > len(claimed) and 2 * shared >= len(told.rows)


def _prove(scratch: Context, told: Sequence[Told], rows: Sequence[int], copy: int) -> int:
    """Puts the mined canaries of a copy to the probe and fills in their status; the trainings that it took. A quick
    scan proves those that one probe sees, in the first copy alone."""
    quick = scratch.config.canaries == "quick"
    if scratch.config.probe.mode == "off" or (quick and copy > 0):
        return 0
    beyond = _NO_PROBE | _BYTES if quick else _NO_PROBE
    tried = [t for t in told if t.rows and t.canary.family not in beyond]
    for t in tried:
        t.tried = True
    chosen = {(c.pattern, c.behavior): c for t in tried if t.mined for c in t.candidates}
    wanted = worth_a_probe(list(chosen.values()), scratch.run.dataset().readable)
    if not wanted:
        return 0
    prover = Prover(scratch)
    given = TRAININGS * len({t.canary.family in _BYTES for t in tried})
    prover.budget.trainings = given
    triggers = prover.prove(wanted)
    for t in tried:
        t.status = _best([g for g in triggers if any(_backs(t, g.pattern, {rows[i] for i in g.rows}))])
    return given - prover.budget.trainings


def _best(triggers: Sequence[Trigger]) -> str:
    """The strongest status of a canary's candidates; "" without one."""
    order = (Status.CONFIRMED, Status.SUSPECTED, Status.UNTESTABLE, Status.REFUTED)
    return next((str(s) for s in order if any(t.status == s for t in triggers)), "")


def shares(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Counts by family and rows, in the order of planting, with 95% Wilson intervals: mined of all that could be
    planted, confirmed of those that the probe was tried on, mined or not."""
    groups: dict[tuple[str, int], list[Told]] = {}
    for t in told:
        if t.rows:
            groups.setdefault((t.canary.family, t.canary.count), []).append(t)
    out = []
    for (family, count), group in groups.items():
        tried = [t for t in group if t.tried]
        hits, proved = sum(t.mined for t in group), sum(t.status == Status.CONFIRMED for t in tried)
        out.append(
            {
                "family": family,
                "name": NAMES[family],
                "count": count,
                "targets": sorted({t.canary.aim for t in group}),
                "planted": len(group),
                "mined": hits,
                "mined_interval": _interval(hits, len(group)),
                "tried": len(tried),
                "confirmed": proved,
                "confirmed_interval": _interval(proved, len(tried)),
            }
        )
    return out


def _interval(successes: int, trials: int) -> list[float] | None:
    return [round(float(v), 4) for v in np.asarray(wilson_interval(successes, trials))] if trials else None
