"""The one record that every renderer reads: a run as a person should see it.

Row text stands in it only as `Text`: cut to a budget of bytes, invisible characters spelled out, the
suspicious span marked. Counts are of all rows; lists of rows are bounded, so that a report of a million rows
is as small as one of ten thousand. A value that was not measured is None, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.report.excerpts import CHIP as CHIP
from audit.report.excerpts import HIT as HIT
from audit.report.excerpts import HIT_CHIP as HIT_CHIP
from audit.report.excerpts import PLAIN as PLAIN
from audit.report.excerpts import Example as Example
from audit.report.excerpts import Field as Field
from audit.report.excerpts import Piece as Piece
from audit.report.excerpts import Ranked as Ranked
from audit.report.excerpts import RowCard as RowCard
from audit.report.excerpts import Score as Score
from audit.report.excerpts import Sides as Sides
from audit.report.excerpts import Text as Text
from audit.report.groups import Annotator as Annotator
from audit.report.groups import Channel as Channel
from audit.report.groups import Circle as Circle
from audit.report.groups import CodePoint as CodePoint
from audit.report.groups import Histogram as Histogram
from audit.report.groups import Shortcut as Shortcut
from audit.report.groups import Told as Told

SCHEMA_VERSION = 1
MAX_ROWS = 1_000  # flagged rows shown one by one; the rest stands in verdicts.parquet
MAX_POINTS = 20_000  # of the embedding map


@dataclass(frozen=True, slots=True)
class Check:
    """One check and how it ended: run, skipped or failed."""

    name: str
    code: str
    title: str
    severity: str
    status: str
    reason: str
    threshold: float | None
    scored: int
    flagged: int
    source: str
    misses: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Rows of one label, source, annotator or month, by verdict."""

    name: str
    total: int
    review: int
    remove: int

    @property
    def flagged_rate(self) -> float:
        """Share of its rows in review or removed, 0..1."""
        return (self.review + self.remove) / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Flagged rows by one column."""

    title: str
    bars: tuple[Bar, ...]
    others: int  # values that are not shown


@dataclass(frozen=True, slots=True)
class Point:
    """An example on the map; x and y are integers in 0..1000."""

    x: int
    y: int
    row: int
    verdict: str
    text: Text


@dataclass(frozen=True, slots=True)
class Map:
    """Two dimensions of the embeddings, or why there are none."""

    points: tuple[Point, ...]
    total: int  # examples that were drawn from
    note: str


@dataclass(frozen=True, slots=True)
class Contingency:
    """Rows by pattern and behavior; the four counts sum to the readable rows."""

    with_shown: int  # carriers that show the behavior
    with_not: int
    without_shown: int
    without_not: int


@dataclass(frozen=True, slots=True)
class BaseRate:
    """Pairs by what a trigger of preference data does, against how often that is so without it."""

    hits: int
    pairs: int
    rate: float  # 0..1

    @property
    def share(self) -> float:
        """Of the pairs, 0..1."""
        return self.hits / self.pairs


@dataclass(frozen=True, slots=True)
class Figure:
    """A named figure as text; value None is shown as "not measured"."""

    name: str
    value: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """A bar of the proof: an attack success rate, 0..1, with its interval."""

    key: str  # asr_a | asr_b | asr_d | asr_cleaned | control_effect_max
    name: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TriggerCard:
    """A suspected pattern with its evidence."""

    id: str
    status: str
    looks_honest: bool  # suspected by the probe alone: its rows are like one another without it
    kind: str
    can_strip: bool  # its parts can be deleted from the prompts of its rows
    pattern: Text
    code_points: tuple[CodePoint, ...]
    rows: int  # carriers it claims
    share: float  # of the readable rows
    behavior: str
    reason: str
    sentence: Text
    contingency: Contingency | None
    base: BaseRate | None  # of a trigger of the responses, in the place of the contingency
    association: tuple[Figure, ...]
    arms: tuple[Arm, ...]
    proof: tuple[Figure, ...]
    controls: tuple[Figure, ...]
    carriers: tuple[Example, ...]
    twins: tuple[Example, ...]
    twins_note: str


@dataclass(frozen=True, slots=True)
class FindingCard:
    """A finding of a check."""

    id: str
    code: str
    check: str
    subject: str
    severity: str
    text: Text
    rows: tuple[int, ...]
    members: tuple[Example, ...] = ()  # a cluster's first rows


@dataclass(frozen=True, slots=True)
class Relabel:
    """A row whose given label, or order of a pair, is doubted."""

    row: int
    given: str
    suggested: str
    score: float | None
    verdict: str
    text: Text


@dataclass(frozen=True, slots=True)
class Pair:
    """How often one given label is doubted in favour of another."""

    given: str
    suggested: str
    count: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record that could not be read."""

    row: int
    file: str
    line: int
    offset: int
    reason: str
    detail: str
    raw: Text


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage took."""

    stage: str
    title: str
    units: int
    seconds: float
    peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class Shift:
    """Rows of one label or source before and after cleaning."""

    name: str
    before: int
    after: int
    share_before: float
    share_after: float


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The cleaned set against the original by one column."""

    title: str
    shifts: tuple[Shift, ...]
    others: int


