"""Writers of cleaned files: the input's own format, layout and compression, rows as they were.

Text rows are written as the exact bytes of their records; only separators of .json and the compression are made
anew. Columnar rows are written by pyarrow with the schema and the values of the original.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from audit.rundir import atomic_file
from audit.schema import InputFile
from audit.sources.streams import BOM

# A column chunk's codec, as its metadata names it -> what the writer calls it.
_CODECS = {
    "UNCOMPRESSED": "none",
    "SNAPPY": "snappy",
    "GZIP": "gzip",
    "BROTLI": "brotli",
    "ZSTD": "zstd",
    "LZ4": "lz4",
    "LZ4_RAW": "lz4",
}


class TextOutput:
    """A jsonl, json, csv or tsv file under its final name once closed without error. `count` rows were written;
    `digest` is over their bytes."""

    def __init__(self, path: Path, file: InputFile) -> None:
        self.path, self.count = path, 0
        self._file = file
        self._stack = ExitStack()
        self._digest = RowDigest()

    def __enter__(self) -> TextOutput:
        with ExitStack() as stack:  # an error in here still removes the temporary file
            handle = stack.enter_context(atomic_file(self.path))
            self._handle = stack.enter_context(compressed(handle, self._file.compression))
            self._open()
            self._stack = stack.pop_all()
        return self

    def _open(self) -> None:
        layout = self._file.layout
        if self._file.format == "json":
            self._handle.write(_bytes(layout.get("prefix", "[")))
            self._before, self._after = _bytes(layout.get("separator", ",\n")), b""
            self._closing = _bytes(layout.get("suffix", "]"))
            return
        newline = layout.get("newline", "\n").encode()
        self._before, self._after, self._closing = b"", newline, b""
        if layout.get("bom"):
            self._handle.write(BOM)
        if layout.get("header"):
            self._handle.write(_bytes(layout["header"]) + newline)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._handle.write(self._closing)
        finally:
            self._stack.__exit__(kind, value, trace)

    def write(self, rows: Iterable[bytes]) -> None:
        """Appends the records of these bytes."""
        for raw in rows:
            if self.count:
                self._handle.write(self._before)
            self._handle.write(raw)
            self._handle.write(self._after)
            self._digest.add(raw)
            self.count += 1

    @property
    def digest(self) -> str:
        return self._digest.value()


class ColumnarOutput:
    """A parquet or Arrow IPC file under its final name once closed without error."""

    def __init__(self, path: Path, file: InputFile, schema: pa.Schema) -> None:
        self.path, self.count = path, 0
        self._file, self._schema = file, schema
        self._stack = ExitStack()

    def __enter__(self) -> ColumnarOutput:
        with ExitStack() as stack:
            handle = stack.enter_context(atomic_file(self.path))
            self._writer = stack.enter_context(self._open(handle))
            self._stack = stack.pop_all()
        return self

    def _open(self, handle: BinaryIO) -> Any:
        layout = self._file.layout
        if self._file.format == "parquet":
            codec = layout.get("codec", "SNAPPY")
            options: dict[str, Any] = {"compression": _CODECS.get(codec, "snappy")}
            return pq.ParquetWriter(handle, self._schema, write_page_checksum=True, **options)
        if layout.get("container") == "file":
            return pa.ipc.new_file(handle, self._schema)
        return pa.ipc.new_stream(handle, self._schema)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def write(self, table: pa.Table) -> None:
        """Appends rows of the original schema."""
        if table.num_rows:
            self._writer.write_table(table)
            self.count += table.num_rows


class RowDigest:
    """SHA-256 over length-prefixed rows."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def add(self, raw: bytes) -> None:
        self._state.update(len(raw).to_bytes(8, "big"))
        self._state.update(raw)

    def value(self) -> str:
        return self._state.hexdigest()


class _Kept:
    """A handle that its compressor must not close: `atomic_file` still has to flush it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self.closed = False

    def write(self, data: bytes) -> int:
        return self._handle.write(data)

    def flush(self) -> None:
        self._handle.flush()

    def close(self) -> None:
        self.closed = True


def compressed(handle: BinaryIO, compression: str) -> Any:
    """A context manager to write through; the same rows give the same bytes (no time, no name inside)."""
    if compression == "gz":
        return gzip.GzipFile(filename="", mode="wb", fileobj=handle, mtime=0)
    if compression == "zst":
        return pa.CompressedOutputStream(pa.PythonFile(_Kept(handle), "w"), "zstd")
    return _Plain(handle)


class _Plain:
    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle

    def __enter__(self) -> BinaryIO:
        return self._handle

    def __exit__(self, *exc: object) -> None:
        return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
