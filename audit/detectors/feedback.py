"""The fewest records to leave out so that what is left runs in no circle: weighted minimum feedback sets.

Pairs alone are the minimum feedback arc set, solved exactly by dynamic programming over subsets of up to `SUBSET_SIZE`
responses. Everything else is the least costly set of orders that meets every cycle: a good line of the responses gives
one such set; branching on the orders of short cycles proves or betters it, disjoint cycles being a bound from below;
where that takes too many steps an integer program is solved, whose cycles are added as they show up, exact once its
answer leaves none. Beyond `PROGRAM_SIZE` different orders or `PROGRAM_DROPPED` to leave out, and where the steps
that `Effort` allows are spent, the answer is that of the line: small, and not proved the smallest.

Source: Bodlaender, Fomin, Koster, Kratsch and Thilikos 2012, "A note on exact algorithms for vertex ordering problems
on graphs" (subsets, after Held and Karp 1962); Baharev, Schichl, Neumaier and Achterberg 2021, "An exact method for the
minimum feedback arc set problem" (cycles as they show up).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from audit.detectors.linear_order import Weights, pair_weights, short_line, violated
from audit.detectors.orders import Effort, Graph

SUBSET_SIZE = 16
PROGRAM_SIZE = 400
PROGRAM_DROPPED = 40  # random tournaments: 43 take a second, 68 three seconds, 104 half a minute
_ROUNDS = 40  # of the integer program, each with the cycles that the last one left
_NODES = 20  # of the search tree of one integer program
_BRANCHES = 200  # of the search of one group


@dataclass(frozen=True, slots=True)
class Cut:
    """Orders that are left out. Without them the rest has no cycle: a law."""

    dropped: tuple[int, ...]  # indices into the orders, ascending
    exact: bool  # proved to be of the least weight


def smallest(graph: Graph, effort: Effort) -> Cut:
    """Orders of the least total weight without which the rest has no cycle, exact where `Cut.exact` says so. Of several
    such sets it is always the same one for the same numbering of responses and orders."""
    orders = graph.orders
    weights = pair_weights(graph.size, orders)
    if graph.size <= SUBSET_SIZE and all(order.is_pair for order in orders):
        effort.subsets -= graph.size << graph.size
        if effort.subsets >= 0:
            return Cut(violated(orders, _by_subsets(graph.size, weights)), True)
    best = _readmitted(graph, violated(orders, short_line(weights)), effort)
    # No cycle at all could do with less than one order of the least weight.
    exact = sum(orders[o].weight for o in best) == min(order.weight for order in orders)
    if not exact and len(orders) <= PROGRAM_SIZE:
        best, exact = by_branching(graph, best, effort)
        if not exact and len(best) <= PROGRAM_DROPPED and (found := by_program(graph, effort)) is not None:
            best, exact = found, True
    return Cut(tuple(sorted(best)), exact)


@lru_cache(maxsize=SUBSET_SIZE + 1)
def _layers(size: int) -> tuple[NDArray[np.int64], ...]:
    """The subsets of `size` things as bit masks, by how many they hold."""
    masks = np.arange(1 << size)
    held = np.bitwise_count(masks)
    return tuple(np.flatnonzero(held == k) for k in range(size + 1))


def _by_subsets(size: int, weights: Weights) -> list[int]:
    """(size,) the place of each response in a linear order that contradicts the least weight. least[S] is the least
    weight contradicted among the subset S when it stands first; S with v last adds what v is said to beat in S."""
    beaten = np.zeros((size, 1 << size), dtype=np.int64)  # (v, S) weight of v over members of S
    for v in range(size):
        for u in range(size):
            beaten[v, 1 << u : 2 << u] = beaten[v, : 1 << u] + weights[v].get(u, 0)
    least = np.full(1 << size, np.iinfo(np.int64).max // 2)
    least[0] = 0
    for layer in _layers(size)[1:]:
        for v in range(size):
            masks = layer[(layer >> v) & 1 == 1]
            before = masks ^ (1 << v)
            least[masks] = np.minimum(least[masks], least[before] + beaten[v, before])
    place, mask = [0] * size, (1 << size) - 1
    for rank in range(size - 1, -1, -1):
        inside = (v for v in range(size) if mask >> v & 1)
        last = next(v for v in inside if least[mask ^ 1 << v] + beaten[v, mask ^ 1 << v] == least[mask])
        place[last], mask = rank, mask ^ 1 << last
    return place


def by_branching(graph: Graph, best: frozenset[int], effort: Effort) -> tuple[frozenset[int], bool]:
    """The least costly set that meets every cycle, and whether that is proved; `best` is one such set. One of the
    orders of a cycle goes: each in turn, and those tried before it stay."""
    orders = graph.orders
    cost = sum(orders[o].weight for o in best)
    stack: list[tuple[frozenset[int], frozenset[int]]] = [(frozenset(), frozenset())]  # left out; sure to stay
    for _ in range(_BRANCHES):
        if not stack:
            return best, True
        out, stays = stack.pop()
        spent = sum(orders[o].weight for o in out)
        cycles = _disjoint(graph, out, effort)
        if effort.visits <= 0:
            return best, False
        free = [[o for o in cycle if o not in stays] for cycle in cycles]
        if not cycles and spent < cost:
            best, cost = out, spent
        if not cycles or not all(free) or spent + sum(min(orders[o].weight for o in f) for f in free) >= cost:
            continue
        narrow: list[int] = min(free, key=lambda f: (len(f), f))
        narrow.sort(key=lambda o: (orders[o].weight, o))
        stack += [(out | {o}, stays.union(narrow[:i])) for i, o in reversed(list(enumerate(narrow)))]
    return best, not stack


def _disjoint(graph: Graph, out: frozenset[int], effort: Effort) -> list[tuple[int, ...]]:
    """Cycles of the rest that share no order, as many as are met one after another; none only where there is none."""
    found: list[tuple[int, ...]] = []
    used = set(out)
    for start in range(graph.size):
        while (cycle := graph.cycle(start, used, effort)) is not None:
            found.append(tuple(sorted(cycle[1])))
            used.update(cycle[1])
    return found


def by_program(graph: Graph, effort: Effort) -> frozenset[int] | None:
    """The least costly set of orders that meets every cycle, or None when the effort is spent before it is proved."""
    count = len(graph.orders)
    cost = np.array([order.weight for order in graph.orders], dtype=np.float64)
    cycles: dict[tuple[int, ...], None] = {}
    out: frozenset[int] = frozenset()
    for _ in range(_ROUNDS):
        found = _cycles_left(graph, out, effort)
        if effort.visits <= 0:
            return None
        if not found:
            return out
        cycles |= found
        effort.cells -= len(cycles) * count
        if effort.cells < 0:
            return None
        rows = [i for i, cycle in enumerate(cycles) for _ in cycle]
        columns = [order for cycle in cycles for order in cycle]
        matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(cycles), count))
        answer = milp(
            cost,
            integrality=np.ones(count),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix, lb=1),
            options={"node_limit": _NODES, "mip_rel_gap": 0.0},
        )
        if answer.status != 0:
            return None
        out = frozenset(np.flatnonzero(answer.x > 0.5).tolist())
    return None


def _cycles_left(graph: Graph, out: frozenset[int], effort: Effort) -> dict[tuple[int, ...], None]:
    """Cycles of the rest, one through each response that lies on any."""
    found: dict[tuple[int, ...], None] = {}
    for start in range(graph.size):
        if (cycle := graph.cycle(start, out, effort)) is not None:
            found[tuple(sorted(cycle[1]))] = None
    return found


def _readmitted(graph: Graph, dropped: tuple[int, ...], effort: Effort) -> frozenset[int]:
    """Takes orders back, the heaviest first, while that closes no cycle; stops when the effort is spent."""
    out = set(dropped)
    for order in sorted(dropped, key=lambda o: (-graph.orders[o].weight, o)):
        out.remove(order)
        closes = graph.through(order, out, effort) is not None
        if closes or effort.visits <= 0:
            out.add(order)
        if effort.visits <= 0:
            break
    return frozenset(out)
