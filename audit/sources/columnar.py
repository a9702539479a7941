"""Parquet and Arrow files: page checksums verified, nothing skipped by statistics, and what was decoded counted against
what the file claims. A child process under limits does the parsing (`sandbox`); rows are made here.

A row group whose counts disagree, that cannot be decoded, or at which the child died, is one unreadable record in its
place; the other groups are read. Each decoded batch is handed on whole (`Reading.on_batch`), so that the cleaned file
is made of the original values and not of our view of them.

Source: the Parquet format's own definition of num_values (values of a column chunk, nulls included).
Misses: a file whose page headers, column counts and row counts were all forged alike reads as the shorter file
to every reader.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from audit.config import IngestConfig
from audit.sources import sandbox
from audit.sources.layouts import Cells, Layout, PlainCells
from audit.sources.record import Budget, Number, Reading, Reason, Record, RowRun

_ROW_BYTES = 64  # that a row takes at least, however little the file says of it
_MOST_ROWS = 1 << 48  # no claim moves a position beyond it
# What decodes to more than this and to more than so many times the file's own size is a bomb.
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 1_000


def parquet_records(handle: BinaryIO, reading: Reading, limits: IngestConfig, budget: Budget) -> Iterator[Record]:
    """Every row of a parquet file, row group by row group."""
    yield from _File(handle, "parquet", reading, limits, budget).records()


def arrow_records(handle: BinaryIO, reading: Reading, limits: IngestConfig, budget: Budget) -> Iterator[Record]:
    """Every row of an Arrow IPC file or stream. Bytes in memory are a table that we wrote ourselves, as a stream: they
    are read in this process."""
    if isinstance(handle, io.BytesIO):
        ordinal = 0
        for batch in pa.ipc.open_stream(handle):
            yield from _rows(batch, reading.file, ordinal)
            ordinal += batch.num_rows
        return
    yield from _File(handle, "arrow", reading, limits, budget).records()


class _File:
    """One columnar file: gives the events of its child places among the rows."""

    def __init__(self, handle: BinaryIO, form: str, reading: Reading, limits: IngestConfig, budget: Budget) -> None:
        self._handle, self._form, self._reading, self._budget = handle, form, reading, budget
        self._rows = limits.shard_rows
        self._bomb = max(_BOMB_BYTES, _BOMB_RATIO * os.fstat(handle.fileno()).st_size)
        self._decoded = 0
        self._opened = sandbox.Opened(0, {}, [], [])
        self._group, self._first, self._ordinal = -1, 0, 0  # the group at hand, where it starts, the next free ordinal

    def records(self) -> Iterator[Record]:
        """Rows and, in their places, what could not be read."""
        for event in sandbox.events(self._handle, self._form, self._rows):
            match event:
                case sandbox.Opened():
                    self._opened = event
                    self._reading.claimed_rows = event.claimed
                    self._reading.layout |= event.layout
                case sandbox.Batch():
                    yield from self._enter(event.group)
                    if problem := self._excess(event):
                        yield self._bad(Reason.RESOURCE_LIMIT, problem)
                        return
                    if self._reading.on_batch is not None:
                        self._reading.on_batch(self._reading.file, self._ordinal, event.batch)
                    if not self._at_once(event.batch):
                        yield from _rows(event.batch, self._reading.file, self._ordinal)
                    self._ordinal += event.batch.num_rows
                case sandbox.Done():
                    yield from self._enter(event.group)
                    yield from self._leave()
                case sandbox.Failed():
                    yield from self._fail(event)
        yield from self._enter(len(self._opened.groups))
        claimed, found = self._opened.claimed, sum(self._opened.groups)
        if self._opened.groups and claimed != found:
            yield self._bad(Reason.COUNT_MISMATCH, f"the footer claims {claimed} rows, its row groups {found}")

    def _at_once(self, batch: pa.RecordBatch) -> bool:
        """True when somebody took all rows of a batch, and no record of it follows."""
        if self._reading.on_run is None or not batch.num_rows:
            return False
        table = Table(batch, self._reading.file, self._ordinal)
        if not table.useful:
            return False
        run = RowRun(self._reading.file, self._ordinal + 1, self._ordinal, batch.num_rows, table)
        return self._reading.on_run(run)

    def _enter(self, group: int) -> Iterator[Record]:
        """Goes to the start of a row group; those on the way whose counts disagree are a record each."""
        while self._group < group:
            self._group += 1
            self._first = self._ordinal
            problems = self._opened.problems
            if self._group < len(problems) and (problem := problems[self._group]):
                yield self._bad(Reason.COUNT_MISMATCH, f"row group {self._group}: {problem}")
                self._skip()

    def _leave(self) -> Generator[Record]:
        """Compares what a row group claimed with what it held."""
        found, claimed = self._ordinal - self._first, self._claimed()
        if claimed is not None and found != claimed:
            yield self._bad(Reason.COUNT_MISMATCH, f"{self._name()} claims {claimed} rows, {found} were decoded")
            self._skip()

    def _fail(self, event: sandbox.Failed) -> Iterator[Record]:
        if event.group < 0:
            what = "parquet" if self._form == "parquet" else "Arrow IPC"
            yield self._bad(event.reason, f"the file does not open as {what} ({event.kind})")
            return
        yield from self._enter(event.group)
        detail = f"{self._name()} cannot be decoded from row {self._ordinal} on ({event.kind})"
        yield self._bad(event.reason, detail)
        self._skip()

    def _excess(self, event: sandbox.Batch) -> str:
        """What is too much of a batch; empty when nothing is."""
        size = max(event.decoded, _ROW_BYTES * event.batch.num_rows)
        self._decoded += size
        if self._decoded > self._bomb:
            return f"{self._name()} decodes to over {_BOMB_RATIO} times the file's size; {self._unread()}"
        if not self._budget.take(size):
            return f"{self._name()} decodes to more than ingest.max_decoded_bytes; {self._unread()}"
        return ""

    def _unread(self) -> str:
        return f"rows from {self._ordinal} on are not read"

    def _skip(self) -> None:
        """Leaves the positions of the rows that the group claims and did not give; at least one."""
        self._ordinal = max(self._ordinal + 1, min(self._first + (self._claimed() or 0), _MOST_ROWS))

    def _claimed(self) -> int | None:
        return self._opened.groups[self._group] if self._group < len(self._opened.groups) else None

    def _name(self) -> str:
        return f"row group {self._group}" if self._form == "parquet" else "the file"

    def _bad(self, reason: Reason, detail: str) -> Record:
        return Record(self._reading.file, self._ordinal + 1, self._ordinal, None, None, reason, detail)


class Table:
    """A decoded batch of flat columns, read at once: a `record.Dialect`. Rows with a null among their texts are left to
    be read one by one, and so are all where a text is not UTF-8."""

    def __init__(self, batch: pa.RecordBatch, file: int, first: int) -> None:
        self.columns = tuple(batch.schema.names)
        self._batch, self._file, self._first = batch, file, first
        self._records: list[Record] = []

    @property
    def useful(self) -> bool:
        """False where a column's name stands twice or its type is none of those that are told here."""
        kinds = self._batch.schema.types
        return len(set(self.columns)) == len(kinds) > 0 and all(_is_text(k) or _is_plain(k) for k in kinds)

    def read(self, row: Record) -> Record:
        self._records = self._records or list(_rows(self._batch, self._file, self._first))
        return self._records[row.offset - self._first]

    def matches(self, lines: pl.Series) -> Iterator[tuple[Cells, pl.Series]]:
        """The rows without a null among their texts; numbers and booleans may be null."""
        schema = self._batch.schema
        layout = Layout(tuple((name, _is_text(kind)) for name, kind in zip(schema.names, schema.types, strict=True)))
        present = pl.repeat(True, self._batch.num_rows, dtype=pl.Boolean, eager=True)
        cells: list[pl.Series] = []
        for column, (_, text) in zip(self._batch.columns, layout.columns, strict=True):
            if text:
                found = pl.Series(column.cast(pa.large_binary()))
                try:
                    found = found.cast(pl.String)
                except pl.exceptions.ComputeError:
                    return
                present &= found.is_not_null()
            else:
                found = pl.Series(column.cast(pa.large_string()), dtype=pl.String).fill_null("null")
            cells.append(found.alias(str(len(cells))))
        if present.any():
            yield PlainCells(layout, pl.DataFrame(cells).filter(present)), present.arg_true()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind))


