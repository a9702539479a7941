"""What the checks that ran say of some rows: why each was flagged, and what in its prompt was marked to be stripped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from audit.registry import STAGES_OF_CHECKS
from audit.rundir import RunDir, read_json
from audit.schema import SEVERITY_ORDER, Severity

FLAGS: dict[str, Any] = {
    "row": pl.Int64,
    "code": pl.String,
    "rank": pl.Int64,  # of the check's severity, higher is more urgent
    "excess": pl.Float64,  # score over threshold
    "start": pl.Int32,
    "end": pl.Int32,
    "evidence": pl.String,
    "fix": pl.String,
}


def flags(run: RunDir, rows: Collection[int]) -> pl.DataFrame:
    """FLAGS: one row a flagged row and check, of these rows, the most urgent first."""
    frames = [pl.DataFrame(schema=FLAGS)]
    done = {path.name for stage in STAGES_OF_CHECKS for path in (run / "done" / stage).glob("*.json")} if rows else ()
    wanted = pl.Series(sorted(rows), dtype=pl.Int64).implode()
    for name in sorted(done):
        check = read_json(run / "checks" / name)
        if check["status"] != "run" or check["threshold"] is None:
            continue
        signals = pl.read_parquet(run / "signals" / f"{check['name']}.parquet")
        over = signals.filter(pl.col("score").is_not_nan() & (pl.col("score") >= check["threshold"]))
        facts = {
            "code": pl.lit(check["code"]),
            "rank": pl.lit(SEVERITY_ORDER.index(Severity(check["severity"]))),
            "excess": pl.col("score") / max(abs(check["threshold"]), 1e-9),
        }
        made = over.filter(pl.col("row").is_in(wanted)).with_columns(e.alias(n) for n, e in facts.items())
        frames.append(made.select(pl.col(n).cast(t) for n, t in FLAGS.items()))
    return pl.concat(frames).sort("row", "rank", "excess", "code", descending=[False, True, True, False])


def evidence(found: pl.DataFrame) -> Mapping[int, str]:
    """Row -> the most urgent check's sentence."""
    said = found.filter(pl.col("evidence").is_not_null()).group_by("row", maintain_order=True).first()
    return dict(said.select("row", "evidence").iter_rows())


def marks(found: pl.DataFrame) -> Mapping[int, list[tuple[int, int]]]:
    """Row -> character spans of its prompt that a check would have stripped."""
    spans: dict[int, list[tuple[int, int]]] = {}
    wanted = found.filter((pl.col("fix") == "strip") & pl.col("start").is_not_null())
    for row, start, end in wanted.select("row", "start", "end").iter_rows():
        spans.setdefault(row, []).append((start, end))
    return spans
