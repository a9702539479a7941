"""Findings that the verdicts themselves bring: triggers, earlier reviews, unreadable rows, near copies that contradict
each other, and rows that rounding decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import polars as pl

from audit.provenance import digest
from audit.remedies.carry import Reviews, is_legitimate
from audit.schema import FINDINGS, Severity, Status, Trigger

TRIGGER_CODE = "TV-TRG"
BAD_ROWS_CODE = "TV-BAD"
REVIEWED_CODE = "TV-DEC"
CONFLICT_CODE = "TV-CON"
BORDERLINE_CODE = "TV-BRD"
_ROWS = 200  # that a finding names


def trigger_findings(triggers: Sequence[Trigger]) -> pl.DataFrame:
    """A finding for each trigger, FINDINGS."""
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
            "rows": t.rows[:_ROWS],
            "details": "{}",
        }
        for t in triggers
    ]
    return pl.DataFrame(records, schema=FINDINGS)


def review_finding(reviews: Reviews, decided: pl.DataFrame) -> pl.DataFrame:
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
        "rows": decided["row"].head(_ROWS).to_list(),
        "details": json.dumps({"conflicts": [c.sentence() for c in reviews.conflicts[:50]]}),
    }
    return pl.DataFrame([record], schema=FINDINGS)


def bad_rows_finding(bad: Mapping[str, int]) -> pl.DataFrame:
    """How many records could not be read, by reason."""
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


def conflict_finding(disputed: Mapping[int, int]) -> pl.DataFrame:
    """How many rows stand in groups of near copies that contradict each other (row -> group)."""
    if not disputed:
        return pl.DataFrame(schema=FINDINGS)
    groups: dict[int, list[int]] = {}
    for row, group in disputed.items():
        groups.setdefault(group, []).append(row)
    many, rows = len(groups), [row for members in groups.values() for row in members]
    record = {
        "id": "conflicts-all",
        "code": CONFLICT_CODE,
        "check": "conflicts",
        "subject": "near copies that contradict each other",
        "score": float(len(rows)),
        "q_value": None,
        "severity": str(Severity.MEDIUM),
        "text": f"{len(rows):,} rows in {many:,} group{'s' if many > 1 else ''} of near copies contradict each other. "
        "They wait for a person, one question a group, and nothing was fitted to them.",
        "rows": rows[:_ROWS],
        "details": json.dumps({"groups": [sorted(members)[:20] for members in list(groups.values())[:100]]}),
    }
    return pl.DataFrame([record], schema=FINDINGS)


def borderline_finding(found: Mapping[int, str]) -> pl.DataFrame:
    """The rows that another machine may decide otherwise (row -> by what)."""
    if not found:
        return pl.DataFrame(schema=FINDINGS)
    noun = "row stands" if len(found) == 1 else "rows stand"
    record = {
        "id": "borderline-all",
        "code": BORDERLINE_CODE,
        "check": "borderline",
        "subject": "rows within rounding of a threshold",
        "score": float(len(found)),
        "q_value": None,
        "severity": str(Severity.INFO),
        "text": f"{len(found):,} {noun} within rounding of a threshold: the last bits of a score, which change with "
        "the machine and its threads, may decide otherwise.",
        "rows": list(found)[:_ROWS],
        "details": json.dumps({str(row): why for row, why in list(found.items())[:_ROWS]}),
    }
    return pl.DataFrame([record], schema=FINDINGS)
