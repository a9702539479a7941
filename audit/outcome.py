"""What a finished run says in one record: the verdict on the set, the exit code, and the counts behind them.

The report, the command line, the manifest and the Python API all read this one record, so that no two of
them can disagree. It is derived from the files of a run directory and holds nothing of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from audit.config import Config
from audit.errors import EXIT_FINDINGS, EXIT_INCOMPLETE, EXIT_NOTHING, EXIT_OK
from audit.proof import power
from audit.remedies.carry import is_legitimate
from audit.rundir import RunDir, read_json
from audit.schema import SEVERITY_ORDER, Severity, Status, Verdict

PASS, REVIEW, BLOCK, INCOMPLETE = "pass", "review", "block", "incomplete"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run. Law: rows = keep + review + remove + unreadable, or `incomplete` says so."""

    verdict: str  # pass | review | block | incomplete
    exit_code: int  # 0 below the gate, 1 at or above it, 3 incomplete, 4 nothing scanned
    blocked: bool  # findings at or above the gate; stands beside `incomplete`, which outranks it
    gate: str  # one sentence: what the gate asked and what it met
    rows: int  # record positions of the input
    readable: int
    keep: int
    review: int
    remove: int
    unreadable: int
    confirmed: int  # triggers, by status
    suspected: int
    refuted: int
    untestable: int
    severities: dict[str, int] = field(default_factory=dict)  # severity -> findings, every severity present
    incomplete: tuple[str, ...] = ()  # why this run is not whole, one sentence each
    power: str = ""  # what would have been found, by the run's canaries; "" where their stage did not end

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able values."""
        return {**asdict(self), "incomplete": list(self.incomplete)}


def read(run: RunDir, config: Config, error: str = "") -> Outcome:
    """Reads the outcome of a run, whole or not. `error` is the sentence with which the run stopped, if it
    did. Never raises for a missing output: what is missing makes the run incomplete."""
    info = run.dataset() if (run / "dataset.json").exists() else None
    rows, readable = (info.rows, info.readable) if info else (0, 0)
    decided = run.marker("decide", "all").exists() and run.verdicts.exists()
    counts = _verdicts(run) if decided else {}
    triggers = _statuses(run)
    severities = _severities(run)
    unreadable = counts.get(Verdict.UNREADABLE, rows - readable)
    reasons = [error] if error else []
    reasons += _bad_rows(unreadable, config.max_bad_rows)
    reasons += _failed(run)
    if decided and sum(counts.values()) != rows:
        reasons.append(f"Verdicts were given for {sum(counts.values()):,} of {rows:,} rows.")
    if not decided and not error:
        reasons.append("The run stopped before its verdicts were written.")
    touched = counts.get(Verdict.REVIEW, 0) + counts.get(Verdict.REMOVE, 0)
    blocked, gate = _gate(config.fail_on, triggers, severities, touched)
    nothing = info is not None and readable == 0
    canaries = power.read(run)
    open_questions = touched > 0 or triggers[Status.SUSPECTED] > 0
    return Outcome(
        verdict=INCOMPLETE if reasons or nothing else BLOCK if blocked else REVIEW if open_questions else PASS,
        exit_code=EXIT_NOTHING if nothing else EXIT_INCOMPLETE if reasons else EXIT_FINDINGS if blocked else EXIT_OK,
        blocked=blocked,
        gate=gate,
        rows=rows,
        readable=readable,
        keep=counts.get(Verdict.KEEP, 0),
        review=counts.get(Verdict.REVIEW, 0),
        remove=counts.get(Verdict.REMOVE, 0),
        unreadable=unreadable,
        confirmed=triggers[Status.CONFIRMED],
        suspected=triggers[Status.SUSPECTED],
        refuted=triggers[Status.REFUTED],
        untestable=triggers[Status.UNTESTABLE],
        severities=severities,
        incomplete=(*(["Not one row could be read."] if nothing else []), *reasons),
        power=power.sentence(canaries, triggers[Status.CONFIRMED]) if decided and canaries else "",
    )


def _verdicts(run: RunDir) -> dict[str, int]:
    counts = pl.read_parquet(run.verdicts, columns=["verdict"])["verdict"].value_counts()
    return dict(counts.iter_rows())


def _statuses(run: RunDir) -> dict[str, int]:
    triggers = read_json(run.triggers) if run.triggers.exists() else []
    found = [t["status"] for t in triggers if not is_legitimate(t["statistics"])]
    return {status: found.count(status) for status in Status}


def _severities(run: RunDir) -> dict[str, int]:
    found: list[str] = []
    if run.findings.exists():
        found = pl.read_parquet(run.findings, columns=["severity"])["severity"].to_list()
    return {str(severity): found.count(severity) for severity in SEVERITY_ORDER}


def _bad_rows(unreadable: int, allowed: int) -> list[str]:
    if unreadable <= allowed:
        return []
    noun = "row" if unreadable == 1 else "rows"
    return [f"{unreadable:,} {noun} could not be read; {allowed:,} are allowed (--max-bad-rows)."]


def _failed(run: RunDir) -> list[str]:
    folder = run / "failed"
    records = [read_json(path) for path in sorted(folder.glob("*.json"))] if folder.exists() else []
    return [f"{r['stage']}/{r['unit']} failed: {r['error']}" for r in records]


def _gate(fail_on: str, triggers: Mapping[str, int], severities: Mapping[str, int], touched: int) -> tuple[bool, str]:
    """Whether the findings reach the gate, and the sentence. Each gate counts what the ones before it
    count: confirmed triggers, high findings, suspected triggers and medium findings, then all but `info`."""
    parts = [(triggers[Status.CONFIRMED], "confirmed trigger")]
    if fail_on != "confirmed":
        parts.append((severities[Severity.HIGH], "finding of high severity"))
    if fail_on in ("medium", "any"):
        parts.append((triggers[Status.SUSPECTED], "suspected trigger"))
        parts.append((severities[Severity.MEDIUM], "finding of medium severity"))
    if fail_on == "any":
        parts.append((severities[Severity.LOW], "finding of low severity"))
        parts.append((touched, "row for review or removal"))
    met = [f"{count:,} {_plural(noun, count)}" for count, noun in parts if count]
    if met:
        return True, f"Blocked by {' and '.join(met)} (gate: --fail-on {fail_on})."
    return False, f"Below the gate: no {' and no '.join(noun for _, noun in parts)} (--fail-on {fail_on})."


def _plural(noun: str, count: int) -> str:
    head, _, tail = noun.partition(" of ")
    for word in ("trigger", "finding"):
        if count != 1 and head.endswith(word):
            return f"{head}s of {tail}" if tail else f"{head}s"
    return noun if count == 1 else noun.replace("row ", "rows ", 1)
