"""Bytes of a file, decompressed as they are read, and lines of them.

A damaged or truncated archive gives all that can still be decoded, then says in `failure` what is wrong: the
head is audited, the rest is evidence. The file's SHA-256 is taken on the way from the same open file, so that
what was hashed is what was read.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import pyarrow as pa

from audit.sources.record import Budget, Reason

BLOCK = 1 << 20
BOM = b"\xef\xbb\xbf"


class HashingReader:
    """A file that hashes each byte the first time that it is read; seekable back to its start."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._complete = False
        self.position = 0
        self.closed = False  # pyarrow asks

    def read(self, size: int = BLOCK) -> bytes:
        data = self._handle.read(size)
        self.position += len(data)
        if self.position > self._hashed:
            self._digest.update(data[len(data) - (self.position - self._hashed) :])
            self._hashed = self.position
        return data

    def close(self) -> None:
        """pyarrow closes what it reads from; the file's owner does that here."""

    def rewind(self) -> None:
        self._handle.seek(0)
        self.position = 0

    def finish(self) -> tuple[int, str]:
        """Reads what is left; size in bytes and hex SHA-256 of the whole file."""
        while not self._complete and self.read(BLOCK):
            pass
        self._complete = True
        return self._hashed, self._digest.hexdigest()


class Watcher(Protocol):
    """Who is told of every decoded byte; `regions.Coverage` is one."""

    def feed(self, block: bytes) -> None: ...
    def cut(self, offset: int, size: int) -> None: ...
    def release(self, offset: int) -> None: ...


class ByteStream:
    """The decompressed bytes of a file, in blocks. `failure` is set when they end before they should. `watcher` sees
    each block before whoever reads."""

    def __init__(self, handle: BinaryIO, compression: str, budget: Budget) -> None:
        self.source = HashingReader(handle)
        self.compression = compression
        self.decoded = 0
        self.failure: tuple[Reason, str] | None = None
        self.watcher: Watcher | None = None
        self._budget = budget

    def __iter__(self) -> Iterator[bytes]:
        blocks = {"": self._plain, "gz": self._gzip, "zst": self._zstd}[self.compression]
        for block in blocks():
            if not self._budget.take(len(block)):
                self._fail(Reason.RESOURCE_LIMIT, "the input decodes to more than ingest.max_decoded_bytes")
                return
            self.decoded += len(block)
            if self.watcher is not None:
                self.watcher.feed(block)
            yield block

    def read_all(self) -> bytes:
        """Everything that can be decoded, as one value."""
        watcher, self.watcher = self.watcher, None  # sees the whole at once: one copy of it is enough
        data = b"".join(self)
        self.watcher = watcher
        if watcher is not None:
            watcher.feed(data)
        return data

    def _fail(self, reason: Reason, detail: str) -> None:
        self.failure = (reason, f"{detail}; bytes from {self.decoded} on are not read")

    def _plain(self) -> Iterator[bytes]:
        while block := self.source.read(BLOCK):
            yield block

    def _gzip(self) -> Iterator[bytes]:
        """Members one after another; zero padding may follow the last."""
        member = zlib.decompressobj(wbits=31)
        fresh = True  # nothing of the current member was read yet
        while block := self.source.read(BLOCK):
            while block:
                if fresh and not (block := block.lstrip(b"\0") if self.source.position > len(block) else block):
                    break
                fresh, before = False, member.copy()
                try:
                    out = member.decompress(block, BLOCK)
                except zlib.error:
                    yield from _salvage_gzip(before, block)
                    self._fail(Reason.DAMAGED_INPUT, "the gzip data is damaged")
                    return
                if out:
                    yield out
                block = member.unconsumed_tail
                if member.eof:
                    block, member, fresh = member.unused_data, zlib.decompressobj(wbits=31), True
        if not fresh:
            if tail := member.flush():
                yield tail
            if not member.eof:
                self._fail(Reason.TRUNCATED_INPUT, "the gzip data ends early")

    def _zstd(self) -> Iterator[bytes]:
        stream = pa.CompressedInputStream(pa.PythonFile(self.source, "r"), "zstd")
        done = 0
        try:
            while block := stream.read(BLOCK):
                done += len(block)
                yield block
        except OSError as error:
            yield from self._salvage_zstd(done)
            early = "runcated" in str(error)
            reason = Reason.TRUNCATED_INPUT if early else Reason.DAMAGED_INPUT
            self._fail(reason, f"the zstd data {'ends early' if early else 'is damaged'}")

    def _salvage_zstd(self, done: int) -> Iterator[bytes]:
        # A failed read drops what it had decoded so far, so the last block is decoded again byte by byte.
        self.source.rewind()
        stream = pa.CompressedInputStream(pa.PythonFile(self.source, "r"), "zstd")
        found = bytearray()
        try:
            while done:
                done -= len(stream.read(min(done, BLOCK)))
            while byte := stream.read(1):
                found += byte
        except OSError:
            pass
        if found:
            yield bytes(found)


