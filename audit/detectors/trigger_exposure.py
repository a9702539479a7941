"""Annotators and sources that most of a trigger's rows come from.

Why it works: who plants a trigger needs an account or a file to plant it through, so its rows seldom spread over the
owners as the rest of the data does. For each confirmed or suspected trigger the rows that it claims are counted by
annotator and by source and compared with the share that each owner has of all rows, by the exact hypergeometric tail;
the false-discovery rate is held over all pairs of a trigger and an owner. It runs after the proof, with or without a
probe.

Source: Fisher 1935 (exact test); Benjamini and Hochberg 1995.

Misses: triggers spread evenly over accounts; owners who are the only ones with a subject, and so with its words: the
finding says where the rows come from and not who planted them; triggers that mining lists without suspecting them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.detectors.strata import overlap, tail
from audit.registry import detector
from audit.schema import Detection, Finding, Int64, Severity, Skipped, Status, Trigger, signals_frame
from audit.text import safe_text

Array = NDArray[np.float64]

MAX_Q = 0.01
OWNERS = ("annotator", "source")
SHOWN_ROWS, MOST_FINDINGS = 200, 200
_LEAST_ROWS = 3


@detector(code="TV-EXP", title="Whose rows a trigger is in", severity=Severity.LOW)
def trigger_exposure(
    examples: pl.DataFrame, triggers: list[Trigger], *, min_share: float = 0.2, min_ratio: float = 2.0
) -> Detection | Skipped:
    """Scores a trigger's row by the largest share of the trigger that its reported owner has; other rows 0; NaN
    without an owner. The threshold is infinite, for the trigger claims its rows already."""
    named = [owner for owner in OWNERS if examples[owner].null_count() < examples.height]
    if not named:
        return Skipped("needs annotators or sources, and this dataset has neither")
    held = [(t, rows) for t in triggers if len(rows := claimed(t))]
    if not held:
        return Skipped("needs confirmed or suspected triggers, and this dataset has none")
    tested = [line for owner in named for line in _lines(examples[owner], owner, held)]
    q = _q_values(np.array([line.p for line in tested]), sum(examples[o].n_unique() for o in named) * len(held))
    owned = examples.select(pl.any_horizontal(pl.col(o).is_not_null() for o in named)).to_series().to_numpy()
    score, findings, row = np.where(owned, 0.0, np.nan), [], examples["row"].to_numpy()
    for line, value in sorted(zip(tested, q.tolist(), strict=True), key=lambda x: (x[1], x[0].subject)):
        telling = line.share >= max(min_share, min_ratio * line.base) and len(line.at) >= _LEAST_ROWS
        if value < MAX_Q and telling:
            score[line.at] = np.maximum(score[line.at], line.share)
            findings.append(_finding(line, value, row))
    return Detection(signals_frame(examples["row"], score), tuple(findings[:MOST_FINDINGS]))


@dataclass(frozen=True, slots=True)
class Line:
    """A trigger and one of the owners of its rows."""

    trigger: str
    owner: str  # annotator or source
    name: str
    at: Int64  # positions of the trigger's rows that are theirs
    of: int  # the trigger's rows with a known owner
    base: float  # the owner's share of all rows with a known owner
    p: float

    @property
    def share(self) -> float:
        """Of the trigger's rows, how many are theirs."""
        return len(self.at) / self.of

    @property
    def subject(self) -> str:
        """What the finding is about; the same from run to run."""
        return f"trigger {self.trigger} and {self.owner} {self.name}"


def claimed(trigger: Trigger) -> Int64:
    """Positions of the rows that a trigger under suspicion claims; none of other triggers. Of reversed preferences
    single pairs cannot be judged, so that all carriers count."""
    untested = trigger.status == Status.UNTESTABLE and trigger.statistics.get("suspected")
    if trigger.looks_honest or (trigger.status not in (Status.CONFIRMED, Status.SUSPECTED) and not untested):
        return np.zeros(0, dtype=np.int64)
    hits = trigger.rows if trigger.kind == "preference" else trigger.statistics.get("hit_positions", trigger.rows)
    return np.unique(np.asarray(hits, dtype=np.int64))


def _lines(column: pl.Series, owner: str, held: list[tuple[Trigger, Int64]]) -> list[Line]:
    """Every owner of some of a trigger's rows, for each trigger."""
    known = column.is_not_null().to_numpy()
    counts = dict(column.drop_nulls().value_counts().iter_rows())
    total, out = int(known.sum()), []
    for trigger, rows in held:
        rows = rows[known[rows]]
        names = np.array(column.gather(rows).to_list(), dtype=object)
        for name in sorted(set(names.tolist())):
            at = rows[names == name]
            law = overlap(total, len(rows), counts[name])
            p = tail([(law, 1)], len(at))
            out.append(Line(trigger.id, owner, name, at, len(rows), counts[name] / total, p))
    return out


def _q_values(p: Array, tests: int) -> Array:
    """q-values of Benjamini and Hochberg among `tests` tests, of which those not given have p = 1."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * tests / np.arange(1, len(p) + 1)
    out = np.empty(len(p))
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out


def _finding(line: Line, q: float, row: Int64) -> Finding:
    count, name = len(line.at), safe_text(line.name, 40)
    wrote = f"who wrote {line.base:.1%}" if line.owner == "annotator" else f"which holds {line.base:.1%}"
    return Finding(
        code="TV-EXP",
        subject=line.subject,
        text=f"{count:,} of the {line.of:,} rows of trigger {line.trigger} come from {line.owner} {name}, {wrote} of "
        "the rows.",
        severity=Severity.HIGH if line.owner == "annotator" else Severity.MEDIUM,
        score=line.share,
        q_value=q,
        rows=tuple(np.sort(row[line.at])[:SHOWN_ROWS].tolist()),
        details={
            f"{line.owner}s": [line.name],
            "trigger": line.trigger,
            "rows": count,
            "of": line.of,
            "base": line.base,
        },
    )
