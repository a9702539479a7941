"""Whether two annotators err on the same items more often than pairs of other annotators do on items as hard.

For each pair the items that both judged form a two-by-two table within each stratum of certainty: does the one err,
does the other. Honest people err together too, for some items are hard and on some it is the rest that errs: the odds
ratio of the tables of all other pairs (Mantel and Haenszel) says how much. Given the margins of a pair's own tables and
that odds ratio, the number of items on which both err is noncentral hypergeometric, and sums over strata have an exact
tail. With more than two answers there is a table for each wrong answer, and erring together means giving the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.detectors.strata import overlap, tail
from audit.schema import Int32, Int64
from audit.stats import benjamini_hochberg

Array = NDArray[np.float64]

_REFERENCE_ITEMS = 30  # fewer say nothing of how other pairs err
_SUMS = ("above", "below", "both", "one", "other", "neither")


@dataclass(frozen=True, slots=True)
class Shared:
    """Items that two annotators judged, one entry a pair and item; s entries, P pairs."""

    pair: Int64  # (s,) index into `people`, ascending
    people: Int64  # (P, 2) annotators, the smaller index first
    choices: Int32  # (s, 2) what the two chose
    answer: Int32  # (s,) what the rest without the two says
    stratum: Int32  # (s,) of how certain it is


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators on the items that both judged."""

    index: int  # into Shared.people
    people: tuple[int, int]
    shared: int
    together: int  # items on which both err, in the same way
    expected: float  # such items by chance, at the odds ratio of other pairs
    q: float


def erring_together(shared: Shared, answers: int) -> list[Pair]:
    """The pairs both of whom err at least as often as people do on such items, and together more often than expected.
    q-values are over all pairs."""
    count = len(shared.people)
    tables = _tables(shared, answers)
    log_odds = _reference(tables, shared)
    seen = np.bincount(tables["pair"], weights=tables["both"], minlength=count)
    sizes = np.bincount(shared.pair, minlength=count)
    starts = np.searchsorted(tables["pair"].to_numpy(), np.arange(count + 1))
    numbers = tables.select("items", "first", "second").to_numpy()
    found, p = {}, np.ones(count)
    for index in np.flatnonzero(_astray(shared) & (seen > 0)).tolist():
        lines = range(starts[index], starts[index + 1])
        if not np.isfinite(log_odds[lines]).all():
            continue
        laws = [overlap(n, a, b, float(log_odds[line])) for line in lines for n, a, b in [numbers[line].tolist()]]
        expected = sum(float(((least + np.arange(len(mass))) * mass).sum()) for least, mass in laws)
        if seen[index] > expected:
            p[index] = tail([(law, 1) for law in laws], int(seen[index]))
            found[index] = expected
    q = benjamini_hochberg(p)
    return [
        Pair(k, (int(a), int(b)), int(sizes[k]), int(seen[k]), expected, float(q[k]))
        for k, expected in found.items()
        for a, b in [shared.people[k]]
    ]


