"""Records in the form that they have in their file: an edit is written into it in place, and what was written is read
back by the reader of that format.

Of a text record only the changed strings are written anew; every other byte stays: spaces, escapes, the order of keys,
the quotes of other cells. Of a columnar row only the changed columns are built anew, in their own type.

Law: a record comes back only if reading it gives the old record with exactly the changes of its edit, and the example
that the edit says. Anything else raises CannotEdit.

Source: RFC 8259 and RFC 4180, as `audit.sources` reads them.
Misses: the spelling of a changed string: a text that was written with escapes is written with those that JSON needs,
and in ASCII where its record was.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from audit.config import IngestConfig
from audit.remedies.anatomy import CannotEdit, Fields, Layout
from audit.remedies.edits import Edit, From, replaced
from audit.schema import InputFile
from audit.sources import columnar, delimited
from audit.sources.record import Budget, Number, Reading, RowError
from audit.sources.sides import Path
from audit.sources.streams import ByteStream
from audit.sources.strict_json import ObjectParser, dumps

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # a number may have more digits than an int may
_NEEDS_QUOTES = re.compile(r'["\r\n]')


class TextForm:
    """Records of one jsonl, json, csv or tsv file."""

    def __init__(self, file: InputFile, layout: Layout, limits: IngestConfig) -> None:
        self._file, self._layout, self._limits = file, layout, limits
        self._parse = ObjectParser(limits)

    def fields(self, raw: bytes) -> dict[str, Any]:
        """The record's fields, by the reader of its format. Raises CannotEdit where it does not read as one record."""
        if len(raw) > self._limits.max_line_bytes:
            raise CannotEdit(f"the record would have more than {self._limits.max_line_bytes} bytes")
        try:
            if self._file.format in ("csv", "tsv"):
                return self._cells(raw)
            if self._file.format == "jsonl" and b"\n" in raw:
                raise CannotEdit("the record would stand on two lines")
            return self._parse(raw)
        except RowError as error:
            raise CannotEdit(f"the record would not be readable: {error.detail}") from None

    def edited(self, raw: bytes, fields: Fields, edit: Edit) -> bytes:
        """The bytes of a record with an edit made, checked. Raises CannotEdit."""
        text = raw.decode()
        if self._file.format in ("csv", "tsv"):
            made = self._with_cells(text, fields, edit.changes)
        else:
            made = _spliced(text, edit.changes)
        data = made.encode()
        _check(self._layout, edit, fields, self.fields(data))
        return data

    def _cells(self, raw: bytes) -> dict[str, Any]:
        head = self._file.layout
        newline = head.get("newline", "\n").encode()
        data = head["header"].encode() + newline + raw + newline
        stream = ByteStream(io.BytesIO(data), "", Budget(2 * len(data) + 1))
        reading = Reading(0, self._file.format)
        found = list(delimited.records(stream, reading, self._limits, head["delimiter"], head["quoted"]))
        if len(found) != 1 or found[0].fields is None or found[0].raw != raw:
            raise CannotEdit(f"the record would not be readable: {found[0].detail if found else 'it is empty'}")
        return found[0].fields

    def _with_cells(self, text: str, fields: Fields, changes: Mapping[Path, Any]) -> str:
        delimiter, quoted = self._file.layout["delimiter"], self._file.layout["quoted"]
        cells = raw_cells(text, delimiter, quoted)
        places = {column: at for at, column in enumerate(fields)}
        new = {}
        for path, value in changes.items():
            at = places[str(path[0])]
            if isinstance(value, From):
                new[at] = cells[places[str(value.path[0])]]
            else:
                new[at] = _cell(value, cells[at], delimiter, quoted)
        return str(delimiter.join(new.get(at, cell) for at, cell in enumerate(cells)))


def raw_cells(text: str, delimiter: str, quoted: bool) -> list[str]:
    """The cells of a sound csv record as they are written, quotes included; joined by the delimiter they are it."""
    if not quoted:
        return text.split(delimiter)
    cells: list[str] = []
    start = 0
    while True:
        end = start
        if text[start : start + 1] == '"':
            end = text.find('"', start + 1)
            while text[end + 1 : end + 2] == '"':
                end = text.find('"', end + 2)
        stop = text.find(delimiter, end)
        if stop < 0:
            return [*cells, text[start:]]
        cells.append(text[start:stop])
        start = stop + len(delimiter)


