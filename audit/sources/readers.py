"""One open input file, whatever its format, as records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from audit.config import IngestConfig
from audit.errors import InputError
from audit.schema import InputFile
from audit.sources import columnar, delimited, json_array, jsonl
from audit.sources.files import COLUMNAR, Source
from audit.sources.record import Budget, LineRun, Reading, Reason, Record, RowRun
from audit.sources.regions import Coverage, Region, RegionKind
from audit.sources.streams import BLOCK, ByteStream, HashingReader


class FileReader:
    """Reads one file once, from one open handle: what is hashed is what is read.

    After `records` is exhausted (or given up), `finish` reads what is left for the hash and returns the
    InputFile. Raises InputError when the file changed meanwhile."""

    def __init__(self, source: Source, index: int, limits: IngestConfig, budget: Budget) -> None:
        self.source, self.limits = source, limits
        self.reading = Reading(index, source.format)
        self._budget = budget
        self._handle = source.open()
        self._before = os.fstat(self._handle.fileno())
        self._stream = ByteStream(self._handle, source.compression, budget)
        self._count = 0
        self._last: Record | None = None
        self._coverage: Coverage | None = None
        self._covered = (-1, "")  # bytes of the decompressed stream that are spoken for; their SHA-256 if it ended

    def __enter__(self) -> FileReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()

    @property
    def progress(self) -> float:
        """Share of the file that the records handed out so far take, to estimate how many there are."""
        last, stream = self._last, self._stream
        if last is None:
            return 1.0
        if last.raw is None:
            return (last.offset + 1) / max(self.reading.claimed_rows, last.offset + 1)
        read = stream.source.position / max(self._before.st_size, 1)
        return read * (last.offset + len(last.raw)) / max(stream.decoded, 1)

    def records(
        self,
        on_batch: Callable[[int, int, Any], None] | None = None,
        on_region: Callable[[Region], None] | None = None,
        on_run: Callable[[LineRun | RowRun], bool] | None = None,
    ) -> Iterator[Record]:
        """Every record position of the file, but for runs of rows that `on_run` took; what of a text file is no
        record goes to `on_region`. Raises NotRows for a .json file that holds no list of rows, ConservationError where
        records overlap."""
        self.reading.on_batch = on_batch
        found, coverage = self._records(), None
        if on_region is not None and self.source.format not in COLUMNAR:
            coverage = Coverage(self.reading, on_region, hashed=bool(self.source.compression))
            self._coverage = self._stream.watcher = coverage
        if on_run is not None:
            self.reading.on_run = partial(self._run, on_run, coverage)
        for record in found:
            if coverage is not None and record.raw is not None:
                coverage.claim(record.offset, record.raw)
            self._count += 1
            self._last = record
            yield record
        self._cover()

    def _run(self, take: Callable[[LineRun | RowRun], bool], coverage: Coverage | None, run: LineRun | RowRun) -> bool:
        """A run of rows, claimed and counted where it is taken."""
        if not take(run):
            return False
        if coverage is not None and isinstance(run, LineRun):
            coverage.claim_lines(run)
        self._count += len(run.raws) if isinstance(run, LineRun) else run.rows
        return True

    def without_rows(self, number: int) -> None:
        """Says that the file holds no rows, after NotRows: all of it is a region of file -1 - `number`."""
        self.reading.file = -1 - number
        self._cover(RegionKind.NO_ROWS)

    def _cover(self, kind: RegionKind | None = None) -> None:
        """Closes the file's coverage: the whole stream is spoken for, as far as it could be read."""
        if self._coverage is not None:
            digest = self._coverage.end(kind)
            failure = self._stream.failure
            whole = failure is None or failure[0] != Reason.RESOURCE_LIMIT
            self._covered = (self._coverage.position, (digest or "same") if whole else "")
            self._coverage = None

    def finish(self, whole: bool = True) -> InputFile:
        """What was read, as stored in dataset.json; without `whole` the file is not read to its end for its
        hash, which is then empty."""
        size, sha256 = self._before.st_size, ""
        if whole:
            size, sha256 = self._stream.source.finish()
            if self._changed(sha256):
                raise InputError(f"{self.source.path} changed while it was read; run again when it is complete")
        if self._coverage is not None:  # given up before its end
            self._coverage.stop()
            self._covered = (self._coverage.position, "")
        reading, (covered, digest) = self.reading, self._covered
        return InputFile(
            self.source.relative,
            reading.format,
            self.source.compression,
            size,
            sha256,
            self._count,
            reading.layout,
            covered,
            sha256 if digest == "same" else digest,
        )

    def _changed(self, sha256: str) -> bool:
        """Whether the open file is another one than at the start. Its time of writing can be set back, that of its last
        change cannot; but that one moves too when a name or a right changes, so then the bytes decide."""
        before, after = self._before, os.fstat(self._handle.fileno())
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return True
        if after.st_ctime_ns == before.st_ctime_ns:
            return False
        self._handle.seek(0)
        return HashingReader(self._handle).finish()[1] != sha256

    def _records(self) -> Iterator[Record]:
        stream, reading, limits = self._stream, self.reading, self.limits
        match self.source.format:
            case "parquet" | "arrow" as form:
                self._hash_first()
                read = columnar.parquet_records if form == "parquet" else columnar.arrow_records
                return read(self._handle, reading, limits, self._budget)
            case "csv":
                return delimited.records(stream, reading, limits, ",", quoted=True)
            case "tsv":
                quoted = delimited.uses_quotes(self._head(), "\t")
                return delimited.records(stream, reading, limits, "\t", quoted)
            case "json":
                if not json_array.looks_like_lines(self._head(), limits):
                    return json_array.records(stream, reading, limits)
                reading.format = "jsonl"
        return jsonl.records(stream, reading, limits)

    def _hash_first(self) -> None:
        # pyarrow reads at random positions, so the hash is taken in a pass of its own over the same handle.
        self._stream.source.finish()
        self._handle.seek(0)

    def _head(self) -> bytes:
        """The first megabyte, decompressed; reading starts over afterwards. Of a file that is no longer the last line
        is ended too, for whoever looks at whole lines."""
        stream = ByteStream(self._handle, self.source.compression, Budget(4 * BLOCK))
        blocks = iter(stream)
        head = next(blocks, b"")
        if next(blocks, None) is None and stream.failure is None and not head.endswith(b"\n"):
            head += b"\n"
        self._handle.seek(0)
        self._stream.source = HashingReader(self._handle)
        return head


def reread(path: Path, file: InputFile, limits: IngestConfig) -> Iterator[Record]:
    """The records of a file that we wrote in the place of `file`, by the same reader and dialect."""
    budget = Budget(limits.max_decoded_bytes)
    reading = Reading(0, file.format)
    with path.open("rb") as handle:
        stream = ByteStream(handle, file.compression, budget)
        layout = file.layout
        match file.format:
            case "parquet":
                yield from columnar.parquet_records(handle, reading, limits, budget)
            case "arrow":
                yield from columnar.arrow_records(handle, reading, limits, budget)
            case "csv" | "tsv":
                yield from delimited.records(stream, reading, limits, layout["delimiter"], layout["quoted"])
            case "json":
                yield from json_array.records(stream, reading, limits, rows_at=len(_encoded(layout.get("prefix", "["))))
            case _:
                yield from jsonl.records(stream, reading, limits)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
