"""Rows that checks flag, in the order in which a person is to see them, and rows that a last bit would move.

Scores are rounded before they meet a threshold, for the last bits of a sum change with the number of threads; what is
equal after rounding is ordered by row. A row whose rounded score is one step from a threshold, or from the last place
within the review budget, is borderline: another machine may decide it otherwise, and it is listed.

In a flood, where ten times as many rows are flagged as there are places, the budget is dealt in turns. Each flagged
row belongs to the check that speaks against it most urgently, and each turn takes the next row of every check: fifty
thousand rows that trip one weak check, or five, fill their own places and not those of the others. Without a flood the
most urgent rows come first, whichever check they are of: turns would cost up to two thirds of what a good check finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

import polars as pl

from audit.schema import SEVERITY_ORDER, Severity

DIGITS = 5  # after the point, of a score as a multiple of its threshold
_FLOOD = 10  # times as many rows as places: a fifth of all rows at the usual budget
STEP = 1.5 * 10**-DIGITS  # what is nearer than this is one step of rounding away, or none


@dataclass(frozen=True, slots=True)
class Check:
    """A check that ran: its code, severity and threshold, and its scores by row."""

    name: str
    code: str
    severity: Severity
    threshold: float
    signals: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Mark:
    """What one check says of a row that it flags."""

    severity: int  # place in SEVERITY_ORDER
    excess: float  # the score as a multiple of the threshold, rounded
    code: str
    fix: str | None
    new_value: str | None

    @property
    def urgency(self) -> tuple[int, float, str]:
        """Sorts the most urgent first."""
        return -self.severity, -self.excess, self.code


Flagged = tuple[int, list[Mark]]  # a row and its marks, the most urgent first


def scale(threshold: float) -> float:
    """What scores are divided by before they are rounded: the threshold's size, next to nothing where it is 0."""
    return max(abs(threshold), 1e-9)


def excess(threshold: float) -> pl.Expr:
    """A check's score as a rounded multiple of its threshold. NaN where it abstains."""
    return (pl.col("score").cast(pl.Float64) / scale(threshold)).round(DIGITS)


def reached(threshold: float) -> pl.Expr:
    """Whether a score, rounded, reaches the threshold; never an infinite one. Law: no score that reaches the threshold
    unrounded is lost."""
    if threshold == float("inf"):
        return pl.lit(False)
    return pl.col("score").is_not_nan() & (excess(threshold) >= round(threshold / scale(threshold), DIGITS))


def flagged(checks: Sequence[Check], places: int) -> list[Flagged]:
    """Rows that some check flags: the most severe first, then those that most checks flag, those farthest over the
    threshold, ties by row; a row of each check in turn where they are a flood for so many `places`."""
    marks: dict[int, list[Mark]] = {}
    for check in checks:
        over = check.signals.filter(reached(check.threshold)).with_columns(excess(check.threshold).alias("_excess"))
        place = SEVERITY_ORDER.index(check.severity)
        for row, much, fix, value in over.select("row", "_excess", "fix", "new_value").iter_rows():
            marks.setdefault(row, []).append(Mark(place, much, check.code, fix, value))
    for found in marks.values():
        found.sort(key=lambda mark: mark.urgency)
    ranked = sorted(marks.items(), key=_order)
    if len(ranked) <= _FLOOD * places:
        return ranked
    groups: dict[str, list[Flagged]] = {}
    for item in ranked:
        groups.setdefault(item[1][0].code, []).append(item)
    return [item for turn in zip_longest(*groups.values()) for item in sorted(filter(None, turn), key=_order)]


def _order(item: Flagged) -> tuple[int, int, float, int]:
    row, marks = item
    return -marks[0].severity, -len(marks), -marks[0].excess, row


def borderline(checks: Sequence[Check], order: Sequence[Flagged], taken: set[int]) -> dict[int, str]:
    """Row -> what a last bit might change: rows within one step of a check's threshold but not on it, and rows of one
    check on both sides of the budget's end whose scores are within one step of each other. `order` is what `flagged`
    gives, `taken` the rows of it that went to review for their scores."""
    found: dict[int, str] = {}
    for check in checks:
        if check.threshold == float("inf"):
            continue
        size, bound = scale(check.threshold), round(check.threshold / scale(check.threshold), DIGITS)
        away = (excess(check.threshold) - bound).abs()
        exact = (pl.col("score").cast(pl.Float64) - check.threshold).abs() < size * 10.0 ** -(DIGITS + 2)
        near = check.signals.filter(pl.col("score").is_not_nan() & (away < STEP) & ~exact)
        for row in near["row"].to_list():
            found.setdefault(row, f"{check.code}: the threshold of {check.name}")
    for row, code in _at_the_end(order, taken):
        found.setdefault(row, f"{code}: the end of the review budget")
    return dict(sorted(found.items()))


def _at_the_end(order: Sequence[Flagged], taken: set[int]) -> Iterator[tuple[int, str]]:
    """Rows of a check whose place inside or outside the budget hangs on a step of rounding."""
    groups: dict[str, list[Flagged]] = {}
    for item in order:
        groups.setdefault(item[1][0].code, []).append(item)
    for code, members in groups.items():
        for (row, marks), (other, next_marks) in pairwise(members):
            same = (marks[0].severity, len(marks)) == (next_marks[0].severity, len(next_marks))
            if (row in taken) != (other in taken) and same and 0 < marks[0].excess - next_marks[0].excess < STEP:
                yield from ((row, code), (other, code))
