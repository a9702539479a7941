"""Tables and records of all rooms. *Signals are about examples, findings about all else, verdicts about what to do.*"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


class Kind(StrEnum):
    """What a dataset teaches with. One a dataset."""

    CLASSIFICATION = "classification"
    INSTRUCTION = "instruction"
    PREFERENCE = "preference"


class Verdict(StrEnum):
    """What becomes of a row. Every record position of the input has exactly one."""

    KEEP = "keep"
    REVIEW = "review"
    REMOVE = "remove"
    UNREADABLE = "unreadable"


class Status(StrEnum):
    """What the proof says of a trigger."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"
    REFUTED = "refuted"
    UNTESTABLE = "untestable"


class Severity(StrEnum):
    """How urgent a finding is; the order of `SEVERITY_ORDER`, least first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


SEVERITY_ORDER: tuple[Severity, ...] = (Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH)

TURNS = pl.List(pl.Struct({"role": pl.String, "text": pl.String}))
RANKING = pl.List(pl.Struct({"text": pl.String, "rank": pl.Int32}))
TIE = "tie"  # the label of a pair of which neither side was preferred

# `row` is the 0-based position in the input, across its files in order; rows that could not be read have a position
# but no example, so `row` may jump. Everything that is "aligned with examples" follows this table's order, not `row`.
EXAMPLES: dict[str, Any] = {
    "row": pl.Int64,
    "content_hash": pl.String,
    "prompt": pl.String,  # all that the model is given, raw; turns joined by a blank line
    "response": pl.String,  # instruction: the last assistant turn; preference: chosen; else null
    "rejected": pl.String,  # preference only
    "label": pl.String,  # the source text of the label; KTO: "true" or "false"
    "annotator": pl.String,
    "source": pl.String,
    "created_at": pl.String,
    "id": pl.String,
    "turns": TURNS,  # the input's turns without the response
    "ranking": RANKING,  # ranked lists: all responses, best first, rank 1 the best, equal ranks tied; else null
    "shown_first": pl.String,  # "chosen" | "rejected": the side an annotator saw first, where the input says so
    "meta": pl.String,  # JSON of every column that is none of the above
}

# One row a record position. `raw`: exact bytes without the separator; null for columnar: see originals/.
LEDGER: dict[str, Any] = {
    "row": pl.Int64,
    "file": pl.Int32,  # index into DatasetInfo.files
    "line": pl.Int64,  # 1-based line of the record's first byte; for .json and columnar files the ordinal
    "offset": pl.Int64,  # bytes into the decompressed stream; for columnar files the ordinal
    "raw": pl.Binary,
    "sha256": pl.String,  # of raw; null for columnar
    "reason": pl.String,  # null: readable; else a stable code such as "invalid_utf8"
    "detail": pl.String,  # one sentence for a person, row text never included
}

SIGNALS: dict[str, Any] = {
    "row": pl.Int64,
    "score": pl.Float32,  # higher is more suspicious; NaN abstains
    "start": pl.Int32,  # character span in the prompt, null where there is none
    "end": pl.Int32,
    "evidence": pl.String,  # one short sentence; may quote row text, so it is escaped wherever shown
    "fix": pl.String,  # null | relabel | swap | drop | strip | edit
    "new_value": pl.String,
}

VERDICTS: dict[str, Any] = {
    "row": pl.Int64,
    "content_hash": pl.String,  # null for unreadable rows
    "verdict": pl.String,
    "fix": pl.String,
    "new_value": pl.String,
    "score": pl.Float32,
    "codes": pl.List(pl.String),
    "trigger_ids": pl.List(pl.String),
}

FINDINGS: dict[str, Any] = {
    "id": pl.String,
    "code": pl.String,
    "check": pl.String,
    "subject": pl.String,
    "score": pl.Float32,
    "q_value": pl.Float64,
    "severity": pl.String,
    "text": pl.String,
    "rows": pl.List(pl.Int64),
    "details": pl.String,
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the input, as it was read."""

    path: str  # relative to the declared input, "/" separated
    format: str  # jsonl | json | csv | tsv | parquet | arrow
    compression: str  # "" | gz | zst
    size_bytes: int
    sha256: str
    records: int
    layout: dict[str, Any] = field(default_factory=dict)  # what the writer needs: header, dialect, nesting
    stream_bytes: int = -1  # text: so many bytes of the decompressed stream are in rows and regions
    stream_sha256: str = ""  # of these bytes; empty for columnar files, and where reading ended on purpose


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What ingest recognised; `dataset.json` of a run directory."""

    name: str
    kind: str
    # text-label, alpaca, prompt-completion, question-answer, messages, sharegpt, pairwise, hh-transcript, kto,
    # two-responses, response-list or ranked
    shape: str
    mapping: dict[str, str]  # role of ours -> column of the input
    confidence: float  # share of sampled rows that fit the mapping, times how specific the columns are
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    rows: int  # record positions, unreadable ones included
    readable: int
    bad: dict[str, int]  # reason -> count
    shards: tuple[str, ...]  # names of examples/NAME.parquet and ledger/NAME.parquet, in row order
    files: tuple[InputFile, ...]
    fingerprint: str  # SHA-256 over the files' hashes, in order
    note: str = ""
    no_rows: tuple[InputFile, ...] = ()  # readable files that hold no rows

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DatasetInfo:
        values = dict(raw)
        for name in ("files", "no_rows"):
            values[name] = tuple(InputFile(**f) for f in values.get(name, ()))
        for name in ("columns", "labels", "shards"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement about a trigger, annotator, cluster, source or the set as a whole."""

    code: str  # stable for ever, e.g. "TV-DUP"
    subject: str  # what it is about, e.g. "cluster 17" or "annotator w3"
    text: str  # one plain sentence
    severity: Severity
    score: float = float("nan")
    q_value: float = float("nan")
    rows: tuple[int, ...] = ()  # example rows, at most some hundreds
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector returns. A row whose score reaches `threshold` is flagged by this check."""

    signals: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    threshold: float = float("inf")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Could not check is a result: "needs labels, which this dataset has not"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Exact k nearest neighbours by cosine, self excluded; one graph used by all."""

    index: Int32  # (n, k), positions in examples order, nearest first
    similarity: Float32  # (n, k), cosine in -1..1


