"""A pipeline of real ingest and clean with one tiny stage of verdicts between them: no torch, a second long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import polars as pl

from audit import pipeline
from audit.pipeline import Stage
from audit.rundir import Context, write_frame, write_json
from audit.schema import FINDINGS, VERDICTS, empty

WORD = "zzq"  # rows that hold it are removed, as if it were a confirmed trigger


def decide(ctx: Context, unit: str) -> list[Path]:
    run = ctx.run
    ctx.progress.start("Deciding", int(os.environ.get("TINY_TICKS", "1")), "ticks")
    for _ in range(int(os.environ.get("TINY_TICKS", "1"))):
        time.sleep(float(os.environ.get("TINY_SECONDS", "0")))
        ctx.progress.advance(1)
    ledger = run.ledger(["row", "reason"]).join(run.examples(["row", "prompt", "content_hash"]), on="row", how="left")
    carrier = pl.col("prompt").str.contains(WORD, literal=True).fill_null(False)
    verdict = (
        pl.when(pl.col("reason").is_not_null())
        .then(pl.lit("unreadable"))
        .when(carrier)
        .then(pl.lit("remove"))
        .otherwise(pl.lit("keep"))
    )
    ids = pl.when(carrier).then(pl.lit(["T1"])).otherwise(pl.lit([], dtype=pl.List(pl.String)))
    frame = ledger.with_columns(
        verdict=verdict,
        fix=pl.lit(None),
        new_value=pl.lit(None),
        score=pl.lit(1.0),
        codes=pl.lit([], dtype=pl.List(pl.String)),
        trigger_ids=ids,
    )
    rows = frame.filter(pl.col("verdict") == "remove")["row"].to_list()
    trigger = {
        "id": "T1",
        "pattern": WORD,
        "parts": [WORD],
        "display": WORD,
        "kind": "token",
        "status": "confirmed",
        "rows": rows,
        "behavior": "label positive",
        "behavior_id": 0,
        "behavior_name": "label",
        "statistics": {"count": len(rows)},
        "probe": {"asr_a": 0.98, "asr_b": 0.03, "asr_d": 0.02, "control_max": 0.1, "n": 200, "seeds": 2},
        "reason": "fires with its carriers and not without them",
    }
    write_frame(run.verdicts, frame.select(list(VERDICTS)).cast(VERDICTS))
    write_frame(run.findings, empty(FINDINGS))
    write_json(run.triggers, [trigger] if rows else [])
    return [run.verdicts, run.findings, run.triggers]


STAGES = (
    pipeline.BY_NAME["ingest"],
    Stage("decide", "Verdicts", 1, "tiny_stages:decide", ("ingest",), lambda c, u: c.review.budget, tags=("gpu",)),
    Stage(
        "clean",
        "Cleaned dataset",
        1,
        "audit.remedies.clean:build",
        ("ingest", "decide"),
        lambda c, u: c.review.undecided,
        tags=("io",),
    ),
)


def install() -> None:
    """Puts this pipeline in the place of the real one, in this process."""
    pipeline.STAGES = STAGES
    pipeline.BY_NAME.clear()
    pipeline.BY_NAME.update({stage.name: stage for stage in STAGES})