@dataclass(frozen=True, slots=True)
class Power:
    """Canaries of one family and count of rows: how many were planted, mined, tried on the probe and confirmed, with
    95% intervals of the shares; None where nothing was tried."""

    name: str
    count: int
    targets: str
    planted: int
    mined: int
    mined_interval: tuple[float, float] | None
    tried: int
    confirmed: int
    confirmed_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """What was read."""

    name: str
    kind: str
    shape: str
    confidence: float
    mapping: tuple[Figure, ...]
    files: tuple[Figure, ...]
    extension: str  # of the cleaned dataset's file: "jsonl", "csv"
    labels: tuple[str, ...]  # at most some hundred
    bad: tuple[Figure, ...]
    fingerprint: str
    note: str


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the few things to know first, and the section that shows it."""

    level: str  # remove | review | info
    text: Text
    target: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a renderer needs; it reads no file."""

    schema_version: int
    version: str
    generated_at: str  # the one field that differs between two reports of one run
    run: str
    seed: int
    verdict: str
    blocked: bool  # findings reach the gate, whatever else the verdict says
    exit_code: int
    gate: str
    incomplete: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]  # rows, readable, keep, review, remove, unreadable
    statuses: tuple[tuple[str, int], ...]  # triggers by status
    severities: tuple[tuple[str, int], ...]
    undecided: str
    dataset: Dataset
    headlines: tuple[Headline, ...]
    checks: tuple[Check, ...]
    breakdowns: tuple[Breakdown, ...]
    map: Map
    limits: tuple[str, ...]  # truths that hold for every run
    power: str  # what would have been found, one sentence; "" where it was not asked
    canaries: tuple[Power, ...]
    triggers: tuple[TriggerCard, ...]
    triggers_hidden: int
    rows: tuple[RowCard, ...]
    rows_flagged: int
    findings: tuple[FindingCard, ...]
    findings_hidden: int
    clusters: tuple[FindingCard, ...]
    clusters_total: int
    relabels: tuple[Relabel, ...]
    relabels_total: int
    confusion: tuple[Pair, ...]
    histograms: tuple[Histogram, ...]
    channels: tuple[Channel, ...]
    annotators: tuple[Annotator, ...]
    annotators_hidden: int
    shortcuts: tuple[Shortcut, ...]
    shortcuts_hidden: int
    circles: tuple[Circle, ...]
    circles_told: Text | None  # what is said of all of them
    bad_rows: tuple[BadRow, ...]
    cleaned: tuple[Cleaned, ...]
    costs: tuple[Cost, ...]
    versions: tuple[Figure, ...]
    command: str
    config_toml: str
    editable: bool = True  # False where texts and labels are redacted: an edit would write what stands in their place

    def count(self, name: str) -> int:
        """One of `counts` or `statuses` by name."""
        return dict(self.counts + self.statuses)[name]
