"""What of a text input is no record: byte-order mark, header, line ends, blank lines, brackets, commas, rests of lines.

`Coverage` sees every decoded byte of a file once and each record after it, so that each byte belongs to exactly one
record or region: the law is kept by construction, whatever the reader of the format does. A record whose bytes are not
those that stand at its offset breaks the run (`ConservationError`).

Law: records and regions of a file, put together by their offsets, are the file (decompressed, as far as it decodes).

Regions are stored by runs: the same bytes after each of many records in a row are one region with a count. Memory is
bounded by the longest line: what no record can claim any more is handed on in blocks.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from audit.errors import ConservationError
from audit.rundir import RunDir
from audit.sources.behind import WriteBehind, parquet
from audit.sources.record import LineRun, Reading
from audit.sources.streams import BLOCK, BOM

REGIONS: dict[str, Any] = {
    "file": pl.Int32,  # index into DatasetInfo.files; -1 - i: of DatasetInfo.no_rows
    "offset": pl.Int64,  # of the first of them, bytes into the decompressed stream
    "times": pl.Int64,  # so often in a row, one record between each two
    "kind": pl.String,
    "data": pl.Binary,  # the bytes of one
}
_FLUSH_ROWS, _FLUSH_BYTES = 50_000, 4 << 20
_LINE_ENDS = (b"\n", b"\r\n")


class RegionKind(StrEnum):
    """What bytes are that are no record. Stable words."""

    BOM = "bom"
    HEADER = "header"  # of csv and tsv, without its line end
    LINE_END = "line_end"
    BLANK = "blank"  # a line end and blank lines behind it, or blank lines alone
    CUT = "cut"  # of a line over ingest.max_line_bytes, whose head is a record: handed on before the line ended
    CUT_END = "cut_end"  # the rest of such a line
    OPENING = "opening"  # .json: all in front of the first row
    SEPARATOR = "separator"  # .json: between two rows
    CLOSING = "closing"  # .json: all behind the last row
    NO_ROWS = "no_rows"  # a readable file that holds no rows, whole


class Region(NamedTuple):
    """A row of REGIONS."""

    file: int
    offset: int
    times: int
    kind: str
    data: bytes


class Coverage:
    """Says of each decoded byte of one text file whose it is.

    `feed` takes decoded bytes, `claim` the records in order, `end` the rest; regions go to `emit` in the order of
    their offsets, but for kind `cut`, which is in order among its own. `position` bytes are spoken for."""

    def __init__(self, reading: Reading, emit: Callable[[Region], None], hashed: bool) -> None:
        self.position = 0
        self._reading, self._emit = reading, emit
        self._digest = hashlib.sha256() if hashed else None
        self._window: bytes | bytearray = bytearray()  # decoded bytes from `_base` on, without those in `_cuts`
        self._base = 0  # where `position` stands in the window
        self._cuts: deque[tuple[int, int]] = deque()  # (offset, bytes) handed on already, not yet passed
        self._last = b""  # the bytes behind the last record
        self._run = (0, 0)  # (offset of the first, how many) of the open run of them
        self._records = 0
        self._header = True  # a csv header is still to come

    def feed(self, block: bytes) -> None:
        """The next decoded bytes."""
        if self._digest is not None:
            self._digest.update(block)
        if self._base == len(self._window):
            self._window = block
        else:
            rest = self._growing()
            del rest[: self._base]
            rest += block
        self._base = 0

    def cut(self, offset: int, size: int) -> None:
        """The last `size` bytes fed, the first of them at `offset`, belong to no record: the rest of a long line."""
        window = self._growing()
        kept = len(window) - size
        self._pieces(offset, bytes(window[kept:]), RegionKind.CUT)
        del window[kept:]
        if self._cuts and sum(self._cuts[-1]) == offset:
            offset, size = self._cuts[-1][0], self._cuts.pop()[1] + size
        self._cuts.append((offset, size))

    def release(self, offset: int) -> None:
        """No record to come begins in front of `offset`; long stretches in front of it are handed on."""
        size = offset - self.position
        if size > BLOCK and not self._cuts:
            self._close()
            self._gap(size)
            self._close()

    def claim(self, offset: int, raw: bytes) -> None:
        """The next record. Raises ConservationError unless these are the bytes that stand at its offset."""
        size = offset - self.position
        if self._cuts and self._cuts[0][0] <= offset:
            self._pass_cuts(offset)
        elif not self._again(size):
            self._gap(size)
        if not self._window.startswith(raw, self._base):
            raise ConservationError(f"file {self._reading.file}: other bytes stand at {offset} than its record has")
        self.position += len(raw)
        self._base += len(raw)
        self._records += 1

    def claim_lines(self, run: LineRun) -> None:
        """The next records: the same as to claim each of them. Raises ConservationError unless they, with their line
        ends between them, are the bytes that stand here."""
        offset, seen = run.offset, 0
        while seen < min(2, len(run.raws)):  # the second opens a run of line ends
            self.claim(offset, run.raws[seen])
            offset, seen = offset + len(run.raws[seen]) + len(run.newline), seen + 1
        start, count = self._run
        begun = self.position - run.offset  # bytes of these lines that are claimed
        whole = run.newline.join(run.raws)
        if not count or self._last != run.newline or not self._window.startswith(whole, self._base - begun):
            for raw in run.raws[seen:]:
                self.claim(offset, raw)
                offset += len(raw) + len(run.newline)
            return
        self._run = (start, count + len(run.raws) - seen)
        self.position += len(whole) - begun
        self._base += len(whole) - begun
        self._records += len(run.raws) - seen

    def end(self, kind: RegionKind | None = None) -> str:
        """What is left belongs to no record; all of it is `kind` where that is told. Returns the SHA-256 of the stream
        in hex, empty where the file's own is the same."""
        if self._cuts:
            self._pass_cuts(self._cuts[-1][0])
        left = len(self._window) - self._base
        if kind is not None:
            self._close()
            self._named(left, kind)
        elif left and not self._again(left):
            self._gap(left, last=True)
        self._close()
        return self._digest.hexdigest() if self._digest is not None else ""

    def stop(self) -> None:
        """Reading ends here, on purpose: what no record took is not spoken for."""
        self._close()

    def _growing(self) -> bytearray:
        """The window as one that can grow and shrink at its end without a copy."""
        if isinstance(self._window, bytes):
            self._window = bytearray(self._window)
        return self._window

    def _again(self, size: int) -> bool:
        """Counts the next `size` bytes to the open run where they are the same again."""
        offset, count = self._run
        if not count or size != len(self._last) or not self._window.startswith(self._last, self._base):
            return False
        self._run = (offset, count + 1)
        self.position += size
        self._base += size
        return True

    def _pass_cuts(self, offset: int) -> None:
        while self._cuts and self._cuts[0][0] <= offset:
            start, size = self._cuts.popleft()
            self._gap(start - self.position)
            self._close()
            self.position += size
        self._gap(offset - self.position if offset > self.position else 0)

    def _gap(self, size: int, last: bool = False) -> None:
        """The next `size` bytes are no record's: named, and stored or counted to the open run."""
        if size < 0:
            raise ConservationError(f"file {self._reading.file}: two records claim byte {self.position + size}")
        if not size:
            self._close()
            return
        if not self._records:
            size -= self._start(size)
        if self._reading.format == "json":
            if self._records and not last:
                self._count(size)
            else:
                self._named(size, RegionKind.CLOSING if self._records else RegionKind.OPENING)
            return
        text = self._peek(size)
        if text.strip(b" \t\r\n"):
            stop = text.find(b"\n")
            stop = size if stop < 0 else stop - (text[stop - 1 : stop] == b"\r")
            size -= self._named(stop, RegionKind.CUT_END)
        self._count(size)

    def _start(self, size: int) -> int:
        """Names a byte-order mark and a header in the `size` bytes in front of the first record; how many they are."""
        taken = 0
        if not self.position and self._peek(len(BOM)) == BOM:
            taken = self._named(len(BOM), RegionKind.BOM)
        header = self._reading.layout.get("header", "").encode("utf-8", "surrogateescape") if self._header else b""
        blank = self._peek(size - taken)
        at = len(blank) - len(blank.lstrip(b"\r\n"))
        if header and blank.startswith(header, at):
            self._header = False
            taken += self._named(at, RegionKind.BLANK) + self._named(len(header), RegionKind.HEADER)
        return taken

    def _peek(self, size: int) -> bytes:
        return bytes(self._window[self._base : self._base + size])

    def _named(self, size: int, kind: RegionKind) -> int:
        """Stores the next `size` bytes as regions of this kind, none counted; returns `size`."""
        if size:
            self._close()
            self._pieces(self.position, self._peek(size), kind)
            self.position += size
            self._base += size
        return size

    def _pieces(self, offset: int, data: bytes, kind: str) -> None:
        for start in range(0, len(data), BLOCK):
            self._emit(Region(self._reading.file, offset + start, 1, kind, data[start : start + BLOCK]))

    def _count(self, size: int) -> None:
        """Begins a run with the next `size` bytes; long ones are stored by themselves."""
        self._close()
        if size > BLOCK:
            self._named(size, RegionKind.SEPARATOR if self._reading.format == "json" else RegionKind.BLANK)
        elif size:
            self._last, self._run = self._peek(size), (self.position, 1)
            self.position += size
            self._base += size

    def _close(self) -> None:
        """Hands on the open run."""
        offset, count = self._run
        if count:
            kind = RegionKind.LINE_END if self._last in _LINE_ENDS else RegionKind.BLANK
            kind = RegionKind.SEPARATOR if self._reading.format == "json" else kind
            self._emit(Region(self._reading.file, offset, count, kind, self._last))
            self._run = (0, 0)


class RegionWriter:
    """Collects regions and writes regions/part-NNNNN.parquet whenever there are enough."""

    def __init__(self, run: RunDir, behind: WriteBehind) -> None:
        self._behind = behind
        self.paths: list[Path] = []
        self._run = run
        self._regions: list[Region] = []
        self._bytes = 0

    def add(self, region: Region) -> None:
        self._regions.append(region)
        self._bytes += len(region.data)
        if len(self._regions) >= _FLUSH_ROWS or self._bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what was collected so far; nothing where there is nothing, but always a first part."""
        if self._regions or not self.paths:
            columns = zip(*self._regions, strict=True) if self._regions else ((),) * len(REGIONS)
            data = {n: pl.Series(n, list(v), dtype=REGIONS[n]) for n, v in zip(REGIONS, columns, strict=True)}
            path = self._run / "regions" / f"part-{len(self.paths):05d}.parquet"
            self._behind.write(path, parquet, [pl.DataFrame(data)])
            self.paths.append(path)
            self._regions, self._bytes = [], 0
