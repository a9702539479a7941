"""Scores beside a preference pair that contradict its order, pairs whose scores are equal, and ties.

Why it works: many preference sets were made from scores (ratings, rewards) and still carry them. Then the chosen side
has the higher score in nearly all pairs, and a pair in which it has the lower one was swapped, or mislabelled, after it
was scored: this is evidence about the single pair that no model has to estimate. Scores of another judge disagree more
often, and mostly where they are close; the share of contradictions, its interval and the gaps tell the two apart. Only
contradictions of scores that the order follows are flagged, with the fix swap. Scores that contradict nearly all pairs
speak of their own direction, not of the pairs.

Source: Cui et al. 2023, "UltraFeedback" (pairs made from overall scores); Mann and Whitney 1947 for the
comparison of gaps; Wilson 1927 for the interval.

Misses: scores in nested columns, scores under names without score, rating, reward or grade, and swaps after which the
scores were exchanged as well. Where scores are another judge's opinion, single contradictions are listed, not flagged.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from audit.registry import detector
from audit.schema import TIE, DatasetInfo, Detection, Finding, Kind, Severity, Skipped, signals_frame
from audit.stats import wilson_interval
from audit.text import safe_text
from audit.views import ordered

Float64 = NDArray[np.float64]

THRESHOLD = 0.8
MOST_PAIRS_OF_COLUMNS = 8  # those that most rows have; a hostile file may bring thousands
REVERSED = 0.9  # share of contradictions from which a score is read as "lower is better"
FEW = 20  # scored pairs below which a direction is not judged
MAX_P = 0.01  # of the gaps of contradictions being smaller
SHOWN_ROWS = 200
_SIGNS = {"chosen": 1.0, "rejected": -1.0}  # of the first side's score minus the second's

_STEM = re.compile(r"(?:score|rating|reward|grade)s?", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W_]+")
# A word of a column's name -> (how the name tells the sides apart, which side it is). Letters and numbers name sides
# as they were shown; of numbers either 0 and 1 or 1 and 2 are a pair.
_ORDER = {
    "chosen": ("chosen", 0),
    "rejected": ("chosen", 1),
    "preferred": ("preferred", 0),
    "dispreferred": ("preferred", 1),
    "winner": ("winner", 0),
    "loser": ("winner", 1),
}
_SHOWN = {"a": ("letter", 0), "b": ("letter", 1), "0": ("number", 0), "1": ("number", 1), "2": ("number", 2)}
_NUMBER = re.compile(r"\s{0,4}[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?\s{0,4}")


class Half(NamedTuple):
    """What a column's name says: the name without its side, how it tells the sides apart, and which one this is."""

    rest: str
    way: str
    side: int


@dataclass(slots=True)
class Column:
    """The numbers of the columns whose names say the same."""

    name: str
    positions: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Beside:
    """Scores of one pair of columns. `gap` is (n,) float64, chosen minus rejected; NaN where there are not both."""

    columns: tuple[str, str]
    gap: Float64

    @property
    def name(self) -> str:
        return " and ".join(safe_text(column, 60) for column in self.columns)


@detector(code="TV-SCO", title="Scores against the order", severity=Severity.MEDIUM)
def preference_scores(
    examples: pl.DataFrame, info: DatasetInfo, *, house_style: float = 0.05, most: float = 0.15
) -> Detection | Skipped:
    """Scores a pair 0.8 to 1 (the wider the gap, the higher) where scores that the order follows contradict it and none
    agrees with it, 0.4 to 0.5 where only scores of another opinion do, 0.3 where scores are equal, 0 where they agree;
    NaN without scores, for ties and for single judged responses. Scores are followed where they contradict at most the
    share `house_style` of the pairs, or at most `most` and by gaps that are no smaller than those of the others."""
    if info.kind != Kind.PREFERENCE or examples["rejected"].null_count() == examples.height:
        return Skipped("needs preference pairs")
    ties = _ties(examples)
    found = _beside(examples)
    if not found and not ties:
        return Skipped("needs scores beside the pairs, or ties, which this dataset has not")
    scores = np.full(examples.height, np.nan)
    evidence: list[str | None] = [None] * examples.height
    findings = list(ties)
    readings = [_reading(beside.gap, house_style, most) for beside in found]
    for beside, reading in zip(found, readings, strict=True):
        findings.append(_finding(examples, beside, reading))
        if reading != "reversed":
            _score(beside, reading, scores, evidence)
    agreed = [b.gap > 0 for b, reading in zip(found, readings, strict=True) if reading != "reversed"]
    for position in np.flatnonzero(np.any(agreed, axis=0) & (scores >= THRESHOLD)) if agreed else ():
        scores[position] = 0.5  # of two scores one agrees with the order
    fix = ["swap" if score >= THRESHOLD else None for score in scores]
    signals = signals_frame(examples["row"], scores.astype(np.float32), evidence, fix=fix)
    return Detection(signals, tuple(findings), float(np.float32(THRESHOLD)))


