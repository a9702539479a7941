"""csv and tsv: records split by us, byte-exactly; every cell is text, with no null words and nothing stripped.

A csv record ends at a line end outside of quotes. In tsv it depends on the file whether quotes quote at all:
`uses_quotes` reads the first megabyte both ways and takes the reading under which fewer records are bad. A
quoted field that never closes costs its first line, not the rest of the file. A bare carriage return outside of
quotes is refused, for some readers end a row there.

Source: RFC 4180; Python's csv module and polars agree on everything that is accepted here.
Misses: delimiters other than the comma and the tab; comment lines; files without a header line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import polars as pl

from audit.config import IngestConfig
from audit.sources.feeds import Feed, RunFeed
from audit.sources.jsonl import failure, too_long
from audit.sources.layouts import Cells, Layout, PlainCells
from audit.sources.record import Reading, Reason, Record, RowError
from audit.sources.streams import BOM, ByteStream, Lines

_MOST_COLUMNS = 64  # of a table whose lines are read many at once


class Raw(NamedTuple):
    """A record's bytes without its line end, the lines it spans, and what is wrong with its quotes."""

    line: int
    offset: int
    raw: bytes
    size: int
    problem: str = ""


def records(
    stream: ByteStream, reading: Reading, limits: IngestConfig, delimiter: str, quoted: bool
) -> Iterator[Record]:
    """Every record behind the header; ragged and badly quoted ones carry their reason."""
    lines = Lines(stream, limits.max_line_bytes)
    feed = RunFeed(lines, limits.max_line_bytes, quoted, reading.on_run is not None)
    split = _split(lines, feed, quoted, limits.max_line_bytes, delimiter)
    header, columns, problem = b"", [""], "the file has no header line"
    first = next(split, None)
    if first is not None:
        header = first.raw
        columns, problem = _header(first, delimiter, quoted, limits.max_line_bytes)
        if problem:
            yield Record(reading.file, first.line, first.offset, header, None, Reason.BAD_HEADER, problem)
    text = header.decode("utf-8", "surrogateescape")
    reading.layout |= {"header": text, "delimiter": delimiter, "quoted": quoted}
    read = partial(_record, file=reading.file, columns=columns, limits=limits, problem=problem)
    read = partial(read, delimiter=delimiter, quoted=quoted)
    table = Table(columns, delimiter, read)
    offered = reading.on_run if table.useful and not problem else None
    try:
        while True:
            if offered is not None:
                feed.offer(reading.file, table, offered)
            if (item := next(split, None)) is None:
                break
            yield read(item)
    finally:  # also when the caller has enough rows
        reading.layout |= {"newline": lines.newline, "bom": lines.bom}
    yield from failure(stream, lines.tail, reading.file)


class Table:
    """Lines of a table, of which none holds a quote that quotes, read at once: a `record.Dialect`."""

    def __init__(self, columns: list[str], delimiter: str, read: Callable[[Raw], Record]) -> None:
        self.columns = tuple(columns)
        self._layout = Layout(tuple((column, True) for column in columns))
        self._delimiter, self._between, self._read = delimiter, len(columns) - 1, read

    @property
    def useful(self) -> bool:
        """False for a table of one column, or of so many that lines are better read one by one."""
        return 0 < self._between < _MOST_COLUMNS

    def read(self, row: Record) -> Record:
        assert row.raw is not None
        return self._read(Raw(row.line, row.offset, row.raw, len(row.raw)))

    def matches(self, lines: pl.Series) -> Iterator[tuple[Cells, pl.Series]]:
        """The lines with a cell for each column and without a carriage return."""
        even = lines.str.count_matches(self._delimiter, literal=True) == self._between
        even = (even & ~lines.str.contains("\r", literal=True)).fill_null(False)
        if even.any():
            cells = lines.filter(even).str.split_exact(self._delimiter, self._between).struct.unnest()
            yield PlainCells(self._layout, cells), even.arg_true()


def uses_quotes(head: bytes, delimiter: str) -> bool:
    """Whether quotes quote in a file that begins with `head`. Fewer bad records wins. A draw is won by quoting
    only if some quoted field needs its quotes (it holds a delimiter, a line end or a doubled quote) or some
    column is always quoted; otherwise quotes are text."""
    complete = (head[: head.rfind(b"\n") + 1] or head).removeprefix(BOM)
    physical = [line for line in complete.split(b"\n") if line.strip()]
    if not physical or b'"' not in complete:
        return False
    width = physical[0].count(delimiter.encode()) + 1
    ragged = sum(line.count(delimiter.encode()) + 1 != width for line in physical)
    bad, needed, rows = 0, False, 0
    always: set[int] = set(range(width))
    numbered = ((n, 0, line, len(line)) for n, line in enumerate(complete.split(b"\n"), start=1) if line.strip())
    for item in _join(Feed(numbered), len(complete), delimiter):
        marks: list[int] = []
        try:
            text = item.raw.removesuffix(b"\r").decode("utf-8", "replace")
            cells = parse_fields(text, delimiter, True, True, marks)
        except RowError:
            bad += 1
            continue
        bad += bool(item.problem) or len(cells) != width
        needed = needed or any(delimiter in cells[i] or "\n" in cells[i] or '"' in cells[i] for i in marks)
        always &= set(marks) if rows else always  # the header may go without quotes
        rows += 1
    if bad != ragged:
        return bad < ragged
    return needed or (rows > 1 and bool(always))


