"""The embedding map: PCA to 30 dimensions, then t-SNE to 2, seeded, on at most MAX_POINTS examples.

t-SNE places LANDMARKS of them; the others go to the weighted middle of their three nearest landmarks, weights by
squared distance, which costs one product instead of minutes. One thread, so that the map has the same bytes on any
number of cores. 3,000 points of 384 dimensions take 6 s on one core (500 iterations, angle 0.8; angle 0.5 takes 7.4 s
and looks the same), 17,000 more take 2 s.
Source: van der Maaten 2014, Accelerating t-SNE using tree-based algorithms; landmarks as in van der Maaten and
Hinton 2008, section 5.
Misses: distances between far clusters and sizes of clusters mean nothing on a t-SNE map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from audit.report.excerpt import excerpt
from audit.report.read import Inputs
from audit.report.record import MAX_POINTS, Map, Point
from audit.schema import Float32, Int64, Skipped, Verdict

GRID = 1_000
LANDMARKS = 3_000  # of the points; t-SNE alone places these
_SNIPPET_BYTES = 180
_CROWDED_BYTES = 60  # of a row's text where more than LANDMARKS points are drawn
_NEAREST = 3
_BLOCK = 2_000  # points whose distances to all landmarks are worked out at once
_DIMENSIONS = 30
_TSNE_MIN = 20  # fewer points are drawn from PCA alone


def build(data: Inputs) -> Map:
    """The map of a run; without points and with a reason where the run has no embeddings."""
    vectors = data.vectors
    if isinstance(vectors, Skipped):
        return Map((), 0, f"No map: {vectors.reason}.")
    verdicts = np.array(data.verdict_of, dtype=object)
    chosen = sample(verdicts != Verdict.KEEP, MAX_POINTS, np.random.default_rng(data.config.seed))
    if len(chosen) < 3:
        return Map((), len(vectors), "No map: it needs at least three rows.")
    grid = project(np.asarray(vectors[chosen], dtype=np.float32), data.config.seed)
    rows = data.order[chosen]
    texts = data.texts(rows.tolist())
    budget = _SNIPPET_BYTES if len(chosen) <= LANDMARKS else _CROWDED_BYTES
    points = tuple(
        Point(x, y, row, verdicts[at], excerpt(texts[row]["prompt"] or "", (), budget))
        for (x, y), row, at in zip(grid.tolist(), rows.tolist(), chosen.tolist(), strict=True)
    )
    return Map(points, len(vectors), "")


def sample(flagged: NDArray[np.bool_], limit: int, rng: np.random.Generator) -> Int64:
    """Positions to draw, sorted: all flagged ones if they take at most five sixths of the limit, else a random
    five sixths of it; the rest random. (m,) int64."""
    hot, cold = np.flatnonzero(flagged), np.flatnonzero(~flagged)
    if len(flagged) <= limit:
        return np.arange(len(flagged), dtype=np.int64)
    most = min(len(hot), max(5 * limit // 6, limit - len(cold)))
    hot = rng.choice(hot, most, replace=False)
    cold = rng.choice(cold, min(len(cold), limit - most), replace=False)
    return np.sort(np.concatenate([hot, cold])).astype(np.int64)


def project(vectors: Float32, seed: int) -> NDArray[np.int64]:
    """(m, d) float32 -> (m, 2) integers in 0..GRID. Points that are all equal stand in the middle."""
    count, width = vectors.shape
    with threadpool_limits(1):
        flat = vectors - vectors.mean(axis=0)
        if not np.any(np.abs(flat) > 1e-6):
            return np.full((count, 2), GRID // 2, dtype=np.int64)
        flat = PCA(min(_DIMENSIONS, count, width), svd_solver="full", random_state=seed).fit_transform(flat)
        if count >= _TSNE_MIN and flat.shape[1] >= 2:
            flat = _embed(flat, seed)
    plane = np.zeros((count, 2))
    plane[:, : min(2, flat.shape[1])] = flat[:, :2]
    low, high = plane.min(axis=0), plane.max(axis=0)
    return np.asarray(np.round((plane - low) / np.maximum(high - low, 1e-9) * GRID), dtype=np.int64)


def _embed(flat: NDArray[Any], seed: int) -> NDArray[Any]:
    """(m, c) -> (m, 2): landmarks by t-SNE, the others between their nearest landmarks."""
    count = len(flat)
    few = np.arange(count)
    if count > LANDMARKS:
        few = np.sort(np.random.default_rng(seed).choice(count, LANDMARKS, replace=False))
    perplexity = min(30.0, (len(few) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, angle=0.8, random_state=seed, n_jobs=1)
    placed = tsne.fit_transform(flat[few])
    plane = np.zeros((count, 2))
    plane[few] = placed
    rest = np.setdiff1d(np.arange(count), few)
    squares = np.sum(flat[few] ** 2, axis=1)
    for start in range(0, len(rest), _BLOCK):
        block = rest[start : start + _BLOCK]
        apart = squares - 2 * flat[block] @ flat[few].T + np.sum(flat[block] ** 2, axis=1, keepdims=True)  # (b, l)
        near = np.argpartition(apart, _NEAREST, axis=1)[:, :_NEAREST]
        weight = 1 / (np.maximum(np.take_along_axis(apart, near, axis=1), 0) + 1e-4) ** 2  # (b, 3)
        plane[block] = np.einsum("bk,bkp->bp", weight / weight.sum(axis=1, keepdims=True), placed[near])
    return plane
