"""Reads what a run directory holds for the report. Only `dataset.json`, `config.toml`, `examples/`, `ledger/`
and `verdicts.parquet` must be there; whatever else is missing is shown as not measured.

Text is read for the chosen rows alone, so that memory does not grow with the length of the texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.artifacts import embeddings, neighbors
from audit.outcome import Outcome
from audit.outcome import read as read_outcome
from audit.registry import STAGES_OF_CHECKS
from audit.remedies.strippable import Known, known_parts
from audit.report.excerpt import short
from audit.report.record import Check
from audit.rundir import Context, RunDir, read_array, read_json
from audit.schema import (
    FINDINGS,
    SIGNALS,
    DatasetInfo,
    Float32,
    Neighbors,
    Severity,
    Skipped,
    Status,
    Trigger,
    Verdict,
    empty,
)

TEXT_COLUMNS = ["row", "prompt", "response", "rejected", "turns", "ranking", "shown_first", "meta"]
_STATUS_ORDER = (Status.CONFIRMED, Status.SUSPECTED, Status.UNTESTABLE, Status.REFUTED)
_CHECK_ORDER = {"run": 0, "failed": 1, "skipped": 2}


@dataclass(frozen=True)
class Signals:
    """One check's signals: the scored rows alone, sorted by row."""

    check: Check
    frame: pl.DataFrame

    @cached_property
    def sorted_scores(self) -> NDArray[np.float32]:
        """All scores, lowest first; for percentiles."""
        return np.sort(self.frame["score"].to_numpy())

    def below(self, score: float) -> float:
        """Share of the scored rows with a lower score, 0..1."""
        scores = self.sorted_scores
        return float(np.searchsorted(scores, np.float32(score)) / len(scores)) if len(scores) else 0.0

    def flagged(self) -> pl.DataFrame:
        """The rows that reach the check's threshold."""
        if self.check.threshold is None:
            return self.frame.clear()
        return self.frame.filter(pl.col("score") >= self.check.threshold)


