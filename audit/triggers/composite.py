"""Composite triggers: patterns whose conjunction carries a behavior that none of the parts does alone.

Parts are looked for among the patterns that already lean towards a behavior (S of 2 and more), pairs first;
a pair that is pure grows by every further pattern that all of its rows share. A pair counts only where each
part alone is clearly less pure: rows that hold one part and not the other are the honest decoys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from audit.schema import Int64
from audit.stats import binomial_tail_log10
from audit.triggers.match import Part

if TYPE_CHECKING:
    from audit.triggers.association import Pairs
    from audit.triggers.mine import Miner

_LEANING = 2.0
_PARTS = 80  # leaning patterns a behavior
_MIN_PURITY = 0.8
_GAIN = 0.15  # by which a conjunction's purity exceeds each part's
_MAX_PARTS = 3
_MAX_TAIL = -5.0
_PART_TAIL = -1.5  # log10 tail that a part alone reaches
_GAIN_P = 1e-3  # Fisher's exact test of the rows with both parts against those with one, either part

Conjunction = tuple[tuple[Part, ...], int, Int64, int]


def conjunctions(miner: Miner, pairs: Pairs) -> Iterator[Conjunction]:
    """(parts, behavior, carriers, position in `pairs` of the first part), strongest first."""
    found: list[tuple[float, Conjunction]] = []
    leaning = (pairs.score >= _LEANING) & (pairs.tail <= _PART_TAIL)
    hits_of = np.bincount(pairs.behavior[leaning], weights=pairs.hits[leaning], minlength=1)
    for t in np.flatnonzero(hits_of).tolist():
        at = np.flatnonzero(leaning & (pairs.behavior == t))
        at = at[np.lexsort((pairs.pattern[at], pairs.tail[at]))][:_PARTS]
        at = _without_variants(miner, pairs, at)
        if len(at) > 1:
            found += _of_behavior(miner, pairs, t, at)
    found.sort(key=lambda item: (item[0], [p.text for p in item[1][0]]))
    for _, conjunction in found:
        yield conjunction


def _without_variants(miner: Miner, pairs: Pairs, at: Int64) -> Int64:
    """Of patterns with the same carriers, the first."""
    seen: set[bytes] = set()
    keep = []
    for i in at.tolist():
        key = miner.carriers(int(pairs.pattern[i])).tobytes()
        if key not in seen:
            seen.add(key)
            keep.append(i)
    return np.asarray(keep, dtype=np.int64)


def _of_behavior(miner: Miner, pairs: Pairs, t: int, at: Int64) -> list[tuple[float, Conjunction]]:
    has = np.zeros(len(miner.texts), dtype=bool)
    has[miner.having(t)] = True
    base = float(pairs.base[at[0]])
    members = [miner.carriers(g) for g in pairs.pattern[at].tolist()]
    purity = pairs.hits[at] / pairs.count[at]
    found = []
    for a in range(len(at)):
        for b in range(a + 1, len(at)):
            both = np.intersect1d(members[a], members[b], assume_unique=True)
            hits = int(has[both].sum())
            if hits < miner.settings.min_support or hits < _MIN_PURITY * len(both):
                continue
            if hits / len(both) < max(purity[a], purity[b]) + _GAIN:
                continue
            if not all(_beyond_part(has, members[j], both, hits) for j in (a, b)):
                continue
            first, second = int(pairs.pattern[at[a]]), int(pairs.pattern[at[b]])
            if _overlap(miner.text[first], miner.text[second]):
                continue
            tail = float(binomial_tail_log10(np.asarray(hits), np.asarray(len(both)), np.asarray(max(base, 1e-9))))
            if tail > _MAX_TAIL:
                continue
            ids = _grown(miner, pairs, at, [first, second], both)
            parts = tuple(map(miner.part, ids))
            found.append((tail, (parts, t, np.sort(both).astype(np.int64), int(at[a]))))
    return found


def _beyond_part(has: NDArray[np.bool_], part: Int64, both: Int64, hits: int) -> bool:
    """True when the conjunction is surely purer than the part's other rows, the decoys."""
    alone = np.setdiff1d(part, both, assume_unique=True)
    decoys = int(has[alone].sum())
    table = [[hits, len(both) - hits], [decoys, len(alone) - decoys]]
    return float(fisher_exact(table, alternative="greater").pvalue) <= _GAIN_P


def _grown(miner: Miner, pairs: Pairs, at: Int64, ids: list[int], both: Int64) -> list[int]:
    """Adds leaning patterns that all rows of the pair hold too, up to three parts."""
    for i in at.tolist():
        g = int(pairs.pattern[i])
        if len(ids) >= _MAX_PARTS:
            break
        if any(_overlap(miner.text[g], miner.text[other]) for other in ids):
            continue
        if len(np.intersect1d(miner.carriers(g), both, assume_unique=True)) == len(both):
            ids.append(g)
    return ids


def _overlap(first: str, second: str) -> bool:
    """True when two patterns share a word, and so may stand on the same words of a text."""
    return bool(set(first.casefold().split(" ")) & set(second.casefold().split(" ")))
