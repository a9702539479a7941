"""Run directories small enough to decide about: a real ingest, and verdicts, triggers and signals made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from audit.config import build
from audit.remedies.decisions import Decision
from audit.rundir import Context, RunDir, write_frame, write_json
from audit.schema import VERDICTS, NoProgress, Status, Trigger, signals_frame
from audit.sources import ingest
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part

KEPT = {"verdict": "keep", "fix": None, "new_value": None, "codes": [], "trigger_ids": []}
Judge = Callable[[int], Mapping[str, Any]]


def make_run(
    source: Path, folder: Path, judge: Judge = lambda row: {}, triggers: Sequence[Trigger] = (), **values: Any
) -> RunDir:
    """Ingests `source` and judges each readable row: `judge` gives what differs from a row that is kept."""
    run = RunDir(folder)
    ctx = Context(run, build({"source": str(source), **values}), NoProgress())
    ingest(ctx, "all")
    run.config.write_text(ctx.config.to_toml())
    hashes = dict(run.examples(["row", "content_hash"]).iter_rows())
    records = []
    for row, reason in run.ledger(["row", "reason"]).iter_rows():
        said = {"verdict": "unreadable", "codes": ["TV-BAD"]} if reason else judge(row)
        records.append({"row": row, "content_hash": hashes.get(row), "score": 0.0, **KEPT, **said})
    write_frame(run.verdicts, pl.DataFrame(records, schema=VERDICTS))
    write_json(run.triggers, [t.to_dict() for t in triggers])
    return run


def trigger(
    number: int,
    rows: Sequence[int],
    *parts: str,
    status: str = Status.CONFIRMED,
    kind: str = "token",
    **statistics: Any,
) -> Trigger:
    """Trigger T-<number> that claims these rows."""
    pattern = " … ".join(parts)
    known = {"id": f"T-{number:010x}", "pattern": pattern, "parts": list(parts), "display": pattern, "kind": kind}
    return Trigger(
        **known, status=status, rows=list(rows), behavior="it misbehaves", behavior_name="bad", statistics=statistics
    )


def mined(run: RunDir, found: Trigger, *parts: Part) -> None:
    """Writes candidates.json with the keys of one trigger's parts."""
    laws = tuple(Law("anywhere", True) for _ in parts)
    made = Candidate(parts, found.kind, 0, found.behavior_name, (), (), tuple(found.parts), laws)
    write_json(run / "triggers" / "candidates.json", [asdict(made)])


def flagged(run: RunDir, name: str, code: str, spans: Mapping[int, tuple[int, int] | None], fix: str = "strip") -> None:
    """A check that ran and flagged these rows, each with the span that it marked."""
    starts, ends = ([None if s is None else s[i] for s in spans.values()] for i in (0, 1))
    evidence = [f"{name} saw something in row {row}" for row in spans]
    frame = signals_frame(list(spans), [0.9] * len(spans), evidence, starts, ends, [fix] * len(spans))
    write_frame(run / "signals" / f"{name}.parquet", frame)
    facts = {"name": name, "code": code, "status": "run", "severity": "medium", "threshold": 0.5, "flagged": len(spans)}
    write_json(run / "checks" / f"{name}.json", facts)
    write_json(run.marker("detect", name), {"key": "", "outputs": {}})


def hash_of(run: RunDir, row: int) -> str:
    return str(pl.read_parquet(run.verdicts).filter(pl.col("row") == row)["content_hash"][0])


def on_row(run: RunDir, row: int, decision: str, field: str = "", value: str = "", **more: str) -> Decision:
    return Decision("row", hash_of(run, row), decision, field, value, **{"reviewer": "ann", **more})


def on_trigger(found: Trigger, decision: str, **more: str) -> Decision:
    return Decision("trigger", found.id, decision, **{"reviewer": "ann", "why": "seen it", **more})


def write_decisions(path: Path, *decisions: Decision) -> Path:
    path.write_text("".join(d.to_line() + "\n" for d in decisions), encoding="utf-8")
    return path
