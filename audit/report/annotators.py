"""The report's view of pairs and annotators: whose decisions the rest of the data contradicts, and how clearly.

A decision is contradicted where a check that compares it with an out-of-fold prediction proposes another label or
the other side. The test of each annotator against all others is the detector's (`annotator_anomaly`); this view adds
the counts of everyone else, so that a reader sees the one beside the many.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from audit.report.excerpt import excerpt, short
from audit.report.groups import Annotator, Histogram
from audit.report.read import Inputs, Signals
from audit.schema import Verdict

MAX_ANNOTATORS = 40
BINS = 20
_DOUBTING = ("label_noise", "preference_flip")
_PREFIX = "annotator "


def annotators(data: Inputs) -> tuple[tuple[Annotator, ...], int]:
    """Annotators, those reported first, then by contradicted share, and how many more there are."""
    named = data.base.filter(pl.col("annotator").is_not_null()).select("row", "annotator", "verdict")
    if named.is_empty():
        return (), 0
    doubting = _doubting(data)
    doubted: list[int] = [row for s in doubting for row in s.frame.filter(_proposes()).get_column("row").to_list()]
    against = named.with_columns(pl.col("row").is_in(doubted).alias("against"))
    table = against.group_by("annotator").agg(
        pl.len().alias("rows"),
        (pl.col("verdict") == Verdict.REVIEW).sum().alias("review"),
        (pl.col("verdict") == Verdict.REMOVE).sum().alias("remove"),
        pl.col("against").sum(),
    )
    told = {
        r["subject"].removeprefix(_PREFIX): excerpt(r["text"] or "", (), 400)
        for r in data.findings.filter(pl.col("check") == "annotator_anomaly").iter_rows(named=True)
    }
    found = [
        Annotator(short(r["annotator"]), r["rows"], r["review"], r["remove"], r["against"] if doubting else None, said)
        for r in table.iter_rows(named=True)
        for said in [told.get(r["annotator"])]
    ]
    found.sort(key=lambda a: (a.reported is None, -a.share, -a.rows, a.name))
    return tuple(found[:MAX_ANNOTATORS]), max(len(found) - MAX_ANNOTATORS, 0)


def histograms(data: Inputs) -> tuple[Histogram, ...]:
    """How clearly labels or pairs are contradicted, as counts of rows in BINS equal bins of the score."""
    edges = np.linspace(0, 1, BINS + 1)
    return tuple(
        Histogram(s.check.title, tuple(np.histogram(np.clip(s.sorted_scores, 0, 1), edges)[0].tolist()))
        for s in _doubting(data)
        if len(s.frame)
    )


def _doubting(data: Inputs) -> list[Signals]:
    return [s for s in data.signals if s.check.name in _DOUBTING]


def _proposes() -> pl.Expr:
    return pl.col("fix").is_in(["relabel", "swap"])
