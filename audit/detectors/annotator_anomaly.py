"""Annotators who decide otherwise than the rest of the data more often than anyone else on items as hard.

Why it works: an annotator who flips answers, guesses, or works to another rule leaves single decisions that look like
honest disagreement, but their rate does not. Each decision is held against the rest: the out-of-fold prediction for its
item, joined by EM with the votes of others on the same item. Contradicted decisions of one annotator are then counted
against those of all others within strata of equal certainty, by the exact tail of their weighted sum, so that harder
items accuse nobody; where items of one prompt go together, the tail is widened by that. With the false-discovery rate
held over annotators, one is reported whose share is `min_excess` above what the others have on such items, and who by
the 95% interval turns at least that share of decisions around. The *reliability* is a coin's: the probability that a
decision is made as the others make theirs; it is fitted by maximum likelihood against the decisions of those who are
not reported. Contradicted rows of a reported annotator are flagged for review.

Source: Dawid and Skene 1979 and Chen et al. 2013 (reliability of annotators of labels and of pairs); Goh, Tkachenko
and Mueller 2022 (a classifier as one more voter); Mantel and Haenszel 1959 (strata); Benjamini and Hochberg 1995.

Misses: annotators with fewer than `min_rows` decisions; a majority that errs the same way; flips of decisions that the
rest is unsure of anyway; and intent: another taste, another rule or a subject of one's own looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from audit.detectors import workers
from audit.detectors.left_out import MOST_ANNOTATORS, Refit
from audit.detectors.strata import (
    Reliability,
    Tally,
    contradiction_tail,
    design_effects,
    reliability,
    strata,
    tally,
    weights,
    widened,
)
from audit.detectors.workers import Array, Bools, Decisions, Rest
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Float32, Int64, Severity, Skipped, Support
from audit.stats import benjamini_hochberg
from audit.text import safe_text

MAX_Q = 0.001  # at 0.01 one clean dataset in a hundred accuses somebody (measured: 27 of 2,700 shuffles)
TABLE_ROWS = 500
SHOWN_ROWS = 200


@detector(code="TV-ANN", title="Annotators at odds with the rest", severity=Severity.MEDIUM, version=2)
def annotator_anomaly(
    examples: pl.DataFrame,
    info: DatasetInfo,
    support: Support,
    embeddings: Float32 | None = None,
    response_embeddings: Float32 | None = None,
    rejected_embeddings: Float32 | None = None,
    *,
    min_rows: int = 20,
    min_excess: float = 0.05,
) -> Detection | Skipped:
    """Scores a contradicted row of a reported annotator by the probability that it was turned around, given the
    annotator's reliability and the rest, 0 to 1; other rows 0; NaN without a decision of a named annotator. The
    threshold lies just above 0. The finding "all annotators" holds the table of all."""
    made = workers.decisions(examples, info, support)
    if isinstance(made, Skipped):
        return made
    joined = workers.votes(made)
    said = workers.rest(made, joined, np.arange(len(made)))
    against = said.answer != made.choice
    table = annotator_table(made, said.certainty, against, min_rows, min_excess)
    if len(table) < 2:
        return Skipped(f"needs at least 2 annotators with {min_rows} rows each, and this dataset has {len(table)}")
    accused = [entry for entry in table if entry.accused]
    refit = Refit(examples, info, support, embeddings, response_embeddings, rejected_embeddings)
    first = sorted(accused, key=lambda e: (e.q, e.name))
    left_out = refit.agreement([e.name for e in first[:MOST_ANNOTATORS]])
    findings = [_finding(e, made, against, left_out.get(e.name)) for e in first]
    signals = _signals(examples, info, made, said, against, accused)
    return Detection(signals, (*findings, _everybody(table, made)), 1e-6)


@dataclass(frozen=True, slots=True)
class Entry:
    """One annotator against all others."""

    code: int  # index into Decisions.names
    name: str
    rows: int  # distinct decisions
    against: int  # of them contradicted
    expected: float  # share contradicted of the others' decisions on items as hard
    coin: Reliability
    q: float
    accused: bool

    @property
    def share(self) -> float:
        """Share of contradicted decisions."""
        return self.against / self.rows

    def listed(self) -> dict[str, Any]:
        """The annotator's line in the table of all."""
        coin = {"reliability": self.coin.best, "low": self.coin.low, "high": self.coin.high}
        return {
            "annotator": self.name,
            "rows": self.rows,
            "against": self.against,
            "share": self.share,
            **coin,
            "q": self.q,
        }


