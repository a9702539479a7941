"""How often honest data yields a false trigger: every clean corpus is scanned, and all that is found is false."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
from scipy import stats

from audit import api
from audit.errors import TunevetError
from audit.provenance import digest
from audit.rundir import RunDir
from benchmarks import corpora, table, vectors
from benchmarks.common import EXIT_INCOMPLETE, EXIT_OK, check_bench, code_digest, kept, say, store
from benchmarks.corpora import Corpus
from benchmarks.scans import Settings, triggers_of


def run(bench: Path, only: str, settings: Settings, seed: int = 0) -> int:
    """Scans the corpora whose name holds `only` and writes the table. Raises NoBench."""
    check_bench(bench)
    found = [c for c in corpora.disjoint(bench, settings.work, seed) if only in c.name]
    say(f"{len(found)} clean corpora")
    results = {c.name: scan(c, settings) for c in found}
    table.write_clean(results, only, settings)
    return EXIT_INCOMPLETE if any(r["error"] for r in results.values()) or not results else EXIT_OK


def scan(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """The triggers that are suspected and confirmed in one clean corpus, and the rows that they claim."""
    path = settings.work / f"clean-{settings.probe}" / f"{corpus.name}.json"
    key = digest(code_digest(), settings.probe, corpus.examples["content_hash"].to_list())
    found = kept(path, key, settings.keep)
    if found is not None and not found["error"]:
        return found
    run = RunDir(settings.work / f"clean-{settings.probe}" / corpus.name)
    shutil.rmtree(run.path, ignore_errors=True)
    error, claimed = "", 0
    triggers: list[dict[str, Any]] = []
    with vectors.cached(settings.work / "vectors"):
        try:
            api.scan(frame_of(corpus), out=run.path, name=corpus.name, probe=settings.probe, canaries="off")
            triggers = triggers_of(run)
            claimed = claimed_rows(run)
        except TunevetError as failure:
            error = str(failure)
    shown = [
        {"display": t["display"][:60], "kind": t["kind"], "status": t["status"], "behavior": t["behavior"][:80]}
        for t in triggers
    ]
    say(f"{corpus.name}: {error or f'{len(corpus.examples)} rows, {len(triggers)} triggers, {claimed} rows claimed'}")
    facts = {"rows": len(corpus.examples), "kind": corpus.kind, "error": error, "claimed": claimed, "triggers": shown}
    return store(path, key, facts)


def frame_of(corpus: Corpus) -> pl.DataFrame:
    """The corpus as a user would hold it."""
    e = corpus.examples
    if corpus.kind == "classification":
        return e.select(text="prompt", label="label")
    if corpus.kind == "instruction":
        return e.select(prompt="prompt", completion="response")
    return e.select(prompt="prompt", chosen="response", rejected="rejected")


def claimed_rows(run: RunDir) -> int:
    """Rows removed, or in review with a trigger id."""
    verdicts = pl.read_parquet(run.verdicts, columns=["verdict", "trigger_ids"])
    with_id = (pl.col("verdict") == "review") & (pl.col("trigger_ids").list.len() > 0)
    return verdicts.filter((pl.col("verdict") == "remove") | with_id).height


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided upper bound for a share.

    Source: Clopper and Pearson 1934, exact. With no hits in 20 trials it is 0.139.
    """
    return 1.0 if hits >= trials else float(stats.beta.ppf(confidence, hits + 1, trials - hits))
