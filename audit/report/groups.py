"""The parts of a report about kinds of characters and about annotators: channels, annotators, histograms."""

from __future__ import annotations

from dataclasses import dataclass

from audit.report.excerpts import Example, Text


@dataclass(frozen=True, slots=True)
class CodePoint:
    """A character, spelled out."""

    code: str  # "U+200B"
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Channel:
    """One way of writing what a reader does not see: where it stands, with its characters and first rows."""

    name: str
    check: str
    code: str
    severity: str
    style: bool  # so common that it is read as the style of the dataset
    rows: int
    share: float  # of the readable rows, 0..1
    text: Text
    points: tuple[CodePoint, ...]  # its characters in the first rows, most frequent first
    looked: int  # rows that `points` were counted in
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Annotator:
    """One annotator's decisions against those of the rest of the data."""

    name: str
    rows: int
    review: int
    remove: int
    contradicted: int | None  # decisions for which a check proposes another; None: no check could say
    reported: Text | None  # the finding, where the check of annotators reports this one

    @property
    def share(self) -> float:
        """Share of the decisions that are contradicted, 0..1."""
        return (self.contradicted or 0) / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows have a score in each of equal bins of 0..1."""

    check: str
    counts: tuple[int, ...]

    @property
    def most(self) -> int:
        """The fullest bin; at least 1."""
        return max(1, *self.counts)