def _cell(value: str, old: str, delimiter: str, quoted: bool) -> str:
    if not quoted:
        if delimiter in value or "\n" in value or "\r" in value:
            raise CannotEdit("the new text holds a delimiter or a line break, and this file quotes no cells")
        return value
    if old.startswith('"') or not value or delimiter in value or _NEEDS_QUOTES.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def _spliced(text: str, changes: Mapping[Path, Any]) -> str:
    """The JSON text with other values at these paths, all else as it was."""
    spans = {path: _span(text, path) for path in changes}
    pieces = []
    for path, value in changes.items():
        if isinstance(value, From):
            literal = text[slice(*_span(text, value.path))]
        elif isinstance(value, str) and not isinstance(value, Number):
            literal = json.dumps(value, ensure_ascii=text.isascii())
        else:
            literal = dumps(value)
        pieces.append((*spans[path], literal))
    for start, end, literal in sorted(pieces, reverse=True):
        text = text[:start] + literal + text[end:]
    return text


def _span(text: str, path: Path) -> tuple[int, int]:
    """Where the value at a path stands in the text of a sound JSON object."""
    at = _skip(text, 0)
    for step in path:
        at = _skip(text, at + 1)  # behind the bracket
        for count in range(len(text)):
            key: str | int = count
            if isinstance(step, str):
                key, at = _DECODER.raw_decode(text, at)
                at = _skip(text, _skip(text, at) + 1)  # behind the colon
            if key == step:
                break
            at = _skip(text, _skip(text, _DECODER.raw_decode(text, at)[1]) + 1)  # behind the comma
    return at, _DECODER.raw_decode(text, at)[1]


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def columnar_fields(table: pa.Table, limits: IngestConfig) -> list[dict[str, Any] | None]:
    """The fields of each row, by the columnar reader; None for a row that it cannot read."""
    if not table.num_rows:
        return []
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    sink.seek(0)
    records = columnar.arrow_records(sink, Reading(0, "arrow"), limits, Budget(limits.max_decoded_bytes))
    return [record.fields for record in records]


def columnar_edited(
    row: pa.Table, fields: Fields, edit: Edit, layout: Layout, limits: IngestConfig, *, closed: bool = False
) -> pa.Table:
    """A table of one row with an edit made, in the same schema, checked. `closed`: dictionaries take no new value, for
    an Arrow file has one for all of its batches. Raises CannotEdit."""
    values: dict[str, Any] = {}
    made = row
    try:
        for path, value in edit.changes.items():
            column = str(path[0])
            old = values[column] if column in values else row.column(column)[0].as_py()
            new = row.column(str(value.path[0]))[0].as_py() if isinstance(value, From) else value
            values[column] = replaced(old, path[1:], new)
        for column, value in values.items():
            at = row.schema.get_field_index(column)
            made = made.set_column(at, row.schema.field(at), _array(value, row.column(at).chunk(0), closed))
    except (pa.ArrowException, TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise CannotEdit(f"a column cannot hold the new value ({type(error).__name__})") from None
    found = columnar_fields(made, limits)
    if len(found) != 1 or found[0] is None:
        raise CannotEdit("the row would not be readable")
    _check(layout, edit, fields, found[0])
    return made


def _array(value: Any, old: pa.Array, closed: bool) -> pa.Array:
    """An array of one value, of the type of another; a dictionary stays, and at most grows at its end."""
    is_coded = pa.types.is_dictionary(old.type)
    plain = old.type.value_type if is_coded else old.type
    found = pa.array([str(value)], pa.string()).cast(plain) if isinstance(value, Number) else pa.array([value], plain)
    if not is_coded:
        return found
    place, words = pc.index(old.dictionary, found[0]).as_py(), old.dictionary
    if place < 0 and closed:
        raise CannotEdit("the dictionary of the column has no such value, and an Arrow file takes no other")
    if place < 0:
        place, words = len(words), pa.concat_arrays([words, found])
    return pa.DictionaryArray.from_arrays(pa.array([place], old.type.index_type), words, ordered=old.type.ordered)


def concatenated(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Tables of one schema as one, in order; dictionaries are made one."""
    return pa.concat_tables([table.cast(schema) for table in tables]).unify_dictionaries()


def _check(layout: Layout, edit: Edit, before: Fields, after: Fields) -> None:
    """Raises CannotEdit unless a record reads as it did, but for the edit."""
    if list(before) != list(after) or dumps(edit.fields(before)) != dumps(dict(after)):
        raise CannotEdit("reading the record back gave more than the change, or less")
    if not edit.says(layout.read(after)):
        raise CannotEdit("the changed record would be read as another example")
