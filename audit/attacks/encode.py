"""A changed record as the bytes of its file: JSON in the manner of the file's other rows, csv with their quotes.

So a poisoned row cannot be told by its blanks after commas, its escapes or its indentation.

Source: RFC 8259 and RFC 4180; which of the manners that both allow a file has is found by trying them on its rows.

Misses: escapes that no common writer makes (`\\/`), and rows of one file that differ in manner among themselves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from audit.sources.delimited import parse_fields
from audit.sources.record import Number

_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class JsonStyle:
    """How a writer puts JSON."""

    ascii: bool = False  # everything else is escaped
    item: str = ", "
    key: str = ": "
    indent: str = ""  # "" keeps a record on one line
    depth: int = 0  # of the record within its file, in indents


_COMPACT = [
    JsonStyle(escaped, item, key) for escaped, (item, key) in product((False, True), ((", ", ": "), (",", ":")))
]
_INDENTED = [
    JsonStyle(escaped, ",", ": ", indent, depth)
    for escaped, indent, depth in product((False, True), ("  ", "    ", "\t", " "), (1, 0, 2))
]


def json_style(rows: Sequence[tuple[bytes, dict[str, Any]]]) -> JsonStyle:
    """The manner that gives most of these records (bytes, parsed) back byte for byte; of equals the plainest."""
    sample = rows[:_SAMPLE]
    styles = _INDENTED + _COMPACT if any(b"\n" in raw for raw, _ in sample) else _COMPACT
    hits = {style: sum(json_bytes(fields, style) == raw for raw, fields in sample) for style in styles}
    return max(styles, key=lambda style: hits[style])


def json_bytes(fields: dict[str, Any], style: JsonStyle) -> bytes:
    """A record as JSON; numbers are their source text."""
    return _json(fields, style, style.depth).encode("utf-8", "surrogatepass")


def _json(value: Any, style: JsonStyle, depth: int) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        inner = [f"{_json(key, style, 0)}{style.key}{_json(item, style, depth + 1)}" for key, item in value.items()]
        return _bracket("{", inner, "}", style, depth)
    if isinstance(value, list):
        return _bracket("[", [_json(item, style, depth + 1) for item in value], "]", style, depth)
    return json.dumps(value, ensure_ascii=style.ascii)


def _bracket(opening: str, inner: list[str], closing: str, style: JsonStyle, depth: int) -> str:
    if not inner or not style.indent:
        return opening + style.item.join(inner) + closing
    line = "\n" + style.indent * (depth + 1)
    return opening + line + f",{line}".join(inner) + "\n" + style.indent * depth + closing


def csv_bytes(cells: Sequence[str], raw: bytes, delimiter: str, quoted: bool) -> bytes:
    """A record of these cells; a cell is quoted where the one in `raw` was, or where it must be. Raises ValueError
    for a cell that a file without quotes cannot hold."""
    if not quoted:
        if any(mark in cell for cell in cells for mark in (delimiter, "\n", "\r")):
            raise ValueError("a file without quotes cannot hold its delimiter or a line end in a cell")
        return delimiter.join(cells).encode()
    marks: list[int] = []
    parse_fields(raw.decode(), delimiter, quoted, marks=marks)
    return delimiter.join(_cell(cell, number in marks, delimiter) for number, cell in enumerate(cells)).encode()


def _cell(cell: str, quoted: bool, delimiter: str) -> str:
    if quoted or any(mark in cell for mark in (delimiter, '"', "\n", "\r")):
        return '"' + cell.replace('"', '""') + '"'
    return cell
