"""What becomes of each row once people have decided: verdicts, triggers and merged decisions -> one outcome a row.

Laws: every row has exactly one outcome; unreadable rows stay unreadable. A row's own decision outranks those about its
triggers, and these outrank the scan's verdict. Of several triggers on one row reject beats strip beats legitimate. A
trigger that nobody decided keeps what the scan says of it: a confirmed one still removes the rows that it claims, any
other still holds them back, whatever is decided about a second trigger of the same row. A row in the re-label queue is
held, whatever becomes of undecided rows.

Source: the contract of decisions.jsonl, docs/decisions.md.
Misses: whether an edit can be made, such as a swap in a dataset without two sides; that is known when it is tried
(`audit.remedies.edits`), and a row that cannot be edited is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import polars as pl

from audit.remedies.decisions import ACCEPT, EDIT, LEGITIMATE, QUEUE, REJECT, ROW, STRIP, SWAP, TRIGGER, Decision
from audit.schema import Status, Trigger, Verdict

Merged = Mapping[tuple[str, str], Decision]
Undecided = Literal["hold", "keep"]


class Outcome(StrEnum):
    """What becomes of a row. EDIT rows are kept, changed."""

    KEEP = "keep"
    EDIT = "edit"
    REMOVE = "remove"
    HOLD = "hold"
    UNREADABLE = "unreadable"


# One row a row of verdicts.parquet, in its order.
RESOLVED: dict[str, Any] = {
    "row": pl.Int64,
    "outcome": pl.String,
    "fix": pl.String,  # of EDIT: relabel | swap | strip | edit; else null
    "new_value": pl.String,
    "field": pl.String,  # what the fix changes: prompt | response | rejected | label; null for swap, or where unknown
    "rule": pl.List(pl.String),  # trigger ids, else codes of checks: what the outcome goes by
    "decision": pl.String,  # null, as the next three, where the scan decided
    "reviewer": pl.String,
    "why": pl.String,
    "decided_at": pl.String,
}
_BY_VERDICT = {Verdict.KEEP: Outcome.KEEP, Verdict.REMOVE: Outcome.REMOVE, Verdict.UNREADABLE: Outcome.UNREADABLE}
_STRENGTH = (LEGITIMATE, STRIP, REJECT)


def resolve(
    verdicts: pl.DataFrame, triggers: Sequence[Trigger], merged: Merged, undecided: Undecided = "hold"
) -> pl.DataFrame:
    """RESOLVED for `verdicts` (schema.VERDICTS). `triggers` claim rows; `merged` is the first result of
    `decisions.merge`; `undecided` says what becomes of review rows that nobody decided."""
    rows = {d.key: d for (subject, _), d in merged.items() if subject == ROW}
    claims = _Claims(triggers, {d.key: d for (subject, _), d in merged.items() if subject == TRIGGER})
    touched = pl.col("content_hash").is_in(list(rows)) | pl.col("row").is_in(sorted(claims.decided))
    readable = pl.col("verdict") != Verdict.UNREADABLE
    decided = [
        {"row": record["row"], **made}
        for record in verdicts.filter(touched & readable).iter_rows(named=True)
        if (made := _one(record, rows.get(record["content_hash"]), claims, undecided)) is not None
    ]
    base = _by_verdict(verdicts, undecided)
    if not decided:
        return base
    patch = pl.DataFrame(decided, schema=RESOLVED)
    order = verdicts.select("row")
    both = pl.concat([base.filter(~pl.col("row").is_in(patch["row"].implode())), patch])
    return order.join(both, on="row", how="left", maintain_order="left")


@dataclass(slots=True)
class _Claims:
    """Which decided triggers speak of a row. Of a rejected trigger only the rows that it claims are gone; one that is
    stripped or legitimate speaks of its rows that could not be judged too."""

    triggers: Sequence[Trigger]
    decisions: Mapping[str, Decision]
    decided: dict[int, list[Decision]] = field(default_factory=dict)  # row -> decisions, by trigger id
    confirmed: dict[str, set[int]] = field(default_factory=dict)  # id of an undecided one -> rows it removes

    def __post_init__(self) -> None:
        for trigger in sorted(self.triggers, key=lambda t: t.id):
            decision = self.decisions.get(trigger.id)
            if decision is None:
                if trigger.status == Status.CONFIRMED:
                    self.confirmed.setdefault(trigger.id, set()).update(trigger.rows)
                continue
            for row in _spoken_of(trigger, decision):
                said = self.decided.setdefault(row, [])
                if decision not in said:
                    said.append(decision)


def _spoken_of(trigger: Trigger, decision: Decision) -> Iterator[int]:
    yield from trigger.rows
    if decision.decision != REJECT:
        yield from trigger.statistics.get("unjudged", ())


def _by_verdict(verdicts: pl.DataFrame, undecided: Undecided) -> pl.DataFrame:
    """RESOLVED as the scan has it."""
    outcomes = {str(k): str(v) for k, v in _BY_VERDICT.items()}
    outcomes[Verdict.REVIEW] = str(Outcome.HOLD if undecided == "hold" else Outcome.KEEP)
    named = pl.col("trigger_ids").fill_null([])
    rule = pl.when(named.list.len() > 0).then(named).otherwise(pl.col("codes").fill_null([]))
    known = {
        "row": pl.col("row"),
        "outcome": pl.col("verdict").replace_strict(outcomes, return_dtype=pl.String),
        "rule": rule,
    }
    return verdicts.select(
        known.get(name, pl.lit(None, dtype)).alias(name).cast(dtype) for name, dtype in RESOLVED.items()
    )


def _one(
    record: Mapping[str, Any], own: Decision | None, claims: _Claims, undecided: Undecided
) -> dict[str, Any] | None:
    """RESOLVED without its row for one readable row; None where the verdict stands."""
    if own is not None and (made := _by_row(record, own)) is not None:
        return made
    said = claims.decided.get(record["row"], [])
    if not said:
        return None
    strongest = max(said, key=lambda d: _STRENGTH.index(d.decision)).decision
    winners = [d for d in said if d.decision == strongest]
    if strongest == REJECT:
        return _made(Outcome.REMOVE, [d.key for d in winners], winners)
    open_ = [i for i in record["trigger_ids"] or [] if i not in claims.decisions]
    removing = [i for i in open_ if record["row"] in claims.confirmed.get(i, ())]
    if removing:
        return _made(Outcome.REMOVE, removing, [])
    if open_ and undecided == "hold":
        return _made(Outcome.HOLD, open_, [])
    if strongest == STRIP:
        return _made(Outcome.EDIT, [d.key for d in winners], winners, fix="strip", field="prompt")
    return _made(Outcome.KEEP, [d.key for d in winners], winners)


def _by_row(record: Mapping[str, Any], own: Decision) -> dict[str, Any] | None:
    """None for a fix where the scan proposes none: rows of equal content share a decision, and only some of them may
    have a fix (the copies of a row, not the row)."""
    rule = list(record["trigger_ids"] or record["codes"] or [])
    if own.decision == ACCEPT:
        return _made(Outcome.KEEP, rule, [own])
    if own.decision == REJECT:
        return _made(Outcome.REMOVE, rule, [own])
    if own.decision == EDIT:
        return _made(Outcome.EDIT, rule, [own], fix="edit", new_value=own.value, field=own.field)
    if own.decision == SWAP:
        return _made(Outcome.EDIT, rule, [own], fix="swap")
    if own.decision == QUEUE:
        return _made(Outcome.HOLD, rule, [own])
    return _fixed(record, rule, own) if record["fix"] is not None else None


def _fixed(record: Mapping[str, Any], rule: list[str], own: Decision) -> dict[str, Any]:
    fix = record["fix"]
    if fix == "drop":
        return _made(Outcome.REMOVE, rule, [own])
    where = {"relabel": "label", "strip": "prompt"}.get(fix)  # the fix edit of a verdict does not say where
    return _made(Outcome.EDIT, rule, [own], fix=fix, new_value=record["new_value"], field=where)


def _made(outcome: Outcome, rule: list[str], by: Sequence[Decision], **fix: str | None) -> dict[str, Any]:
    """`by` are the decisions that made it so, none for the scan; the latest of them is named."""
    last = max(by, key=lambda d: (d.decided_at, d.reviewer, d.key), default=None)
    return {
        "outcome": str(outcome),
        "fix": fix.get("fix"),
        "new_value": fix.get("new_value"),
        "field": fix.get("field"),
        "rule": rule,
        "decision": last.decision if last else None,
        "reviewer": last.reviewer if last else None,
        "why": last.why if last else None,
        "decided_at": last.decided_at if last else None,
    }
