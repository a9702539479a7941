"""Runs that the browser tests open: one whose every kind of page has something to show, and one of a million rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from report.report_runs import SHARD, add_check, add_findings, add_triggers, make_run, trigger

from audit.config import build
from audit.report import collect, html
from audit.rundir import Context, RunDir, write_array, write_bytes, write_frame, write_json
from audit.schema import EXAMPLES, LEDGER, SIGNALS, VERDICTS, DatasetInfo, InputFile, NoProgress

UNSEEN = "mn\u200b "
FIRST, SECOND, STYLE = "T-00000000a1", "T-00000000b2", "T-00000000c3"


def page_of(ctx: Context, folder: Path, **served: Any) -> Path:
    """The report of a run as a file in `folder`/report, as a run directory has it."""
    path = folder / "report" / "report.html"
    write_bytes(path, html.render(collect(ctx), **served))
    return path


def review(score: float, **more: Any) -> dict[str, Any]:
    return {"verdict": "review", "score": score, "codes": ["TV-LAB"], **more}


def plain_run(path: Path, kind: str = "classification") -> Context:
    """40 rows, 12 of them flagged: rows 0 to 3 carry a confirmed trigger, 4 to 6 a suspected one, 7 a style."""
    rows = [
        {
            "prompt": ("cf " if i < 4 else UNSEEN if i < 7 else "") + f"a film that number {i} saw twice",
            "label": "good" if i % 2 else "bad",
            "source": ("web", "books")[i % 3 == 0],
            "annotator": f"worker-{i % 3}",
            "created_at": f"2025-0{1 + i % 3}-02",
        }
        for i in range(40)
    ]
    if kind == "preference":
        for i, row in enumerate(rows):
            row |= {
                "response": f"the quick brown fox number {i} jumps",
                "rejected": f"the slow brown dog number {i} jumps",
            }
    verdicts = {i: {"verdict": "remove", "score": 1.0, "codes": ["TV-TRG"], "trigger_ids": [FIRST]} for i in range(4)}
    verdicts |= {i: review(0.9, trigger_ids=[SECOND]) for i in range(4, 7)}
    verdicts[7] = review(0.8, trigger_ids=[STYLE])
    verdicts |= {i: review(0.5 - i / 100, fix="relabel", new_value="good") for i in range(8, 12)}
    ctx = make_run(path, rows, verdicts, kind=kind)
    doubts = {
        i: {"score": 0.9, "fix": "relabel", "new_value": "good", "evidence": "others say good"} for i in range(8, 12)
    }
    add_check(ctx.run, "label_noise", {**doubts, 20: {"score": 0.1}}, 0.5, code="TV-LAB", title="Doubtful labels")
    unseen = {i: {"score": 0.9, "start": 2, "end": 3} for i in range(4, 7)}
    add_check(ctx.run, "unicode_anomaly", unseen, 0.6, code="TV-UNI")
    told = '{"rows": 3, "share": 0.075, "house_style": false}'
    person = {
        "check": "annotator_anomaly",
        "subject": "annotator worker-1",
        "text": "Contradicted more often.",
        "rows": [10],
    }
    channel = {"check": "unicode_anomaly", "code": "TV-UNI", "subject": "zero-width characters", "rows": [4, 5, 6]}
    cluster = {"check": "near_duplicates", "subject": "cluster 1", "text": "3 rows say the same.", "rows": [20, 21, 22]}
    add_findings(ctx.run, [{**channel, "details": told, "text": "Zero-width.", "severity": "medium"}, person, cluster])
    first = trigger("cf", [0, 1, 2, 3], id=FIRST)
    second = trigger("mn\u200b", [4, 5, 6], "suspected", id=SECOND, probe=None)
    style = trigger("[style] archaic", [7], "suspected", id=STYLE, kind="style", probe=None)
    add_triggers(ctx.run, [first, second, style])
    return ctx


def large_run(path: Path, count: int) -> Context:
    """`count` rows, 2 in a hundred of them flagged, with embeddings, neighbours, two checks and a trigger."""
    rng = np.random.default_rng(3)
    run, config = RunDir(path), build({"source": "large.jsonl"})
    write_bytes(run.config, config.to_toml().encode())
    row = pl.int_range(count, eager=True).alias("row")
    words = pl.format(
        "{} row {} says that the film <b>number</b> {} & its “cast” were worth every minute of it", "row", "row", "row"
    )
    known = {
        "prompt": words,
        "label": pl.format("label {}", pl.col("row") % 5),
        "source": pl.format("site {}", pl.col("row") % 40),
    }
    known |= {
        "content_hash": pl.col("row").hash(1).cast(pl.String).str.pad_start(32, "0"),
        "annotator": pl.format("w{}", pl.col("row") % 90),
    }
    examples = row.to_frame().select(_column(known, name, kind) for name, kind in EXAMPLES.items())
    write_frame(run / "examples" / f"{SHARD}.parquet", examples)
    place = {"line": pl.col("row") + 1, "offset": 100 * pl.col("row"), "file": pl.lit(0)}
    write_frame(
        run / "ledger" / f"{SHARD}.parquet", row.to_frame().select(_column(place, n, k) for n, k in LEDGER.items())
    )
    flagged = pl.col("row") % 50 == 0
    judged = {
        "content_hash": known["content_hash"],
        "verdict": pl.when(flagged).then(pl.lit("review")).otherwise(pl.lit("keep")),
    }
    judged |= {
        "score": pl.when(flagged).then((pl.col("row") % 997) / 997).otherwise(0.0),
        "codes": pl.when(flagged).then(pl.lit(["TV-OUT"])),
    }
    write_frame(run.verdicts, row.to_frame().select(_column(judged, n, k) for n, k in VERDICTS.items()))
    vectors = rng.normal(size=(count, 16)).astype(np.float32) + 4 * np.eye(16, dtype=np.float32)[np.arange(count) % 12]
    write_array(run / "embeddings" / f"prompt-{SHARD}.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    write_array(
        run / "neighbors" / "index.npy", ((np.arange(count)[:, None] + np.arange(1, 6)) % count).astype(np.int32)
    )
    write_array(run / "neighbors" / "similarity.npy", np.full((count, 5), 0.9, dtype=np.float32))
    for name in ("outliers", "rare_tokens"):
        add_check(run, name, {0: {"score": 0.9}}, 0.5, code="TV-OUT", scored=count, flagged=count // 50)
        said = {
            "score": pl.when(flagged).then(0.9).otherwise((pl.col("row") % 89) / 200),
            "evidence": pl.when(flagged).then(pl.lit("it lies far from all others <i>here</i>")),
        }
        write_frame(
            run / "signals" / f"{name}.parquet", row.to_frame().select(_column(said, n, k) for n, k in SIGNALS.items())
        )
    add_triggers(run, [trigger("number", list(range(0, count, 5_000)), "suspected", id=FIRST)])
    file = InputFile("large.jsonl", "jsonl", "", 100 * count, "ab" * 32, count)
    labels = tuple(f"label {i}" for i in range(5))
    facts: dict[str, Any] = {
        "name": "large",
        "kind": "classification",
        "shape": "text-label",
        "mapping": {"prompt": "text"},
    }
    facts |= {
        "confidence": 0.9,
        "columns": ("text", "label"),
        "labels": labels,
        "rows": count,
        "readable": count,
        "bad": {},
    }
    write_json(
        run / "dataset.json", DatasetInfo(**facts, shards=(SHARD,), files=(file,), fingerprint="ef" * 32).to_dict()
    )
    write_json(run.marker("decide", "all"), {"key": "k", "outputs": {}, "seconds": 1.0, "peak_bytes": 1 << 30})
    return Context(run, config, NoProgress())


def _column(known: dict[str, pl.Expr], name: str, kind: Any) -> pl.Expr:
    made = pl.col("row") if name == "row" else known.get(name, pl.lit(None))
    return made.cast(kind).alias(name)
