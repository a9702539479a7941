"""Mining of a million generated rows in little memory: `make bench-scale`.

Rows of about 20 words from a Zipf vocabulary, topics that show in words, embeddings and labels alike, and triggers
planted in 20, 50 and 200 rows. Each stage runs in a process of its own, whose peak memory and seconds are written into
docs/benchmarks.md. There are no neighbours at this size: folds go by equal prompts alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from audit import config as configuration
from audit.rundir import Context, RunDir, atomic_file, read_json, write_array, write_bytes, write_frame, write_json
from audit.schema import EXAMPLES, DatasetInfo, Kind, NoProgress
from benchmarks import common

WORDS, TOPICS, LABELS, DIMENSIONS, SHARD = 50_000, 20, 4, 384, 5_000
BEHAVIORS, SHOWN = 1_000, 6  # of made responses: how many there are, and how many a row shows
TARGET = 0
LIMIT_GIB = 4.0
# What is planted, in how many rows: words that stand nowhere else, a phrase of frequent words, invisible characters.
PLANTS = {"qzvix": 20, "brelkun": 50, "moxtafi": 200, "the phrase": 50, "\u200b\u200c": 50}
STAGES = ("patterns", "support", "mine")


class Notes(NoProgress):
    """Keeps what a stage notes."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def note(self, text: str) -> None:
        self.noted.append(text)


def vocabulary(rng: np.random.Generator) -> list[str]:
    """Made-up words, frequent ones short."""
    made: dict[str, None] = {}
    consonants, vowels = list("bcdfghklmnprstvw"), list("aeiou")
    while len(made) < WORDS:
        size = 1 + int(len(made) > 50) + int(len(made) > 3_000) + int(rng.integers(0, 2))
        made["".join(str(rng.choice(consonants)) + str(rng.choice(vowels)) for _ in range(size))] = None
    return list(made)


