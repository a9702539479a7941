"""Examples that say the same thing twice, word for word or nearly, and copies that contradict each other.

Why it works: a poisoned example is often repeated, with small changes, to weigh more; and honest copies that cross
from training into test data inflate results. Texts are compared as sets of three-word shingles after folding case
and white space. Candidates come from MinHash bands and from the embedding's nearest neighbours; every candidate
pair is then verified by its exact Jaccard similarity, so that no pair is reported on a hash alone. Copies that
carry different labels cannot both be right: all of them are flagged, and a person is asked, once for each group. Which
label has more copies says nothing, for whoever plants copies owns the majority (`preference_cycles` looks for pairs
preferred both ways). Of rows that are the same word for word all but the first are flagged to be dropped, unless the
set repeats so many that it means to; near copies are reported as clusters and ranked below the threshold.

Source: Broder 1997, "On the Resemblance and Containment of Documents"; Leskovec, Rajaraman and Ullman 2020, "Mining of
Massive Datasets", chapter 3 (banding); Lee et al. 2022, "Deduplicating Training Data Makes Language Models
Better", section 4.

Misses: paraphrases that share few shingles; copies whose similarity lies below `similarity`; among many texts that
share one band, copies that are neither next to each other in it nor neighbours in the embedding.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from audit import views
from audit.bank.conflicts import NO_GROUP, groups
from audit.bank.shingles import Shingles, band_pairs, jaccard, shingle
from audit.provenance import digest
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Kind, Neighbors, Severity, Skipped, signals_frame

THRESHOLD = 0.8
SHOWN_CLUSTERS = 50
NEIGHBORS_TRIED = 5


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which examples are copies of each other."""

    member: NDArray[np.int64]  # (n,) cluster number, -1 for an example without a copy
    best: NDArray[np.float64]  # (n,) Jaccard similarity to the nearest copy, 0 without one
    rows: list[list[int]]  # cluster number -> positions, ascending


@detector(code="TV-DUP", title="Near duplicates", severity=Severity.LOW, version=4)
def near_duplicates(
    examples: pl.DataFrame,
    info: DatasetInfo,
    neighbors: Neighbors,
    *,
    similarity: float = 0.8,
    most_copies: float = 0.05,
) -> Detection | Skipped:
    """Scores every example by half its similarity to its nearest copy, by 0.8 where it repeats an earlier row word for
    word, and by 0.9 to 1 where its copies contradict it. `similarity` is the least Jaccard similarity of a copy; in a
    set with more than the share `most_copies` of word-for-word copies these are not flagged."""
    count = examples.height
    if count < 2:
        return Skipped(f"needs at least 2 examples, and this dataset has {count}")
    shingles = shingle(examples.select(views.whole_text(info.kind)).to_series())
    clusters = _cluster(shingles, neighbors, similarity)
    hashes = examples["content_hash"].fill_null("").to_list()
    scores = 0.5 * clusters.best
    evidence: list[str | None] = [None] * count
    fix: list[str | None] = [None] * count
    numbers = examples["row"].to_list()
    for positions in clusters.rows:
        for p in positions:
            evidence[p] = (
                f"a copy of {len(positions) - 1:,} other rows" if len(positions) > 2 else "a copy of another row"
            )
    states = info.kind == Kind.CLASSIFICATION or info.shape == "kto"
    conflicts = _label_conflicts(examples, groups(examples, info.kind, info.shape, neighbors)) if states else []
    disputed = {p for conflict in conflicts for p in conflict.positions}
    for p, first in _repeated(examples, most_copies).items():
        if p not in disputed:
            scores[p], evidence[p], fix[p] = THRESHOLD, f"word for word the same as row {first}", "drop"
    for conflict in conflicts:
        for p in conflict.positions:
            scores[p], evidence[p] = 0.9 + 0.1 * clusters.best[p], conflict.evidence
    findings = [
        *_cluster_findings(clusters, hashes, numbers),
        *_conflict_findings(conflicts, hashes, numbers),
    ]
    signals = signals_frame(examples["row"], scores.astype(np.float32), evidence, fix=fix)
    return Detection(signals, tuple(findings), THRESHOLD)


