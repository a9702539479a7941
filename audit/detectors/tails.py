"""How far out a value must lie before a clean class of this size would hardly hold it.

Two bounds, and the larger counts: that of a normal with the class's own median and median absolute deviation, at a
Bonferroni level; and that of an exponential fitted to the excesses over the 90th percentile by their median, for real
tails are heavier than a normal's (on a clean set of film reviews the normal's bound alone flagged rows, this one none).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audit.stats import median_absolute_deviation

TAIL = 0.9
MIN_ROWS = 50  # below, a tail of ten per cent is fewer than five rows


def excess(
    values: NDArray[np.float64], carriers: NDArray[np.bool_], family_wise: float, sides: int = 1
) -> NDArray[np.float64] | None:
    """(m,) robust z of each value in units of the bound: 1 and more is beyond it. Both are fitted to the rows that are
    no `carriers` of a suspect. `family_wise` is the probability that a clean class of this size holds such a row; two
    `sides` take the size of z. None where fewer than 50 rows are no carriers, and where more than half are equal."""
    others = values[~carriers]
    scale = median_absolute_deviation(others)
    if len(others) < MIN_ROWS or scale <= 1e-9 * max(float(np.abs(others).max(initial=0.0)), 1e-9):
        return None
    z = (values - np.median(others)) / scale
    z = np.abs(z) if sides == 2 else z
    normal = float(stats.norm.isf(family_wise / (sides * len(z))))
    floor = float(np.quantile(z[~carriers], TAIL))
    over = z[~carriers & (z > floor)] - floor
    exponential = floor + float(np.median(over)) / np.log(2) * np.log(len(over) / family_wise) if len(over) else 0.0
    return np.asarray(z / max(normal, exponential), dtype=np.float64)