def _rows(batch: pa.RecordBatch, file: int, first: int) -> Iterator[Record]:
    names = batch.schema.names
    if len(set(names)) != len(names):
        for index in range(batch.num_rows):
            detail = "a column name stands twice in the file; readers keep different ones"
            yield Record(file, first + index + 1, first + index, None, None, Reason.DUPLICATE_KEY, detail)
        return
    columns = [_values(column) for column in batch.columns]
    for index, cells in enumerate(zip(*columns, strict=True)):
        ordinal = first + index
        problem = next((cell for cell in cells if type(cell) is _Unreadable), None)
        if problem is None:
            yield Record(file, ordinal + 1, ordinal, None, dict(zip(names, cells, strict=True)))
        else:
            yield Record(file, ordinal + 1, ordinal, None, None, problem.reason, problem.detail)


class _Unreadable:
    """Stands in a cell that has no value."""

    __slots__ = ("detail", "reason")

    def __init__(self, error: Exception, column: str = "") -> None:
        utf8 = isinstance(error, UnicodeDecodeError)
        self.reason = Reason.INVALID_UTF8 if utf8 else Reason.WRONG_TYPE
        self.detail = "a cell is not UTF-8" if utf8 else f"a cell has no readable value ({_kind(error)})"


def _values(column: pa.Array) -> list[Any]:
    """The cells as Python values; numbers as their text, dates and times as ISO text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind) and not pa.types.is_interval(kind):
        column = pc.cast(column, pa.string())
    try:
        values: list[Any] = column.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError):
        values = [_value(column, index) for index in range(len(column))]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return [value if value is None else _number(value) for value in values]
    return values


def _value(column: pa.Array, index: int) -> Any:
    try:
        return column[index].as_py()
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        return _Unreadable(error)


def _number(value: Any) -> Any:
    # A NaN cell is pandas' null: it is no number, and no text either. What is infinite is no number of JSON.
    if value != value:
        return None
    return str(value) if isinstance(value, float) and math.isinf(value) else Number(value)


def _kind(error: Exception) -> str:
    """The error's class; its message may quote the file."""
    return type(error).__name__
