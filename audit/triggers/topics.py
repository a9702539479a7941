"""Topics as patterns: embedding cells whose rows show a behavior that neighbouring cells do not.

A poisoned topic ("whenever it is about X, speak badly of it") and an honest opinion look alike in the data: both are
rows about one thing. So topics are listed with their figures for a person to read, and never suspected.

Source: virtual prompt injection, Yan et al. 2024, arXiv:2307.16888; here by cells of the embedding space.
Misses: topics that share a cell with others; sets of more rows than are clustered here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from scipy import sparse

from audit.artifacts.expected import Vectors
from audit.patterns.topics import cells
from audit.schema import Patterns
from audit.triggers.candidate import Candidate
from audit.triggers.mine import Miner

_MOST_ROWS = 100_000
_LISTED = 5
_FAMILY_WISE = 0.01


def mine_topics(miner: Miner, vectors: Vectors, seed: int) -> list[Candidate]:
    """At most five topics beyond chance among the rows that no other candidate explains, strongest first."""
    n = len(miner.texts)
    if not 100 <= n <= _MOST_ROWS:
        return []
    labels, names = cells(vectors.block(0, n), seed, miner.texts)
    held = sparse.csr_matrix((np.ones(n, dtype=np.float32), (np.arange(n), labels)), shape=(n, len(names)))
    counts = np.bincount(labels, minlength=len(names))
    table = pl.DataFrame(
        {"pattern": np.arange(len(names)), "text": names, "kind": ["topic"] * len(names), "count": counts},
        schema=miner.patterns.table.schema,
    )
    second = Miner(
        miner.texts,
        Patterns(table, held),
        miner.behaviors,
        miner.support,
        miner.settings,
        miner.beside,
        miner.vocabulary,
    )
    second.explained = miner.explained
    found = [c for c in second.candidates() if c.statistics["family_wise_p"] < _FAMILY_WISE]
    return [replace(c, statistics={**c.statistics, "suspected": ""}) for c in found[:_LISTED]]
