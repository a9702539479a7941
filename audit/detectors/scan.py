"""The scan statistic: is there a stretch of time in which marked decisions crowd, more than chance puts into any?

Decisions in the order of time are looked at through all windows of several lengths. A window's score is the Poisson
log-likelihood ratio of its marked decisions against those expected of it. How large the best score of one annotator
gets by chance is found by dealing the marks out anew among that annotator's own decisions, within strata: the times
stay, and so does how often the annotator errs on items as hard. The p-value is exact; the dealing stops early where a
small one is out of reach (Besag and Clifford 1991).

Source: Kulldorff 1997, "A spatial scan statistic".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.schema import Int32, Int64

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST = 8  # decisions of a window
_LONGER = 1.3  # by which lengths of windows grow, up to half of all decisions
_STEPS = 8  # a window begins an eighth of its length after the one before, so that windows are few
_ENOUGH = 10  # deals that score as high settle that nothing is to be seen
_CELLS = 2_000_000  # numbers of a batch of deals


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch with the highest score: decisions `start` to `stop` in the order given."""

    start: int
    stop: int
    marked: int
    expected: float
    p: float


def scan(at: Array, marked: Bools, stratum: Int32, deals: int) -> Window | None:
    """The best window of m decisions sorted by their times `at`, (m,); equal times lie in one window or outside. The
    p-value is at least 1 / (deals + 1). None where there is no window, or none marked or all."""
    starts, stops = windows(at)
    total = int(marked.sum())
    if not len(starts) or total in (0, len(marked)):
        return None
    size = np.bincount(stratum)
    share = np.bincount(stratum, weights=marked, minlength=len(size)) / np.maximum(size, 1)
    below = np.concatenate([[0.0], np.cumsum(share[stratum])])
    expected = below[stops] - below[starts]
    seen = _scores(marked[None, :], starts, stops, expected, total)[0]
    best = int(seen.argmax())
    if seen[best] <= 0:
        return None
    p = _chance(float(seen[best]), marked, stratum, (starts, stops, expected, total), deals)
    start, stop = int(starts[best]), int(stops[best])
    return Window(start, stop, int(marked[start:stop].sum()), float(expected[best]), p)


def windows(at: Array) -> tuple[Int64, Int64]:
    """(w,) first and (w,) last position, exclusive, of the windows over times that are sorted."""
    count = len(at)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(at)) + 1, [count]]) if count else np.zeros(1, dtype=np.int64)
    pairs, length = [], float(LEAST)
    while length <= count / 2:
        begin = edges[:: max(int(length / _STEPS), 1)]
        stop = np.searchsorted(edges, begin + int(length))
        inside = stop < len(edges)
        pairs.append(np.column_stack([begin[inside], edges[stop[inside]]]))
        length *= _LONGER
    if not pairs:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    found = np.unique(np.concatenate(pairs), axis=0)
    found = found[found[:, 1] - found[:, 0] <= count / 2]
    return found[:, 0], found[:, 1]


def _scores(marked: Bools, starts: Int64, stops: Int64, expected: Array, total: int) -> Array:
    """(b, w) log-likelihood ratio of each window under each of b markings (b, m); 0 where fewer than expected are in
    it."""
    sums = np.zeros((len(marked), marked.shape[1] + 1), dtype=np.int32)
    np.cumsum(marked, axis=1, out=sums[:, 1:])
    inside = (sums[:, stops] - sums[:, starts]).astype(np.float64)
    outside = total - inside
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = inside * np.log(inside / expected)
        ratio += np.where(outside > 0, outside * np.log(outside / (total - expected)), 0.0)
    return np.where(inside > expected, ratio, 0.0)


def _chance(seen: float, marked: Bools, stratum: Int32, over: tuple[Int64, Int64, Array, int], deals: int) -> float:
    """The share of deals whose best window scores as high as `seen`."""
    rng = np.random.default_rng(0)
    by_stratum = np.argsort(stratum, kind="stable")
    batch = max(min(_CELLS // max(len(over[0]), len(marked)), 500), 1)
    done = high = 0
    while done < deals and high < _ENOUGH:
        size = min(batch, deals - done, max(done, 20))
        places = np.argsort(stratum + rng.random((size, len(marked))), axis=1)
        dealt = np.zeros((size, len(marked)), dtype=bool)
        np.put_along_axis(dealt, places, np.broadcast_to(marked[by_stratum], dealt.shape), axis=1)
        high += int((_scores(dealt, *over).max(axis=1) >= seen - 1e-9).sum())
        done += size
    return (high + 1) / (done + 1)
