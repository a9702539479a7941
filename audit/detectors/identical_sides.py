"""Preference pairs whose two sides are the same text: they teach nothing and often betray a broken pipeline.

Why it works: a pair says which of two responses is better, so equal responses carry no preference. Sides that differ
only in case or white space are ranked just below equal ones.

Source: reported of published preference sets, in one of which 144 of 220 pairs were equal (camel-ai/owl, issue 592).

Misses: sides that say the same in other words.
"""

from __future__ import annotations

import polars as pl

from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Kind, Severity, Skipped, signals_frame

THRESHOLD = 0.8


@detector(code="TV-SAME", title="Pairs with equal sides", severity=Severity.LOW, version=2)
def identical_sides(examples: pl.DataFrame, info: DatasetInfo) -> Detection | Skipped:
    """Scores a pair 1 where both sides are equal, 0.9 where they are equal but for case and white space, else 0."""
    if info.kind != Kind.PREFERENCE:
        return Skipped("needs preference pairs")
    if examples["rejected"].null_count() == examples.height:
        return Skipped("needs the rejected responses, which this dataset has not")
    chosen, rejected = pl.col("response"), pl.col("rejected")
    scored = examples.select(
        "row",
        score=pl.when(chosen == rejected)
        .then(1.0)
        .when(_folded("response") == _folded("rejected"))
        .then(0.9)
        .otherwise(0.0),
    )
    same = scored["score"] > 0
    evidence = [
        ("both sides are the same text" if s == 1.0 else "both sides are the same but for case and white space")
        if s
        else None
        for s in scored["score"]
    ]
    rows = scored.filter(same)["row"].to_list()
    findings: tuple[Finding, ...] = ()
    if rows:
        findings = (
            Finding(
                code="TV-SAME",
                subject="equal sides",
                text=f"{len(rows):,} of {examples.height:,} pairs have equal sides and teach nothing.",
                severity=Severity.LOW,
                score=len(rows) / examples.height,
                rows=tuple(rows[:200]),
                details={"pairs": len(rows)},
            ),
        )
    fix = ["drop" if s else None for s in scored["score"]]
    return Detection(signals_frame(scored["row"], scored["score"], evidence, fix=fix), findings, THRESHOLD)


def _folded(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
