"""Annotators whose contradicted decisions crowd in time, and annotators who decide faster than anyone reads.

Why it works: an account that is taken over, a script that is let run, or an hour of carelessness leaves wrong decisions
next to each other in time, while the share over all of an annotator's work hardly moves. Where rows say when they were
made (`created_at`), the contradicted decisions of each annotator are scanned for the window in which they crowd most,
and the p-value comes from dealing them out anew over that annotator's own times. Separately, decisions are taken ten at
a time: ten that took less time than skimming their texts at 50 words a second needs were not read. That is a fact about
the times and says nothing of the answers; it is reported of annotators with more such tens than the others have, for
times that an export made up are everybody's. The false-discovery rate is held over annotators for each of the two.

Source: Kulldorff 1997 (scan statistic); Besag and Clifford 1991 (sequential permutation p-values); Rayner et al. 2016,
"So much to read, so little time" (reading is at 200 to 400 words a minute; we grant 3,000).

Misses: times in no form that we read, or that say when rows were stored; bursts over more than half of an annotator's
work; a subject that is hard for the model and fell into one afternoon; single bursts among more than some hundred
annotators, whose p-values cannot get small enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from audit.detectors import workers
from audit.detectors.scan import scan
from audit.detectors.strata import overlap, strata, tail
from audit.detectors.timestamps import resolution, seconds, written
from audit.detectors.workers import Array, Bools, Decisions
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Int32, Int64, Severity, Skipped, Support
from audit.stats import benjamini_hochberg
from audit.text import safe_text

MAX_Q = 0.01
MOST_DEALS = 50_000
LEAST_SURPLUS = 5.0  # contradicted decisions in a window beyond those expected
SHOWN_ROWS = 200
TEN = 10
WORDS_A_SECOND, CHARACTERS_A_WORD = 50.0, 6.0
QUICKEST, SLOWEST = 0.5, 3.0  # seconds that a decision takes at least, whatever the length; and the most we ask for
_STRATA = 4


@detector(code="TV-BST", title="Bursts in time of an annotator", severity=Severity.MEDIUM)
def annotator_bursts(
    examples: pl.DataFrame, info: DatasetInfo, support: Support, *, min_rows: int = 40, min_excess: float = 0.1
) -> Detection | Skipped:
    """Scores a contradicted row in a reported window by the probability that the rest gives to another answer; other
    rows 0; NaN without a timed decision of a named annotator. The threshold lies just above 0."""
    made = workers.decisions(examples, info, support)
    if isinstance(made, Skipped):
        return made
    at = _times(examples, made)
    count = np.bincount(made.annotator[np.isfinite(at)], minlength=len(made.names))
    people = np.flatnonzero(count >= min_rows)
    if not len(people):
        return Skipped(f"needs times of {min_rows} decisions of an annotator (created_at), and this dataset has none")
    said = workers.rest(made, workers.votes(made), np.arange(len(made)))
    against = said.answer != made.choice
    order = np.lexsort((made.row, at, made.annotator))  # those without a time last
    starts = np.searchsorted(made.annotator[order], people)
    own = {int(a): order[start : start + count[a]] for a, start in zip(people, starts, strict=True)}
    found = _bursts(own, at, against, strata(said.certainty, _STRATA))
    bursts = [b for b in found if b.share - b.elsewhere >= min_excess and b.q < MAX_Q]
    findings = [_burst(made, b, at, against) for b in bursts] + _haste(examples, made, own, at)
    hit = np.zeros(len(made), dtype=bool)
    for burst in bursts:
        hit[burst.inside] = True
    hit &= against
    score = np.where(np.isfinite(at), np.where(hit, 1 - said.plausible, 0.0), np.nan)
    signals = workers.signals(examples, info, made, score, np.where(hit, said.answer, -1), lambda d: _said(made, at, d))
    return Detection(signals, tuple(findings), 1e-6)


def _said(made: Decisions, at: Array, decision: int) -> str:
    name = safe_text(made.names[made.annotator[decision]], 40)
    moment = written(float(at[decision]))
    return f"the rest of the data decides otherwise, in a burst of annotator {name}'s decisions about {moment} UTC"


def _times(examples: pl.DataFrame, made: Decisions) -> Array:
    """(m,) seconds since 1970 of each decision, the earliest of its rows; NaN where none can be read."""
    stamped = seconds(examples["created_at"])
    at = np.full(len(made), np.nan)
    known = made.of_row >= 0
    np.fmin.at(at, made.of_row[known], stamped[known])
    return at


@dataclass(frozen=True, slots=True)
class Burst:
    """The window of an annotator's decisions in which contradicted ones crowd most."""

    annotator: int
    inside: Int64  # decisions of the window, by time
    marked: int  # of them contradicted
    expected: float
    elsewhere: float  # share of the annotator's other decisions that are contradicted
    q: float

    @property
    def share(self) -> float:
        """Share of contradicted decisions in the window."""
        return self.marked / len(self.inside)


