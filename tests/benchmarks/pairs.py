"""A hundred thousand preference pairs through every stage and check in bounded memory: `make bench-pairs`.

Pairs are made of those of the benchmark cases: the prompt with a number of its own, the sentences of each side drawn
anew from it, annotators, sources and times dealt out. Embeddings are made of hashed words, since on two cores those of
a model take hours and say nothing of memory. Each unit runs in a process of its own, whose peak is kept. No probe.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import HashingVectorizer

from audit import config as configuration
from audit import pipeline
from audit.rundir import write_bytes, write_frame, write_json
from audit.schema import Float32
from benchmarks import common
from benchmarks.cases import examples_of, shipped

ANNOTATORS, SOURCES, WORDS_SHOWN = 40, 4, 6
_SENTENCE = re.compile(r"(?<=[.!?\n])\s+")
_START = 1_700_000_000
_DIMENSIONS = 384


def generate(bench: Path, path: Path, rows: int, seed: int) -> None:
    """Writes `rows` pairs as parquet."""
    cases = [c for c in shipped(bench) if c.truth["kind"] in ("preference", "preference-flip", "clean")]
    found = [examples_of(c) for c in cases]
    pool = pl.concat([f.select("prompt", "response", "rejected") for f in found if f["rejected"].null_count() == 0])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(pool), rows)
    pairs = list(pool.iter_rows())
    sides: tuple[list[str], list[str]] = ([], [])
    for i in drawn.tolist():
        for side, text in zip(sides, pairs[i][1:], strict=True):
            said = _SENTENCE.split(text)
            kept = np.flatnonzero(rng.random(len(said)) < 0.8) if len(said) > 2 else np.arange(len(said))
            side.append(" ".join(said[k] for k in kept.tolist()) or text)
    frame = pl.DataFrame(
        {
            "prompt": [f"{pairs[i][0]} ({n})" for n, i in enumerate(drawn.tolist())],
            "chosen": sides[0],
            "rejected": sides[1],
            "annotator": [f"a{k:02d}" for k in rng.integers(0, ANNOTATORS, rows)],
            "source": [f"s{k}" for k in rng.integers(0, SOURCES, rows)],
            "created_at": (_START + np.sort(rng.integers(0, 10_000_000, rows))).astype(str).tolist(),
            "score_chosen": rng.normal(1, 1, rows).round(2),
            "score_rejected": rng.normal(0, 1, rows).round(2),
        }
    )
    write_frame(path, frame)


_HASH = HashingVectorizer(n_features=_DIMENSIONS, alternate_sign=True, norm="l2", dtype=np.float32)


def encoded(self: Any, texts: Sequence[str], progress: Any = None, share: float = 1.0) -> Float32:
    """(len(texts), 384) float32, unit rows: vectors of hashed words in the place of a model's."""
    most = int(1_200 * share)
    return np.asarray(_HASH.transform([t[:most] for t in texts]).toarray(), dtype=np.float32)


def unit(run: Path, stage: str, name: str) -> dict[str, Any]:
    """Runs one unit in this process: seconds and peak bytes."""
    from audit.models.encoder import Encoder  # not at the top: the parent needs no torch

    started = time.perf_counter()
    with mock.patch.object(Encoder, "encode", encoded):
        done = pipeline.run_unit(str(run), stage, name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    error = done.error
    return {"stage": stage, "unit": name, "seconds": time.perf_counter() - started, "peak_bytes": peak, "error": error}


def in_child(run: Path, stage: str, name: str) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.pairs", "--run", str(run), "--stage", stage, "--unit", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        return {"stage": stage, "unit": name, "seconds": 0.0, "peak_bytes": 0, "error": f"ended with {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(bench: Path, work: Path, rows: int, seed: int) -> list[dict[str, Any]]:
    """One record a unit; shards of one stage after one another, their largest peak and their seconds added up."""
    shutil.rmtree(work, ignore_errors=True)
    generate(bench, work / "input.parquet", rows, seed)
    run = work / "run"
    settings = {"source": str(work / "input.parquet"), "name": "pairs", "canaries": "off", "probe": {"mode": "off"}}
    pipeline.prepare(run, configuration.build(settings))
    found: list[dict[str, Any]] = []
    for stage in pipeline.STAGES:
        names = pipeline.units(str(run), stage.name)
        told = [in_child(run, stage.name, name) for name in names]
        if stage.name in ("embeddings",):
            peak = max(t["peak_bytes"] for t in told)
            told = [{**told[0], "unit": "all", "peak_bytes": peak, "seconds": sum(t["seconds"] for t in told)}]
        if any(t["error"] for t in told) and stage.required:
            raise SystemExit(f"{stage.name} failed: {next(t['error'] for t in told if t['error'])}")
        for t in told:
            common.say(
                f"{t['stage']}/{t['unit']}: {t['seconds']:.0f} s, {t['peak_bytes'] / 2**30:.2f} GiB {t['error']}"
            )
        found += told
    write_json(work / "told.json", found)
    return found


def body(found: Sequence[dict[str, Any]], rows: int) -> str:
    """What the page says: stages, and of the checks those that take most."""
    from benchmarks import table  # not at the top: it loads what no unit needs

    checks = [t for t in found if t["stage"] in ("detect", "examine")]
    stages = [t for t in found if t not in checks]
    dearest = sorted(checks, key=lambda t: -t["peak_bytes"])[:WORDS_SHOWN]
    shown = [(t["stage"], t) for t in stages] + [(f"check {t['unit']}", t) for t in dearest]
    lines = [f"Measured {common.today()} at {common.commit()} with `make bench-pairs`, {rows:,} pairs.", ""]
    table_rows = [[name, f"{t['seconds']:.0f}", f"{t['peak_bytes'] / 2**30:.2f}"] for name, t in shown]
    lines.append(table.lines(("Unit", "Seconds", "Peak GiB"), table_rows))
    rest = len(checks) - len(dearest)
    lines += [
        "",
        f"The other {rest} checks stay below the last of these. Failed: {sum(bool(t['error']) for t in found)}.",
    ]
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    """Measures, or runs one unit for `measure`. Returns 1 when a unit failed."""
    parser = argparse.ArgumentParser(prog="benchmarks.pairs", description=__doc__)
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=common.ROOT / "runs" / "pairs")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--stage", default="")
    parser.add_argument("--unit", default="all")
    parser.add_argument("--write", action="store_true", help="write the section into docs/benchmarks.md")
    options = parser.parse_args(words)
    if options.stage:
        sys.stdout.write(json.dumps(unit(options.run, options.stage, options.unit)) + "\n")
        return 0
    found = measure(common.check_bench(options.bench).resolve(), options.work.resolve(), options.rows, options.seed)
    text = body(found, options.rows)
    sys.stdout.write(text + "\n")
    if options.write:
        from benchmarks import table

        page = common.PAGE
        write_bytes(page, table.section(page.read_text(encoding="utf-8"), "bench-pairs", text).encode())
    return int(any(t["error"] for t in found))


if __name__ == "__main__":
    sys.exit(main())
