"""A small group of examples that lies apart from all others that show the same behavior.

Why it works: poisoned rows reach the behavior by another way than honest ones, and the probe's hidden states show by
which. For each behavior the states of the rows that show it are reduced to ten whitened components and cut in two by
2-means. (Independent components are these components rotated, and 2-means does not see a rotation.) Any cloud can be
cut in two, so a cut counts only where its silhouette reaches 0.15 and exceeds those of cuts of normal samples of the
same size and covariance; where the smaller part is at most 15% of the class, for what 2-means does to a class of sure
and unsure rows is more even; and where the smaller part holds more of a suspect's carriers than chance puts there,
for honest words that a probe has learnt make groups too (41 rows of the sample reviews that say "disappointing").
Rows are ranked by how much nearer they lie to the smaller part.

Source: Chen et al. 2018, "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", sections 4
and 5 (ten components, relative size, silhouette of 0.10 to 0.15); Tibshirani, Walther and Hastie 2001, "Estimating
the Number of Clusters in a Data Set via the Gap Statistic" (reference samples).

Misses: poison in less than about 3% of a class, which 2-means does not cut off; poison that is no group in the
probe's states, because the probe did not learn it or reads it as content; a group that shares nothing with any
suspect. The carriers of an honest suspect lie apart too. A rank, and no reason to remove.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from audit.detectors.tails import MIN_ROWS
from audit.registry import detector
from audit.schema import Detection, Finding, Severity, Skipped, signals_frame
from audit.stats import spread
from audit.watched import HiddenStates

_COMPONENTS = 10
_REFERENCES = 19
_STARTS = 3
_MEASURED_ROWS = 1_500  # a silhouette compares all pairs
_SPREAD = 1e-6  # of the largest singular value; below it is rounding
FLAGGED = 1.5  # rows of a cut that counts score 1 to 2, all others 0 to 1

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A class in two."""

    nearness: Array  # (m,) 0 to 1: from the larger part's centre to the smaller part's
    share: float  # of the smaller part
    silhouette: float


@detector(code="TV-CLUS", title="Activation clusters", severity=Severity.LOW)
def activation_clustering(
    examples: pl.DataFrame,
    hidden_states: HiddenStates,
    *,
    most_share: float = 0.15,
    silhouette: float = 0.15,
    family_wise: float = 0.01,
) -> Detection | Skipped:
    """Scores the examples of each behavior that a suspect calls for; the others abstain. A cut counts by the largest
    share of its smaller part, its silhouette, and the level of both its tests."""
    rows = examples["row"].to_numpy()
    scores = np.full(len(rows), np.nan)
    evidence: list[str | None] = [None] * len(rows)
    findings: list[Finding] = []
    order = np.argsort(rows[hidden_states.positions], kind="stable")  # whatever order the examples come in
    classes = 0
    for head, name in enumerate(hidden_states.heads):
        chosen = order[hidden_states.shown[order, head]]
        white = whitened(hidden_states.vectors[chosen]) if len(chosen) >= MIN_ROWS else None
        if white is None:
            continue
        classes += 1
        cut = cut_in_two(white)
        counts = cut.share <= most_share and cut.silhouette >= silhouette
        counts = counts and holds_carriers(cut.nearness > 0.5, hidden_states.carriers[chosen], family_wise)
        at, near = hidden_states.positions[chosen], cut.nearness > 0.5
        score = cut.nearness.copy()
        if counts and cut.silhouette > _reference(white.shape, family_wise / len(hidden_states.heads)):
            score[near] += 1.0
            findings.append(_finding(name, rows[at[near]], len(chosen), cut))
            for i in at[near].tolist():
                evidence[i] = f"in a group of {int(near.sum())} apart from the {len(chosen)} rows that show {name}"
        scores[at] = np.fmax(scores[at], score)
    if not classes:
        return Skipped(f"needs {MIN_ROWS} rows that show one behavior, with states that differ")
    return Detection(signals_frame(rows, scores.astype(np.float32), evidence), tuple(findings), FLAGGED)


def whitened(vectors: NDArray[np.float32]) -> Array | None:
    """(m, at most 10) principal components of unit variance; None where all states are equal."""
    states = np.asarray(vectors, dtype=np.float64)
    size = float(np.abs(states).max(initial=0.0))
    left, values, _ = np.linalg.svd(states - states.mean(axis=0), full_matrices=False)
    kept = int((values[:_COMPONENTS] > _SPREAD * max(float(values[0]), size)).sum())
    return np.asarray(left[:, :kept] * np.sqrt(len(states))) if kept else None


def cut_in_two(points: Array) -> _Cut:
    """2-means of (m, k) points."""
    model = KMeans(2, n_init=_STARTS, random_state=0).fit(points)
    small = int(np.bincount(model.labels_, minlength=2).argmin())
    distance = model.transform(points)  # (m, 2)
    nearness = distance[:, 1 - small] / np.maximum(distance.sum(axis=1), 1e-12)
    some = spread(len(points), _MEASURED_ROWS)
    labels = model.labels_[some]
    apart = len(set(labels.tolist())) == 2 and len(labels) > 2
    silhouette = float(silhouette_score(points[some], labels)) if apart else 0.0
    return _Cut(nearness, float((model.labels_ == small).mean()), silhouette)


def holds_carriers(near: NDArray[np.bool_], carriers: NDArray[np.bool_], level: float) -> bool:
    """True when more of the rows that are `near` are carriers than chance would have (Fisher's exact test)."""
    both, some, drawn = int((near & carriers).sum()), int(carriers.sum()), int(near.sum())
    return bool(both and stats.hypergeom.sf(both - 1, len(near), some, drawn) < level)


def _reference(shape: tuple[int, ...], level: float) -> float:
    """The silhouette that a cut of normal points of this shape exceeds with this probability."""
    rng = np.random.default_rng(0)
    found = [cut_in_two(rng.standard_normal(shape)).silhouette for _ in range(_REFERENCES)]
    return float(np.mean(found) + stats.norm.isf(level) * np.std(found, ddof=1))


def _finding(name: str, rows: NDArray[np.int64], count: int, cut: _Cut) -> Finding:
    return Finding(
        code="TV-CLUS",
        subject=f"rows that show {name}",
        text=f"{len(rows):,} of {count:,} rows that show {name} lie apart from the others in the probe "
        f"(silhouette {cut.silhouette:.2f}).",
        severity=Severity.LOW,
        score=cut.silhouette,
        rows=tuple(sorted(rows.tolist())[:200]),
        details={"share": cut.share, "silhouette": cut.silhouette},
    )
