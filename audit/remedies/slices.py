"""Slices that shrink abnormally: a label, source, language or annotator that loses far more rows than the rest.

Why it matters: whoever can make the cleaning take honest rows of one kind steers what a model learns without poisoning
a row that stays. So each slice's share of rows that are removed or held is compared with that of all other rows, by
Fisher's exact test, corrected over all slices after Benjamini and Hochberg. An alarm needs a share that matters too:
at least a tenth of the slice, and at least three times what the rest loses. It says that the cleaned set is another
set, not who is to blame: a source that is nothing but poison shrinks abnormally, and should.

Source: Fisher's exact test; Benjamini and Hochberg 1995.
Misses: slices that no column and no language names; small slices, of fewer than 20 rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import hypergeom

from audit.bank.language import language
from audit.provenance import digest
from audit.schema import FINDINGS, Kind, Severity, Verdict
from audit.stats import benjamini_hochberg

SLICE_CODE = "TV-SLI"
COLUMNS: Mapping[str, str] = {"label": "label", "source": "source", "annotator": "annotator", "_language": "language"}
_LEAST_ROWS = 20
_LEAST_SHARE = 0.1
_TIMES = 3.0  # how many times the rest's share
_Q = 0.01
_MOST_VALUES = 1_000  # of a column, the largest; more of them are no slices but rows
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A slice that lost abnormally much."""

    column: str  # label | source | annotator | language
    value: str
    total: int
    lost: int  # removed or held
    rest_share: float  # of all other rows that are lost, 0..1
    q_value: float
    rows: tuple[int, ...]  # some of the lost ones

    @property
    def share(self) -> float:
        """Of its rows that are lost, 0..1."""
        return self.lost / self.total


def shrunk(examples: pl.DataFrame, verdicts: pl.DataFrame, kind: str, undecided: str) -> list[Shrunk]:
    """The slices that alarm, most of a slice lost first. `examples`: row, prompt, response, label, source and
    annotator; `undecided`: "hold", and rows in review count as lost, or "keep"."""
    gone = [str(Verdict.REMOVE), *([str(Verdict.REVIEW)] if undecided == "hold" else [])]
    lost = verdicts.select("row", lost=pl.col("verdict").is_in(gone))
    text = pl.col("prompt" if kind == Kind.CLASSIFICATION else "response").fill_null("")
    frame = examples.with_columns(_language=text.map_elements(language, return_dtype=pl.String))
    frame = frame.join(lost, on="row", how="left", maintain_order="left")
    everyone, all_lost = len(frame), int(frame["lost"].sum())
    if not all_lost:
        return []
    tested = [
        (name, *line) for column, name in COLUMNS.items() for line in _counted(frame, column) if line[1] < everyone
    ]
    p = [hypergeom.sf(hit - 1, everyone, all_lost, total) for _, _, total, hit in tested]
    found = []
    for (name, value, total, hit), q in zip(tested, benjamini_hochberg(np.asarray(p)).tolist(), strict=True):
        rest = (all_lost - hit) / (everyone - total)
        if q <= _Q and hit / total >= max(_LEAST_SHARE, _TIMES * rest):
            column = next(c for c, known in COLUMNS.items() if known == name)
            rows = frame.filter((pl.col(column) == value) & pl.col("lost"))["row"].head(200).to_list()
            found.append(Shrunk(name, value, total, hit, rest, q, tuple(rows)))
    return sorted(found, key=lambda slice_: (-slice_.share, slice_.q_value, slice_.column, slice_.value))


def _counted(frame: pl.DataFrame, column: str) -> list[tuple[str, int, int]]:
    """(value, rows, lost rows) of the slices of a column that are large enough to be tested."""
    named = frame.filter(pl.col(column).fill_null("") != "")
    counted = named.group_by(column).agg(total=pl.len(), lost=pl.col("lost").sum())
    large = counted.filter(pl.col("total") >= _LEAST_ROWS).sort(["total", column], descending=[True, False])
    return list(large.head(_MOST_VALUES).iter_rows())


def slice_findings(alarms: list[Shrunk]) -> pl.DataFrame:
    """A finding for each slice, FINDINGS."""
    records = [
        {
            "id": f"slices-{digest(alarm.column, alarm.value)[:12]}",
            "code": SLICE_CODE,
            "check": "slices",
            "subject": f"{alarm.column} {alarm.value}",
            "score": alarm.share,
            "q_value": alarm.q_value,
            "severity": str(Severity.MEDIUM),
            "text": f"The cleaning takes {alarm.share:.0%} of {alarm.column} {alarm.value} ({alarm.lost:,} of "
            f"{alarm.total:,} rows removed or held), against {alarm.rest_share:.1%} of all other rows.",
            "rows": list(alarm.rows),
            "details": json.dumps(
                {"column": alarm.column, "lost": alarm.lost, "total": alarm.total, "rest_share": alarm.rest_share},
                sort_keys=True,
            ),
        }
        for alarm in alarms[:_SHOWN]
    ]
    return pl.DataFrame(records, schema=FINDINGS)
