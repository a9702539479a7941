"""A line of responses that contradicts little of what is said of them.

Responses are lined up greedily, then moved one by one to where they contradict least; the best of several lines, each
grown from the last best one by throwing a tenth of its responses elsewhere, is taken. All of it sees pairs of responses
only: a list that is contradicted throughout counts for more than one that is contradicted once.

Source: Eades, Lin and Smyth 1993, "A fast and effective heuristic for the feedback arc set problem"; the moves are the
insertions of Laguna, Marti and Campos 1999, "Intensification and diversification with elite tabu search solutions for
the linear ordering problem"; the throws are iterated local search.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from audit.detectors.orders import Order

_EXPANDED = 2_000  # pairs of a ranked list that are weighed; longer lists count by neighbouring levels
_PASSES = 20
_PASSED_ARCS = 500_000  # passes times pairs of responses, at most; three passes in any case
_THROWS = 60
_THROWN_ARCS = 100_000  # throws times pairs of responses, at most

Weights = list[dict[int, int]]  # response -> response below it -> weight of the orders that say so


def pair_weights(size: int, orders: Sequence[Order]) -> Weights:
    weights: Weights = [{} for _ in range(size)]
    for order in orders:
        levels = order.levels
        total = sum(len(level) for level in levels)
        reach = len(levels) if total * total <= 2 * _EXPANDED else 2
        for i, above in enumerate(levels):
            for below in levels[i + 1 : i + reach]:
                for u in above:
                    for v in below:
                        weights[u][v] = weights[u].get(v, 0) + order.weight
    return weights


def violated(orders: Sequence[Order], place: Sequence[float]) -> tuple[int, ...]:
    """The orders that a linear order of the responses contradicts: every cycle holds one."""
    found = []
    for number, order in enumerate(orders):
        last = max(place[node] for node in order.levels[0])
        for level in order.levels[1:]:
            if last > min(place[node] for node in level):
                found.append(number)
                break
            last = max(last, *(place[node] for node in level))
    return tuple(found)


def short_line(weights: Weights) -> list[float]:
    """(n,) places of the responses in a line that contradicts little weight; always the same for the same numbering."""
    size = len(weights)
    best = _improved(_greedy(weights), weights)
    least = _contradicted(best, weights)
    rng = np.random.default_rng(0)  # throws differ from each other, not from run to run
    for _ in range(min(_THROWS, _THROWN_ARCS // max(sum(len(below) for below in weights), 1))):
        place = list(best)
        for v in rng.integers(0, size, max(2, size // 10)).tolist():
            place[v] = float(size * rng.random())
        place = _improved(place, weights)
        if (cost := _contradicted(place, weights)) <= least:
            best, least = place, cost
    return best


def _contradicted(place: Sequence[float], weights: Weights) -> int:
    return sum(weight for u, below in enumerate(weights) for v, weight in below.items() if place[u] > place[v])


def _greedy(weights: Weights) -> list[float]:
    """(n,) places by Eades, Lin and Smyth: what nothing beats goes first, what beats nothing last, and else the
    response that wins by most over what is left."""
    size = len(weights)
    above: Weights = [{} for _ in range(size)]
    for u, below in enumerate(weights):
        for v, weight in below.items():
            above[v][u] = weight
    wins = [sum(below.values()) for below in weights]
    losses = [sum(over.values()) for over in above]
    place: list[float] = [-1.0] * size
    first, last = 0, size - 1

    def urgency(v: int) -> tuple[int, int, int]:
        return (0 if not losses[v] or not wins[v] else 1, losses[v] - wins[v], v)

    heap = [urgency(v) for v in range(size)]
    heapq.heapify(heap)
    while heap:
        entry = heapq.heappop(heap)
        v = entry[2]
        if place[v] >= 0 or entry != urgency(v):
            continue
        if losses[v] and not wins[v]:
            place[v], last = last, last - 1
        else:
            place[v], first = first, first + 1
        for neighbours, sums in ((weights[v], losses), (above[v], wins)):
            for u, weight in neighbours.items():
                if place[u] < 0:
                    sums[u] -= weight
                    heapq.heappush(heap, urgency(u))
    return place


def _improved(place: list[float], weights: Weights) -> list[float]:
    """Moves one response after another to where it contradicts least, until no move helps or for `_PASSES` passes."""
    size = len(weights)
    gain: list[dict[int, int]] = [{} for _ in range(size)]  # v -> u -> weight of v over u less that of u over v
    for u, below in enumerate(weights):
        for v, weight in below.items():
            gain[u][v] = gain[u].get(v, 0) + weight
            gain[v][u] = gain[v].get(u, 0) - weight
    arcs = sum(len(below) for below in weights)
    for _ in range(max(3, min(_PASSES, _PASSED_ARCS // max(arcs, 1)))):
        moved = False
        for v in range(size):
            # Contradicted weight of v when it stands behind the first k neighbours, up to a constant.
            near = sorted(gain[v], key=lambda u: place[u])
            cost, costs = 0, [0]
            for u in near:
                cost += gain[v][u]
                costs.append(cost)
            now = sum(place[u] < place[v] for u in near)
            best = min(range(len(costs)), key=costs.__getitem__)
            if costs[best] >= costs[now]:
                continue
            low = place[near[best - 1]] if best else place[near[0]] - 2
            high = place[near[best]] if best < len(near) else place[near[-1]] + 2
            middle = (low + high) / 2
            if low < middle < high:
                place[v], moved = middle, True
        ranked = sorted(range(size), key=lambda v: (place[v], v))
        for rank, v in enumerate(ranked):
            place[v] = float(rank)
        if not moved:
            break
    return place
