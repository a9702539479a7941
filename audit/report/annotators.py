"""The report's view of annotators: whose decisions the rest of the data contradicts, and what else checks hold of them.

A decision is contradicted where the check of annotators says so; where a run has no such table, where a check that
compares decisions with an out-of-fold prediction proposes another label or the other side. What is held of an annotator
is what findings say that name one (`annotators` of their details). Everyone else stands beside them, so that a reader
sees the one beside the many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from audit.report.excerpt import excerpt
from audit.report.figures import number
from audit.report.groups import Annotator, Histogram, Told
from audit.report.read import Inputs, Signals
from audit.report.rows import named
from audit.schema import SEVERITY_ORDER, Severity, Verdict

CHECK = "annotator_anomaly"
MAX_ANNOTATORS = 60
BINS = 20
_TOLD_BYTES = 600
_MOST_TOLD = 8  # of one annotator
_DOUBTING = ("label_noise", "preference_flip")
_PREFIX = "annotator "
_REMARKS = ("preference_shortcut",)  # checks that describe annotators and hold nothing against them
_NOTHING: Mapping[str, Any] = {}


def annotators(data: Inputs) -> tuple[tuple[Annotator, ...], int]:
    """Annotators, the accused first, then by reliability and contradicted share, and how many more there are."""
    known = data.base.filter(pl.col("annotator").is_not_null()).select("row", "annotator", "verdict")
    if known.is_empty():
        return (), 0
    doubting = _doubting(data)
    doubted: list[int] = [row for s in doubting for row in s.frame.filter(_proposes()).get_column("row").to_list()]
    counted = known.with_columns(pl.col("row").is_in(doubted).alias("against")).group_by("annotator")
    table = counted.agg(
        pl.len().alias("rows"),
        (pl.col("verdict") == Verdict.REVIEW).sum().alias("review"),
        (pl.col("verdict") == Verdict.REMOVE).sum().alias("remove"),
        pl.col("against").sum() if doubting else pl.lit(None, dtype=pl.Int64).alias("against"),
    )
    findings = [_read(record) for record in data.findings.iter_rows(named=True)]
    measured = _measured(findings)
    told, left_out = _told(data, findings)
    found = [
        _annotator(r, measured.get(name, _NOTHING), told.get(name, ()), left_out.get(name))
        for r in table.iter_rows(named=True)
        for name in [r["annotator"]]
    ]
    found.sort(key=_rank)
    return tuple(found[:MAX_ANNOTATORS]), max(len(found) - MAX_ANNOTATORS, 0)


def histograms(data: Inputs) -> tuple[Histogram, ...]:
    """How clearly labels or pairs are contradicted, as counts of rows in BINS equal bins of the score."""
    edges = np.linspace(0, 1, BINS + 1)
    return tuple(
        Histogram(s.check.title, tuple(np.histogram(np.clip(s.sorted_scores, 0, 1), edges)[0].tolist()))
        for s in _doubting(data)
        if len(s.frame)
    )


def _rank(found: Annotator) -> tuple[Any, ...]:
    worst = max((SEVERITY_ORDER.index(Severity(t.severity)) for t in found.told), default=-1)
    reliability = 2.0 if found.reliability is None else found.reliability
    return not found.accused, -worst, reliability, -found.share, -found.rows, found.name


def _annotator(
    counts: Mapping[str, Any],
    measured: Mapping[str, Any],
    told: Sequence[Told],
    left_out: tuple[float | None, float | None] | None,
) -> Annotator:
    against, rows = number(measured, "against"), number(measured, "rows")
    known = against is not None and rows is not None
    reliability, low, high = (number(measured, key) for key in ("reliability", "low", "high"))
    return Annotator(
        name=named(counts["annotator"]) or "",
        rows=counts["rows"],
        review=counts["review"],
        remove=counts["remove"],
        contradicted=round(against or 0) if known else counts["against"],
        compared=round(rows or 0) if known else counts["rows"],
        reliability=reliability,
        low=low if reliability is not None else None,
        high=high if reliability is not None else None,
        told=tuple(told[:_MOST_TOLD]),
        agree_with=left_out[0] if left_out else None,
        agree_without=left_out[1] if left_out else None,
    )


def _read(record: Mapping[str, Any]) -> dict[str, Any]:
    """A finding with its details as a mapping and the annotators that it names."""
    try:
        details = json.loads(record["details"] or "{}")
    except (ValueError, RecursionError):
        details = {}
    details = details if isinstance(details, dict) else {}
    names = [name for name in _list(details.get("annotators")) if isinstance(name, str)]
    if not names and record["check"] == CHECK and record["subject"].startswith(_PREFIX):
        names = [record["subject"].removeprefix(_PREFIX)]  # runs of an earlier version
    return {**record, "details": details, "annotators": list(dict.fromkeys(names))}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _measured(findings: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What the check of annotators measured of each, accused or not, by name; {} where the run has no such table."""
    return {
        entry["annotator"]: entry
        for finding in findings
        if finding["check"] == CHECK and not finding["annotators"]
        for entry in _list(finding["details"].get("table"))
        if isinstance(entry, dict) and isinstance(entry.get("annotator"), str)
    }


def _told(
    data: Inputs, findings: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, list[Told]], dict[str, tuple[float | None, float | None]]]:
    """What findings say of each annotator that they name, the most severe first (as findings stand), and how well the
    other pairs agree with their margins with and without that annotator's rows."""
    titles = {check.name: check.title for check in data.checks}
    told: dict[str, list[Told]] = {}
    left_out: dict[str, tuple[float | None, float | None]] = {}
    for finding in findings:
        if not finding["annotators"]:
            continue
        check, severity = finding["check"] or "", finding["severity"]
        severity = severity if severity in set(Severity) else str(Severity.INFO)
        made = Told(
            check=check,
            code=finding["code"] or "",
            title=titles.get(check, check.replace("_", " ")),
            severity=severity,
            text=excerpt(finding["text"] or "", (), _TOLD_BYTES),
            q_value=number(finding, "q_value"),
            accuses=severity != Severity.INFO and check not in _REMARKS,
        )
        compared = finding["details"].get("left_out")
        for name in finding["annotators"]:
            told.setdefault(name, []).append(made)
            if isinstance(compared, dict):
                left_out.setdefault(name, (number(compared, "with"), number(compared, "without")))
    return told, left_out


def _doubting(data: Inputs) -> list[Signals]:
    return [s for s in data.signals if s.check.name in _DOUBTING]


def _proposes() -> pl.Expr:
    return pl.col("fix").is_in(["relabel", "swap"])