def parse_fields(
    text: str, delimiter: str, quoted: bool, strict: bool = False, marks: list[int] | None = None
) -> list[str]:
    """The cells of one record; the indices of the quoted ones are added to `marks`. Raises
    RowError(bad_quoting) for a quoted field with text behind its closing quote or without one; `strict`
    refuses quotes inside of an unquoted field as well."""
    if not quoted or '"' not in text:
        return text.split(delimiter)
    fields: list[str] = []
    position, size = 0, len(text)
    while True:
        if text[position : position + 1] != '"':
            end = text.find(delimiter, position)
            end = size if end < 0 else end
            if strict and '"' in text[position:end]:
                raise RowError(Reason.BAD_QUOTING, f"a quote stands inside of unquoted field {len(fields) + 1}")
            fields.append(text[position:end])
        else:
            end = text.find('"', position + 1)
            while end >= 0 and text[end + 1 : end + 2] == '"':
                end = text.find('"', end + 2)
            if end < 0:
                raise RowError(Reason.BAD_QUOTING, f"field {len(fields) + 1} opens a quote that does not close")
            if marks is not None:
                marks.append(len(fields))
            fields.append(text[position + 1 : end].replace('""', '"'))
            end += 1
            if end < size and text[end] != delimiter:
                raise RowError(Reason.BAD_QUOTING, f"text follows the closing quote of field {len(fields)}")
        if end >= size:
            return fields
        position = end + 1


def _split(lines: Lines, feed: Feed, quoted: bool, most: int, delimiter: str) -> Iterator[Raw]:
    """Records of the whole file, blank lines left out, line ends taken off. Holds no line between two of them."""
    for item in _join(feed, most, delimiter) if quoted else (Raw(*line) for line in feed):
        whole = item.size <= len(item.raw)  # else it is the head of a line over the cap
        raw = item.raw[:-1] if whole and item.raw[-1:] == b"\r" else item.raw
        if raw:
            yield item._replace(raw=raw, size=len(raw) if whole else item.size)
        else:
            lines.passed(item.offset)


def _join(feed: Feed, most: int, delimiter: str) -> Iterator[Raw]:
    """Joins physical lines to records: a record is over when its quotes are even. When they stay odd for
    `most` bytes or to the end of the file, or close badly, the first line alone is bad and the next line
    starts anew. Linear: after a line that opens a quote for good, no line can open another."""
    for line in feed:
        number, offset, raw, size = line
        if raw.count(b'"') % 2 == 0:
            yield Raw(number, offset, raw, size)
            continue
        taken, total, odd = [line], len(raw), True
        while odd and total <= most and (more := next(feed, None)) is not None:
            taken.append(more)
            total += len(more[2]) + 1
            odd = more[2].count(b'"') % 2 == 0
        joined = b"\n".join(part[2] for part in taken)
        if not odd and total <= most and _closes(joined, delimiter):
            yield Raw(number, offset, joined, total)
            continue
        feed.back(taken[1:])
        yield Raw(number, offset, raw, size, "a quoted field that opens in this line does not close properly")


def _closes(joined: bytes, delimiter: str) -> bool:
    try:
        parse_fields(joined.removesuffix(b"\r").decode("utf-8", "replace"), delimiter, True, strict=True)
    except RowError:
        return False
    return True


def _header(first: Raw, delimiter: str, quoted: bool, most: int) -> tuple[list[str], str]:
    if first.size > most:
        return [""], f"the header has {first.size} bytes, the cap is {most}"
    try:
        text = first.raw.decode()
        columns = parse_fields(text, delimiter, quoted)
    except UnicodeDecodeError as error:
        return [""], f"byte {error.start} of the header is not UTF-8"
    except RowError as error:
        return [""], f"the header is badly quoted: {error.detail}"
    if first.problem or "\r" in text:
        return columns, first.problem or "the header holds a bare carriage return; lines must end in LF or CRLF"
    if len(set(columns)) != len(columns):
        return columns, "a column name stands twice in the header; readers keep different ones"
    return columns, ""


def _record(
    item: Raw, *, file: int, columns: list[str], delimiter: str, quoted: bool, limits: IngestConfig, problem: str
) -> Record:
    line, offset, raw, size, broken = item
    if size > limits.max_line_bytes:
        return too_long(file, line, offset, raw, size, limits)
    try:
        if problem:
            raise RowError(Reason.BAD_HEADER, f"the file's header cannot be used: {problem}")
        if broken:
            raise RowError(Reason.BAD_QUOTING, broken)
        text = raw.decode()
        marks: list[int] = []
        cells = parse_fields(text, delimiter, quoted, marks=marks)
        if len(cells) != len(columns):
            raise RowError(Reason.RAGGED_ROW, f"the row has {len(cells)} fields, the header {len(columns)}")
        if "\r" in text and any("\r" in cell for index, cell in enumerate(cells) if index not in marks):
            raise RowError(Reason.STRAY_CARRIAGE_RETURN, "a bare carriage return stands outside of quotes")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} of the record is not UTF-8"
        return Record(file, line, offset, raw, None, Reason.INVALID_UTF8, detail)
    except RowError as error:
        return Record(file, line, offset, raw, None, error.reason, error.detail)
    return Record(file, line, offset, raw, dict(zip(columns, cells, strict=True)))
