"""The parts of a report about characters, annotators and pairs as a whole: channels, annotators, shortcuts, circles."""

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
class Told:
    """What a check says of an annotator."""

    check: str
    code: str
    title: str
    severity: str
    text: Text
    q_value: float | None
    accuses: bool  # more than a remark: a reason to look at the decisions


@dataclass(frozen=True, slots=True)
class Annotator:
    """One annotator's decisions against those of the rest of the data."""

    name: str
    rows: int
    review: int
    remove: int
    contradicted: int | None  # decisions for which the rest says otherwise; None: no check could say
    compared: int  # decisions that `contradicted` is counted in
    reliability: float | None  # share of decisions made as the others would make them, 0..1
    low: float | None  # its 95% interval
    high: float | None
    told: tuple[Told, ...]  # the most severe first
    agree_with: float | None  # how often the other pairs agree with their margin, with this annotator's rows in it
    agree_without: float | None  # and when fitted without them

    @property
    def share(self) -> float:
        """Share of the decisions that are contradicted, 0..1."""
        return (self.contradicted or 0) / self.compared if self.compared else 0.0

    @property
    def accused(self) -> bool:
        """True where a check holds more than a remark against this annotator."""
        return any(told.accuses for told in self.told)

    def by(self, check: str) -> Told | None:
        """What a check says; None where it says nothing."""
        return next((told for told in self.told if told.check == check), None)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How often a side wins for an attribute that it has more of than the other."""

    attribute: str  # "the longer side"
    scope: str  # all pairs, or those of one source or annotator
    pairs: int  # that tell the sides apart by it
    share: float  # of them that the side with it wins, 0..1
    low: float  # its 95% interval
    high: float
    adjusted: float | None  # the share with all other attributes equal
    q_value: float | None

    @property
    def distance(self) -> float:
        """How far the interval lies from 50%, 0..0.5; 0 where it holds it."""
        return max(self.low - 0.5, 0.5 - self.high, 0.0)


@dataclass(frozen=True, slots=True)
class Circle:
    """Responses to one prompt that the rows order in a circle."""

    subject: str
    text: Text
    rows: int
    members: tuple[Example, ...]  # some of its rows, those to leave out first
    drop: tuple[int, ...]  # row numbers among the members that the smallest repair leaves out
    even: tuple[int, ...]  # row numbers among the members of which nobody can know which is wrong


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows have a score in each of equal bins of 0..1."""

    check: str
    counts: tuple[int, ...]

    @property
    def most(self) -> int:
        """The fullest bin; at least 1."""
        return max(1, *self.counts)