def _reading(gap: Float64, house_style: float, most: float) -> str:
    """What the scores are to the order: "followed", "reversed", "another opinion" or "few"."""
    against, upheld = -gap[gap < 0], gap[gap > 0]
    count, judged = len(against), len(against) + len(upheld)
    if judged < FEW:
        return "few"
    share, low = count / judged, wilson_interval(count, judged)[0]
    if share >= REVERSED:
        return "reversed"
    if low <= house_style:
        return "followed"
    closer = mannwhitneyu(against, upheld, alternative="less", method="asymptotic").pvalue
    return "followed" if share <= most and closer > MAX_P else "another opinion"


def _score(beside: Beside, reading: str, scores: Float64, evidence: list[str | None]) -> None:
    """Raises the scores of rows by what one pair of columns says of them."""
    gap = beside.gap
    sizes = np.sort(np.abs(gap[np.isfinite(gap)]))
    floor, span = (THRESHOLD, 0.2) if reading == "followed" else (0.4, 0.1)
    for position in np.flatnonzero(np.isfinite(gap)):
        value = float(gap[position])
        said, score = None, 0.0
        if value < 0:
            score = floor + span * float(np.searchsorted(sizes, -value, side="right")) / len(sizes)
            said = f"the rejected side has the higher score by {-value:.4g} ({beside.name})"
        elif value == 0:
            score, said = 0.3, f"both sides have the same score ({beside.name})"
        if np.isnan(scores[position]) or score > scores[position]:
            scores[position], evidence[position] = score, said


def _finding(examples: pl.DataFrame, beside: Beside, reading: str) -> Finding:
    gap = beside.gap
    against, equal, upheld = (int(np.count_nonzero(found)) for found in (gap < 0, gap == 0, gap > 0))
    judged = against + upheld
    share = against / judged if judged else 0.0
    low, high = wilson_interval(against, judged)
    rows, size = examples["row"].to_numpy(), np.where(gap < 0, gap, 0.0)
    first = np.lexsort((rows, size))[: min(against, SHOWN_ROWS)]
    tail = {
        "reversed": "So the lower score is probably the better one, or a column is named for the wrong side; no row is "
        "flagged for it.",
        "another opinion": "So the order was not made from these scores: they are another judge's opinion, and no row "
        "is flagged for it.",
        "few": "These are too few pairs to tell whether the order was made from these scores, and no row is flagged.",
        "followed": "The order was made from these scores, and these pairs look swapped." if against else "",
    }[reading]
    equally = f", and {equal:,} pairs have equal scores" if equal else ""
    severity = {"reversed": Severity.MEDIUM, "followed": Severity.MEDIUM if against else Severity.INFO}
    return Finding(
        code="TV-SCO",
        subject=f"scores {beside.name}",
        text=f"{beside.name} contradict the order of {against:,} of {judged:,} pairs ({share:.1%}, 95% interval "
        f"{low:.1%} to {high:.1%}){equally}. {tail}".rstrip(),
        severity=severity.get(reading, Severity.INFO),
        score=share,
        rows=tuple(int(rows[i]) for i in first),
        details={
            "columns": list(beside.columns),
            "reading": reading,
            "contradicted": against,
            "equal": equal,
            "upheld": upheld,
            "share": share,
            "low": low,
            "high": high,
        },
    )


