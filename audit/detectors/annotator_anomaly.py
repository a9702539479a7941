"""Annotators whose decisions the rest of the data contradicts more often than anyone else's.

Why it works: an annotator who flips answers, or works to another rule, leaves single decisions that look like honest
disagreement, but their rate does not. Each annotator's share of contradicted decisions is tested against the share
of all others by the exact binomial tail, with the false-discovery rate held over annotators; and it must exceed the
others' share by `min_excess`, so that a busy annotator is not reported for a trifle. Only rows that are contradicted
and belong to such an annotator are flagged, for review.

Source: Dawid and Skene 1979 (error rates by observer); Benjamini and Hochberg 1995; Northcutt, Jiang and Chuang 2021
for disagreement with out-of-fold predictions.

Misses: annotators with fewer than `min_rows` decisions; a majority of annotators that errs the same way; an annotator
whose items are simply harder, who is reported though honest: the finding is about decisions, not about intent.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Severity, Skipped, Support, signals_frame
from audit.stats import benjamini_hochberg, binomial_tail_log10, sigmoid, wilson_lower
from audit.text import safe_text

MAX_Q = 0.01


@detector(code="TV-ANN", title="Annotators at odds with the rest", severity=Severity.MEDIUM)
def annotator_anomaly(
    examples: pl.DataFrame, info: DatasetInfo, support: Support, *, min_rows: int = 20, min_excess: float = 0.05
) -> Detection | Skipped:
    """Scores a contradicted row of a reported annotator by that annotator's excess over the others, times how clearly
    the row is contradicted, 0 to 1; other rows 0; NaN without an annotator. The threshold lies just above 0."""
    if examples["annotator"].null_count() == examples.height:
        return Skipped("needs annotators, which this dataset has not")
    doubt = _doubt(examples, info, support)
    if doubt is None:
        return Skipped("needs labels or preference margins to compare the annotators' decisions with")
    against = doubt > 0.5
    table = annotator_table(examples["annotator"], against).filter(pl.col("rows") >= min_rows)
    if table.height < 2:
        return Skipped(f"needs at least 2 annotators with {min_rows} rows each, and this dataset has {table.height}")
    table = table.with_columns(q=pl.Series(benjamini_hochberg(table["p"].to_numpy())))
    bad = table.filter((pl.col("q") < MAX_Q) & (pl.col("lower") - pl.col("others") >= min_excess))
    excess = {a: s - o for a, s, o in bad.select("annotator", "share", "others").iter_rows()}
    names = examples["annotator"].to_list()
    score = [
        float("nan") if name is None else excess.get(name, 0.0) * value if value > 0.5 else 0.0
        for name, value in zip(names, doubt, strict=True)
    ]
    evidence = [
        f"contradicted, and so are {excess[n]:.0%} more of annotator {safe_text(n, 40)}'s rows than of others'"
        if hit and n in excess
        else None
        for n, hit in zip(names, against, strict=True)
    ]
    fix = ["swap" if e and support.margin is not None and support.label_probability is None else None for e in evidence]
    findings = tuple(_finding(entry, examples, against) for entry in bad.sort("q", "annotator").to_dicts())
    return Detection(signals_frame(examples["row"], score, evidence, fix=fix), findings, 1e-6)


def annotator_table(annotator: pl.Series, against: NDArray[np.bool_]) -> pl.DataFrame:
    """One row an annotator, by name: annotator, rows, against, share, others (the share among everybody else's rows),
    lower (95% bound of the share) and p (exact binomial tail)."""
    frame = pl.DataFrame({"annotator": annotator, "against": against}).drop_nulls("annotator")
    table = frame.group_by("annotator").agg(rows=pl.len(), against=pl.col("against").sum()).sort("annotator")
    rows = table["rows"].to_numpy().astype(np.float64)
    hits = table["against"].to_numpy().astype(np.float64)
    # Half a row is added to each side, so that nobody is compared with a share of exactly 0.
    others = (hits.sum() - hits + 0.5) / (rows.sum() - rows + 1)
    return table.with_columns(
        share=pl.Series(hits / np.maximum(rows, 1)),
        others=pl.Series(others),
        lower=pl.Series(wilson_lower(hits, rows)),
        p=pl.Series(10.0 ** binomial_tail_log10(hits, rows, others)),
    )


def _doubt(examples: pl.DataFrame, info: DatasetInfo, support: Support) -> NDArray[np.float64] | None:
    """(n,) how clearly the out-of-fold prediction contradicts each decision, above 0.5 where it prefers another label
    or the other side; None where there is neither."""
    if support.label_probability is not None:
        labels = {name: index for index, name in enumerate(info.labels)}
        given = np.array([labels.get(x, -1) for x in examples["label"].to_list()], dtype=np.int64)
        probability = support.label_probability.astype(np.float64)
        own = probability[np.arange(given.size), np.clip(given, 0, None)]
        best = probability.max(axis=1)
        return np.asarray(np.where(given >= 0, best / np.maximum(best + own, 1e-12), 0.0))
    if support.margin is not None:
        return sigmoid(-support.margin.astype(np.float64))
    return None


def _finding(entry: dict[str, float | str], examples: pl.DataFrame, against: NDArray[np.bool_]) -> Finding:
    name = str(entry["annotator"])
    rows = examples.filter(pl.Series(against) & (pl.col("annotator") == name))["row"].sort()
    return Finding(
        code="TV-ANN",
        subject=f"annotator {name}",
        text=f"The rest of the data contradicts {float(entry['share']):.0%} of annotator {safe_text(name, 40)}'s "
        f"{int(entry['rows']):,} decisions, against {float(entry['others']):.0%} of the others'.",
        severity=Severity.HIGH,
        score=float(entry["share"]) - float(entry["others"]),
        q_value=float(entry["q"]),
        rows=tuple(rows.head(200)),
        details={key: entry[key] for key in ("rows", "against", "share", "others")},
    )
