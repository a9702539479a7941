"""JSON lines: one object a line, lines end at LF or CRLF, blank lines separate and are no records.

Misses: a file with bare CR line ends is one long line; its objects are reported as trailing data.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from audit.config import IngestConfig
from audit.sources import feeds
from audit.sources.record import LineRun, Reading, Reason, Record, RowError
from audit.sources.streams import ByteStream, Lines
from audit.sources.strict_json import ObjectParser


def records(stream: ByteStream, reading: Reading, limits: IngestConfig) -> Iterator[Record]:
    """Every line that is not blank, in order; a line that cannot be read carries its reason. Runs of lines that
    `reading.on_run` takes are left out."""
    parse = ObjectParser(limits)
    lines = Lines(stream, limits.max_line_bytes)
    try:
        for number, offset, raws, cut in lines.runs(feeds.RUN_BYTES if reading.on_run else 0):
            if reading.on_run is None or cut or len(raws) < feeds.LEAST:
                yield from _records(lines, lines.one_by_one(number, offset, raws, cut), parse, reading.file, limits)
                continue
            for run in _even(reading.file, number, offset, raws, limits.max_line_bytes):
                while run.raws and not (run.newline and len(run.raws) >= feeds.LEAST and reading.on_run(run)):
                    some, run = _parted(run)
                    one_by_one = lines.one_by_one(some.line, some.offset, _whole(some))
                    yield from _records(lines, one_by_one, parse, reading.file, limits)
    finally:  # also when the caller has enough rows
        reading.layout |= {"newline": lines.newline, "bom": lines.bom}
    yield from failure(stream, lines.tail, reading.file)


def _records(
    lines: Lines, found: Iterator[tuple[int, int, bytes, int]], parse: ObjectParser, file: int, limits: IngestConfig
) -> Iterator[Record]:
    """Lines one by one: the definition of what a record is."""
    for number, offset, raw, size in found:
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


def _even(file: int, number: int, offset: int, raws: list[bytes], most: int) -> Iterator[LineRun]:
    """The lines as runs: of such as begin with a brace, within the cap, and end alike. Between these stand runs of the
    others, whose `newline` is empty; their lines keep what stands in front of the LF."""
    lines = pl.Series(raws, dtype=pl.Binary)
    returns, newline = lines.bin.ends_with(b"\r"), b"\n"
    if (returns.any() and not returns.all()) or (lines.bin.size() > most).any():
        yield LineRun(file, number, offset, raws, b"")
        return
    if returns.all():
        newline = b"\r\n"
    wrong = (~lines.bin.starts_with(b"{")).arg_true().to_list()
    if newline == b"\r\n":
        raws = [raw[:-1] for raw in raws]
    start = 0
    for stop in [*wrong, len(raws)]:
        if stop > start:
            run = LineRun(file, number, offset, raws[start:stop], newline)
            yield run
            number, offset = number + len(run.raws), offset + sum(map(len, run.raws)) + len(newline) * len(run.raws)
        if stop < len(raws):
            yield LineRun(file, number, offset, [raws[stop] + newline[:-1]], b"")
            number, offset = number + 1, offset + len(raws[stop]) + len(newline)
        start = stop + 1


def _parted(run: LineRun) -> tuple[LineRun, LineRun]:
    """The first lines of a run, and the others, which may be wanted at once when these were read."""
    some = run._replace(raws=run.raws[: feeds.REFUSED])
    size = sum(map(len, some.raws)) + len(run.newline or b"\n") * len(some.raws)
    rest = run._replace(line=run.line + len(some.raws), offset=run.offset + size, raws=run.raws[feeds.REFUSED :])
    return some, rest


def _whole(run: LineRun) -> list[bytes]:
    """The lines of a run with what stands in front of the LF."""
    return [raw + b"\r" for raw in run.raws] if run.newline == b"\r\n" else run.raws


def too_long(file: int, number: int, offset: int, raw: bytes, size: int, limits: IngestConfig) -> Record:
    """The record of a line over the cap; its head is kept as the record, the rest as a region."""
    detail = f"the line has {size} bytes, the cap is {limits.max_line_bytes}; its first {len(raw)} are kept"
    return Record(file, number, offset, raw, None, Reason.TOO_LONG, detail)


def failure(stream: ByteStream, tail: tuple[int, int, bytes], file: int) -> Iterator[Record]:
    """The record that stands for what a failed stream did not give; `tail` is its unfinished line."""
    if stream.failure:
        number, offset, raw = tail
        yield Record(file, number, offset, raw, None, *stream.failure)