def _ties(examples: pl.DataFrame) -> tuple[Finding, ...]:
    rows = examples.filter(pl.col("label") == TIE)["row"].sort()
    if rows.is_empty():
        return ()
    pairs = examples.height - examples["rejected"].null_count()
    low, high = wilson_interval(len(rows), pairs)
    share = len(rows) / pairs
    return (
        Finding(
            code="TV-SCO",
            subject="ties",
            text=f"{len(rows):,} of {pairs:,} pairs are ties ({share:.1%}, 95% interval {low:.1%} to {high:.1%}): they "
            "hold no order, no check of orders reads them, and a trainer that takes the first side for the better one "
            "learns from them what nobody said.",
            severity=Severity.INFO,
            score=share,
            rows=tuple(rows.head(SHOWN_ROWS)),
            details={"ties": len(rows), "pairs": pairs, "low": low, "high": high},
        ),
    )


def _beside(examples: pl.DataFrame) -> list[Beside]:
    """The scores beside the pairs, those that most rows have first."""
    columns = _columns(examples["meta"])
    is_ordered = examples.select(found=ordered().fill_null(value=False))["found"].to_numpy()
    signs = np.array([_SIGNS.get(shown or "", np.nan) for shown in examples["shown_first"].to_list()])
    pairs = [(one, other) for one in columns if (other := _partner(one, columns)) is not None]
    fewest = {pair: min(len(columns[half].positions) for half in pair) for pair in pairs}
    pairs.sort(key=lambda pair: (-fewest[pair], columns[pair[0]].name))
    found = []
    for one, other in pairs[:MOST_PAIRS_OF_COLUMNS]:
        values = np.full((2, examples.height), np.nan)
        for side, half in enumerate((one, other)):
            values[side, columns[half].positions] = columns[half].values
        with np.errstate(over="ignore"):
            gap = (values[0] - values[1]) * (1.0 if one.way not in ("letter", "number") else signs)
        gap = np.where(is_ordered & np.isfinite(gap), gap, np.nan)
        if np.isfinite(gap).any():
            found.append(Beside((columns[one].name, columns[other].name), gap))
    return found


def _partner(one: Half, known: Container[Half]) -> Half | None:
    """The other half of a pair of columns, where `one` is its first; None where it is not, or where that is not clear
    (columns numbered 0, 1 and 2)."""
    if one.way == "number":
        numbers = [side for side in range(3) if one._replace(side=side) in known]
        return one._replace(side=one.side + 1) if numbers == [one.side, one.side + 1] else None
    other = one._replace(side=1)
    return other if one.side == 0 and other in known else None


def _columns(metas: pl.Series) -> dict[Half, Column]:
    """The numbers in columns that are named as the score of a side, by what the names say."""
    halves: dict[str, Half | None] = {}
    found: dict[Half, Column] = {}
    for position, meta in enumerate(metas):
        for name, value in _fields(meta):
            if name not in halves:
                halves[name] = half_of(name)
            half = halves[name]
            number = None if half is None else _number(value)
            if half is None or number is None:
                continue
            column = found.setdefault(half, Column(name))
            column.name = min(column.name, name)
            column.positions.append(position)
            column.values.append(number)
    return found


def _fields(meta: str | None) -> list[tuple[str, Any]]:
    """The columns of a record, sorted; none where its JSON cannot be read."""
    if not meta or meta == "{}":
        return []
    try:
        found = json.loads(meta, parse_int=float)
    except (ValueError, RecursionError):
        return []
    return sorted(found.items()) if isinstance(found, dict) else []


def half_of(name: str) -> Half | None:
    """What a column's name says of the side that it scores; None where it is no score of one side."""
    if len(name) > 200 or not _STEM.search(name):
        return None
    lower = name.casefold()
    tokens = list(_TOKEN.finditer(lower))
    for known in (_ORDER, _SHOWN):
        sides = [token for token in tokens if token.group() in known]
        if len(sides) == 1:
            way, side = known[sides[0].group()]
            return Half(f"{lower[: sides[0].start()]}\x00{lower[sides[0].end() :]}", way, side)
    return None


def _number(value: Any) -> float | None:
    """A finite number, or a text that is one; else None."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    return value
