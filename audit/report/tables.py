"""The report's aggregates: flagged rows by column, doubted labels, clusters, bad rows, the cleaned set, costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from audit.proof import power
from audit.report.excerpt import excerpt, short
from audit.report.read import Inputs
from audit.report.record import (
    BadRow,
    Bar,
    Breakdown,
    Cleaned,
    Cost,
    Example,
    FindingCard,
    Pair,
    Power,
    Relabel,
    Shift,
    Text,
)
from audit.report.rows import SNIPPET_BYTES, example, finite
from audit.rundir import read_json
from audit.schema import Severity, Verdict

BARS = 12
SHIFTS = 30
RELABELS = 200
CLUSTERS = 40
FINDINGS = 200
BAD_ROWS = 200
_MEMBERS = 4
_ROWS_NAMED = 20
# The order of the stages and their names; audit.pipeline lies above this layer.
STAGES = {
    "ingest": "Reading rows",
    "embeddings": "Embedding examples",
    "neighbors": "Nearest neighbours",
    "behaviors": "Behaviors",
    "patterns": "Patterns",
    "support": "Expected behavior",
    "detect": "Detectors",
    "mine": "Mining triggers",
    "confirm": "Proving triggers",
    "examine": "Detectors on probe",
    "canaries": "Canaries",
    "decide": "Verdicts",
    "clean": "Cleaned dataset",
}
_LATER = ("report", "provenance")  # their markers are those of an earlier run
_DUPLICATES, _CIRCLES = "near_duplicates", "preference_cycles"
_COLUMNS = (("label", "Label"), ("source", "Source"), ("annotator", "Annotator"), ("_month", "Month"))
_MONTH = pl.col("created_at").str.extract(r"^(\d{4}-\d{2})").alias("_month")


def breakdowns(data: Inputs) -> tuple[Breakdown, ...]:
    """Rows by label, source, annotator and month of creation, those with the most flagged rows first.
    A column that says nothing, or another for every row, is left out."""
    found = []
    frame = data.base.with_columns(_MONTH)
    for column, title in _COLUMNS:
        counted = _by_verdict(frame, column)
        if len(counted) < 2 or len(counted) > max(BARS, len(frame) // 2):
            continue
        if column == "_month":
            counted = counted.sort("name")
        columns = counted.select("name", "total", "review", "remove")
        bars = [Bar(short(name), *counts) for name, *counts in columns.iter_rows()]
        shown = bars[-BARS:] if column == "_month" else bars[:BARS]
        found.append(Breakdown(title, tuple(shown), len(bars) - len(shown)))
    return tuple(found)


def cleaned(data: Inputs) -> tuple[Cleaned, ...]:
    """The cleaned set against the original by label and source, largest groups first. Undecided review rows
    count as the run's settings say: held back, or kept."""
    stays = [Verdict.KEEP, Verdict.REVIEW] if data.config.review.undecided == "keep" else [Verdict.KEEP]
    frame = data.base.with_columns(_new_label())
    after_all = int(frame["verdict"].is_in(stays).sum())
    found = []
    for column, title in _COLUMNS[:2]:
        before = frame.group_by(pl.col(column).fill_null("(none)").alias("name")).len("before")
        moved = "_label" if column == "label" else column
        kept = frame.filter(pl.col("verdict").is_in(stays))
        after = kept.group_by(pl.col(moved).fill_null("(none)").alias("name")).len("after")
        joined = before.join(after, on="name", how="full", coalesce=True).fill_null(0)
        joined = joined.sort([-pl.col("before").cast(pl.Int64), pl.col("name")])
        if not 2 <= len(joined) <= max(SHIFTS, len(frame) // 2):
            continue
        shifts = [
            Shift(short(name), was, now, was / max(len(frame), 1), now / max(after_all, 1))
            for name, was, now in joined.select("name", "before", "after").iter_rows()
        ]
        found.append(Cleaned(title, tuple(shifts[:SHIFTS]), max(len(shifts) - SHIFTS, 0)))
    return tuple(found)


def canaries(data: Inputs) -> tuple[Power, ...]:
    """The run's canaries by family and count of rows."""
    told = power.read(data.run) or {"shares": []}
    return tuple(
        Power(
            name=share["name"],
            count=share["count"],
            targets=", ".join(share["targets"]),
            planted=share["planted"],
            mined=share["mined"],
            mined_interval=_pair(share["mined_interval"]),
            tried=share["tried"],
            confirmed=share["confirmed"],
            confirmed_interval=_pair(share["confirmed_interval"]),
        )
        for share in told["shares"]
    )


def _pair(bounds: list[float] | None) -> tuple[float, float] | None:
    return (bounds[0], bounds[1]) if bounds else None


def relabels(data: Inputs) -> tuple[tuple[Relabel, ...], int, tuple[Pair, ...]]:
    """Rows whose label or order of answers is doubted by a check that proposes another one: the most doubted
    ones, how many there are, and the counts of (given, suggested)."""
    verdicts = data.base.select("row", "label", "verdict", pl.col("fix").alias("_decided"))
    parts = []
    for signals in data.signals:
        proposed = signals.frame.filter(pl.col("fix").is_in(["relabel", "swap"])).join(verdicts, on="row", how="inner")
        threshold = signals.check.threshold
        flagged = pl.lit(False) if threshold is None else pl.col("score") >= threshold
        parts.append(proposed.filter(flagged | (pl.col("fix") == pl.col("_decided"))))
    parts = [part for part in parts if len(part)]
    if not parts:
        return (), 0, ()
    doubted = pl.concat(parts).sort("score", "row", descending=[True, False])
    joined = doubted.unique("row", keep="first", maintain_order=True)
    swap = pl.col("fix") == "swap"
    joined = joined.with_columns(
        pl.when(swap).then(pl.lit("chosen first")).otherwise(pl.col("label").fill_null("(none)")).alias("given"),
        pl.when(swap).then(pl.lit("rejected first")).otherwise(pl.col("new_value").fill_null("(none)")).alias("to"),
    )
    counted = joined.group_by("given", "to").len().sort(-pl.col("len").cast(pl.Int64), "given", "to")
    top = joined.head(RELABELS)
    texts = data.texts(top["row"].to_list())
    made = tuple(
        Relabel(
            row=r["row"],
            given=short(r["given"]),
            suggested=short(r["to"]),
            score=finite(r["score"]),
            verdict=r["verdict"] or Verdict.KEEP,
            text=_text(texts[r["row"]]),
        )
        for r in top.iter_rows(named=True)
    )
    return made, len(joined), tuple(Pair(short(a), short(b), n) for a, b, n in counted.head(50).iter_rows())


def findings(data: Inputs) -> tuple[tuple[FindingCard, ...], int]:
    """All findings but those that have a place of their own (duplicates, circles of preferences), most severe first,
    and how many more there are."""
    rest = data.findings.filter(~pl.col("check").is_in([_DUPLICATES, _CIRCLES]))
    return tuple(_finding(r) for r in rest.head(FINDINGS).iter_rows(named=True)), max(len(rest) - FINDINGS, 0)


def clusters(data: Inputs) -> tuple[tuple[FindingCard, ...], int]:
    """Clusters of near-duplicates with their first rows, most severe first, and how many there are."""
    mine = data.findings.filter(pl.col("check") == _DUPLICATES)
    shown = mine.head(CLUSTERS).to_dicts()
    members = {r["id"]: [row for row in r["rows"] if row in data.by_row][:_MEMBERS] for r in shown}
    texts = data.texts(row for rows in members.values() for row in rows)
    return tuple(_finding(r, tuple(example(data, texts, row) for row in members[r["id"]])) for r in shown), len(mine)


def bad_rows(data: Inputs) -> tuple[BadRow, ...]:
    """The first records that could not be read, with where they stand and why."""
    found = data.ledger(pl.col("reason").is_not_null(), BAD_ROWS)
    files = data.info.files
    return tuple(
        BadRow(
            row=r["row"],
            file=short(files[r["file"]].path) if r["file"] is not None and r["file"] < len(files) else "",
            line=r["line"] or 0,
            offset=r["offset"] or 0,
            reason=r["reason"],
            detail=short(r["detail"], 300),
            raw=excerpt((r["raw"] or b"")[:4_096].decode("utf-8", "backslashreplace"), (), 200),
        )
        for r in (found.iter_rows(named=True) if len(found) else ())
    )


def costs(data: Inputs) -> tuple[Cost, ...]:
    """Seconds and peak memory of the stages done before the report, in their order."""
    folders = {p.name: p for p in (data.run / "done").glob("*") if p.is_dir() and p.name not in _LATER}
    order = [name for name in STAGES if name in folders] + sorted(set(folders) - set(STAGES))
    found = (_cost(name, folders[name]) for name in order)
    return tuple(cost for cost in found if cost.units)


def _cost(stage: str, folder: Path) -> Cost:
    markers = [read_json(p) for p in sorted(folder.glob("*.json"))]
    peaks = [m["peak_bytes"] for m in markers if m.get("peak_bytes")]
    seconds = sum(m.get("seconds") or 0.0 for m in markers)
    return Cost(stage, STAGES.get(stage, stage), len(markers), seconds, max(peaks, default=None))


def _by_verdict(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    named = frame.filter(pl.col(column).is_not_null())
    counted = named.group_by(pl.col(column).alias("name")).agg(
        pl.len().cast(pl.Int64).alias("total"),
        (pl.col("verdict") == Verdict.REVIEW).sum().cast(pl.Int64).alias("review"),
        (pl.col("verdict") == Verdict.REMOVE).sum().cast(pl.Int64).alias("remove"),
    )
    return counted.sort(-(pl.col("review") + pl.col("remove")), -pl.col("total"), "name")


def _new_label() -> pl.Expr:
    """The label that a kept row ends with."""
    fixed = (pl.col("fix") == "relabel") & (pl.col("verdict") == Verdict.KEEP)
    return pl.when(fixed).then(pl.col("new_value")).otherwise(pl.col("label")).alias("_label")


def _finding(record: dict[str, Any], members: tuple[Example, ...] = ()) -> FindingCard:
    return FindingCard(
        id=record["id"],
        code=record["code"] or "",
        check=record["check"] or "",
        subject=short(record["subject"]),
        severity=record["severity"] or Severity.INFO,
        text=excerpt(record["text"] or "", (), 600),
        rows=tuple((record["rows"] or [])[:_ROWS_NAMED]),
        members=members,
    )


def _text(record: dict[str, Any]) -> Text:
    return excerpt(record["prompt"] or "", (), SNIPPET_BYTES)
