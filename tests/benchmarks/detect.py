"""Every case and variant: what the product flags, what published filters flag, and what an oracle would."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import artifacts
from audit.artifacts import embeddings
from audit.provenance import digest
from audit.rundir import RunDir, read_json
from audit.schema import Skipped
from benchmarks import baselines, cases, noise, table, truths
from benchmarks.cases import Case
from benchmarks.common import EXIT_INCOMPLETE, EXIT_OK, check_bench, kept, say, store
from benchmarks.scans import Settings, judged, scan, seconds_by_stage

_WITHOUT_TRIGGER = ("label-noise", "preference-flip")


def run(bench: Path, only: str, settings: Settings, seed: int = 0) -> int:
    """Measures and writes the tables. Raises NoBench."""
    check_bench(bench)
    found = [c for base in cases.shipped(bench) for c in (base, *_variants(base, only, settings, seed))]
    wanted = [c for c in found if only in c.name]
    results = {c.name: {"scan": scan(c, settings)} for c in wanted}
    for folder in dict.fromkeys(c.data.parent.parent for c in wanted):
        names = [c.name for c in wanted if c.data.parent.parent == folder]
        for name, told in judged(bench, folder, settings, names).items():
            results[name]["judge"] = told
    for case in wanted:
        if "judge" in results[case.name]:
            results[case.name] |= compared(case, settings)
    kinds = noise_base(bench, only, settings)
    complete = all("judge" in r for r in results.values())
    table.write_detect(wanted, results, _noise(kinds, settings, seed), only, settings)
    return EXIT_OK if complete else EXIT_INCOMPLETE


def _variants(base: Case, only: str, settings: Settings, seed: int) -> list[Case]:
    # A variant's name begins with its case's, so a filter may name either.
    related = only in base.name or only.startswith(base.name)
    return cases.variants(base, seed, settings.work) if related else []


def compared(case: Case, settings: Settings) -> dict[str, Any]:
    """Baselines, split and oracle of a scanned case; kept until the run, or this code, changes."""
    run = settings.run_of(case.name)
    path = settings.work / f"probe-{settings.probe}" / f"{case.name}.compared.json"
    sources = inspect.getsource(baselines) + inspect.getsource(truths)
    key = digest(sources, read_json(run / "done" / "decide" / "all.json")["key"])
    found = kept(path, key, settings.keep)
    if found is not None:
        return found
    say(f"{case.name}: baselines")
    inputs, poisoned = inputs_of(run, case)
    result: dict[str, Any] = {"baselines": {}, "seconds": seconds_by_stage(run)}
    for name, flag in baselines.BASELINES.items():
        flags = flag(inputs)
        result["baselines"][name] = None if flags is None else baselines.rates(flags, poisoned)
    flagged = flagged_rows(run, case.truth["kind"] in _WITHOUT_TRIGGER)
    result["ours"] = baselines.rates(flagged, poisoned)
    kind = case.truth["kind"]
    if kind in ("syntactic", "style") and inputs.labels is not None:
        result["split"] = truths.label_split(list(inputs.labels), inputs.vectors, poisoned, flagged)
    if kind == "style":
        result["oracle"] = truths.oracle(list(inputs.texts), poisoned)
    return store(path, key, result)


def inputs_of(run: RunDir, case: Case) -> tuple[baselines.Inputs, Any]:
    """What the baselines see of a run, and (n,) bool which rows are poisoned."""
    loaded = artifacts.load(run, ("examples", "info", "support"))
    examples: pl.DataFrame = loaded["examples"]
    labelled = examples["label"].null_count() == 0
    answered = examples["response"].null_count() == 0
    probability = loaded["support"].label_probability
    poisoned = examples["row"].is_in(sorted(case.poisoned)).to_numpy()
    inputs = baselines.Inputs(
        texts=examples["prompt"].fill_null("").to_list(),
        labels=examples["label"].to_list() if labelled and not answered else None,
        responses=examples["response"].to_list() if answered else None,
        vectors=np.asarray(embeddings.load_whole(run)),
        probability=None if probability is None or isinstance(probability, Skipped) else np.asarray(probability),
        classes=tuple(loaded["info"].labels),
        rate=float(poisoned.mean()),
    )
    return inputs, poisoned


def flagged_rows(run: RunDir, for_any_reason: bool = False) -> Any:
    """(n,) bool, aligned with examples: removed, or in review with a trigger id, or in review `for_any_reason`; as the
    judge counts."""
    verdicts = pl.read_parquet(run.verdicts, columns=["row", "verdict", "trigger_ids"])
    seen = (pl.col("verdict") == "remove") | (
        (pl.col("verdict") == "review") & (for_any_reason | (pl.col("trigger_ids").list.len() > 0))
    )
    rows = verdicts.filter(seen)["row"].to_list()
    return run.examples(["row"])["row"].is_in(rows).to_numpy()


def noise_base(bench: Path, only: str, settings: Settings) -> pl.DataFrame | None:
    """The rows of the label-noise case with their labels put right, from other cases that hold the same text with
    clean labels; rows that no other case holds are left out. None where no such case is asked for."""
    found = cases.shipped(bench)
    noisy = [c for c in found if c.truth["kind"] == "label-noise" and only in c.name]
    if not noisy:
        return None
    base = cases.examples_of(noisy[0], settings.work)
    right: dict[str, str] = {}
    for case in found:
        if case.data.name != noisy[0].data.name or case is not noisy[0]:
            rows = cases.examples_of(case, settings.work).filter(~pl.col("row").is_in(sorted(case.poisoned)))
            right |= dict(rows.filter(pl.col("label").is_not_null()).select("prompt", "label").iter_rows())
    at = pl.col("row").is_in(sorted(noisy[0].poisoned))
    mended = base.with_columns(
        label=pl.when(at)
        .then(pl.col("prompt").replace_strict(right, default=None, return_dtype=pl.String))
        .otherwise("label")
    )
    return mended.filter(pl.col("label").is_not_null())


def _noise(base: pl.DataFrame | None, settings: Settings, seed: int) -> dict[str, Any] | None:
    return None if base is None else noise.measure(base, settings, seed)