class Inputs:
    """A finished run as the report's builders ask for it. Reads lazily, each file once."""

    def __init__(self, ctx: Context) -> None:
        self.run: RunDir = ctx.run
        self.config = ctx.config
        self.info: DatasetInfo = ctx.run.dataset()
        self.outcome: Outcome = read_outcome(ctx.run, ctx.config)
        self._texts: dict[int, dict[str, Any]] = {}

    @cached_property
    def base(self) -> pl.DataFrame:
        """One row an example, in examples order: row, label, annotator, source, created_at and the verdict's
        columns."""
        columns = ["row", "content_hash", "label", "annotator", "source", "created_at"]
        examples = self.run.examples(columns)
        verdicts = pl.read_parquet(self.run.verdicts).drop("content_hash")
        return examples.join(verdicts, on="row", how="left", maintain_order="left")

    @cached_property
    def by_row(self) -> dict[int, int]:
        """Position in examples order of each readable row."""
        return {row: at for at, row in enumerate(self.base["row"].to_list())}

    @cached_property
    def verdict_of(self) -> list[str]:
        """Verdicts in examples order."""
        return [v or Verdict.KEEP for v in self.base["verdict"].to_list()]

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The row numbers in examples order, (n,) int64."""
        return self.base["row"].to_numpy()

    def texts(self, rows: Iterable[int]) -> dict[int, dict[str, Any]]:
        """The text columns of these rows, by row. Rows once read are kept: ask for many at once."""
        wanted = set(rows)
        missing = sorted(wanted - self._texts.keys())
        for path in self.run.shards("examples") if missing else []:
            known = pl.read_parquet_schema(path)  # runs of an earlier version lack the columns of pairs
            columns = [name for name in TEXT_COLUMNS if name in known]
            part = pl.read_parquet(path, columns=columns).filter(pl.col("row").is_in(missing))
            self._texts.update({record["row"]: record for record in part.iter_rows(named=True)})
        return {row: self._texts[row] for row in wanted}

    @cached_property
    def triggers(self) -> list[Trigger]:
        """Confirmed first, then suspected, untestable, refuted; in each, most rows first."""
        if not self.run.triggers.exists():
            return []
        known = {f.name for f in fields(Trigger)}
        found = [Trigger(**{k: v for k, v in raw.items() if k in known}) for raw in read_json(self.run.triggers)]
        return sorted(found, key=lambda t: (_place(t.status), t.looks_honest, -len(t.rows), t.id))

    @cached_property
    def strippable(self) -> Known:
        """The parts of what was mined, by pattern and behavior."""
        return known_parts(self.run)

    @cached_property
    def findings(self) -> pl.DataFrame:
        """The findings, most severe first; within a severity one of each check in turn, those of triggers first and of
        each check those with the highest score, so that no check's many findings push another's down."""
        if not self.run.findings.exists():
            return empty(FINDINGS)
        rank = pl.col("severity").replace_strict({str(s): i for i, s in enumerate(Severity)}, default=0)
        score = pl.col("score").fill_nan(None)
        found = pl.read_parquet(self.run.findings)
        found = found.sort(rank, score, pl.col("id"), descending=[True, True, False], nulls_last=True)
        turn = pl.int_range(pl.len()).over("severity", "check")
        return found.sort(rank, turn, pl.col("check") != "triggers", "check", descending=[True, False, False, False])

    @cached_property
    def checks(self) -> list[Check]:
        """Run, then failed, then skipped; in each, most flagged first."""
        found = {c.name: c for c in (_check(read_json(p)) for p in _files(self.run / "checks", "*.json"))}
        for path in [p for stage in STAGES_OF_CHECKS for p in _files(self.run / "failed", f"{stage}-*.json")]:
            raw = read_json(path)
            found[raw["unit"]] = _check({"name": raw["unit"], "status": "failed", "reason": raw["error"]})
        for name in self.config.skip:
            found[name] = _check({"name": name, "status": "skipped", "reason": "left out by the settings"})
        return sorted(found.values(), key=lambda c: (_CHECK_ORDER.get(c.status, 3), -c.flagged, c.name))

    @cached_property
    def signals(self) -> list[Signals]:
        """The signals of every check that ran and scored rows."""
        found = []
        for check in self.checks:
            path = self.run / "signals" / f"{check.name}.parquet"
            if path.exists() and check.status == "run":
                frame = pl.read_parquet(path).select(list(SIGNALS)).filter(pl.col("score").is_not_nan())
                found.append(Signals(check, frame.sort("row")))
        return found

    @cached_property
    def margin(self) -> Float32 | None:
        """(n,) float32 out-of-fold log-odds that the chosen side wins, in examples order; None where there are none."""
        path = self.run / "support" / "margin.npy"
        found = read_array(path) if path.exists() else None
        return found if found is not None and len(found) == len(self.base) else None

    @cached_property
    def graph(self) -> Neighbors | Skipped:
        """The neighbour graph, in examples order."""
        if not (self.run / "neighbors").exists():
            return Skipped("the run holds no neighbour graph")
        return neighbors.load(self.run)

    @cached_property
    def vectors(self) -> Float32 | Skipped:
        """(n, d) float32 embeddings of the prompts, in examples order."""
        if not (self.run / "embeddings").exists():
            return Skipped("the run holds no embeddings")
        return embeddings.load(self.run, "prompt")

    def ledger(self, condition: pl.Expr, limit: int | None = None) -> pl.DataFrame:
        """Ledger entries that meet a condition, in row order."""
        parts: list[pl.DataFrame] = []
        left = limit
        for path in self.run.shards("ledger"):
            if not path.exists() or left == 0:
                continue
            part = pl.read_parquet(path).filter(condition)
            parts.append(part if left is None else part.head(left))
            left = None if left is None else left - len(parts[-1])
        return pl.concat(parts) if parts else pl.DataFrame()


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.exists() else []


def _place(status: str) -> int:
    return _STATUS_ORDER.index(Status(status)) if status in set(Status) else len(_STATUS_ORDER)


def _check(raw: dict[str, Any]) -> Check:
    threshold = raw.get("threshold")
    return Check(
        name=raw["name"],
        code=raw.get("code") or "",
        title=raw.get("title") or raw["name"].replace("_", " "),
        severity=raw.get("severity") or Severity.INFO,
        status=raw.get("status") or "run",
        reason=short(raw.get("reason"), 600),
        threshold=None if threshold is None else float(threshold),
        scored=int(raw.get("scored") or 0),
        flagged=int(raw.get("flagged") or 0),
        source=raw.get("source") or "",
        misses=raw.get("misses") or "",
    )
