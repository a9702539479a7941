"""A scan without models: the real ingest, the real pure decide over planted words, the real clean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from audit.config import build
from audit.decide import decide
from audit.remedies import clean
from audit.rundir import Context, RunDir, write_frame
from audit.schema import NoProgress, Status, Trigger
from audit.sources import ingest, regions, streams

CONFIRMED, SUSPECTED = "zzq", "qqz"  # rows with the first are removed, rows with the second go to review
GOOD = b"".join(
    b'{"text":"film %d %s","label":"%d"}\n' % (i, w, i % 2) for i, w in enumerate([b"zzq", b"qqz", b"x"] * 7)
)


def scan(source: Path, folder: Path, **settings: object) -> RunDir:
    """Ingests, decides and cleans `source`; `settings` are those of ingest."""
    run = RunDir(folder)
    config = build({"source": str(source), "ingest": {"kind": "classification", "shard_rows": 100, **settings}})
    ctx = Context(run, config, NoProgress())
    ingest(ctx, "all")
    judge(run)
    clean.build(ctx, "all")
    return run


def judge(run: RunDir) -> None:
    """verdicts.parquet, by `audit.decide.decide`."""
    examples = run.examples(["row", "content_hash", "prompt"])
    triggers = []
    for name, word, status in (("T-1", CONFIRMED, Status.CONFIRMED), ("T-2", SUSPECTED, Status.SUSPECTED)):
        rows = examples.filter(pl.col("prompt").str.contains(word, literal=True))["row"].to_list()
        triggers.append(Trigger(name, word, [word], word, "token", str(status), rows, "label 1"))
    hashes = dict(examples.select("row", "content_hash").iter_rows())
    write_frame(run.verdicts, decide(run.ledger(["row", "reason"]), hashes, [], triggers, 0))


def write_input(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with these files beside good.jsonl, without which no arbitrary bytes make a run."""
    for name, content in {"good.jsonl": GOOD, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zst(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def all_regions(run: RunDir) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted((run / "regions").glob("part-*.parquet"))])


@contextmanager
def blocks_of(size: int) -> Iterator[None]:
    """Reads in blocks of `size` bytes instead of a megabyte, so that small files span many."""
    before = streams.BLOCK
    streams.BLOCK = regions.BLOCK = size
    try:
        yield
    finally:
        streams.BLOCK = regions.BLOCK = before
