"""Topics: cells of the embedding space, named by the words that tell them apart.

Why it works: a trigger may be a subject ("questions about X"), which no word need say. Cells of like prompts are
patterns whose rows are those of the cell.
Source: Sculley 2010, "Web-Scale K-Means Clustering" (mini-batch k-means).
Misses: subjects much smaller than a cell, or spread over many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from audit.patterns.words import tokens
from audit.schema import Int32

ROWS_A_CELL = 60  # about; a subject that an attacker picks has some tens of rows
MAX_CELLS = 512
_NAMING = 200  # rows of a cell that name it
_WORDS = 3


def cells(vectors: NDArray[np.floating], seed: int, texts: Sequence[str] = ()) -> tuple[Int32, list[str]]:
    """The cell of every row, (n,) int32, and the names of the cells, each name once; cells are numbered by first
    appearance. `vectors` (n, d) are unit vectors; `texts`, aligned with them, name the cells, which are "cell 1",
    "cell 2" ... without them."""
    n = len(vectors)
    if n == 0:
        return np.zeros(0, dtype=np.int32), []
    count = min(max(n // ROWS_A_CELL, 1), MAX_CELLS)
    model = MiniBatchKMeans(n_clusters=count, random_state=seed, n_init=1, batch_size=4096, max_iter=30)
    raw = model.fit_predict(np.asarray(vectors, dtype=np.float32))
    _, first, inverse = np.unique(raw, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    labels = rank[inverse].astype(np.int32)
    return labels, _names(labels, len(first), texts)


def _names(labels: Int32, count: int, texts: Sequence[str]) -> list[str]:
    if not len(texts):
        return [f"cell {i + 1}" for i in range(count)]
    inside: list[Counter[str]] = [Counter() for _ in range(count)]
    read = np.zeros(count, dtype=np.int64)
    for label, text in zip(labels.tolist(), texts, strict=True):
        if read[label] < _NAMING:
            read[label] += 1
            inside[label].update({w for w in tokens(text) if w[0].isalpha()})
    everywhere: Counter[str] = sum(inside, Counter())
    total = int(read.sum())
    best = [_telling(held, everywhere, int(rows) / total) for held, rows in zip(inside, read, strict=True)]
    names = [f"about {', '.join(listed)}" if listed else f"cell {i + 1}" for i, listed in enumerate(best)]
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out


def _telling(held: Counter[str], everywhere: Counter[str], share: float) -> list[str]:
    """The words of a cell with most rows, each weighed by how much more often it stands there than elsewhere; `share`
    is the cell's share of the rows read."""
    weight = {w: rows * float(np.log(rows / everywhere[w] / share)) for w, rows in held.items()}
    return sorted((w for w in weight if weight[w] > 0), key=lambda w: (-weight[w], w))[:_WORDS]
