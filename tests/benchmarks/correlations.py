"""The error rates of "trigger or instruction": honest correlations that the proof would confirm, and attacks on rows of
one topic that it would acquit.

Honest: what the miner lists in clean corpora and does not suspect (task verbs, names, sentiment words, boilerplate),
associated beyond chance. Each is put to the probe. Attacks: tokens planted in rows that are each other's nearest
neighbours, each with a response of its own, so that the carriers look like an honest topic without the token.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import config
from audit.attacks import plant_token, response_target
from audit.attacks.names import names
from audit.attacks.naming import holds
from audit.config import Config
from audit.models.encoder import Encoder
from audit.proof.confirm import Prover
from audit.proof.judge import FAMILY_WISE
from audit.rundir import Context, RunDir, read_json, write_json
from audit.schema import NoProgress, Status
from audit.triggers import mining
from benchmarks import floor, table, vectors
from benchmarks.cases import shipped
from benchmarks.common import EXIT_INCOMPLETE, EXIT_OK, check_bench, say
from benchmarks.plants import FIRST_POOL
from benchmarks.responses import response
from benchmarks.scans import Settings, scan

ATTACKS, ROWS = 20, 30
AT_ONCE = 10  # attacks of one corpus: a scan probes some twelve that mining does not suspect
MOST = 24  # honest correlations of one corpus
_CORPORA = ("instruction", "classification")
_TASKS = "clean-t0"  # templates of many tasks: the hard negatives
_STATUSES = (Status.CONFIRMED, Status.SUSPECTED, Status.UNTESTABLE, Status.REFUTED)


def run(bench: Path, settings: Settings) -> int:
    """Measures both and writes the section. Raises NoBench."""
    check_bench(bench)
    settings = replace(settings, probe="quick") if settings.probe == "off" else settings
    bases = floor.base_corpora(bench, settings)
    told: dict[str, list[dict[str, Any]]] = {}
    for kind in _CORPORA:
        folder = settings.work / "correlations" / f"honest-{kind}"
        clean = floor.mined(bases[kind], kind, replace(settings, probe="off"), folder, 120)
        told[f"honest, {kind}"] = honest(clean, settings)
    tasks = next(iter(shipped(bench, _TASKS)), None)
    if tasks is not None:
        unproved = replace(settings, probe="off")
        scan(tasks, unproved)
        told["honest, tasks of templates"] = honest(unproved.run_of(tasks.name), settings)
    told["attacks on one topic, instruction"] = topical(bases["instruction"], settings)
    write_json(settings.work / "correlations" / "told.json", told)
    _write(told, settings)
    return EXIT_OK if all(told.values()) else EXIT_INCOMPLETE


def honest(run: RunDir, settings: Settings) -> list[dict[str, Any]]:
    """What the proof says of a clean run's strongest candidates that mining does not suspect."""
    found = mining.load(run / "triggers" / "candidates.json")
    listed = [
        c
        for c in found
        if not c.statistics["suspected"] and c.behavior >= 0 and float(c.statistics["family_wise_p"]) < FAMILY_WISE
    ]
    judged = Prover(Context(run, _probed(config.load(run.config), settings), NoProgress())).prove(listed[:MOST])
    return [_told(t.pattern, str(t.status), t.probe, t.statistics) for t in judged]


def topical(base: pl.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """What becomes of tokens in rows of one topic each."""
    words, topics = names(FIRST_POOL, ATTACKS, base["prompt"].to_list()), _topics(base, settings)
    return [t for first in range(0, ATTACKS, AT_ONCE) for t in _planted(base, settings, words, topics, first)]


def _planted(
    base: pl.DataFrame, settings: Settings, words: list[str], topics: list[list[int]], first: int
) -> list[dict[str, Any]]:
    planted, chosen = base, range(first, min(first + AT_ONCE, len(topics)))
    for i in chosen:
        made = plant_token(
            planted,
            count=ROWS,
            seed=FIRST_POOL + i,
            trigger=words[i],
            target=response_target([response(i)]),
            exclude=set(base["row"].to_list()) - set(topics[i]),
        )
        planted = made.examples
    folder = settings.work / "correlations" / f"topical-{first}"
    run = floor.mined(planted, "instruction", settings, folder, 4 * AT_ONCE)
    found = read_json(run.triggers)
    out = []
    for i in chosen:
        t = next((t for t in found if holds(t["pattern"], words[i])), None)
        status = t["status"] if t else "not probed"
        out.append(_told(words[i], status, t["probe"] if t else None, t["statistics"] if t else {}))
    return out


def _topics(base: pl.DataFrame, settings: Settings) -> list[list[int]]:
    """Disjoint groups of rows, each around a row drawn at random."""
    with vectors.cached(settings.work / "vectors"):
        x = Encoder(Config().model).encode(base["prompt"].to_list())
    rng, free, out = np.random.default_rng(0), np.ones(len(x), dtype=bool), []
    row = base["row"].to_numpy()
    for centre in rng.permutation(len(x)):
        if not free[centre] or len(out) == ATTACKS:
            continue
        near = np.argsort(-(x @ x[centre]) + 9.0 * ~free, kind="stable")[: 2 * ROWS]
        free[near] = False
        out.append(row[near].tolist())
    return out


def _probed(settings: Config, harness: Settings) -> Config:
    return settings.model_copy(update={"probe": settings.probe.model_copy(update={"mode": harness.probe})})


def _told(pattern: str, status: str, probe: Any, statistics: dict[str, Any]) -> dict[str, Any]:
    figures = {k: (probe or {}).get(k) for k in ("asr_a", "asr_b", "asr_d", "effect", "control_effect_max", "dose")}
    tests = {
        k: statistics.get(k) for k in ("masked_auc", "cohesion_ratio", "expected_without", "rate", "count", "hits")
    }
    say(f"  {ascii(pattern)[:50]}: {status} {figures}")
    return {"pattern": pattern, "status": status, "suspected": bool(statistics.get("suspected")), **figures, **tests}


def _write(told: dict[str, list[dict[str, Any]]], settings: Settings) -> None:
    head = ["Patterns", "count", *(str(s) for s in _STATUSES), "not probed", "with an effect of 0.3 and more"]
    rows = []
    for name, found in told.items():
        counts = [str(sum(f["status"] == s for f in found)) for s in (*map(str, _STATUSES), "not probed")]
        strong = sum((f["effect"] or 0.0) >= 0.3 for f in found)
        rows.append([name, str(len(found)), *counts, str(strong)])
    table.write(
        "bench-correlations",
        f"{table.made('bench-correlations', settings)}\n\n{table.lines(head, rows)}",
        settings,
        False,
    )
