"""What `preference_shortcut` says: the bounds from which a shortcut is worth a warning, and the sentences.

Source: the bounds are ours, above what honest preference data shows.
Misses: whether a shortcut is deserved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.bank.shortcuts import LENGTH, POSITION, Shortcut
from audit.detectors.shortcut_figures import Contrast, Effect, Share
from audit.schema import Finding, Severity
from audit.text import safe_text

CODE = "TV-SHO"
MAX_Q = 0.01
# Least lower bounds of the share that the side with it wins (or loses). Honest longer sides win some 60%.
BOUNDS = {Severity.MEDIUM: 0.8, Severity.LOW: 0.7}
POSITION_BOUNDS = {Severity.MEDIUM: 0.6, Severity.LOW: 0.53}  # nothing honest depends on what was shown first
TOGETHER_BOUNDS = {Severity.MEDIUM: 0.85, Severity.LOW: 0.75}  # of what all shortcuts alone agree with
ADJUSTED = 0.55  # least lower bound with the other shortcuts equal
MEDIUM_DIFFERENCE = 0.25  # of a source or annotator from the others
BEYOND_BEST = 0.02  # by which all shortcuts must agree with more than the best one alone
PAIRS, RESPONSES = "pairs", "responses"
_LEAST_SHARE = 0.01  # of the pairs that tell anything of a shortcut
_LISTED = 300  # rows of the table of strata
_SHOWN = 60  # characters of a name in a sentence
_SEEN = {LENGTH.name: "length", "words": "the number of words", POSITION.name: "which side was shown first"}


@dataclass(frozen=True, slots=True)
class Row:
    """One shortcut, over everything or in one stratum."""

    shortcut: Shortcut
    effect: Effect | Contrast
    q: float = 1.0
    by: str = ""  # "source" or "annotator" of a stratum
    name: str = ""
    adjusted: Share | None = None  # with the other shortcuts equal, a step ahead
    alone: Share | None = None  # how far a model agrees that knows nothing else
    expected: float | None = None  # the share that a regression on the other strata expects of this one's pairs

    @property
    def difference(self) -> float:
        """From the others, of a stratum."""
        return self.effect.share.rate - self.effect.others if isinstance(self.effect, Contrast) else 0.0


def table(overall: Sequence[Row], strata: Sequence[Row], together: Share, size: int, noun: str) -> Finding:
    """Everything that was tested, as one finding. `size` pairs or responses, as `noun` says."""
    alone = {row.shortcut.name: row.alone for row in overall if row.alone is not None}
    name = LENGTH.name if LENGTH.name in alone else max(alone, key=lambda other: alone[other].rate)
    seen = _SEEN.get(name, f"the shortcut “{name}”")
    many = f"all {len(overall)} shortcuts" if len(overall) > 1 else "no more"
    if noun == PAIRS:
        says = f"agrees with {_percent(alone[name])} of the {size:,} pairs; one that knows {many}, and nothing of what "
        says += f"the responses say, with {_percent(together)}"
    else:
        says = f"puts a wanted response above an unwanted one {_percent(alone[name])} of the time, over {size:,} "
        says += f"responses; one that knows {many}, and nothing of what they say, {_percent(together)}"
    ranked = sorted(strata, key=lambda row: (row.effect.p, row.by, row.name, row.shortcut.name))
    details = {
        noun: size,
        "together": _figures(together),
        "table": [_told(row) for row in overall],
        "strata": [_told(row) for row in ranked[:_LISTED]],
        "strata_tested": len(strata),
    }
    text = f"A model that looks at nothing but {seen} {says}."
    return Finding(CODE, "shortcuts", text, Severity.INFO, together.rate, details=details)


def biased(overall: Sequence[Row], together: Share, size: int, noun: str) -> list[Finding]:
    """A finding for each shortcut that decides beyond its bounds, and one where only all of them do."""
    graded = [(row, severity_of(row, size)) for row in overall]
    found = [_finding(row, severity, noun) for row, severity in graded if severity is not None]
    best = max(row.alone.rate for row in overall if row.alone is not None)
    level = next((s for s, bound in TOGETHER_BOUNDS.items() if together.low >= bound), None)
    if level is not None and together.rate - best >= BEYOND_BEST:
        agree = f"agree with {_percent(together)} of the pairs" if noun == PAIRS else f"tell {_percent(together)} apart"
        text = f"All shortcuts together {agree}, and the best one alone {best:.0%}."
        found.append(Finding(CODE, "all shortcuts together", text, level, together.rate))
    return found


def severity_of(row: Row, size: int) -> Severity | None:
    """How grave a shortcut is over everything; None where it is what honest data shows, too rare, or nothing of its
    own beside the others."""
    of, position = row.effect, row.shortcut == POSITION
    if row.q >= MAX_Q or of.cases < _LEAST_SHARE * size or not row.shortcut.adjusted:
        return None
    wins = of.share.rate >= 0.5
    if not position and (row.adjusted is None or _lower(row.adjusted, wins) < ADJUSTED):
        return None
    bounds = POSITION_BOUNDS if position else BOUNDS
    return next((severity for severity, bound in bounds.items() if _lower(of.share, wins) >= bound), None)


def _finding(row: Row, severity: Severity, noun: str) -> Finding:
    of, wins = row.effect, row.effect.share.rate >= 0.5
    verb = "wins" if wins else "loses"
    if noun == PAIRS:
        text = f"{_first_upper(row.shortcut.side)} {verb} {_percent(of.share, wins)} of {of.cases:,} pairs"
    else:
        verb = "is wanted" if wins else "is unwanted"
        text = f"Of a wanted and an unwanted response, {_one(row, noun)} {verb} {_percent(of.share, wins)} of the time"
    if row.adjusted is not None:
        step, equal = row.shortcut.step, _percent(row.adjusted, wins)
        text += f"; with the other shortcuts equal, one that {step} {verb} {equal} of the time"
    details = _told(row)
    return Finding(
        CODE, f"shortcut {row.shortcut.name}", f"{text}.", severity, abs(of.share.rate - 0.5) * 2, row.q, (), details
    )


def stratum(rows: Sequence[Row], noun: str) -> Finding:
    """One source or annotator that differs from the others, the strongest difference first."""
    first = rows[0]
    of, who = first.effect, f"{first.by} {safe_text(first.name, _SHOWN)}"
    others = of.others if isinstance(of, Contrast) else float("nan")
    wins = "wins" if noun == PAIRS else "is wanted"
    text = f"{_first_upper(_one(first, noun))} {wins} {_percent(of.share)} of the time in the {of.cases:,} {noun} of "
    text += f"{who} that tell, and {others:.0%} in all others'"
    if first.expected is not None:
        text += f"; as the others choose, it would here {first.expected:.0%}"
    if len(rows) > 1:
        text += f"; it differs in {len(rows) - 1} more shortcut{'s' if len(rows) > 2 else ''}"
    grave = max(abs(row.difference) for row in rows) >= MEDIUM_DIFFERENCE
    details: dict[str, Any] = {"table": [_told(row) for row in rows]}
    if first.by == "annotator":
        details["annotators"] = [first.name]
    severity = Severity.MEDIUM if grave else Severity.LOW
    return Finding(CODE, f"{first.by} {first.name}", f"{text}.", severity, abs(first.difference), first.q, (), details)


def _one(row: Row, noun: str) -> str:
    return row.shortcut.side if noun == PAIRS else row.shortcut.side.replace("side", "response")


def _lower(share: Share, wins: bool) -> float:
    """The lower bound of winning, or of losing."""
    return share.low if wins else 1.0 - share.high


def _told(row: Row) -> dict[str, Any]:
    """A row as figures for details."""
    of = row.effect
    told: dict[str, Any] = {"shortcut": row.shortcut.name, "side": row.shortcut.side, "cases": of.cases}
    if isinstance(of, Contrast):
        told |= {"by": row.by, "name": row.name, "others": of.others, "difference": row.difference}
    told |= _figures(of.share) | {"p": of.p, "q": row.q}
    if row.adjusted is not None:
        told |= {"adjusted": _figures(row.adjusted), "step": row.shortcut.step}
    if row.expected is not None:
        told["expected"] = row.expected
    if row.alone is not None:
        told["alone"] = _figures(row.alone)
    return told


def _figures(share: Share) -> dict[str, float]:
    return {"rate": share.rate, "low": share.low, "high": share.high}


def _percent(share: Share, wins: bool = True) -> str:
    rate, low, high = share.rate, share.low, share.high
    if not wins:
        rate, low, high = 1 - rate, 1 - high, 1 - low
    return f"{rate:.0%} ({low:.0%} to {high:.0%})"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
