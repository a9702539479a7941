"""A .json file: a top-level array of objects, or one top-level object that holds exactly one list of objects.

Elements are found by structure, byte-exactly, then parsed strictly one by one, so that a bad element costs that
element only. Where a bad element hides its own end (an unclosed string or bracket), reading goes on at the
first place behind it from which an element with the same keys parses.

Misses: the whole file is held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from audit.config import IngestConfig
from audit.sources.jsonl import failure
from audit.sources.record import NotRows, Reading, Reason, Record, RowError
from audit.sources.streams import BOM, ByteStream
from audit.sources.strict_json import ObjectParser

# A string that does not end is a token too, up to the end: else each quote behind it would be tried to the end anew.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|(\\?\Z))|[\[\]{}]', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR_END = re.compile(rb"[,\]}]")
_NEXT_OBJECT = re.compile(rb",[ \t\r\n]*+(?=\{)")
# Bytes looked at behind bad elements, as multiples of the file: hostile files must not cost quadratic time.
_EFFORT = 32


def records(stream: ByteStream, reading: Reading, limits: IngestConfig, rows_at: int | None = None) -> Iterator[Record]:
    """Every element of the list of rows, which is looked for unless its first byte is known. Raises NotRows when
    the file is sound JSON without such a list."""
    data = stream.read_all()
    broken = stream.failure is not None
    walker = _Elements(data, ObjectParser(limits), limits, reading.file)
    try:
        walker.first = walker.last = _find_rows(data) if rows_at is None else rows_at
        yield from walker.records(walker.first, broken)
        if not broken:
            yield from walker.check_envelope()
    except NotRows:
        if not broken:
            raise
        walker.first, walker.last = 0, 0
    finally:  # also when the caller has enough rows
        separator = _text(walker.separator or b",\n")
        prefix = _text(data[: walker.first]) or "["
        reading.layout |= {"prefix": prefix, "separator": separator, "suffix": _text(walker.suffix())}
    yield from failure(stream, (walker.count + 1, walker.last, data[walker.last :]), reading.file)


def looks_like_lines(head: bytes, limits: IngestConfig) -> bool:
    """True when a .json file is JSON lines in truth: two of its first hundred lines are whole objects."""
    head = head.removeprefix(BOM)
    if head.lstrip()[:1] != b"{":
        return False
    parse, whole = ObjectParser(limits), 0
    for line in head.split(b"\n", 100)[:100]:
        if line[:1] != b"{":
            continue
        try:
            whole += bool(parse(line))
        except RowError:
            continue
    return whole >= 2


def _text(data: bytes) -> str:
    """Bytes as text that JSON can hold and `.encode("utf-8", "surrogateescape")` gives back."""
    return data.decode("utf-8", "surrogateescape")


def _skip(data: bytes, position: int) -> int:
    match = _SPACE.match(data, position)
    return match.end() if match else position


def _span(data: bytes, start: int, most: int | None = None) -> int:
    """End of the JSON value that starts at `start`, by structure alone; -1 when it does not end, or not within
    `most` bytes."""
    stop = len(data) if most is None else min(len(data), start + most)
    if data[start : start + 1] not in (b"{", b"["):
        if match := _STRING.match(data, start, stop):
            return match.end()
        end = _SCALAR_END.search(data, start, stop)
        return start + len(data[start : end.start()].rstrip()) if end else -1
    depth = 0
    for token in _structure(data, start, stop):
        mark = data[token.start()]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth == 0:
                return token.end()
    return -1


def _structure(data: bytes, start: int, stop: int) -> Iterator[re.Match[bytes]]:
    """Whole strings and brackets; behind a string that does not end there are no strings, and brackets alone."""
    for token in _TOKEN.finditer(data, start, stop):
        if token.group(1) is not None:
            yield from _BRACKET.finditer(data, token.start() + 1, stop)
            return
        yield token


def _find_rows(data: bytes) -> int:
    """Position behind the "[" that opens the list of rows. Raises NotRows."""
    start = _skip(data, len(BOM) if data.startswith(BOM) else 0)
    opening = data[start : start + 1]
    if opening == b"[":
        return start + 1
    if opening != b"{":
        raise NotRows("it holds neither a list of objects nor an object with such a list")
    found: list[int] = []
    position = _skip(data, start + 1)
    while (key := _STRING.match(data, position)) is not None:
        colon = _skip(data, key.end())
        value = _skip(data, colon + 1)
        if data[colon : colon + 1] != b":":
            break
        if data[value : value + 1] == b"[":
            element = _skip(data, value + 1)
            found += [value + 1] if data[element : element + 1] == b"{" else []
        end = _span(data, value)
        comma = _skip(data, end) if end >= 0 else len(data)
        if data[comma : comma + 1] != b",":
            break
        position = _skip(data, comma + 1)
    if len(found) != 1:
        what = f"{len(found)} lists" if found else "no list"
        raise NotRows(f"its top-level object holds {what} of objects; exactly one is read as rows")
    return found[0]


@dataclass(slots=True)
class _Elements:
    """Walks the elements of one array. `first` and `last` bound the bytes of all elements once walked."""

    data: bytes
    parse: ObjectParser
    limits: IngestConfig
    file: int
    first: int = -1
    last: int = -1
    count: int = 0
    separator: bytes = b""
    sound: bytes = b""  # the bytes behind the last element, once they are known to be sound
    keys: set[str] = field(default_factory=set)  # of the last good element
    effort: int = field(init=False)

    def __post_init__(self) -> None:
        self.effort = _EFFORT * len(self.data) + (1 << 20)

    def records(self, start: int, broken: bool) -> Iterator[Record]:
        data = self.data
        at = self.first = self.last = _skip(data, start)
        while at < len(data):
            if data[at : at + 1] == b"]":
                if self.count:
                    yield self._bad(self.last, at, Reason.NOT_JSON, "a comma stands before the end of the list")
                    self.count, self.last = self.count + 1, at
                return
            record, end = self._element(at, broken)
            if record is None:
                return
            yield record
            self.count, self.last = self.count + 1, end
            at = _skip(data, end)
            if data[at : at + 1] == b"]":
                return
            if data[at : at + 1] == b",":
                at = _skip(data, at + 1)
                self.separator = self.separator or data[end:at]
            elif at < len(data) and not broken:
                stop = self._find_object(at)
                yield self._bad(at, stop, Reason.TRAILING_DATA, "neither a comma nor the end of the list follows")
                self.count, self.last, at = self.count + 1, stop, stop
            elif broken:
                return
        if not broken:
            yield self._bad(self.last, len(data), Reason.TRUNCATED_INPUT, "the list of rows does not end")
            self.count, self.last = self.count + 1, len(data)

    def check_envelope(self) -> Iterator[Record]:
        """A record when what surrounds the rows is not sound JSON; what is sound becomes the suffix."""
        prefix, suffix = self.data[: self.first].removeprefix(BOM), self.data[self.last :]
        bare = prefix.lstrip()[:1] == b"["
        reason, detail = Reason.TRAILING_DATA, "more text after the list of rows"
        if not suffix:
            return
        if bare and suffix.strip() == b"]":
            self.sound = suffix
            return
        if not bare:
            try:
                self.parse(prefix + suffix)
                self.sound = suffix
                return
            except RowError as error:
                reason, detail = error.reason, f"around the list of rows: {error.detail}"
        yield self._bad(self.last, len(self.data), reason, detail)
        self.count, self.last = self.count + 1, len(self.data)

    def suffix(self) -> bytes:
        """What closes the list in a file of ours: the original's end where it was sound."""
        bare = self.data[: self.first].removeprefix(BOM).lstrip()[:1] in (b"[", b"")
        return self.sound or (b"]" if bare else b"]}")

    def _bad(self, start: int, end: int, reason: str, detail: str) -> Record:
        return Record(self.file, self.count + 1, start, self.data[start:end], None, reason, detail)

    def _element(self, at: int, broken: bool) -> tuple[Record | None, int]:
        """The element at `at` and its end; None for the unfinished last element of a broken stream."""
        end = _span(self.data, at, self.limits.max_line_bytes)
        if end < 0:
            self.effort -= min(self.limits.max_line_bytes, len(self.data) - at)
            reason: str = Reason.NOT_JSON
            detail = f"the element does not end, or not within {self.limits.max_line_bytes} bytes"
        else:
            fields, reason, detail = self._try(at, end)
            if fields is not None:
                self.keys = set(fields)
                return Record(self.file, self.count + 1, at, self.data[at:end], fields), end
        stop = self._resync(at, end)
        if stop < 0 and broken:
            return None, -1
        stop = len(self.data) if stop < 0 else stop
        return self._bad(at, stop, reason, detail), stop

    def _try(self, start: int, end: int) -> tuple[dict[str, Any] | None, str, str]:
        try:
            return self.parse(self.data[start:end]), "", ""
        except RowError as error:
            return None, error.reason, error.detail

    def _resync(self, at: int, end: int) -> int:
        """End of the bad element at `at`: where an element with the keys of the last good one begins inside of
        its structural `end`, else `end`, else the first place from which anything parses; -1 if none."""
        if (stop := self._next_object(at, end, same_keys=True)) >= 0:
            return stop
        if end >= 0:
            return end
        return self._next_object(at, -1, same_keys=False)

    def _next_object(self, at: int, end: int, same_keys: bool) -> int:
        most = self.limits.max_line_bytes
        for match in _NEXT_OBJECT.finditer(self.data, at):
            if self.effort <= 0 or (0 <= end <= match.start()):
                return -1
            fields = self._object_at(match.end(), most)
            if fields is not None and (not same_keys or set(fields) == self.keys):
                return at + len(self.data[at : match.start()].rstrip())
        return -1

    def _find_object(self, at: int) -> int:
        """The first "{" from `at` on where an object parses; the end of the data if none."""
        most, position = self.limits.max_line_bytes, self.data.find(b"{", at)
        while position >= 0 and self.effort > 0:
            if self._object_at(position, most) is not None:
                return position
            position = self.data.find(b"{", position + 1)
        return len(self.data)

    def _object_at(self, position: int, most: int) -> dict[str, Any] | None:
        stop = _span(self.data, position, most)
        self.effort -= (stop if stop >= 0 else min(position + most, len(self.data))) - position
        return self._try(position, stop)[0] if stop >= 0 else None