def annotator_table(made: Decisions, certainty: Array, against: Bools, min_rows: int, min_excess: float) -> list[Entry]:
    """The annotators of at least `min_rows` decisions, by name. Whether one is accused is decided against all others;
    what is then said of each is measured against those who are not."""
    stratum = strata(certainty)
    counted = tally(made.annotator, stratum, against, len(made.names))
    tested = np.flatnonzero(counted.rows.sum(axis=1) >= min_rows)
    weight = weights(counted)
    share = counted.against.sum(axis=0) / np.maximum(counted.rows.sum(axis=0), 1)
    effect = design_effects(made.annotator, made.prompt, weight[stratum] * (against - share[stratum]), len(made.names))
    p = [widened(contradiction_tail(counted, int(a), weight), float(effect[a])) for a in tested]
    q = benjamini_hochberg(np.array(p))
    entries = [_entry(made, counted, a, float(effect[a]), float(q[k])) for k, a in enumerate(tested.tolist())]
    apart = {e.code for e in entries if e.q < MAX_Q and e.share - e.expected >= min_excess <= 1 - e.coin.high}
    if not apart:
        return entries
    again = [_entry(made, counted.without(apart - {e.code}), e.code, float(effect[e.code]), e.q) for e in entries]
    return [replace(e, accused=e.code in apart) for e in again]


def _entry(made: Decisions, counted: Tally, a: int, effect: float, q: float) -> Entry:
    rows, others = int(counted.rows[a].sum()), int(counted.rows.sum() - counted.rows[a].sum())
    # The others' share is an estimate too: two samples differ by more than one from its mean.
    spread = effect * (1 + rows / max(others, 1))
    against = int(counted.against[a].sum())
    expected = float((counted.rows[a] * counted.others(a)).sum() / rows)
    coin = reliability(counted.rows[a], counted.against[a], counted.others(a), made.answers, spread)
    return Entry(a, made.names[a], rows, against, expected, coin, q, accused=False)


def _signals(
    examples: pl.DataFrame, info: DatasetInfo, made: Decisions, said: Rest, against: Bools, accused: list[Entry]
) -> pl.DataFrame:
    turned = np.zeros(len(made.names))
    for entry in accused:
        turned[entry.code] = 1 - entry.coin.best
    mine = turned[made.annotator]
    otherwise = mine * (1 - said.plausible) / (made.answers - 1)
    flagged = against & (mine > 0)
    score = np.where(flagged, otherwise / np.maximum(otherwise + (1 - mine) * said.plausible, 1e-12), 0.0)
    shares = {e.code: (safe_text(e.name, 40), e.share) for e in accused}

    def say(d: int) -> str:
        name, share = shares[int(made.annotator[d])]
        return f"the rest of the data decides otherwise, as it does for {share:.0%} of annotator {name}'s decisions"

    return workers.signals(examples, info, made, score, np.where(flagged, said.answer, -1), say)


def _finding(entry: Entry, made: Decisions, against: Bools, left_out: dict[str, float] | None) -> Finding:
    name, coin = safe_text(entry.name, 40), entry.coin
    text = (
        f"The rest of the data contradicts {entry.share:.0%} of annotator {name}'s {entry.rows:,} decisions, and "
        f"{entry.expected:.0%} of the others' on items as hard; reliability {coin.best:.2f} "
        f"({coin.low:.2f} to {coin.high:.2f}), where the others' is 1."
    )
    if left_out is not None:
        text += (
            f" Without these rows the model agrees with {left_out['without']:.1%} of all other decisions, "
            f"with them {left_out['with']:.1%}."
        )
    return Finding(
        code="TV-ANN",
        subject=f"annotator {entry.name}",
        text=text,
        severity=Severity.HIGH,
        score=entry.share - entry.expected,
        q_value=entry.q,
        rows=tuple(_rows(made, against & (made.annotator == entry.code))),
        details={
            "annotators": [entry.name],
            **{k: v for k, v in entry.listed().items() if k != "annotator"},
            "others": entry.expected,
            "left_out": left_out,
        },
    )


def _rows(made: Decisions, which: Bools) -> Int64:
    return np.sort(made.row[which])[:SHOWN_ROWS]


def _everybody(table: list[Entry], made: Decisions) -> Finding:
    accused = sum(entry.accused for entry in table)
    few = len(made.names) - len(table)
    shares = [entry.share for entry in table]
    text = (
        f"Of {len(table):,} annotators with enough decisions the rest of the data contradicts {min(shares):.0%} to "
        f"{max(shares):.0%} of the decisions each; {accused:,} {'is' if accused == 1 else 'are'} at odds with others."
    )
    listed = sorted(table, key=lambda e: (e.coin.best, e.coin.high, e.name))[:TABLE_ROWS]
    return Finding(
        code="TV-ANN",
        subject="all annotators",
        text=text + (f" {few:,} more have too few decisions to be judged." if few else ""),
        severity=Severity.INFO,
        details={"table": [e.listed() for e in listed], "annotators": [], "not_judged": few, "decisions": len(made)},
    )
