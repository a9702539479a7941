"""The child process that parses one foreign parquet or Arrow file; started by `sandbox`, never imported by it.

It reads the file from descriptor 0, says on descriptor 1 in JSON lines what it finds, and writes the decoded record
batches to a second pipe as an Arrow IPC stream of our own making. Before it touches a byte of the file it lowers its
own limits. It imports nothing of this project, so that it starts fast and holds nothing worth stealing.

Messages, one JSON object a line: {"open": ...} once; then {"batch": row group, "decoded": bytes}, each with one batch
on the pipe; {"failed": reason, "group": row group, "kind": class of the error}; {"done": row group}; {"end": true}.
Misses: it lowers resources, it takes away no system call; a flaw in the parser that runs code runs it as the user.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # halves the start; nothing here needs it

import pyarrow as pa  # noqa: E402
import pyarrow.compute as pc  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, TypeError, KeyError, AssertionError)
_MOST_NAMES = 100_000


def main(settings: dict[str, Any]) -> None:
    """Parses descriptor 0 under these settings: format, rows, first, data, memory_bytes, cpu_seconds, batch_bytes."""
    _lower(resource.RLIMIT_AS, settings["memory_bytes"])
    _lower(resource.RLIMIT_CPU, settings["cpu_seconds"], settings["cpu_seconds"] + 2)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    out = _Out(settings["data"], settings["batch_bytes"])
    with os.fdopen(0, "rb") as handle:
        handle.seek(0)
        read = _parquet if settings["format"] == "parquet" else _arrow
        read(handle, settings["rows"], settings["first"], out)
    out.say({"end": True})
    out.close()


def _lower(limit: int, soft: int, hard: int | None = None) -> None:
    now = resource.getrlimit(limit)[1]
    hard = soft if hard is None else hard
    hard = hard if now == resource.RLIM_INFINITY else min(hard, now)
    resource.setrlimit(limit, (min(soft, hard), hard))


class _Out:
    """The two pipes to the parent. A message stands on the first before what belongs to it stands on the second."""

    def __init__(self, data: int, batch_bytes: int) -> None:
        self._control = os.fdopen(1, "wb")
        self._data = os.fdopen(data, "wb", buffering=1 << 20)
        self._batch_bytes = batch_bytes
        self._writer: Any = None

    def say(self, message: dict[str, Any]) -> None:
        self._control.write(json.dumps(message).encode() + b"\n")
        self._control.flush()

    def batch(self, batch: pa.RecordBatch, group: int) -> None:
        """Checks and sends a batch, in halves as long as it decodes to more than one message may."""
        _validate(batch)
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            decoded = sum(_decoded_bytes(column) for column in part.columns)
            if decoded > self._batch_bytes and part.num_rows > 1:
                half = part.num_rows // 2
                waiting += [part.slice(half), part.slice(0, half)]
                continue
            self.say({"batch": group, "decoded": decoded})
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._data, part.schema)
            self._writer.write_batch(part)
            self._data.flush()

    def fail(self, error: BaseException, group: int) -> None:
        reason = "resource_limit" if isinstance(error, (MemoryError, RecursionError)) else "damaged_input"
        self.say({"failed": reason, "group": group, "kind": type(error).__name__})

    def close(self) -> None:
        self._control.close()
        self._data.close()


def _parquet(handle: BinaryIO, rows: int, first: int, out: _Out) -> None:
    try:
        file = pq.ParquetFile(handle, page_checksum_verification=True, arrow_extensions_enabled=False)
        schema, metadata = file.schema_arrow, file.metadata
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        codec = groups[0].column(0).compression if groups and groups[0].num_columns else "SNAPPY"
        problems = [_count_problem(group, schema) for group in groups]
        layout = {"codec": codec, "label_names": label_names(schema)}
        counts = [group.num_rows for group in groups]
        opened = {"claimed": metadata.num_rows, "layout": layout, "groups": counts, "problems": problems}
    except (*_ERRORS, MemoryError, RecursionError) as error:
        return out.fail(error, -1)
    out.say({"open": opened})
    for index in range(first, len(groups)):
        if problems[index]:
            continue
        try:
            few = _rows_at_once(groups[index], rows, out._batch_bytes)
            for batch in file.iter_batches(batch_size=few, row_groups=[index], use_threads=False):
                out.batch(batch, index)
        except (*_ERRORS, MemoryError, RecursionError) as error:
            out.fail(error, index)
        else:
            out.say({"done": index})


def _rows_at_once(group: Any, rows: int, batch_bytes: int) -> int:
    """So many that they decode to one message, as far as the group's own sizes can be believed."""
    each = max(group.total_byte_size, 0) // max(group.num_rows, 1)
    return int(max(1, min(rows, batch_bytes // max(each, 1))))


def _arrow(handle: BinaryIO, rows: int, first: int, out: _Out) -> None:
    container = "file" if handle.read(6) == b"ARROW1" else "stream"
    handle.seek(0)
    try:
        reader = pa.ipc.open_file(handle) if container == "file" else pa.ipc.open_stream(handle)
        layout = {"container": container, "label_names": label_names(reader.schema)}
        opened = {"claimed": 0, "layout": layout, "groups": [], "problems": []}
    except (*_ERRORS, MemoryError, RecursionError) as error:
        return out.fail(error, -1)
    out.say({"open": opened})
    try:
        for batch in _batches(reader, container):
            for start in range(0, batch.num_rows, rows):
                out.batch(batch.slice(start, rows), 0)
    except (*_ERRORS, MemoryError, RecursionError) as error:
        return out.fail(error, 0)
    if container == "stream" and (problem := _end_of_stream(handle)):
        return out.say({"failed": problem[0], "group": 0, "kind": problem[1]})
    out.say({"done": 0})


def _end_of_stream(handle: BinaryIO) -> tuple[str, str] | None:
    """(reason, what is wrong) of a stream that was read to where its reader stopped; None for a whole one. A stream cut
    between two batches, and whatever follows the first of two streams, end without an error in every reader.

    Source: the marker is a message of length 0, four zero bytes, after 0xFFFFFFFF since Arrow 0.15.
    Misses: the padding of a last batch of before 0.15 looks like its marker."""
    stopped = handle.tell()
    handle.seek(0)
    marker = b"\xff" * 4 + bytes(4) if handle.read(4) == b"\xff" * 4 else bytes(4)
    handle.seek(max(stopped - len(marker), 0))
    if handle.read(len(marker)) != marker:
        return "truncated_input", "the stream has no end marker"
    return ("damaged_input", "more bytes follow the end of its stream") if handle.read(1) else None


def _batches(reader: Any, container: str) -> Iterator[pa.RecordBatch]:
    if container == "file":
        return (reader.get_batch(index) for index in range(reader.num_record_batches))
    return iter(reader)


def label_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Column -> names of its classes, from the `huggingface` metadata of a schema; empty when there are none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {name: value["names"] for name, value in features.items() if "names" in value}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return {str(k): [str(n) for n in names[:_MOST_NAMES]] for k, names in found.items() if isinstance(names, list)}


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


def _validate(batch: pa.RecordBatch) -> None:
    """Checks offsets and lengths of foreign buffers. Invalid UTF-8 is left to the row that holds it."""
    for column in batch.columns:
        kind = column.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            column.validate(full=True)
        else:
            column.validate()
            column.view(pa.large_binary() if pa.types.is_large_string(kind) else pa.binary()).validate(full=True)


def _decoded_bytes(column: pa.Array) -> int:
    """Bytes that the cells take once each stands for itself: where values are shared (dictionaries, runs, views) the
    array is spread out here, under this process's limit of memory."""
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        return _decoded_bytes(column.storage)
    if pa.types.is_dictionary(kind):
        return _decoded_bytes(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return _decoded_bytes(pc.run_end_decode(column))
    if kind in (pa.string_view(), pa.binary_view()):
        return int(pc.sum(pc.binary_length(column.cast(pa.large_binary()))).as_py() or 0) + 16 * len(column)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _decoded_bytes(column.cast(pa.large_list(kind.value_type)))
    if pa.types.is_struct(kind) and kind.num_fields:
        return sum(_decoded_bytes(column.field(index)) for index in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return 8 * len(column) + _decoded_bytes(column.flatten())
    if pa.types.is_map(kind):
        start, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
        return 8 * len(column) + sum(_decoded_bytes(c.slice(start, end - start)) for c in (column.keys, column.items))
    return max(int(column.nbytes), len(column))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    # No thread of the parser outlives its work, and none is waited for.
    os._exit(0)
