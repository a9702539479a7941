"""JSON lines: one object a line, lines end at LF or CRLF, blank lines separate and are no records.

Misses: a file with bare CR line ends is one long line; its objects are reported as trailing data.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.config import IngestConfig
from audit.sources.record import Reading, Reason, Record, RowError
from audit.sources.streams import ByteStream, Lines
from audit.sources.strict_json import ObjectParser


def records(stream: ByteStream, reading: Reading, limits: IngestConfig) -> Iterator[Record]:
    """Every line that is not blank, in order; a line that cannot be read carries its reason."""
    parse = ObjectParser(limits)
    lines = Lines(stream, limits.max_line_bytes)
    file = reading.file
    try:
        for number, offset, raw, size in lines:
            if size > limits.max_line_bytes:
                yield too_long(file, number, offset, raw, size, limits)
                continue
            if raw[-1:] == b"\r":
                raw = raw[:-1]
            if raw[:1] != b"{" and not raw.strip(b" \t\r"):
                lines.passed(offset)
                continue
            try:
                yield Record(file, number, offset, raw, parse(raw))
            except RowError as error:
                yield Record(file, number, offset, raw, None, error.reason, error.detail)
    finally:  # also when the caller has enough rows
        reading.layout |= {"newline": lines.newline, "bom": lines.bom}
    yield from failure(stream, lines.tail, file)


def too_long(file: int, number: int, offset: int, raw: bytes, size: int, limits: IngestConfig) -> Record:
    """The record of a line over the cap; its head is kept as the record, the rest as a region."""
    detail = f"the line has {size} bytes, the cap is {limits.max_line_bytes}; its first {len(raw)} are kept"
    return Record(file, number, offset, raw, None, Reason.TOO_LONG, detail)


def failure(stream: ByteStream, tail: tuple[int, int, bytes], file: int) -> Iterator[Record]:
    """The record that stands for what a failed stream did not give; `tail` is its unfinished line."""
    if stream.failure:
        number, offset, raw = tail
        yield Record(file, number, offset, raw, None, *stream.failure)
