"""Something seen at a span of one field of one example, and how a list of such sightings becomes signals.
Shared by the checks that read raw text. A channel that stands in a large share of the rows is the house style
of the dataset: it is reported once as a finding, and its rows are not flagged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.schema import Detection, Finding, Severity, signals_frame
from audit.text import safe_text

FIELDS = ("prompt", "response", "rejected")
SHOWN_ROWS = 200  # example rows that a finding lists
PER_TEXT = 20  # sightings of one kind that are kept of one text
STYLE_ROWS = 20  # fewer rows are no style, whatever share of a small dataset they are


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing seen in one text."""

    position: int  # of the example, in the order of the examples table
    field: str  # prompt, response or rejected
    start: int  # characters into that field
    end: int
    channel: str  # what kind of thing it is, e.g. "zero-width"
    weight: float  # how suspicious it is, 0 to 1
    evidence: str  # one short sentence


def texts(examples: pl.DataFrame) -> Iterator[tuple[int, str, str]]:
    """Position, field and text of every text of every example, field by field."""
    for field in FIELDS:
        for position, text in enumerate(examples[field].to_list()):
            if text:
                yield position, field, text


def few(sightings: Iterable[Sighting]) -> Iterator[Sighting]:
    """The first PER_TEXT sightings of each field, channel and weight of one text: a row of millions of odd characters
    costs time, not memory. Every channel and weight that stands in the text stays."""
    counts: dict[tuple[str, str, float], int] = defaultdict(int)
    for sighting in sightings:
        key = (sighting.field, sighting.channel, sighting.weight)
        counts[key] += 1
        if counts[key] <= PER_TEXT:
            yield sighting


def quote(text: str, limit: int = 80) -> str:
    """A short piece of row text for an evidence sentence, invisible characters spelled out."""
    return safe_text(text, limit=limit)


def carriers(sightings: Iterable[Sighting]) -> dict[str, int]:
    """Channel -> number of examples that it stands in."""
    seen: dict[str, set[int]] = defaultdict(set)
    for sighting in sightings:
        seen[sighting.channel].add(sighting.position)
    return {channel: len(positions) for channel, positions in seen.items()}


def detection(
    examples: pl.DataFrame,
    sightings: list[Sighting],
    *,
    code: str,
    threshold: float,
    house_style: float,
    severities: dict[str, Severity],
    exempt: frozenset[str] = frozenset(),
    scale: dict[str, float] | None = None,
    report_at: float | None = None,
    fix: str | None = None,
) -> Detection:
    """Signals and findings of a list of sightings. A row's score is that of its heaviest sighting (ties: the
    prompt's first), times its channel's `scale`, plus up to 0.05 for further ones, at most 1; 0 where nothing was
    seen. Channels in more than the share `house_style` of the rows are capped below the threshold, except those
    in `exempt`, which no honest dataset holds. A finding is made for every channel with a weight of `report_at`
    (by default the threshold) in at least one row. `fix` is proposed for the rows at the threshold.
    """
    total = examples.height
    limit = max(house_style * total, STYLE_ROWS)
    common = {channel for channel, count in carriers(sightings).items() if count > limit} - exempt
    best: dict[int, tuple[float, Sighting]] = {}
    counts = np.zeros(total, dtype=np.int64)
    for sighting in sorted(sightings, key=lambda s: (s.position, FIELDS.index(s.field), s.start, s.channel)):
        weight = sighting.weight * (scale or {}).get(sighting.channel, 1.0)
        weight = min(weight, 0.5 * threshold) if sighting.channel in common else weight
        counts[sighting.position] += 1
        if sighting.position not in best or weight > best[sighting.position][0]:
            best[sighting.position] = (weight, sighting)
    scores = np.zeros(total, dtype=np.float32)
    evidence: list[str | None] = [None] * total
    starts: list[int | None] = [None] * total
    ends: list[int | None] = [None] * total
    for position, (weight, sighting) in best.items():
        bonus = 0.05 * (1 - 1 / counts[position]) if weight >= threshold else 0.0
        scores[position] = min(1.0, weight + bonus)
        evidence[position] = sighting.evidence
        if sighting.field == "prompt":
            starts[position], ends[position] = sighting.start, sighting.end
    rows = examples["row"].to_list()
    report_at = threshold if report_at is None else report_at
    findings = _findings(sightings, rows, code, report_at, common, severities)
    fixes = [fix if score >= threshold else None for score in scores]
    return Detection(signals_frame(rows, scores, evidence, starts, ends, fix=fixes), findings, threshold)


def _findings(
    sightings: list[Sighting],
    rows: list[int],
    code: str,
    report_at: float,
    common: set[str],
    severities: dict[str, Severity],
) -> tuple[Finding, ...]:
    standing: dict[str, set[int]] = defaultdict(set)
    heaviest: dict[str, float] = defaultdict(float)
    for sighting in sightings:
        standing[sighting.channel].add(rows[sighting.position])
        heaviest[sighting.channel] = max(heaviest[sighting.channel], sighting.weight)
    found = []
    for channel in sorted(standing):
        if heaviest[channel] < report_at:
            continue
        count, share = len(standing[channel]), len(standing[channel]) / len(rows)
        tail = ": so common that it is read as the style of this dataset" if channel in common else ""
        found.append(
            Finding(
                code=code,
                subject=channel,
                text=f"{channel[:1].upper()}{channel[1:]} in {count:,} of {len(rows):,} rows ({share:.2%}){tail}.",
                severity=Severity.INFO if channel in common else severities.get(channel, Severity.LOW),
                score=heaviest[channel],
                rows=tuple(sorted(standing[channel])[:SHOWN_ROWS]),
                details={"rows": count, "share": share, "house_style": channel in common},
            )
        )
    return tuple(found)
