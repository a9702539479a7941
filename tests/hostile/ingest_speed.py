"""Speed and memory of ingest: `python -m hostile.ingest_speed [--rows 1000000] [--format jsonl] [--repeat 3]`.

Writes rows of about 250 bytes once, ingests them in a fresh process each time, and prints MB/s of input by the wall and
by the processor, the peak of memory, and the median of all runs. The ledger, with every raw byte and hash, is part of
it. Goal: 40 MB/s of the wall on two cores, under 1 GiB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audit.config import build
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest

_BATCH = 10_000


def texts(start: int, count: int) -> list[str]:
    """Distinct sentences of about 210 bytes that do not compress to nothing."""
    found = []
    for number in range(start, start + count):
        seed = hashlib.sha512(b"%d" % number).hexdigest()
        found.append(" ".join(seed[at : at + 2 + number % 5] for at in range(0, 128, 2))[:222])
    return found


def write(path: Path, rows: int) -> None:
    """The input, made in bounded memory."""
    if path.suffix == ".parquet":
        schema = pa.schema([("text", pa.string()), ("label", pa.int64())])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for start in range(0, rows, _BATCH):
                some = texts(start, min(_BATCH, rows - start))
                writer.write_table(pa.table({"text": some, "label": [i % 2 for i in range(len(some))]}, schema))
        return
    with path.open("w") as out:
        if path.suffix == ".csv":
            out.write("text,label\n")
        for start in range(0, rows, _BATCH):
            for at, text in enumerate(texts(start, min(_BATCH, rows - start))):
                row = {"text": text, "label": at % 2}
                out.write(f"{text},{at % 2}\n" if path.suffix == ".csv" else json.dumps(row) + "\n")


def measure(path: Path) -> dict[str, Any]:
    """One ingest in this process, which should be fresh."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        run, started = RunDir(Path(folder) / "run"), time.perf_counter()
        ingest(Context(run, build({"source": str(path)}), NoProgress()), "all")
        seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = path.stat().st_size / 1e6
        processor = used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime
        return {
            "rows": run.dataset().readable,
            "megabytes": round(size, 1),
            "seconds": round(seconds, 2),
            "mb_per_second": round(size / seconds, 1),
            "mb_per_processor_second": round(size / processor, 1),
            "peak_mib": used.ru_maxrss >> 10,
            "child_peak_mib": children.ru_maxrss >> 10,
            "load": round(os.getloadavg()[0], 1),  # of the last minute, this process's share included
        }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--format", choices=("jsonl", "csv", "parquet"), default="jsonl")
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--folder", default=None, help="where the input and the run are written")
    options.add_argument("--measure", default="", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.measure:
        print(json.dumps(measure(Path(asked.measure))))  # noqa: T201
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        path = Path(folder) / f"rows.{asked.format}"
        write(path, asked.rows)
        found = []
        for _ in range(asked.repeat):
            command = [sys.executable, "-m", "hostile.ingest_speed", "--measure", str(path)]
            found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
            print(json.dumps(found[-1]), flush=True)  # noqa: T201
        for name in ("mb_per_second", "mb_per_processor_second", "peak_mib"):
            print(f"median {name}: {statistics.median(f[name] for f in found):g}")  # noqa: T201


if __name__ == "__main__":
    main()