def _bursts(own: dict[int, Int64], at: Array, against: Bools, stratum: Int32) -> list[Burst]:
    """The best window of each annotator, by annotator, where it holds some decisions more than expected."""
    deals = int(min(2 * len(own) / MAX_Q, MOST_DEALS))
    found = {a: scan(at[rows], against[rows], stratum[rows], deals) for a, rows in own.items()}
    q = benjamini_hochberg(np.array([1.0 if w is None else w.p for w in found.values()]))
    out = []
    for (a, window), value in zip(found.items(), q.tolist(), strict=True):
        if window is not None and window.marked - window.expected >= LEAST_SURPLUS:
            inside = own[a][window.start : window.stop]
            other = (int(against[own[a]].sum()) - window.marked) / (len(own[a]) - len(inside))
            out.append(Burst(a, inside, window.marked, window.expected, other, value))
    return out


def _burst(made: Decisions, burst: Burst, at: Array, against: Bools) -> Finding:
    name, size, inside = made.names[burst.annotator], len(burst.inside), burst.inside
    first, last = written(float(at[inside[0]])), written(float(at[inside[-1]]))
    return Finding(
        code="TV-BST",
        subject=f"annotator {name} in a burst",
        text=f"Between {first} and {last} UTC the rest of the data contradicts {burst.marked:,} of {size:,} decisions "
        f"of annotator {safe_text(name, 40)} ({burst.share:.0%}), and {burst.elsewhere:.0%} of the others.",
        severity=Severity.MEDIUM,
        score=burst.share - burst.elsewhere,
        q_value=burst.q,
        rows=tuple(np.sort(made.row[inside[against[inside]]])[:SHOWN_ROWS].tolist()),
        details={
            "annotators": [name],
            **{"start": first, "end": last, "rows": size, "against": burst.marked},
            **{"expected": burst.expected, "elsewhere": burst.elsewhere},
        },
    )


def _haste(examples: pl.DataFrame, made: Decisions, own: dict[int, Int64], at: Array) -> list[Finding]:
    """A finding for each annotator who has more tens that nobody can have read than the others, and at least two."""
    need = _reading_seconds(examples, made)
    tens = {a: rows[: len(rows) // TEN * TEN].reshape(-1, TEN) for a, rows in own.items()}
    quick = {a: _unread(at[rows], need[rows]) for a, rows in tens.items()}
    total, marked = sum(map(len, quick.values())), sum(int(x.sum()) for x in quick.values())
    p = [tail([(overlap(total, marked, len(x)), 1)], int(x.sum())) for x in quick.values()]
    q = dict(zip(quick, benjamini_hochberg(np.array(p)).tolist(), strict=True))
    findings = []
    for a, unread in quick.items():
        if q[a] >= MAX_Q or unread.sum() < 2:
            continue
        chosen = tens[a][unread]
        pace = float((at[chosen[:, -1]] - at[chosen[:, 0]]).sum() / (chosen.size - len(chosen)))
        others = (marked - int(unread.sum())) / max(total - len(unread), 1)
        name = safe_text(made.names[a], 40)
        facts: dict[str, Any] = {"rows": chosen.size, "of": len(own[a]), "seconds_each": pace, "others": others}
        findings.append(
            Finding(
                code="TV-BST",
                subject=f"annotator {made.names[a]} in haste",
                text=f"Annotator {name} made {chosen.size:,} of {len(own[a]):,} decisions ten in a row at {pace:.1f} "
                f"seconds each, too fast to read what is judged; of the others' tens {others:.0%} are as fast.",
                severity=Severity.LOW,
                score=float(unread.mean()),
                q_value=q[a],
                rows=tuple(np.sort(made.row[chosen.ravel()])[:SHOWN_ROWS].tolist()),
                details={"annotators": [made.names[a]], **facts},
            )
        )
    return findings


def _reading_seconds(examples: pl.DataFrame, made: Decisions) -> Array:
    """(m,) least time for a decision: what is judged at 50 words a second, 0.5 to 3 seconds. The prompt counts only
    where it is what is judged, for it may have been read before."""
    judged = pl.col("response").str.len_chars().fill_null(0) + pl.col("rejected").str.len_chars().fill_null(0)
    length = pl.when(judged > 0).then(judged).otherwise(pl.col("prompt").str.len_chars().fill_null(0))
    characters = examples.select(length).to_series().to_numpy().astype(np.float64)
    out = np.zeros(len(made))
    known = made.of_row >= 0
    out[made.of_row[known]] = characters[known]
    return np.clip(out / CHARACTERS_A_WORD / WORDS_A_SECOND, QUICKEST, SLOWEST)


def _unread(at: Array, need: Array) -> Bools:
    """(t,) tens whose last decision came sooner after the first than reading the nine after it takes; the steps in
    which times are written down count as time."""
    span = at[:, -1] - at[:, 0] + resolution(at.ravel())
    return np.asarray(span < need[:, 1:].sum(axis=1))