def _tables(shared: Shared, answers: int) -> pl.DataFrame:
    """A line for each pair, stratum and wrong answer that both gave somewhere: `items`, of which the `first` and the
    `second` err, and `both`; with the terms of the odds ratio. With two answers all wrong ones are one."""
    frame = pl.DataFrame(
        {
            "pair": shared.pair,
            "stratum": shared.stratum,
            "a": shared.choices[:, 0],
            "b": shared.choices[:, 1],
            "answer": shared.answer,
        }
    )
    key = ["pair", "stratum", "wrong"]
    wrong = {side: pl.lit(0) if answers == 2 else pl.col(side) for side in ("a", "b")}

    def count(which: pl.Expr, answer: pl.Expr, name: str) -> pl.DataFrame:
        return frame.filter(which).group_by("pair", "stratum", wrong=answer.cast(pl.Int32)).agg(pl.len().alias(name))

    first, second = pl.col("a") != pl.col("answer"), pl.col("b") != pl.col("answer")
    out = count(first, wrong["a"], "first").join(count(second, wrong["b"], "second"), on=key)
    out = out.join(count(first & (pl.col("a") == pl.col("b")), wrong["a"], "both"), on=key, how="left")
    out = out.join(frame.group_by("pair", "stratum").agg(items=pl.len()), on=["pair", "stratum"])
    if answers > 2:  # an item whose answer it is cannot be answered wrongly by it
        right = frame.group_by("pair", "stratum", wrong=pl.col("answer").cast(pl.Int32)).agg(right=pl.len())
        out = out.join(right, on=key, how="left").with_columns(pl.col("items") - pl.col("right").fill_null(0))
    numbers = [pl.col(name).fill_null(0).cast(pl.Int64) for name in ("items", "first", "second", "both")]
    both, one, other = pl.col("both"), pl.col("first") - pl.col("both"), pl.col("second") - pl.col("both")
    out = out.with_columns(numbers).with_columns(one=one, other=other, neither=pl.col("items") - one - other - both)
    per = out.with_columns(
        above=pl.col("both") * pl.col("neither") / pl.col("items"),
        below=pl.col("one") * pl.col("other") / pl.col("items"),
    )
    return per.sort(key)


def _reference(tables: pl.DataFrame, shared: Shared) -> Array:
    """(lines of the tables,) log odds ratio of the tables of other pairs, one standard error added, 0 at the least.
    Asked are pairs with neither of the two, in the same stratum, then in all; where these are too few, pairs with one
    of them. Infinite where nobody is left to ask."""
    pair, stratum = tables["pair"].to_numpy(), tables["stratum"].to_numpy()
    values = tables.select(*_SUMS, "items").to_numpy().T.astype(np.float64)  # (7, lines)
    out = np.full(len(tables), np.inf)
    for neither in (True, False):
        for within in (stratum, np.zeros_like(stratum)):
            found = _others(values, pair, within.astype(np.int64), shared.people, neither)
            use = np.isinf(out) & (found[-1] >= _REFERENCE_ITEMS)
            above, below, *counts = found[:-1, use]
            error = np.sqrt(sum(1 / (np.maximum(count, 0) + 0.5) for count in counts))
            out[use] = np.maximum(np.log((above + 0.5) / (below + 0.5)) + error, 0.0)
    return out


def _others(values: Array, pair: Int64, stratum: Int64, people: Int64, neither: bool) -> Array:
    """(v, lines) sums of `values` (v, lines) over the lines of the same stratum and other pairs: those without either
    of a line's two annotators, or all."""
    width = int(stratum.max(initial=0)) + 1

    def summed(group: Int64) -> Array:
        _, at = np.unique(group, return_inverse=True)
        return np.stack([np.bincount(at, weights=v)[at] for v in values]) if len(at) else values

    own, total = summed(pair * width + stratum), summed(stratum)
    if not neither:
        return total - own
    touching = np.zeros((len(values), (int(people.max(initial=0)) + 1) * width))
    places = [people[pair, side] * width + stratum for side in (0, 1)]
    for place in places:
        for line, v in enumerate(values):
            touching[line] += np.bincount(place, weights=v, minlength=touching.shape[1])
    return np.asarray(total - touching[:, places[0]] - touching[:, places[1]] + own)


def _astray(shared: Shared) -> NDArray[np.bool_]:
    """(P,) pairs both of whom err on the shared items at least as often as people do on items of the same strata."""
    count = len(shared.people)
    err = shared.choices != shared.answer[:, None]
    size = np.maximum(np.bincount(shared.stratum), 1)
    rate = np.bincount(shared.stratum, weights=err.mean(axis=1)) / size
    usual = np.bincount(shared.pair, weights=rate[shared.stratum], minlength=count)
    each = [np.bincount(shared.pair, weights=err[:, side], minlength=count) for side in (0, 1)]
    return np.asarray((each[0] >= usual) & (each[1] >= usual))