def _salvage_gzip(member: zlib._Decompress, block: bytes) -> Iterator[bytes]:
    found = bytearray()
    try:
        for position in range(len(block)):
            found += member.decompress(block[position : position + 1])
    except zlib.error:
        pass
    if found:
        yield bytes(found)


class Lines:
    """Lines of a stream, split at LF only. Yields (number, offset, bytes without LF, length): number is
    1-based, offset counts decompressed bytes, a longer line than `max_bytes` is cut to it and keeps its true
    length (the stream's watcher is told of what is dropped). A byte-order mark at the start is a region of its
    own (`bom`), not part of line 1. After the last line, `tail` is what followed the last LF when the stream
    failed."""

    def __init__(self, stream: ByteStream, max_bytes: int) -> None:
        self.stream = stream
        self.bom = False
        self.tail = (1, 0, b"")
        self.newline = "\n"
        self._max = max_bytes

    def __iter__(self) -> Iterator[tuple[int, int, bytes, int]]:
        for number, offset, raws, cut in self.runs():
            yield from self.one_by_one(number, offset, raws, cut)

    def one_by_one(
        self, number: int, offset: int, raws: list[bytes], cut: int = 0
    ) -> Iterator[tuple[int, int, bytes, int]]:
        """The lines of a run, or of a part of one that begins at this number and offset."""
        for raw in raws:
            size = len(raw) + cut
            yield number, offset, raw if size <= self._max else raw[: self._max], size
            number, offset, cut = number + 1, offset + size + 1, 0

    def runs(self, least: int = 0) -> Iterator[tuple[int, int, list[bytes], int]]:
        """The same lines, many at once: (number and offset of the first, the lines, bytes of the first that were
        dropped already). All but the first run and the last have `least` bytes. Lines over `max_bytes` are whole, as
        far as they were held."""
        number, offset, rest, cut = 1, -1, b"", 0  # cut: bytes of the current line that were dropped
        ready: list[bytes] = []  # lines in front of it that wait for more
        first, waiting, before, needed = (
            (1, 0),
            0,
            0,
            0,
        )  # number and offset of the first of them, their bytes, those cut from it
        for block in self._blocks():
            parts = (rest + block).split(b"\n")
            if offset < 0:
                offset = len(BOM) if self.bom else 0
            if number == 1 and len(parts) > 1 and parts[0].endswith(b"\r"):
                self.newline = "\r\n"
            ended = len(rest) + len(block) + cut
            rest = parts.pop()
            if parts:
                if not ready:
                    first, before = (number, offset), cut
                ended -= len(rest)
                number, offset, cut, waiting = number + len(parts), offset + ended, 0, waiting + ended
                ready = ready + parts if ready else parts
            long = len(rest) > self._max
            if ready and (waiting >= needed or long):
                yield *first, ready, before
                ready, waiting, needed = [], 0, least
            if long:
                dropped = len(rest) - self._max
                if self.stream.watcher is not None:
                    self.stream.watcher.cut(offset + self._max + cut, dropped)
                cut += dropped
                rest = rest[: self._max]
        if ready:
            yield *first, ready, before
        if self.stream.failure:
            self.tail = (number, max(offset, 0), rest)
        elif rest:
            yield number, offset, [rest], cut

    def passed(self, offset: int) -> None:
        """Whoever reads says that no record to come begins in front of this byte."""
        if self.stream.watcher is not None:
            self.stream.watcher.release(offset)

    def _blocks(self) -> Iterator[bytes]:
        """The stream's blocks, the byte-order mark taken off the first."""
        head: bytes | None = b""
        for block in self.stream:
            if head is None:
                yield block
                continue
            head += block
            if len(head) >= len(BOM):
                self.bom = head.startswith(BOM)
                yield head[len(BOM) :] if self.bom else head
                head = None
        if head:
            yield head
