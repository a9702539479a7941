"""Examples that lie far from all others: off-topic, garbled, in another language, or pasted in by mistake.

Why it works: in a space where meaning is distance, an example that belongs has close neighbours. The score is the
mean cosine distance to the nearest neighbours. Distances of honest sets fall off smoothly, so the threshold comes
from the set's own tail: beyond its 90th percentile the distances are taken as exponential, with a scale from the
median excess, which a few outliers cannot move, and a row is flagged where an honest set of this size would hold
fewer than `expected` such rows. The exponential is heavier than the tails of bounded distances, so that clean
sets come back with hardly a row.

Source: Ramaswamy, Rastogi and Shim 2000, "Efficient Algorithms for Mining Outliers from Large Data Sets", section 2;
Coles 2001, "An Introduction to Statistical Modeling of Extreme Values", chapter 4 (peaks over a threshold).

Misses: poison that reads like its surroundings, which is most of it; outliers that come as a group, for they are each
other's neighbours; what the embedding model does not represent. An outlier is a reason to look, no more.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from audit.registry import detector
from audit.schema import Detection, Finding, Neighbors, Severity, Skipped, signals_frame

MIN_ROWS = 50  # below, a tail of ten per cent is fewer than five rows
TAIL = 0.9


@detector(code="TV-OUT", title="Outliers", severity=Severity.LOW, version=2)
def outliers(examples: pl.DataFrame, neighbors: Neighbors, *, expected: float = 0.5) -> Detection | Skipped:
    """Scores every example by its mean cosine distance to its neighbours, 0 to 2. `expected` is the number of rows
    that a clean set of this size may flag on average."""
    count = examples.height
    if count < MIN_ROWS or neighbors.similarity.shape[1] == 0:
        return Skipped(f"needs at least {MIN_ROWS} examples and their neighbours, and this dataset has {count}")
    distance = 1.0 - neighbors.similarity.astype(np.float64).mean(axis=1)
    floor = float(np.quantile(distance, TAIL))
    excess = distance[distance > floor] - floor
    if excess.size == 0:
        return Skipped("all examples lie equally close to their neighbours")
    scale = float(np.median(excess)) / np.log(2)
    threshold = float(np.float32(floor + scale * np.log(max(excess.size / max(expected, 1e-6), 1.0))))
    typical = float(np.median(distance))
    evidence = [
        f"mean distance {d:.2f} to its neighbours, {typical:.2f} is typical" if d >= threshold else None
        for d in distance
    ]
    fix = ["drop" if d >= threshold else None for d in distance]
    signals = signals_frame(examples["row"], distance.astype(np.float32), evidence, fix=fix)
    flagged = signals.filter(pl.col("score") >= threshold).sort("score", "row", descending=[True, False])
    findings: tuple[Finding, ...] = ()
    if flagged.height:
        findings = (
            Finding(
                code="TV-OUT",
                subject="outliers",
                text=f"{flagged.height:,} of {count:,} rows lie far from all others (a clean set would hold about "
                f"{expected:g}).",
                severity=Severity.LOW,
                score=float(distance.max()),
                rows=tuple(flagged["row"].head(200)),
                details={"threshold": threshold, "typical": typical, "tail_scale": scale},
            ),
        )
    return Detection(signals, findings, threshold)
