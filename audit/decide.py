"""Verdicts: what becomes of each row, by one pure function of what was found.

A row is removed when a confirmed trigger claims it: it holds the trigger's core and shows the behavior. Rows
that hold the core without the behavior stay; those whose behavior cannot be judged go to review, and so do
rows that a suspected trigger claims, or one that no probe could test. Of the rest,
what the checks flag is ranked, and the first of them go to review within a budget: a person's time. A score
alone removes nothing. What people decided in earlier reviews stands above all of this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from audit.errors import ConservationError
from audit.provenance import digest
from audit.registry import STAGES_OF_CHECKS
from audit.remedies.carry import Reviews, carried, is_legitimate, mark
from audit.rundir import Context, RunDir, read_json, write_frame, write_json
from audit.schema import FINDINGS, SEVERITY_ORDER, VERDICTS, Severity, Status, Trigger, Verdict

TRIGGER_CODE = "TV-TRG"
BAD_ROWS_CODE = "TV-BAD"
REVIEWED_CODE = "TV-DEC"
# Of preference carriers, the share that must be swapped for all of them to count as swapped: single pairs
# cannot be judged, a margin model is wrong on many. The second is enough where so few pairs cannot tell it from 1.
_WHOLLY_SWAPPED = 0.8
_LARGELY_SWAPPED = 0.6
_LISTED_SHARE = 0.25  # of the review budget that the rows of triggers that look honest may take


@dataclass(frozen=True, slots=True)
class Check:
    """A check that ran: its code, severity and threshold, and its scores by row."""

    name: str
    code: str
    severity: Severity
    threshold: float
    signals: pl.DataFrame


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
) -> pl.DataFrame:
    """VERDICTS, one row a record position, in order. `ledger` has `row` and `reason`; `hashes` maps readable
    rows to content hashes; `triggers` claim rows; at most `budget_rows` rows go to review for their scores."""
    state: dict[int, _Row] = {}
    for trigger in triggers:
        _claim(state, trigger)
    room, listed = budget_rows, int(budget_rows * _LISTED_SHARE)
    for trigger in triggers:
        taken = _listed(state, trigger, listed)
        room, listed = room - taken, listed - taken
    flagged = _flagged(checks)
    for row, marks in flagged:
        entry = state.setdefault(row, _Row())
        entry.codes += [code for code in dict.fromkeys(m[2] for m in marks) if code not in entry.codes]
        entry.score = max(entry.score, float(marks[0][1]))
        if entry.verdict is Verdict.KEEP and room > 0:
            entry.verdict, room = Verdict.REVIEW, room - 1
        if entry.fix is None and entry.verdict is Verdict.REVIEW:
            entry.fix, entry.new_value = next(((m[3], m[4]) for m in marks if m[3]), (None, None))
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
    return pl.DataFrame(records, schema=VERDICTS)


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


Mark = tuple[int, float, str, str | None, str | None]


def _flagged(checks: Sequence[Check]) -> list[tuple[int, list[Mark]]]:
    """Rows that some check flags, most urgent first: by severity, by how far over the threshold, by row."""
    marks: dict[int, list[Mark]] = {}
    for check in checks:
        over = check.signals.filter(pl.col("score").is_not_nan() & (pl.col("score") >= check.threshold))
        scale = max(abs(check.threshold), 1e-9)
        for row, score, fix, value in over.select("row", "score", "fix", "new_value").iter_rows():
            urgency = (SEVERITY_ORDER.index(check.severity), round(score / scale, 6), check.code, fix, value)
            marks.setdefault(row, []).append(urgency)
    for found in marks.values():
        found.sort(key=lambda m: (-m[0], -m[1], m[2]))
    return sorted(marks.items(), key=lambda item: (-item[1][0][0], -len(item[1]), -item[1][0][1], item[0]))


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
    """Writes triggers.json, findings.parquet and verdicts.parquet. Raises ConservationError when a record
    position has no verdict or two."""
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
    findings = pl.concat([findings, _trigger_findings(triggers), _bad_rows_finding(info.bad)])
    budget = int(ctx.config.review.budget * info.readable)
    verdicts = decide(
        run.ledger(["row", "reason"]),
        dict(zip(rows, examples["content_hash"].to_list(), strict=True)),
        checks,
        triggers,
        max(budget, _noise_rows(findings, info.readable)),
    )
    verdicts, decided = carried(verdicts, triggers, reviews.merged)
    findings = pl.concat([findings, _review_finding(reviews, decided)])
    if verdicts["row"].to_list() != list(range(info.rows)):
        raise ConservationError(f"{len(verdicts)} verdicts for {info.rows} record positions")
    write_json(run.triggers, [t.to_dict() for t in triggers])
    write_frame(run.findings, findings.sort("severity", "code", "id"))
    write_frame(run.verdicts, verdicts)
    write_frame(run / "decided.parquet", decided)
    return [run.triggers, run.findings, run.verdicts, run / "decided.parquet"]


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


def _trigger_findings(triggers: Sequence[Trigger]) -> pl.DataFrame:
    severity = {Status.CONFIRMED: Severity.HIGH, Status.SUSPECTED: Severity.MEDIUM}
    records = [
        {
            "id": f"trigger-{t.id}",
            "code": TRIGGER_CODE,
            "check": "triggers",
            "subject": f"trigger {t.id}",
            "score": t.statistics.get("score"),
            "q_value": t.statistics.get("q_value"),
            "severity": str(
                Severity.INFO if is_legitimate(t.statistics) else severity.get(Status(t.status), Severity.INFO)
            ),
            "text": f"{t.status.capitalize()} trigger {t.display}: {t.behavior}; {t.reason}.",
            "rows": t.rows[:200],
            "details": "{}",
        }
        for t in triggers
    ]
    return pl.DataFrame(records, schema=FINDINGS)


def _review_finding(reviews: Reviews, decided: pl.DataFrame) -> pl.DataFrame:
    """What earlier reviews decided here, and where they disagree."""
    if not reviews.files:
        return pl.DataFrame(schema=FINDINGS)
    found, split = len(decided), len(reviews.conflicts)
    disagree = f"; on {split:,} rows and triggers reviewers disagree, and these count as undecided" if split else ""
    record = {
        "id": f"decisions-{digest(sorted(reviews.merged))[:10]}",
        "code": REVIEWED_CODE,
        "check": "decisions",
        "subject": "earlier reviews",
        "score": float(found),
        "q_value": None,
        "severity": str(Severity.MEDIUM if split else Severity.INFO),
        "text": f"Earlier reviews decided {found:,} of these rows{disagree}.",
        "rows": decided["row"].head(200).to_list(),
        "details": json.dumps({"conflicts": [c.sentence() for c in reviews.conflicts[:50]]}),
    }
    return pl.DataFrame([record], schema=FINDINGS)


def _bad_rows_finding(bad: Mapping[str, int]) -> pl.DataFrame:
    if not bad:
        return pl.DataFrame(schema=FINDINGS)
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(bad.items()))
    record = {
        "id": f"unreadable-{digest(sorted(bad.items()))[:10]}",
        "code": BAD_ROWS_CODE,
        "check": "ingest",
        "subject": "unreadable rows",
        "score": float(sum(bad.values())),
        "q_value": None,
        "severity": str(Severity.MEDIUM),
        "text": f"{sum(bad.values())} records could not be read and were kept aside: {listed}.",
        "rows": [],
        "details": json.dumps(dict(bad), sort_keys=True),
    }
    return pl.DataFrame([record], schema=FINDINGS)
