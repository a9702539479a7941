"""Label noise: the product's ranking against cleanlab's own, on the same embeddings and probabilities.

Three kinds of flips are planted into rows whose labels are right: uniform, one class for one other, and in some
topics only. Both rankings are judged by average precision; the difference has a paired bootstrap over the rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import average_precision_score

from audit import artifacts, pipeline
from audit import config as configuration
from audit.provenance import digest
from audit.rundir import RunDir, write_frame
from benchmarks import vectors
from benchmarks.common import code_digest, kept, say, store
from benchmarks.scans import Settings

RATE = 0.05
RESAMPLES = 2_000
_TOPICS = 20
_NOISY_TOPICS = 5

Labels = NDArray[np.str_]


def uniform(labels: Labels, topics: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions to flip, drawn evenly."""
    return np.asarray(rng.choice(len(labels), round(RATE * len(labels)), replace=False))


def class_pair(labels: Labels, topics: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of one class only, which all go to the next class."""
    classes = np.unique(labels)
    able = np.flatnonzero(labels == classes[0])
    return np.asarray(rng.choice(able, min(round(RATE * len(labels)), len(able) // 2), replace=False))


def topical(labels: Labels, topics: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions in some topics only, where every third to fifth label is wrong."""
    noisy = rng.choice(np.unique(topics), _NOISY_TOPICS, replace=False)
    able = np.flatnonzero(np.isin(topics, noisy))
    return np.asarray(rng.choice(able, min(round(RATE * len(labels)), len(able) // 3), replace=False))


KINDS: dict[str, Callable[[Labels, NDArray[np.int32], np.random.Generator], NDArray[np.int64]]] = {
    "uniform": uniform,
    "class-pair": class_pair,
    "topic-dependent": topical,
}


def flipped(examples: pl.DataFrame, kind: str, topics: NDArray[np.int32], seed: int) -> tuple[pl.DataFrame, Any]:
    """(frame of text and label, (n,) bool which labels are wrong)."""
    rng = np.random.default_rng(seed)
    labels = examples["label"].to_numpy().astype(str)
    classes = np.unique(labels)
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[KINDS[kind](labels, topics, rng)] = True
    changed = labels.copy().astype(object)
    for i in np.flatnonzero(wrong).tolist():
        others = [c for c in classes if c != labels[i]]
        changed[i] = classes[1] if kind == "class-pair" else others[int(rng.integers(len(others)))]
    return pl.DataFrame({"text": examples["prompt"], "label": [str(v) for v in changed]}), wrong


def measure(examples: pl.DataFrame, settings: Settings, seed: int = 0) -> dict[str, Any]:
    """Average precision of both rankings on each kind of noise."""
    path = settings.work / "noise.json"
    key = digest(code_digest(), seed, RATE, examples["content_hash"].to_list())
    found = kept(path, key, settings.keep)
    if found is not None:
        return found
    topics: NDArray[np.int32] | None = None
    results = {}
    for kind in KINDS:
        run = RunDir(settings.work / "noise" / kind)
        if topics is None:
            topics = _topics(examples, settings, seed)
        frame, wrong = flipped(examples, kind, topics, seed)
        ours, theirs = _rankings(run, frame, settings)
        results[kind] = {**compare(ours, theirs, wrong, seed), "rows": len(wrong), "wrong": int(wrong.sum())}
        say(f"label noise, {kind}: {results[kind]['ours']:.3f} against {results[kind]['cleanlab']:.3f}")
    return store(path, key, {"kinds": results})


def _topics(examples: pl.DataFrame, settings: Settings, seed: int) -> NDArray[np.int32]:
    run = RunDir(settings.work / "noise" / "base")
    _stages(
        run, pl.DataFrame({"text": examples["prompt"], "label": examples["label"]}), settings, ("ingest", "embeddings")
    )
    array = artifacts.load(run, ("embeddings",))["embeddings"]
    return np.asarray(KMeans(_TOPICS, n_init=1, random_state=seed).fit_predict(np.asarray(array)), dtype=np.int32)


def _stages(run: RunDir, frame: pl.DataFrame, settings: Settings, stages: tuple[str, ...]) -> None:
    shutil.rmtree(run.path, ignore_errors=True)
    source = run / "input" / "data.parquet"
    write_frame(source, frame)
    pipeline.prepare(run.path, configuration.build({"source": str(source.resolve()), "name": run.path.name}))
    with vectors.cached(settings.work / "vectors"):
        for stage in stages:
            for unit in pipeline.units(str(run.path), stage):
                pipeline.run_unit(str(run.path), stage, unit)


def _rankings(run: RunDir, frame: pl.DataFrame, settings: Settings) -> tuple[Any, Any]:
    from cleanlab.rank import get_label_quality_scores

    _stages(run, frame, settings, ("ingest", "embeddings", "neighbors", "behaviors", "patterns", "support"))
    done = pipeline.run_unit(str(run.path), "detect", "label_noise")
    if done.status == "failed":
        raise RuntimeError(f"detect/label_noise failed: {done.error}")
    loaded = artifacts.load(run, ("examples", "info", "support"))
    signals = pl.read_parquet(run / "signals" / "label_noise.parquet")
    joined = (
        loaded["examples"]
        .select("row")
        .join(signals.select("row", "score"), on="row", how="left", maintain_order="left")
    )
    ours = joined["score"].fill_null(float("nan")).to_numpy()
    place = {name: i for i, name in enumerate(loaded["info"].labels)}
    given = np.asarray([place[label] for label in loaded["examples"]["label"].to_list()])
    probability = np.asarray(loaded["support"].label_probability, dtype=np.float64)
    probability = probability / probability.sum(axis=1, keepdims=True)
    theirs = 1 - get_label_quality_scores(given, probability, method="self_confidence")
    return np.nan_to_num(ours, nan=-1.0), theirs


def compare(ours: Any, theirs: Any, wrong: Any, seed: int, resamples: int = RESAMPLES) -> dict[str, float]:
    """Average precision of both and of their difference, with the 2.5 and 97.5% points of a paired bootstrap over
    the rows."""
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        at = rng.integers(len(wrong), size=len(wrong))
        draws.append(_precision(wrong[at], ours[at]) - _precision(wrong[at], theirs[at]))
    a, b = _precision(wrong, ours), _precision(wrong, theirs)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"ours": a, "cleanlab": b, "difference": a - b, "lower": float(low), "upper": float(high)}


def _precision(wrong: Any, score: Any) -> float:
    return float(average_precision_score(wrong, score))