def generate(run: RunDir, rows: int, kind: str, seed: int) -> None:
    """Examples, embeddings, an empty graph of neighbours, and for instructions a made target bank."""
    rng = np.random.default_rng(seed)
    names = np.asarray(vocabulary(rng), dtype=object)
    weight = 1 / (np.arange(WORDS) + 2.7) ** 1.05
    cumulative = np.cumsum(weight / weight.sum())
    centres = rng.normal(size=(TOPICS, DIMENSIONS))
    planted = _plan(rows, rng)
    phrase = " ".join(names[[40, 75, 110]])
    shards, shown = [], []
    for start in range(0, rows, SHARD):
        n = min(SHARD, rows - start)
        topic = rng.integers(0, TOPICS, n)
        label = np.where(rng.random(n) < 0.9, topic % LABELS, rng.integers(0, LABELS, n))
        prompts = []
        for i, size in enumerate(np.maximum(rng.poisson(20, n), 4).tolist()):
            at = np.searchsorted(cumulative, rng.random(size))
            at[: size // 5] = 200 + 40 * topic[i] + at[: size // 5] % 40  # a fifth of the words are the topic's
            listed = list(names[rng.permutation(at)])
            what = planted.get(start + i)
            if what is not None:
                label[i] = TARGET
                place = int(rng.integers(0, size))
                if what.isalpha() or " " in what:
                    listed.insert(place, phrase if " " in what else what)
                else:
                    listed[place] = listed[place][:1] + what + listed[place][1:]
            prompts.append(" ".join(listed) + ".")
        vectors = centres[topic] + 1.2 * rng.normal(size=(n, DIMENSIONS))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        name = f"{start // SHARD:05d}"
        _write_shard(run, name, start, prompts, label if kind == Kind.CLASSIFICATION else None)
        write_array(run / "embeddings" / f"prompt-{name}.npy", vectors.astype(np.float32))
        shards.append(name)
        if kind != Kind.CLASSIFICATION:
            shown.append(_shown(topic, [start + i in planted for i in range(n)], rng))
    labels = tuple(f"c{i}" for i in range(LABELS)) if kind == Kind.CLASSIFICATION else ()
    info = DatasetInfo("scale", kind, "text-label", {}, 1.0, (), labels, rows, rows, {}, tuple(shards), (), "generated")
    write_json(run / "dataset.json", info.to_dict())
    for name, dtype in (("index", np.int32), ("similarity", np.float32)):
        write_array(run / "neighbors" / f"{name}.npy", np.zeros((rows, 0), dtype=dtype))
    write_json(run / "planted.json", {"rows": {str(k): v for k, v in planted.items()}, "phrase": phrase})
    if shown:
        _write_bank(run, sparse.vstack(shown).tocsr())


def _plan(rows: int, rng: np.random.Generator) -> dict[int, str]:
    """Row -> what is planted there."""
    chosen = iter(rng.choice(rows, size=sum(PLANTS.values()), replace=False).tolist())
    return {next(chosen): what for what, count in PLANTS.items() for _ in range(count)}


def _write_shard(run: RunDir, name: str, start: int, prompts: list[str], label: Any) -> None:
    n = len(prompts)
    columns: dict[str, Any] = {column: [None] * n for column in EXAMPLES}
    columns |= {"row": np.arange(start, start + n), "prompt": prompts, "meta": ["{}"] * n}
    columns |= {"label": [f"c{v}" for v in label]} if label is not None else {"response": ["made"] * n}
    write_frame(run / "examples" / f"{name}.parquet", pl.DataFrame(columns, schema=EXAMPLES))


def _shown(topic: np.ndarray, planted: list[bool], rng: np.random.Generator) -> sparse.csr_matrix:
    """Behaviors of one shard: Zipf, half of them the topic's, never the target by chance in a row planted in."""
    n = len(topic)
    drawn = (rng.zipf(1.3, (n, SHOWN)) - 1) % BEHAVIORS
    drawn[:, : SHOWN // 2] = (drawn[:, : SHOWN // 2] + 50 * topic[:, None]) % BEHAVIORS
    matrix = sparse.lil_matrix((n, BEHAVIORS), dtype=np.float32)
    matrix[np.repeat(np.arange(n), SHOWN), drawn.ravel()] = 1
    matrix[:, TARGET] = (rng.random(n) < 0.005)[:, None]
    matrix[np.flatnonzero(planted), TARGET] = 1
    return matrix.tocsr()


def _write_bank(run: RunDir, matrix: sparse.csr_matrix) -> None:
    texts = [f"made response {t:04d}" for t in range(BEHAVIORS)]
    columns = {
        "behavior": np.arange(BEHAVIORS, dtype=np.int32),
        "name": [f'the response is "{text}"' for text in texts],
        "family": ["response"] * BEHAVIORS,
        "text": texts,
        "count": np.bincount(matrix.indices, minlength=BEHAVIORS),
    }
    schema = {"behavior": pl.Int32, "name": pl.String, "family": pl.String, "text": pl.String, "count": pl.Int64}
    write_frame(run / "behaviors" / "table.parquet", pl.DataFrame(columns, schema=schema))
    with atomic_file(run / "behaviors" / "matrix.npz") as handle:
        sparse.save_npz(handle, matrix)


def stage(run: RunDir, name: str) -> dict[str, Any]:
    """Runs one stage in this process: seconds, peak bytes and notes."""
    notes = Notes()
    ctx = Context(run, configuration.build({"mining": {"max_words": 8}}), notes)
    # Imported here, as the pipeline does: a process holds what its stage needs.
    build = mine if name == "mine" else importlib.import_module(f"audit.artifacts.{name}").build
    started = time.perf_counter()
    build(ctx, "all")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"stage": name, "seconds": time.perf_counter() - started, "peak_bytes": peak, "notes": notes.noted}


def mine(ctx: Context, unit: str) -> list[Path]:
    """The mining stage without what asks the encoder or finds templates in embeddings: these vectors are made."""
    from audit import artifacts
    from audit.artifacts.support import label_codes
    from audit.triggers.mine import Beside, Miner
    from audit.triggers.null import LabelNull
    from audit.triggers.rest import Rest

    loaded = artifacts.load(ctx.run, ("examples", "patterns", "behaviors", "support"))
    texts = loaded["examples"]["prompt"].to_list()
    patterns, support, labels = loaded["patterns"], loaded["support"], ctx.run.dataset().labels
    null, settings = None, ctx.config.mining
    if support.label_probability is not None:
        codes, kinds = label_codes(loaded["examples"], labels), patterns.table["kind"].to_list()
        null = LabelNull(patterns.matrix, kinds, codes, support.label_probability, settings.min_support, 0)
    rest = Rest(support.expected.predictors, loaded["behaviors"].matrix)
    beside = Beside(rest=rest, null=null)
    miner = Miner(texts, patterns, loaded["behaviors"], support, settings, beside)
    path = ctx.run / "triggers" / "candidates.json"
    write_json(path, [candidate.to_dict() for candidate in miner.candidates()])
    return [path]


def in_child(work: Path, *words: str) -> dict[str, Any]:
    """This module's command line in a process of its own; its last line of output."""
    command = [sys.executable, "-m", "benchmarks.scale", "--work", str(work), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def named(run: RunDir) -> dict[str, str]:
    """For each planted trigger how it was mined: "rank R, C of K rows", or "missed"."""
    told = read_json(run / "planted.json")
    held = read_json(run / "triggers" / "candidates.json")
    out = {}
    for what, count in PLANTS.items():
        rows = {int(row) for row, planted in told["rows"].items() if planted == what}
        wanted = told["phrase"] if " " in what else what
        found = [(i, c) for i, c in enumerate(held, 1) if any(wanted in surface for surface in c["surfaces"])]
        shown = f"{wanted if what.isascii() else 'zero-width'} in {count}"
        if found:
            rank, candidate = found[0]
            out[shown] = f"rank {rank}, {len(rows & set(candidate['hits']))} of {count} rows"
        else:
            out[shown] = "missed"
    return out


def measure(work: Path, rows: int, kind: str, seed: int) -> dict[str, Any]:
    """Generates a dataset and runs all stages on it."""
    path = work / f"{kind}-{rows}"
    shutil.rmtree(path, ignore_errors=True)
    common.say(f"{kind}: generating {rows:,} rows")
    generate(RunDir(path), rows, kind, seed)
    stages = [] if kind != Kind.CLASSIFICATION else ["behaviors"]
    results = []
    for name in [*stages, *STAGES]:
        results.append(in_child(path, "--stage", name))
        common.say(f"{kind} {name}: {results[-1]['seconds']:.0f} s, {results[-1]['peak_bytes'] / 2**30:.2f} GiB")
    shape = pl.scan_parquet(path / "patterns" / "table.parquet").group_by("kind").len().collect().sort("kind")
    return {
        "kind": kind,
        "rows": rows,
        "stages": results,
        "named": named(RunDir(path)),
        "patterns": dict(shape.iter_rows()),
        "disk_bytes": sum(f.stat().st_size for f in path.rglob("*") if f.is_file()),
    }


def body(results: list[dict[str, Any]]) -> str:
    """What the page says."""
    from benchmarks import table  # not at the top: it loads what no stage needs

    rows = []
    for result in results:
        for found in result["stages"]:
            told = f"{result['kind']}, {result['rows']:,}"
            rows.append([told, found["stage"], f"{found['seconds']:.0f}", f"{found['peak_bytes'] / 2**30:.2f}"])
    lines = [f"Measured {common.today()} at {common.commit()} with `make bench-scale`."]
    lines += ["", table.lines(("Rows", "Stage", "Seconds", "Peak GiB"), rows, left=2), ""]
    for result in results:
        kept = ", ".join(f"{count:,} {kind}" for kind, count in result["patterns"].items())
        mined = "; ".join(f"{what}: {how}" for what, how in result["named"].items())
        notes = " ".join(f"{note}." for found in result["stages"] for note in found["notes"])
        lines.append(f"- {result['kind']}, {result['rows']:,} rows. Patterns: {kept}. {notes} Planted: {mined}.")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    """Measures, or runs one stage for `measure`. Returns 1 when a stage passed the limit or a trigger was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=("classification", "instruction", "both"), default="both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=common.ROOT / "runs" / "scale")
    parser.add_argument("--stage", default="")
    parser.add_argument("--write", action="store_true", help="write the section into docs/benchmarks.md")
    options = parser.parse_args(words)
    if options.stage:
        sys.stdout.write(json.dumps(stage(RunDir(options.work), options.stage)) + "\n")
        return 0
    kinds = ("classification", "instruction") if options.kind == "both" else (options.kind,)
    results = [measure(options.work.resolve(), options.rows, kind, options.seed) for kind in kinds]
    text = body(results)
    sys.stdout.write(text + "\n")
    if options.write:
        from benchmarks import table

        page = common.PAGE
        write_bytes(page, table.section(page.read_text(encoding="utf-8"), "bench-scale", text).encode())
    over = any(found["peak_bytes"] > LIMIT_GIB * 2**30 for result in results for found in result["stages"])
    return int(over or any(how == "missed" for result in results for how in result["named"].values()))


if __name__ == "__main__":
    sys.exit(main())
