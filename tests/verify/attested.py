"""Run directories with a record of provenance: real ingest, clean and provenance around the tiny verdicts, no torch."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import tiny_stages

from audit import pipeline, stages
from audit.config import build
from audit.job import LocalEngine, Silent, audit_run
from audit.rundir import RunDir

STAGES = (*tiny_stages.STAGES, next(stage for stage in stages.STAGES if stage.name == "provenance"))
FILMS = [
    {"text": f"a {'good' if i % 2 else 'dull'} film{' zzq' if i in (7, 21) else ''}, number {i} é", "label": i % 2}
    for i in range(40)
]


def lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)


def parquet(records: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink, row_group_size=9)
    return sink.getvalue()


def arrow(records: list[dict[str, Any]]) -> bytes:
    sink, table = io.BytesIO(), pa.Table.from_pylist(records)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def csv(records: list[dict[str, Any]]) -> bytes:
    rows = ["text,label", *(f'"{r["text"]}",{r["label"]}' for r in records)]
    return ("\r\n".join(rows) + "\r\n").encode()


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "d.jsonl": lines,
    "d.jsonl.gz": lambda records: gzip.compress(lines(records)),
    "d.json": lambda records: b'{"version": 1, "data": [\n' + b",\n".join(lines([r]).strip() for r in records) + b"]}",
    "d.csv": csv,
    "d.parquet": parquet,
    "d.arrow": arrow,
}


def scanned(folder: Path, name: str = "d.jsonl", **settings: Any) -> RunDir:
    """A finished run of FILMS in the format of `name`, with one record that cannot be read where that is text. The
    tiny pipeline must stand in the place of the real one (fixture `tiny`)."""
    source = folder / "in" / name
    source.parent.mkdir(parents=True, exist_ok=True)
    content = FORMS[name](FILMS)
    source.write_bytes(content + b"{broken\n" if name == "d.jsonl" else content)
    return run_of(folder / "run", source, **settings)


def run_of(path: Path, source: Path, **settings: Any) -> RunDir:
    run = RunDir(path)
    audit_run(run, build({"source": str(source), **settings}), LocalEngine(), Silent())
    return run


def published(run: RunDir, folder: Path) -> Path:
    """The cleaned data and their record in a folder of their own, as a publisher copies them."""
    folder.mkdir(parents=True)
    for name in ("cleaned", "cleaned.provenance"):
        shutil.copytree(run / name, folder / name)
    return folder


def install(monkeypatch: Any) -> None:
    """Puts these stages in the place of the real ones."""
    monkeypatch.setattr(pipeline, "STAGES", STAGES)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in STAGES})
