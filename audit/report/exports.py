"""The records that machine-readable outputs are rendered from. Text in them is raw: escaping is the renderer's work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.report.record import Report
from audit.schema import InputFile


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the input."""

    row: int
    content_hash: str  # "" for unreadable rows
    file: int  # index into `Export.files`
    line: int | None  # 1-based; None in formats without lines
    ordinal: int  # 1-based, of formats without lines the record's place in its file
    raw_sha256: str = ""  # of the record's bytes; "" in columnar files


@dataclass(frozen=True, slots=True)
class Rule:
    """A check as a rule of other tools: its code, name, title, severity and what it does and misses."""

    code: str
    name: str
    title: str
    severity: str
    help: str


@dataclass(frozen=True, slots=True)
class TriggerFacts:
    """A trigger with its figures. Pattern, parts and behavior are row text, raw."""

    id: str
    status: str
    kind: str
    looks_honest: bool
    pattern: str
    parts: tuple[str, ...]
    behavior: str
    rows: int  # that it claims
    share: float  # of the readable rows
    reason: str
    statistics: dict[str, Any]
    proof: dict[str, Any] | None
    pattern_sha256: str
    pattern_characters: int
    pattern_classes: dict[str, int]  # Unicode general category -> characters of it


@dataclass(frozen=True, slots=True)
class Item:
    """A finding: about a trigger, an annotator, a cluster or the set, never about one row."""

    id: str
    code: str
    check: str
    title: str
    subject: str
    severity: str
    score: float | None
    q_value: float | None
    text: str
    rows: tuple[int, ...]
    places: tuple[Place, ...]
    details: dict[str, Any]
    trigger: TriggerFacts | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Why one check flags one row: its sentence, score, threshold and the span in the prompt."""

    code: str
    evidence: str = ""
    score: float | None = None
    threshold: float | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Flagged:
    """A row in review, removed or unreadable, with one `Said` for each of its codes."""

    place: Place
    verdict: str
    score: float | None
    fix: str
    trigger_ids: tuple[str, ...]
    said: tuple[Said, ...]
    reason: str = ""  # of unreadable rows: a stable code


@dataclass(frozen=True, slots=True)
class CleanedFile:
    """A file of the cleaned set."""

    path: str  # relative to cleaned/
    format: str
    compression: str
    sha256: str
    size_bytes: int
    file: Path  # where it stands, to look at its first records
    input: InputFile


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that a renderer of a machine-readable output needs."""

    report: Report
    fail_on: str
    max_bad_rows: int
    prefix: str  # from the source root to the declared input, "" or ending in "/"
    files: tuple[InputFile, ...]
    kind: str
    columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    items: tuple[Item, ...]
    triggers: tuple[TriggerFacts, ...]
    flagged: tuple[Flagged, ...]
    flagged_total: int  # rows
    said_total: int  # pairs of row and code
    cleaned: tuple[CleanedFile, ...]
    redacted: bool = False
    titles: dict[str, str] = field(default_factory=dict)  # code -> title
