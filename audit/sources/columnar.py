"""Parquet and Arrow files through pyarrow: page checksums verified, nothing skipped by statistics, and what was
decoded counted against what the file claims.

A row group whose counts disagree, or that cannot be decoded, is one unreadable record in its place; the other
groups are read. Each decoded batch is handed on whole (`Reading.on_batch`), so that the cleaned file is made of
the original values and not of our view of them.

Source: the Parquet format's own definition of num_values (values of a column chunk, nulls included).
Misses: a file whose page headers, column counts and row counts were all forged alike reads as the shorter file
to every reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit.config import IngestConfig
from audit.sources.record import Budget, Number, Reading, Reason, Record

_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def parquet_records(handle: BinaryIO, reading: Reading, limits: IngestConfig, budget: Budget) -> Iterator[Record]:
    """Every row of a parquet file, row group by row group."""
    try:
        file = pq.ParquetFile(handle, page_checksum_verification=True, arrow_extensions_enabled=False)
        schema, metadata = file.schema_arrow, file.metadata
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    except _ERRORS as error:
        yield _failed(reading, 0, Reason.DAMAGED_INPUT, f"the file does not open as parquet ({_kind(error)})")
        return
    codec = groups[0].column(0).compression if groups and groups[0].num_columns else "SNAPPY"
    reading.claimed_rows = metadata.num_rows
    reading.layout |= {"codec": codec, "label_names": label_names(schema)}
    ordinal = 0
    for index, group in enumerate(groups):
        if problem := _count_problem(group, schema):
            yield _failed(reading, ordinal, Reason.COUNT_MISMATCH, f"row group {index}: {problem}")
        else:
            batches = _decode(file, index, limits.shard_rows)
            ordinal = yield from _group(batches, reading, ordinal, group.num_rows, f"row group {index}", budget)
            continue
        ordinal += max(group.num_rows, 1)
    if metadata.num_rows != sum(group.num_rows for group in groups):
        detail = f"the footer claims {metadata.num_rows} rows, its row groups {sum(g.num_rows for g in groups)}"
        yield _failed(reading, ordinal, Reason.COUNT_MISMATCH, detail)


def arrow_records(handle: BinaryIO, reading: Reading, limits: IngestConfig, budget: Budget) -> Iterator[Record]:
    """Every row of an Arrow IPC file or stream."""
    magic = handle.read(6)
    handle.seek(0)
    container = "file" if magic == b"ARROW1" else "stream"
    try:
        reader = pa.ipc.open_file(handle) if container == "file" else pa.ipc.open_stream(handle)
        schema = reader.schema
    except _ERRORS as error:
        yield _failed(reading, 0, Reason.DAMAGED_INPUT, f"the file does not open as Arrow IPC ({_kind(error)})")
        return
    reading.layout |= {"container": container, "label_names": label_names(schema)}
    if container == "file":
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        batches = iter(reader)
    pieces = (
        batch.slice(start, limits.shard_rows)
        for batch in batches
        for start in range(0, max(batch.num_rows, 1), limits.shard_rows)
    )
    yield from _group(pieces, reading, 0, None, "the file", budget)


def _decode(file: pq.ParquetFile, group: int, rows: int) -> Iterator[pa.RecordBatch]:
    yield from file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)


def label_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Column -> names of its classes, from the `huggingface` metadata of a schema; empty when there are none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {name: value["names"] for name, value in features.items() if "names" in value}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {str(name): [str(n) for n in names] for name, names in found.items() if isinstance(names, list)}


def _group(
    batches: Iterator[pa.RecordBatch], reading: Reading, first: int, claimed: int | None, name: str, budget: Budget
) -> Generator[Record, None, int]:
    """The rows of one row group or file; a failure, or other than the claimed rows, is a record of its own.
    Returns the first ordinal that is free."""
    ordinal = first
    while True:
        try:
            batch = next(batches, None)
            if batch is not None:
                _validate(batch)
        except _ERRORS as error:
            detail = f"{name} cannot be decoded from row {ordinal} on ({_kind(error)})"
            yield _failed(reading, ordinal, Reason.DAMAGED_INPUT, detail)
            return max(ordinal + 1, first + (claimed or 0))
        if batch is None:
            break
        if not budget.take(batch.nbytes):
            detail = f"{name} decodes to more than ingest.max_decoded_bytes; rows from {ordinal} on are not read"
            yield _failed(reading, ordinal, Reason.RESOURCE_LIMIT, detail)
            return max(ordinal + 1, first + (claimed or 0))
        if reading.on_batch is not None:
            reading.on_batch(reading.file, ordinal, batch)
        yield from _rows(batch, reading.file, ordinal)
        ordinal += batch.num_rows
    if claimed is not None and ordinal - first != claimed:
        detail = f"{name} claims {claimed} rows, {ordinal - first} were decoded"
        yield _failed(reading, ordinal, Reason.COUNT_MISMATCH, detail)
        return max(ordinal + 1, first + claimed)
    return ordinal


def _validate(batch: pa.RecordBatch) -> None:
    """Checks offsets and lengths of foreign buffers. Invalid UTF-8 is left to the row that holds it."""
    for column in batch.columns:
        if not _has_text(column.type):
            column.validate(full=True)
        else:
            column.validate()
            _as_binary(column).validate(full=True)


def _has_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _as_binary(column: pa.Array) -> pa.Array:
    return column.view(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary())


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


def _count_problem(group: Any, schema: pa.Schema) -> str:
    """What is inconsistent in a row group's own counts; empty when nothing is. A column that is not nested has
    one value a row."""
    if group.num_rows < 0:
        return f"it claims {group.num_rows} rows"
    for index in range(group.num_columns):
        column = group.column(index)
        nested = "." in column.path_in_schema and column.path_in_schema not in schema.names
        if column.num_values < group.num_rows or (not nested and column.num_values != group.num_rows):
            return f"it claims {group.num_rows} rows, column {index} holds {column.num_values} values"
    return ""


def _failed(reading: Reading, ordinal: int, reason: Reason, detail: str) -> Record:
    return Record(reading.file, ordinal + 1, ordinal, None, None, reason, detail)


def _kind(error: Exception) -> str:
    """The error's class; its message may quote the file."""
    return type(error).__name__