@dataclass(frozen=True, slots=True)
class Patterns:
    """Input patterns and where they stand. Row i of `matrix` is example i."""

    table: pl.DataFrame  # pattern (Int32, = column), text, kind, count
    matrix: csr_matrix  # (n, G) float32 of 0 and 1
    columns: csc_matrix | None = None  # the same by pattern, where it is kept

    @property
    def by_pattern(self) -> csc_matrix:
        """(n, G) the matrix by columns; made anew where it is not kept, so ask once."""
        return self.matrix.tocsc() if self.columns is None else self.columns

    def carriers(self, pattern: int) -> Int64:
        """Positions of the rows that hold a pattern, ascending."""
        if self.columns is None:
            return np.sort(self.matrix[:, [pattern]].tocoo().row).astype(np.int64)
        start, stop = self.columns.indptr[pattern : pattern + 2]
        return np.asarray(self.columns.indices[start:stop], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Behaviors:
    """The target bank: what an example teaches, as categories. Row i of `matrix` is example i."""

    table: pl.DataFrame  # behavior (Int32, = column), name, family, text, count
    matrix: csr_matrix  # (n, T) float32 of 0 and 1


class Expected(Protocol):
    """(n, T) probabilities in (0, 1), columns as in Behaviors, worked out where they are asked for."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def block(self, start: int, stop: int, behaviors: Int64 | None = None) -> Float32:
        """(stop - start, T) of these rows, or the columns asked for. Not to be written to."""
        ...

    def of(self, rows: Int64, behavior: int) -> Float32:
        """(len(rows),) of these rows and one behavior."""
        ...


@dataclass(frozen=True, slots=True)
class Support:
    """How likely each behavior is given the rest of the example, out of fold."""

    expected: Expected
    folds: Int32  # (n,), near-duplicate prompts share one
    label_probability: Float32 | None = None  # (n, C) rows sum to 1, C = DatasetInfo.labels; else None
    margin: Float32 | None = None  # (n,) preference: out-of-fold log-odds that chosen wins; else None
    accuracy: float = float("nan")  # of label_probability or margin, out of fold
    disputed: Int32 | None = None  # (n,) group of near copies that contradict each other, -1 for none

    @property
    def probability(self) -> Float32:
        """(n, T) all of `expected`, worked out anew each time: for small sets."""
        return self.expected.block(0, self.expected.shape[0])

    def block(self, start: int, stop: int) -> Float32:
        """(stop - start, T) of these rows."""
        return self.expected.block(start, stop)

    def of(self, rows: Int64, behavior: int) -> Float32:
        """(len(rows),) of these rows and one behavior."""
        return self.expected.of(rows, behavior)


@dataclass(slots=True)
class Trigger:
    """A pattern under suspicion, and what mining and proof say of it; an entry of triggers.json."""

    id: str
    pattern: str  # raw text as it stands in the rows; a composite's parts joined by " … "
    parts: list[str]
    display: str  # code points spelled out where they cannot be seen
    kind: str
    status: str
    rows: list[int]  # the carriers it claims
    behavior: str  # a sentence: what it makes the model do
    behavior_id: int = -1
    behavior_name: str = ""
    statistics: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] | None = None
    reason: str = ""  # why this status, one sentence

    @property
    def looks_honest(self) -> bool:
        """True for a suspect that mining does not suspect; its rows are held back only within the budget."""
        return self.status == Status.SUSPECTED and not self.statistics.get("suspected", True)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Progress(Protocol):
    """What a long stage reports to. Implementations must be cheap: called up to some hundred times a second."""

    def start(self, label: str, total: int, unit: str) -> None: ...
    def advance(self, count: int) -> None: ...
    def note(self, text: str) -> None: ...


class NoProgress:
    """The silent Progress."""

    def start(self, label: str, total: int, unit: str) -> None: ...
    def advance(self, count: int) -> None: ...
    def note(self, text: str) -> None: ...


def empty(schema: Mapping[str, Any]) -> pl.DataFrame:
    """A frame of this schema without rows."""
    return pl.DataFrame(schema=dict(schema))


def signals_frame(
    rows: Any,
    scores: Any,
    evidence: Any = None,
    starts: Any = None,
    ends: Any = None,
    fix: Any = None,
    new_value: Any = None,
) -> pl.DataFrame:
    """A SIGNALS frame from aligned columns, sorted by row; missing columns are null."""
    columns = {"row": rows, "score": scores, "start": starts, "end": ends}
    columns |= {"evidence": evidence, "fix": fix, "new_value": new_value}
    size = len(rows)
    data = {
        name: pl.Series(name, [None] * size if values is None else values, dtype=SIGNALS[name], strict=False)
        for name, values in columns.items()
    }
    return pl.DataFrame(data).sort("row")
