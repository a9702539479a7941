"""Orders of responses as a graph, and its cycles.

An order is responses in levels, best first, those of one level tied. A pair is an order of two levels with one response
each; a ranked list is one order, which is kept or left out whole. Work is counted in steps, not in seconds, so that
every machine stops at the same place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Order:
    """Responses in levels, best first; two levels at the least, and no response twice."""

    levels: tuple[tuple[int, ...], ...]
    weight: int  # records that say the same

    @property
    def is_pair(self) -> bool:
        return len(self.levels) == 2 and len(self.levels[0]) == len(self.levels[1]) == 1


@dataclass(slots=True)
class Effort:
    """Steps that are left, for all groups of a dataset together; none is a time, so that every machine stops alike."""

    subsets: int = 1 << 27  # subsets of responses times responses
    cells: int = 1_000_000  # cycles times orders of integer programs
    visits: int = 4_000_000  # arcs followed


@dataclass(frozen=True, slots=True)
class Graph:
    """Orders as arcs. A list of L levels has L - 1 joints between its levels, so that arcs grow with its length and
    not with its square: a response leads to the joint below it, a joint to the next joint and the level under it."""

    size: int  # responses; nodes from here on are joints
    orders: tuple[Order, ...]
    out: list[list[tuple[int, int]]]  # node -> (next node, order)

    @classmethod
    def of(cls, size: int, orders: Sequence[Order]) -> Graph:
        out: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        for number, order in enumerate(orders):
            if order.is_pair:
                out[order.levels[0][0]].append((order.levels[1][0], number))
                continue
            for depth, (above, below) in enumerate(pairwise(order.levels), start=2):
                joint = len(out)
                out.append([(node, number) for node in below])
                if depth < len(order.levels):
                    out[joint].append((joint + 1, number))
                for node in above:
                    out[node].append((joint, number))
        return cls(size, tuple(orders), out)

    def cycle(self, start: int, without: Collection[int], effort: Effort) -> tuple[int, tuple[int, ...]] | None:
        """The shortest cycle through the response `start` in the rest, as how many responses it holds and the orders
        it follows; None without one, or when the effort is spent."""
        parent: dict[int, tuple[int, int]] = {}
        settled: set[int] = set()
        queue = deque([(0, start)])
        while queue and effort.visits > 0:
            length, node = queue.popleft()
            if node in settled:
                continue
            settled.add(node)
            effort.visits -= len(self.out[node]) + 1
            for target, order in self.out[node]:
                if order in without:
                    continue
                if target == start:
                    return length + 1, self._followed(parent, start, node, order)
                if target in settled:
                    continue
                # A joint costs nothing: lengths count responses.
                if target >= self.size:
                    parent[target] = (node, order)
                    queue.appendleft((length, target))
                elif target not in parent:
                    parent[target] = (node, order)
                    queue.append((length + 1, target))
        return None

    @staticmethod
    def _followed(parent: dict[int, tuple[int, int]], start: int, node: int, order: int) -> tuple[int, ...]:
        followed = {order: None}
        while node != start:
            node, order = parent[node]
            followed[order] = None
        return tuple(followed)

    def through(self, order: int, without: Collection[int], effort: Effort) -> tuple[int, tuple[int, ...]] | None:
        """The shortest cycle through any response that `order` ranks, as `cycle` gives it."""
        best = None
        for level in self.orders[order].levels[:-1]:
            for node in level:
                found = self.cycle(node, without, effort)
                if found is not None and (best is None or found[0] < best[0]):
                    best = found
                if best is not None and best[0] == 2:
                    return best
        return best
