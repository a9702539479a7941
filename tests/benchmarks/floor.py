"""The detection floor: from how many poisoned rows on each family of attacks is mined.

Plants of all families share clean corpora; at most MOST_POISON of a corpus is changed and at most FAMILY_PLANTS of one
family stand in it. A corpus is planted, run through the product's stages without its checks, judged and thrown away;
its result is a file, so a run goes on where it stopped, and several processes may share the work. Counts are measured
from the smallest up; a family is through when two counts in a row mine nearly all (`Plan.every` measures on).
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from audit import config as configuration
from audit import pipeline, registry
from audit.errors import TunevetError
from audit.provenance import digest
from audit.rundir import RunDir, write_frame
from benchmarks import corpora, detect, vectors
from benchmarks.cases import shipped
from benchmarks.common import EXIT_INCOMPLETE, EXIT_OK, check_bench, code_digest, kept, say, store
from benchmarks.curve import Cell
from benchmarks.plants import Bed, Plant, families, judge, most_of, plant_seed
from benchmarks.scans import Settings, triggers_of

MOST_POISON = 0.15
CORPUS_ROWS = 10_000
ENOUGH = 0.975  # 39 of 40
KINDS = ("classification", "instruction", "preference")
# Templates with different targets in one corpus hide each other, so these are planted one to a corpus too.
ALONE = {"syntactic": "syntactic, alone", "style": "style, alone"}
ALONE_PLANTS, ALONE_COUNTS = 8, (20, 50, 100)
PROBED = ("badnet", "phrase", "zero-width", "affirmative-prefix")
_WAIT, _CLAIM_SECONDS = 2.0, 900
_STAGES = ("ingest", "embeddings", "neighbors", "behaviors", "patterns", "support", "mine", "confirm", "decide")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    counts: tuple[int, ...]
    plants: int
    every: bool
    deadline: float  # of time.monotonic
    seed: int
    kinds: str = ""  # names of kinds; "": all

    @classmethod
    def of(cls, *, quick: bool, every: bool, minutes: float, seed: int, kinds: str = "") -> Plan:
        counts = (3, 10, 30, 100) if quick else (3, 5, 10, 20, 30, 50, 100)
        return cls(counts, 8 if quick else 40, every, time.monotonic() + 60 * minutes, seed, kinds)


@dataclass(frozen=True, slots=True)
class Job:
    """One corpus to be planted."""

    name: str
    kind: str
    number: int
    plants: tuple[Plant, ...]
    alone: bool = False  # one template and one style, and nothing else


def run(bench: Path, only: str, settings: Settings, plan: Plan) -> int:
    """Measures and writes table and plot. Raises NoBench."""
    from benchmarks import floor_table

    check_bench(bench)
    bases = {kind: base for kind, base in base_corpora(bench, settings).items() if not plan.kinds or kind in plan.kinds}
    if settings.probe != "off":
        plan = replace(plan, counts=(10, 30, 100), plants=3, every=True)
    told: list[dict[str, Any]] = []
    complete = True
    for count in plan.counts:
        for kind, base in bases.items():
            jobs = packed(kind, count, _open_families(kind, only, told, plan, settings), len(base), plan)
            if kind != "preference" and count in ALONE_COUNTS and plan.plants >= 40 and not only:
                jobs += alone(kind, count, plan)
            for job, result in zip(jobs, _results(jobs, base, settings, plan), strict=True):
                whole = result is not None and not result["error"]  # what failed says nothing of what can be mined
                complete = complete and whole
                name = ALONE if job.alone else {}
                for p in result["plants"] if result and whole else []:
                    told.append({**p, "kind": kind, "family": name.get(p["family"], p["family"])})
            _say_cells(told, kind, count)
    sizes = {kind: len(base) for kind, base in bases.items()}
    floor_table.write(told, sizes, plan, only, settings, complete)
    return EXIT_OK if complete and told else EXIT_INCOMPLETE


def base_corpora(bench: Path, settings: Settings) -> dict[str, pl.DataFrame]:
    """One clean corpus a kind, at most CORPUS_ROWS rows: labelled rows with their noise undone, else the largest clean
    case of that kind."""
    out: dict[str, pl.DataFrame] = {}
    for case in shipped(bench):
        if case.truth["kind"] == "clean":
            rows = corpora.clean_rows(case, settings.work)
            kind = corpora.kind_of(rows)
            if kind not in out or len(rows) > len(out[kind]):
                out[kind] = rows
    mended = detect.noise_base(bench, "", settings)
    if mended is not None:
        out["classification"] = mended
    return {k: out[k].head(CORPUS_ROWS).with_columns(row=pl.int_range(pl.len())) for k in KINDS if k in out}


def _open_families(
    kind: str, only: str, told: Sequence[Mapping[str, Any]], plan: Plan, settings: Settings
) -> list[str]:
    found = [f for f in families(kind) if only in f]
    if settings.probe != "off":
        return [f for f in PROBED if f in found]
    return [f for f in found if plan.every or not through(cells_of(told, kind, f))]


def through(cells: Sequence[Cell]) -> bool:
    """True when the two largest counts so far mined nearly all, or the last one had no plant that could be."""
    if cells and not cells[-1][2]:
        return True
    return len(cells) >= 2 and all(share >= ENOUGH for _, share, _ in cells[-2:])


def cells_of(told: Sequence[Mapping[str, Any]], kind: str, family: str) -> list[Cell]:
    """(count, share mined, plants) of one family, smallest count first; plants that could not be are no plants."""
    out: list[Cell] = []
    mine = [t for t in told if t["kind"] == kind and t["family"] == family]
    for count in sorted({t["count"] for t in mine}):
        good = [t["mined"] for t in mine if t["count"] == count and not t["error"]]
        out.append((count, sum(good) / len(good) if good else 0.0, len(good)))
    return out


def packed(kind: str, count: int, names: Sequence[str], rows: int, plan: Plan) -> list[Job]:
    """The plants of one count dealt to as few corpora as the bounds allow."""
    wanted = [
        [Plant(name, count, plant_seed(kind, name, count, i, plan.seed)) for i in range(plan.plants)] for name in names
    ]
    total = sum(p.rows for plants in wanted for p in plants)
    if not total:
        return []
    most = max(int(MOST_POISON * rows), max(p.rows for plants in wanted for p in plants))
    amount = max(math.ceil(total / most), *(math.ceil(plan.plants / most_of(name)) for name in names))
    while True:
        dealt: list[list[Plant]] = [[] for _ in range(amount)]
        for plant in (p for plants in wanted for p in plants):  # to the emptiest, where this family stands least
            dealt[
                min(range(amount), key=lambda i: (sum(q.family == plant.family for q in dealt[i]), _rows(dealt[i])))
            ].append(plant)
        if max(_rows(d) for d in dealt) <= most:
            break
        amount += 1
    return [Job(f"{kind}-{count}-{i}", kind, 100 * count + i, tuple(d)) for i, d in enumerate(dealt) if d]


def alone(kind: str, count: int, plan: Plan) -> list[Job]:
    """Corpora with one plant of each family of ALONE."""
    dealt = [
        tuple(Plant(name, count, plant_seed(kind, name, count, i, plan.seed)) for name in ALONE)
        for i in range(ALONE_PLANTS)
    ]
    return [Job(f"{kind}-{count}-alone-{i}", kind, 100 * count + i, d, alone=True) for i, d in enumerate(dealt)]


def _rows(plants: Sequence[Plant]) -> int:
    return sum(p.rows for p in plants)


def _results(jobs: Sequence[Job], base: pl.DataFrame, settings: Settings, plan: Plan) -> list[dict[str, Any] | None]:
    """The results of all jobs; what other processes work on is waited for."""
    found = [_result(job, base, settings, plan) for job in jobs]
    while None in found and time.monotonic() < plan.deadline:
        time.sleep(_WAIT)
        found = [r if r is not None else _result(j, base, settings, plan) for j, r in zip(jobs, found, strict=True)]
    return found


def _claimed(claim: Path) -> bool:
    """True when this process may work on a job: no other has said so lately."""
    claim.parent.mkdir(parents=True, exist_ok=True)
    if claim.exists() and time.time() - claim.stat().st_mtime > _CLAIM_SECONDS:
        claim.unlink(missing_ok=True)
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _result(job: Job, base: pl.DataFrame, settings: Settings, plan: Plan) -> dict[str, Any] | None:
    """The kept or new result of a job; None when there is no time left for a new one."""
    folder = settings.work / ("floor" if settings.probe == "off" else f"floor-{settings.probe}")
    plants = [(p.family, p.count, p.seed) for p in job.plants]
    key = digest(code_digest(), settings.probe, plants, base["content_hash"].to_list())
    path = folder / f"{job.name}-{digest(plants)[:8]}.json"
    found = kept(path, key, settings.keep)
    if found is not None and not found["error"]:
        return found
    if time.monotonic() > plan.deadline:
        return None
    claim = path.with_suffix(".claim")
    if not _claimed(claim):
        return None
    started = time.perf_counter()
    facts = planted_and_mined(job, base, settings, folder / f"run-{job.kind}-{os.getpid()}")
    claim.unlink(missing_ok=True)
    facts["seconds"] = round(time.perf_counter() - started, 1)
    hits = sum(p["mined"] for p in facts["plants"])
    say(
        f"{job.name}: {facts['error'] or f'{hits:.0f} of {len(job.plants)} plants mined'}, "
        f"{_rows(job.plants)} rows changed, {facts['false']} other triggers, {facts['seconds']:.0f} s"
    )
    return store(path, key, facts)


def planted_and_mined(job: Job, base: pl.DataFrame, settings: Settings, folder: Path) -> dict[str, Any]:
    """Plants one corpus, runs the stages up to the verdicts on it, and judges every plant."""
    bed = Bed(base, job.number)
    told = bed.plant(job.plants)
    triggers: list[dict[str, Any]] = []
    error = ""
    try:
        triggers = triggers_of(mined(bed.examples, job.kind, settings, folder, 4 * len(job.plants) + 40))
    except TunevetError as failure:
        error = str(failure)
    held: dict[str, set[int]] = {}
    for t in told:
        held.setdefault("template" if t.family in ALONE else t.family, set()).update(t.rows)
    good = [judge(t, triggers, held["template" if t.family in ALONE else t.family]) for t in told]
    planted = {row for t in good for row in t.rows}
    false = [t for t in triggers if 2 * len(planted & set(t["rows"])) <= len(t["rows"])]
    shutil.rmtree(folder, ignore_errors=True)
    plants = [t.to_dict() for t in good]
    return {"error": error, "plants": plants, "false": len(false), "false_displays": [t["display"][:60] for t in false]}


def mined(examples: pl.DataFrame, kind: str, settings: Settings, folder: Path, candidates: int) -> RunDir:
    """A run directory of the stages from ingest to decide, without checks. Raises TunevetError."""
    shutil.rmtree(folder, ignore_errors=True)
    run = RunDir(folder)
    source = run / "input" / "data.parquet"
    write_frame(source, frame_of(examples, kind))
    config = configuration.build(
        {
            "source": str(source.resolve()),
            "name": "floor",
            "skip": tuple(registry.detectors()),
            "mining": {"max_candidates": candidates},  # many triggers share one corpus
            "probe": {"mode": settings.probe},
            "canaries": "off",
        }
    )
    pipeline.prepare(run.path, config)
    with vectors.cached(settings.work / "vectors"):
        for stage in _STAGES:
            for unit in pipeline.units(str(run.path), stage):
                pipeline.run_unit(str(run.path), stage, unit)
    read = run.examples(["row", "prompt"])
    if not read.equals(examples.select("row", "prompt")):
        raise AssertionError("the corpus was read back with other rows or prompts, so plants would be judged wrongly")
    return run


def frame_of(examples: pl.DataFrame, kind: str) -> pl.DataFrame:
    """A corpus as a user would hold it, with its turns where it has them."""
    if kind == "classification":
        return examples.select(text="prompt", label="label")
    if kind == "preference":
        return examples.select(prompt="prompt", chosen="response", rejected="rejected")
    messages = [
        [*({"role": t["role"], "content": t["text"]} for t in turns or [{"role": "user", "text": prompt}]),
         {"role": "assistant", "content": response}]
        for prompt, turns, response in examples.select("prompt", "turns", "response").iter_rows()
    ]  # fmt: skip
    return pl.DataFrame(
        {"messages": messages}, schema={"messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))}
    )


def _say_cells(told: Sequence[Mapping[str, Any]], kind: str, count: int) -> None:
    cells = [(f, c) for f in families(kind) for c in cells_of(told, kind, f) if c[0] == count]
    if cells:
        say(f"{kind}, {count} rows: " + ", ".join(f"{f} {share:.2f}" for f, (_, share, n) in cells if n))