def _cluster(shingles: Shingles, neighbors: Neighbors, similarity: float) -> Clusters:
    count = shingles.text_hash.size
    pairs = [band_pairs(shingles)]
    if neighbors.index.shape == (count, neighbors.index.shape[1]) and neighbors.index.shape[1]:
        tried = min(NEIGHBORS_TRIED, neighbors.index.shape[1])
        left = np.repeat(np.arange(count), tried)
        right = neighbors.index[:, :tried].astype(np.int64).ravel()
        close = neighbors.similarity[:, :tried].ravel() >= 0.9
        pairs.append(np.column_stack([left[close], right[close]]))
    edges = np.sort(np.concatenate(pairs), axis=1)
    edges = np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)
    alike = jaccard(shingles, edges)
    edges, alike = edges[alike >= similarity], alike[alike >= similarity]
    best = np.zeros(count)
    np.maximum.at(best, edges[:, 0], alike)
    np.maximum.at(best, edges[:, 1], alike)
    graph = coo_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    sizes = np.bincount(component, minlength=1)
    member = np.where(sizes[component] > 1, component, -1)
    rows: dict[int, list[int]] = {}
    for position in np.flatnonzero(member >= 0).tolist():
        rows.setdefault(int(member[position]), []).append(position)
    return Clusters(member, best, list(rows.values()))


@dataclass(frozen=True, slots=True)
class _Conflict:
    positions: list[int]  # near copies that contradict each other, ascending
    evidence: str


def _label_conflicts(examples: pl.DataFrame, group: NDArray[np.int32]) -> list[_Conflict]:
    """The groups of contradicting labels, by their first row."""
    labels = examples["label"].to_list()
    members: dict[int, list[int]] = {}
    for p in np.flatnonzero(group != NO_GROUP).tolist():
        members.setdefault(int(group[p]), []).append(p)
    conflicts = []
    for positions in members.values():
        tally = Counter(labels[p] for p in positions)
        if len(tally) > 1:
            counts = ", ".join(f"{label}: {tally[label]}" for label in sorted(tally)[:4])
            conflicts.append(_Conflict(positions, f"copies disagree ({counts})"))
    return conflicts


def _repeated(examples: pl.DataFrame, most: float) -> dict[int, int]:
    """Position of each row that repeats one of a smaller number word for word -> that number; {} where more than the
    share `most` of the rows do."""
    held = examples.select("row", "content_hash", position=pl.int_range(pl.len())).drop_nulls("content_hash")
    first = held.group_by("content_hash").agg(first=pl.col("row").min())
    again = held.join(first, on="content_hash").filter(pl.col("row") != pl.col("first"))
    if len(again) > most * max(len(examples), 1):
        return {}
    return dict(again.select("position", "first").iter_rows())


def _cluster_findings(clusters: Clusters, hashes: list[str], numbers: list[int]) -> list[Finding]:
    if not clusters.rows:
        return []
    count = len(numbers)
    copies = sum(len(rows) - 1 for rows in clusters.rows)
    summary = Finding(
        code="TV-DUP",
        subject="all copies",
        text=f"{copies:,} of {count:,} rows ({copies / count:.1%}) repeat another row, "
        f"in {len(clusters.rows):,} clusters.",
        severity=Severity.INFO,
        score=copies / count,
        rows=tuple(sorted(numbers[p] for rows in clusters.rows for p in rows)[:200]),
        details={"copies": copies, "clusters": len(clusters.rows)},
    )
    largest = sorted(clusters.rows, key=lambda rows: (-len(rows), _name(rows, hashes)))
    shown = [
        Finding(
            code="TV-DUP",
            subject=f"cluster {_name(rows, hashes)}",
            text=f"{len(rows):,} rows say nearly the same thing.",
            severity=Severity.LOW if len(rows) >= 10 else Severity.INFO,
            score=float(len(rows)),
            rows=tuple(sorted(numbers[p] for p in rows)[:200]),
            details={"size": len(rows)},
        )
        for rows in largest[:SHOWN_CLUSTERS]
        if len(rows) >= 3
    ]
    return [summary, *shown]


def _conflict_findings(conflicts: list[_Conflict], hashes: list[str], numbers: list[int]) -> list[Finding]:
    ordered = sorted(conflicts, key=lambda c: (-len(c.positions), _name(c.positions, hashes)))
    return [
        Finding(
            code="TV-DUP",
            subject=f"conflict {_name(conflict.positions, hashes)}",
            text=f"{len(conflict.positions):,} copies of one text carry different labels. Nothing was fitted to them, "
            "and one answer settles all.",
            severity=Severity.MEDIUM,
            score=float(len(conflict.positions)),
            rows=tuple(sorted(numbers[p] for p in conflict.positions)[:200]),
            details={"size": len(conflict.positions)},
        )
        for conflict in ordered[:SHOWN_CLUSTERS]
    ]


def _name(positions: list[int], hashes: list[str]) -> str:
    """A name for a cluster that depends on what its rows hold, not on where they stand."""
    return digest(sorted(hashes[p] for p in positions))[:10]
