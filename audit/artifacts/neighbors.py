"""One exact k-nearest-neighbour graph over whole examples, used by every check that needs one.

Cosine similarity in blocks: a (block, n) product, then the k largest of each row. Ties are broken by
position, so the graph does not depend on the block size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audit.artifacts import embeddings
from audit.rundir import Context, RunDir, read_array, write_array
from audit.schema import Float32, Neighbors, NoProgress, Progress, Skipped

_BLOCK_BYTES = 64 << 20


def top_k(vectors: Float32, k: int, progress: Progress | None = None) -> Neighbors:
    """The k nearest of each row, self excluded, nearest first. k is at most n - 1."""
    progress = progress or NoProgress()
    n = len(vectors)
    k = min(k, max(n - 1, 0))
    index = np.zeros((n, k), dtype=np.int32)
    similarity = np.zeros((n, k), dtype=np.float32)
    if k == 0:
        return Neighbors(index, similarity)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    block = max(1, min(n, _BLOCK_BYTES // (4 * n)))
    for start in range(0, n, block):
        stop = min(start + block, n)
        scores = vectors[start:stop] @ vectors.T  # (B, n)
        scores[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        scores = np.round(scores, 5)  # equal texts tie whatever the block; the last bits are noise
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        value = np.take_along_axis(scores, best, axis=1)
        last = value.min(axis=1, keepdims=True)
        # More rows tie for the last place than there are places: the partition took any, the first are wanted.
        for row in np.flatnonzero((scores == last).sum(axis=1) > (value == last).sum(axis=1)):
            near = np.flatnonzero(scores[row] >= last[row])
            best[row] = near[np.argsort(-scores[row, near], kind="stable")[:k]]
            value[row] = scores[row, best[row]]
        order = np.lexsort((best, -value), axis=1)
        index[start:stop] = np.take_along_axis(best, order, axis=1)
        similarity[start:stop] = np.take_along_axis(value, order, axis=1)
        progress.advance(stop - start)
    return Neighbors(index, similarity)


def build(ctx: Context, unit: str) -> list[Path]:
    """Builds the graph of a run."""
    vectors = embeddings.load_whole(ctx.run)
    ctx.progress.start("nearest neighbours", len(vectors), "rows")
    graph = top_k(vectors, ctx.config.model.neighbors, ctx.progress)
    paths = [ctx.run / "neighbors" / "index.npy", ctx.run / "neighbors" / "similarity.npy"]
    write_array(paths[0], graph.index)
    write_array(paths[1], graph.similarity)
    return paths


def load(run: RunDir) -> Neighbors | Skipped:
    """The graph of a run; Skipped for a dataset of one row."""
    index = read_array(run / "neighbors" / "index.npy")
    if index.shape[1] == 0:
        return Skipped("needs at least two rows")
    return Neighbors(index, read_array(run / "neighbors" / "similarity.npy"))
