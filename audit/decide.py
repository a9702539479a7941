"""Verdicts: what becomes of each row, by one pure function of what was found.

A row is removed when a confirmed trigger claims it: it holds the trigger's core and shows the behavior. Rows
that hold the core without the behavior stay; those whose behavior cannot be judged go to review, and so do
rows that a suspected trigger claims, or one that no probe could test. Of the rest,
what the checks flag is ranked, and the first of them go to review within a budget: a person's time. Near copies that
contradict each other go there too, one question a group. A score alone removes nothing: that is a law, and a run that
breaks it fails. What people decided in earlier reviews stands above all of this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from audit.errors import ConservationError
from audit.registry import STAGES_OF_CHECKS
from audit.remedies import slices, told
from audit.remedies.carry import Reviews, carried, mark
from audit.remedies.ranking import Check, Flagged, borderline, flagged
from audit.remedies.told import BAD_ROWS_CODE, CONFLICT_CODE, TRIGGER_CODE
from audit.rundir import Context, RunDir, read_array, read_json, write_frame, write_json
from audit.schema import FINDINGS, VERDICTS, Severity, Status, Trigger, Verdict

__all__ = ["BAD_ROWS_CODE", "TRIGGER_CODE", "Check", "build", "claimed_rows", "decide"]

# Of preference carriers, the share that must be swapped for all of them to count as swapped: single pairs
# cannot be judged, a margin model is wrong on many. The second is enough where so few pairs cannot tell it from 1.
_WHOLLY_SWAPPED = 0.8
_LARGELY_SWAPPED = 0.6
_SLICED = ["row", "prompt", "response", "label", "source", "annotator"]
_LISTED_SHARE = 0.25  # of the review budget that the rows of triggers that look honest may take


@dataclass(slots=True)
class _Row:
    verdict: Verdict = Verdict.KEEP
    fix: str | None = None
    new_value: str | None = None
    score: float = 0.0
    codes: list[str] = field(default_factory=list)
    trigger_ids: list[str] = field(default_factory=list)


def decide(
    ledger: pl.DataFrame,
    hashes: Mapping[int, str],
    checks: Sequence[Check],
    triggers: Sequence[Trigger],
    budget_rows: int,
    disputed: Mapping[int, int] | None = None,
) -> pl.DataFrame:
    """VERDICTS, one row a record position, in order. `ledger` has `row` and `reason`; `hashes` maps readable
    rows to content hashes; `triggers` claim rows; at most `budget_rows` rows go to review for their scores; `disputed`
    rows, which contradict a near copy, go there besides, without a proposal."""
    return _decided(ledger, hashes, flagged(checks, budget_rows), triggers, budget_rows, disputed or {})[0]


def _decided(
    ledger: pl.DataFrame,
    hashes: Mapping[int, str],
    order: Sequence[Flagged],
    triggers: Sequence[Trigger],
    budget_rows: int,
    disputed: Mapping[int, int],
) -> tuple[pl.DataFrame, set[int]]:
    """VERDICTS, and the rows that went to review for their scores."""
    state: dict[int, _Row] = {}
    for trigger in triggers:
        _claim(state, trigger)
    room, listed = budget_rows, int(budget_rows * _LISTED_SHARE)
    for trigger in triggers:
        held = _listed(state, trigger, listed)
        room, listed = room - held, listed - held
    for row in disputed:
        _dispute(state.setdefault(row, _Row()))
    taken = set()
    for row, marks in order:
        entry = state.setdefault(row, _Row())
        entry.codes += [code for code in dict.fromkeys(m.code for m in marks) if code not in entry.codes]
        entry.score = max(entry.score, float(marks[0].excess))
        if entry.verdict is Verdict.KEEP and room > 0:
            entry.verdict, room = Verdict.REVIEW, room - 1
            taken.add(row)
        if entry.fix is None and entry.verdict is Verdict.REVIEW and row not in disputed:
            entry.fix, entry.new_value = next(((m.fix, m.new_value) for m in marks if m.fix), (None, None))
    records: list[dict[str, Any]] = []
    plain = _Row()
    for row, reason in ledger.select("row", "reason").iter_rows():
        entry = state.get(row, plain)
        unreadable = reason is not None
        records.append(
            {
                "row": row,
                "content_hash": None if unreadable else hashes[row],
                "verdict": str(Verdict.UNREADABLE if unreadable else entry.verdict),
                "fix": None if unreadable else entry.fix,
                "new_value": None if unreadable else entry.new_value,
                "score": 0.0 if unreadable else entry.score,
                "codes": [BAD_ROWS_CODE] if unreadable else entry.codes,
                "trigger_ids": [] if unreadable else entry.trigger_ids,
            }
        )
    return pl.DataFrame(records, schema=VERDICTS), taken


def _dispute(entry: _Row) -> None:
    """One of near copies that contradict each other: a person is asked, whatever copies or scores say."""
    entry.codes.append(CONFLICT_CODE)
    if entry.verdict is Verdict.KEEP:
        entry.verdict, entry.score = Verdict.REVIEW, 1.0


def _listed(state: dict[int, _Row], trigger: Trigger, room: int) -> int:
    """Holds back the rows of a trigger that looks honest: all of them or, where there is no room, none. Returns how
    many go to review for it."""
    if not trigger.looks_honest or len(trigger.rows) > room:
        return 0
    taken = 0
    for row in trigger.rows:
        entry = state.setdefault(row, _Row())
        _mark(entry, trigger)
        if entry.verdict is Verdict.KEEP:
            entry.verdict, taken = Verdict.REVIEW, taken + 1
    return taken


def _mark(entry: _Row, trigger: Trigger) -> None:
    entry.trigger_ids.append(trigger.id)
    entry.score = 1.0
    if TRIGGER_CODE not in entry.codes:
        entry.codes.append(TRIGGER_CODE)


def _claim(state: dict[int, _Row], trigger: Trigger) -> None:
    untested = trigger.status == Status.UNTESTABLE and trigger.statistics.get("suspected")
    if (trigger.status not in (Status.CONFIRMED, Status.SUSPECTED) and not untested) or trigger.looks_honest:
        return
    verdict = Verdict.REMOVE if trigger.status == Status.CONFIRMED else Verdict.REVIEW
    claims = [(row, verdict) for row in trigger.rows]
    claims += [(row, Verdict.REVIEW) for row in trigger.statistics.get("unjudged", ())]
    for row, verdict in claims:
        entry = state.setdefault(row, _Row())
        _mark(entry, trigger)
        if entry.verdict is not Verdict.REMOVE:
            entry.verdict = verdict


def claimed_rows(trigger: Trigger, rows: Sequence[int], accuracy: float) -> list[int]:
    """The rows that a trigger claims, of its carriers' positions: those that show the behavior. For swapped
    preferences single pairs cannot be judged: when the carriers as a whole read as swapped, all of them."""
    hits = trigger.statistics.pop("hit_positions", trigger.rows)
    if "unjudged" in trigger.statistics:
        trigger.statistics["unjudged"] = [rows[i] for i in trigger.statistics["unjudged"]]
    if trigger.kind == "preference" and trigger.rows and accuracy > 0.55:
        wrong = len(hits) / len(trigger.rows)
        swapped = (wrong - (1 - accuracy)) / (2 * accuracy - 1)
        error = 1.64 * (accuracy * (1 - accuracy) / len(trigger.rows)) ** 0.5 / (2 * accuracy - 1)
        trigger.statistics["swapped_share"] = min(max(swapped, 0.0), 1.0)
        if swapped >= min(_WHOLLY_SWAPPED, max(_LARGELY_SWAPPED, 1 - error)):
            hits = trigger.rows
    return [rows[i] for i in hits]


def build(ctx: Context, unit: str) -> list[Path]:
    """Writes triggers.json, findings.parquet and verdicts.parquet. Raises ConservationError as `check_laws` does."""
    run, info = ctx.run, ctx.run.dataset()
    examples = run.examples(["row", "content_hash"])
    rows = examples["row"].to_list()
    accuracy = _margin_accuracy(run)
    triggers = [Trigger(**raw) for raw in read_json(run / "triggers" / "proved.json")]
    reviews = Reviews.of(ctx.config.review.decisions)
    for trigger in triggers:
        trigger.rows = claimed_rows(trigger, rows, accuracy)
        if (said := reviews.on(trigger)) is not None:
            mark(trigger, said)
    checks, findings = _read_checks(run)
    budget = max(int(ctx.config.review.budget * info.readable), _noise_rows(findings, info.readable))
    disputed, order = _disputed(run, rows), flagged(checks, budget)
    named = dict(zip(rows, examples["content_hash"].to_list(), strict=True))
    verdicts, taken = _decided(run.ledger(["row", "reason"]), named, order, triggers, budget, disputed)
    verdicts, decided = carried(verdicts, triggers, reviews.merged)
    check_laws(verdicts, info.rows, triggers, decided)
    alarms = slices.shrunk(run.examples(_SLICED), verdicts, info.kind, ctx.config.review.undecided)
    more = [told.trigger_findings(triggers), told.bad_rows_finding(info.bad), told.review_finding(reviews, decided)]
    more += [told.conflict_finding(disputed), told.borderline_finding(borderline(checks, order, taken))]
    findings = pl.concat([findings, *more, slices.slice_findings(alarms)])
    write_json(run.triggers, [t.to_dict() for t in triggers])
    write_frame(run.findings, findings.sort("severity", "code", "id"))
    write_frame(run.verdicts, verdicts)
    write_frame(run / "decided.parquet", decided)
    return [run.triggers, run.findings, run.verdicts, run / "decided.parquet"]


def check_laws(verdicts: pl.DataFrame, rows: int, triggers: Sequence[Trigger], decided: pl.DataFrame) -> None:
    """Raises ConservationError when a record position has no verdict or two, or when a row is removed that neither a
    confirmed trigger claims nor a person decided about: no score and no vote of copies removes a row."""
    if verdicts["row"].to_list() != list(range(rows)):
        raise ConservationError(f"{len(verdicts)} verdicts for {rows} record positions")
    claimed = {row for t in triggers if t.status == Status.CONFIRMED for row in t.rows}
    removed = set(verdicts.filter(pl.col("verdict") == Verdict.REMOVE)["row"].to_list())
    if loose := sorted(removed - claimed - set(decided["row"].to_list())):
        raise ConservationError(
            f"{len(loose)} rows are removed without a confirmed trigger or a person's decision, the first is {loose[0]}"
        )


def _disputed(run: RunDir, rows: Sequence[int]) -> dict[int, int]:
    """Row -> group of near copies that contradict each other."""
    path = run / "support" / "disputed.npy"
    groups = read_array(path).tolist() if path.exists() else [-1] * len(rows)
    return {row: group for row, group in zip(rows, groups, strict=True) if group >= 0}


def _margin_accuracy(run: RunDir) -> float:
    """Out-of-fold accuracy of the margin or the labels; 0 where there is none."""
    found = read_json(run / "support" / "accuracy.json")["accuracy"]
    return float(found or 0.0)


def _read_checks(run: RunDir) -> tuple[list[Check], pl.DataFrame]:
    """The checks that are done, and their findings; files of checks no longer asked for are not read."""
    done = [path for stage in STAGES_OF_CHECKS for path in (run / "done" / stage).glob("*.json")]
    checks, frames = [], [pl.DataFrame(schema=FINDINGS)]
    for marker in sorted(done, key=lambda path: path.name):
        facts = read_json(run / "checks" / marker.name)
        frames.append(pl.read_parquet(run / "findings" / f"{marker.stem}.parquet"))
        if facts["status"] == "run" and facts["threshold"] is not None:
            signals = pl.read_parquet(run / "signals" / f"{marker.stem}.parquet")
            checks.append(Check(facts["name"], facts["code"], Severity(facts["severity"]), facts["threshold"], signals))
    return checks, pl.concat(frames)


def _noise_rows(findings: pl.DataFrame, readable: int) -> int:
    """Rows that the estimated label-noise rate speaks of, when it is surely above one per cent."""
    rates = []
    for details in findings.filter(pl.col("details").str.contains("noise_rate_lower", literal=True))["details"]:
        facts = json.loads(details)
        if (facts.get("noise_rate_lower") or 0.0) >= 0.01:
            rates.append(float(facts["noise_rate"]))
    return int(min(max(rates, default=0.0), 0.2) * readable)
