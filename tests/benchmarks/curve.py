"""From shares at a few counts to the counts at which half and 95% are mined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Cell = tuple[int, float, int]  # count of rows, share mined, plants


def monotone(cells: Sequence[Cell]) -> list[tuple[int, float]]:
    """Shares that never fall with the count: pools of adjacent violators, weighted by plants."""
    pools: list[list[float]] = []  # weighted sum, weight, cells
    for _, share, plants in sorted(cells):
        pools.append([share * plants, plants, 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    smooth = [total / weight for total, weight, size in pools for _ in range(int(size))]
    return [(count, share) for (count, _, _), share in zip(sorted(cells), smooth, strict=True)]


def count_at(cells: Sequence[Cell], level: float) -> tuple[str, float]:
    """(sign, count) at which `level` of the plants are mined: ("=", k) by interpolation between measured counts on a
    logarithmic scale, ("<=", k) when the least measured count suffices, (">", k) when the largest does not."""
    points = monotone([c for c in cells if c[2]])
    if not points:
        return "?", math.nan
    if points[0][1] >= level:
        return "<=", float(points[0][0])
    for (a, low), (b, high) in pairwise(points):
        if high >= level:
            part = (level - low) / (high - low)
            return "=", math.exp(math.log(a) + part * (math.log(b) - math.log(a)))
    return ">", float(points[-1][0])


def shown(found: tuple[str, float]) -> str:
    """As the table shows it: "≤ 3", "7.4", "> 100", "-"."""
    sign, count = found
    if sign == "?":
        return "-"
    text = f"{count:.1f}".removesuffix(".0")
    return {"=": "", "<=": "≤ ", ">": "> "}[sign] + text
