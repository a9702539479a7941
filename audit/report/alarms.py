"""What the overview says of the cleaning itself: slices that shrink, copies that contradict each other, rows that
rounding decides, and how much lies below the cut."""

from __future__ import annotations

import polars as pl

from audit.remedies.slices import SLICE_CODE
from audit.remedies.told import BORDERLINE_CODE, CONFLICT_CODE
from audit.report.excerpt import excerpt, plain
from audit.report.read import Inputs
from audit.report.record import Headline
from audit.schema import Verdict

TITLES = {
    SLICE_CODE: "Shrinking slices",
    CONFLICT_CODE: "Contradicting copies",
    BORDERLINE_CODE: "Borderline rows",
}  # of what no detector says
_SLICES = 3
_GROUPS = "annotators"  # the section that lists findings


def alarms(data: Inputs) -> list[Headline]:
    """Slices that shrink abnormally, then contradicting copies, then borderline rows."""
    told = {code: data.findings.filter(pl.col("code") == code) for code in (SLICE_CODE, CONFLICT_CODE, BORDERLINE_CODE)}
    slices = told[SLICE_CODE]["text"].to_list()
    found = [Headline("review", excerpt(text, (), 400), _GROUPS) for text in slices[:_SLICES]]
    if len(slices) > _SLICES:
        found.append(Headline("review", plain(f"{len(slices) - _SLICES:,} more slices shrink abnormally."), _GROUPS))
    found += [Headline("review", plain(text), "duplicates") for text in told[CONFLICT_CODE]["text"]]
    return found + [Headline("info", plain(text), "rows") for text in told[BORDERLINE_CODE]["text"]]


def below_the_cut(data: Inputs, triggers: int, findings: int, clusters: int) -> list[Headline]:
    """How many groups are not shown one by one, and how many flagged rows the review budget left out."""
    hidden = ((triggers, "trigger"), (findings, "finding"), (clusters, "cluster of copies"))
    groups = ", ".join(f"{count:,} {_plural(noun, count)}" for count, noun in hidden if count)
    kept = data.base.filter((pl.col("verdict") == Verdict.KEEP) & (pl.col("codes").list.len() > 0))
    parts = [f"{groups} {'are' if triggers + findings + clusters > 1 else 'is'} not shown one by one"] if groups else []
    if len(kept):
        noun = "flagged row is" if len(kept) == 1 else "flagged rows are"
        parts.append(f"{len(kept):,} {noun} kept, for lack of room in the review budget")
    return [Headline("info", plain(f"Below the cut: {'; '.join(parts)}."), "overview")] if parts else []


def _plural(noun: str, count: int) -> str:
    head, of, tail = noun.partition(" of ")
    return noun if count == 1 else f"{head}s{of}{tail}"
