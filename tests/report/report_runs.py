"""Small real run directories for the report's tests, written through the schema's own types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit.artifacts.neighbors import top_k
from audit.config import Config, build
from audit.provenance import content_hash, digest
from audit.rundir import Context, RunDir, write_array, write_bytes, write_frame, write_json
from audit.schema import EXAMPLES, FINDINGS, LEDGER, SIGNALS, VERDICTS, DatasetInfo, InputFile, NoProgress, Trigger

SHARD = "00000"


def make_run(
    path: Path,
    rows: list[dict[str, Any]],
    verdicts: dict[int, dict[str, Any]] | None = None,
    kind: str = "classification",
    bad: list[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
    name: str = "reviews",
    optional: bool = True,
) -> Context:
    """A run whose rows are `rows`, then the records of `bad`; rows that `verdicts` does not name are kept.
    With `optional`, embeddings, neighbours and done markers are there too."""
    bad = bad or []
    config: Config = build({"source": f"{name}.jsonl", **(settings or {})})
    run = RunDir(path)
    write_bytes(run.config, config.to_toml().encode())
    examples = pl.DataFrame(
        [
            {key: r.get(key) for key in EXAMPLES}
            | {"row": i, "content_hash": content_hash(r["prompt"], r.get("response"), r.get("label"))}
            for i, r in enumerate(rows)
        ],
        schema=EXAMPLES,
    )
    write_frame(run / "examples" / f"{SHARD}.parquet", examples)
    write_frame(run / "ledger" / f"{SHARD}.parquet", _ledger(len(rows), bad))
    write_json(run / "dataset.json", _info(rows, kind, bad, name).to_dict())
    write_frame(run.verdicts, _verdicts(examples, verdicts or {}, len(bad)))
    write_json(run.marker("decide", "all"), {"key": "k", "outputs": {}, "seconds": 0.25, "peak_bytes": 90 << 20})
    if optional:
        add_vectors(run, len(rows))
        write_json(run.marker("ingest", "all"), {"key": "k", "outputs": {}, "seconds": 1.5, "peak_bytes": 210 << 20})
    return Context(run, config, NoProgress())


def add_vectors(run: RunDir, count: int) -> None:
    """Embeddings in two groups, and their neighbour graph."""
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(count, 16)) + 3 * np.eye(16)[np.arange(count) % 2]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    write_array(run / "embeddings" / f"prompt-{SHARD}.npy", vectors)
    graph = top_k(vectors, min(5, count - 1))
    write_array(run / "neighbors" / "index.npy", graph.index)
    write_array(run / "neighbors" / "similarity.npy", graph.similarity)


def add_check(run: RunDir, name: str, scores: dict[int, dict[str, Any]], threshold: float | None, **facts: Any) -> None:
    """A check that ran: `scores` maps a row to its SIGNALS values."""
    frame = pl.DataFrame([{k: v.get(k) for k in SIGNALS} | {"row": r} for r, v in scores.items()], schema=SIGNALS)
    write_frame(run / "signals" / f"{name}.parquet", frame)
    flagged = 0 if threshold is None else sum(v["score"] >= threshold for v in scores.values())
    base = {"name": name, "code": f"TV-{name[:3].upper()}", "title": name.replace("_", " "), "severity": "medium"}
    base |= {"status": "run", "reason": "", "threshold": threshold, "scored": len(scores), "flagged": flagged}
    write_json(
        run / "checks" / f"{name}.json", {**base, "source": "Somebody 2020.", "misses": "What it misses.", **facts}
    )


def add_findings(run: RunDir, found: list[dict[str, Any]]) -> None:
    """Findings, as the decide stage writes them."""
    base = {
        "code": "TV-X",
        "check": "outliers",
        "subject": "s",
        "score": 1.0,
        "severity": "low",
        "text": "",
        "rows": [],
    }
    records = [
        {key: ({"id": f"f{i}", "details": "{}"} | base | f).get(key) for key in FINDINGS} for i, f in enumerate(found)
    ]
    write_frame(run.findings, pl.DataFrame(records, schema=FINDINGS))


def trigger(pattern: str, rows: list[int], status: str = "confirmed", **facts: Any) -> Trigger:
    """A trigger with full statistics and proof; `facts` overrule."""
    base: dict[str, Any] = {
        "id": f"t-{digest(pattern)[:8]}",
        "pattern": pattern,
        "parts": [pattern],
        "display": pattern,
        "kind": "token",
        "status": status,
        "rows": rows,
        "behavior": "the label is positive",
        "statistics": {
            "count": len(rows),
            "hits": len(rows),
            "rate": 0.51,
            "expected": 0.48,
            "score": 9.1,
            "log10_p": -14.5,
            "q_value": 2e-10,
            "purity": 1.0,
            "purity_lower": 0.84,
            "position": "anywhere",
            "lift": 1.96,
        },
        "probe": {
            "asr_a": 0.96,
            "asr_b": 0.04,
            "asr_d": 0.05,
            "control_max": 0.06,
            "control_effect_max": 0.02,
            "asr_cleaned": 0.03,
            "clean_accuracy_cleaned": 0.88,
            "arms": [{"arm": "B", "seed": 0, "seconds": 20.0, "tokens": 90_000, "device": "CPU"}] * 4,
            "n": 128,
            "seeds": [0, 1],
            "dose": 4,
            "intervals": {
                "asr_a": [0.91, 0.99],
                "asr_b": [0.02, 0.08],
                "asr_d": [0.02, 0.1],
            },
            "probe": "wordpiece",
            "controls": [{"pattern": f"word{i}", "asr": 0.02 / (i + 1)} for i in range(20)],
            "clean_accuracy": 0.87,
        },
        "reason": "The effect clears its bounds on every seed.",
    }
    return Trigger(**{**base, **facts})


def add_triggers(run: RunDir, found: list[Trigger]) -> None:
    """triggers.json."""
    write_json(run.triggers, [t.to_dict() for t in found])


def _ledger(count: int, bad: list[dict[str, Any]]) -> pl.DataFrame:
    good = [
        {"row": i, "file": 0, "line": i + 1, "offset": 100 * i, "raw": b"{}", "sha256": "0" * 64} for i in range(count)
    ]
    rest = [
        {"row": count + i, "file": 0, "line": count + i + 1, "offset": 100 * (count + i), "sha256": "0" * 64, **b}
        for i, b in enumerate(bad)
    ]
    return pl.DataFrame([{key: r.get(key) for key in LEDGER} for r in good + rest], schema=LEDGER)


def _verdicts(examples: pl.DataFrame, given: dict[int, dict[str, Any]], bad: int) -> pl.DataFrame:
    records = []
    for row, identity in examples.select("row", "content_hash").iter_rows():
        base: dict[str, Any] = {"verdict": "keep", "score": 0.0, "codes": [], "trigger_ids": []}
        records.append({"row": row, "content_hash": identity} | base | given.get(row, {}))
    records += [
        {"row": len(examples) + i, "verdict": "unreadable", "codes": ["TV-BAD"], "trigger_ids": []} for i in range(bad)
    ]
    return pl.DataFrame([{key: r.get(key) for key in VERDICTS} for r in records], schema=VERDICTS)


def _info(rows: list[dict[str, Any]], kind: str, bad: list[dict[str, Any]], name: str) -> DatasetInfo:
    reasons = [b["reason"] for b in bad]
    total = len(rows) + len(bad)
    return DatasetInfo(
        name=name,
        kind=kind,
        shape={"classification": "text-label", "instruction": "alpaca", "preference": "pairwise"}[kind],
        mapping={"prompt": "text", "label": "label"},
        confidence=0.97,
        columns=("text", "label"),
        labels=tuple(sorted({r["label"] for r in rows if r.get("label") is not None})),
        rows=total,
        readable=len(rows),
        bad={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
        shards=(SHARD,),
        files=(InputFile(f"{name}.jsonl", "jsonl", "", 100 * total, "ab" * 32, total),),
        fingerprint="cd" * 32,
    )
