"""Many JSON lines at once: flat objects of one layout (the same keys in the same order) are read by one pattern.

A layout is learned from rows that the strict parser has read. Its pattern matches a subset of what the strict parser
accepts, and gives the same values: every key once and spelled plainly, strings without control bytes and without half a
surrogate pair, numbers of at most 18 digits before the point and no exponent. A line that no pattern matches is no
worse for it: the strict parser reads it. Patterns run on finite automata (the regex engine of polars), in linear time
whatever the lines hold; keys are written into them character by character, escaped.

Law: where a line is matched, `ObjectParser` gives the same object for it (tests/sources/test_layouts.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from audit.sources.record import Number

_HEX = "[0-9a-fA-F]"
_PAIR = rf"[89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}"
_UNICODE = rf"u(?:[0-9a-ce-fA-CE-F]{_HEX}{{3}}|[dD](?:[0-7]{_HEX}{{2}}|{_PAIR}))"
_STRING = rf'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|{_UNICODE}))*)"'
_BARE = r"(-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]+)?|true|false|null)"
_SPACE = r"[ \t]*"
_SPECIAL = r'["\\\x00-\x1f]'  # what is escaped in a JSON string
_MOST_KEYS = 32  # of a layout; wider objects are read one by one
_MOST = 8  # layouts at once
_OFTEN = 16  # rows of a layout that must have been seen

_scan: Callable[[str, int], tuple[str, int]] = vars(json.decoder)["scanstring"]  # the strict parser's own
_escape = json.encoder.encode_basestring


@dataclass(frozen=True)
class Layout:
    """Keys in order, and of each whether its value is a string."""

    columns: tuple[tuple[str, bool], ...]

    @cached_property
    def pattern(self) -> str:
        """For the whole of one line without its end; group i holds the i-th value, of strings what the quotes hold."""
        members = [
            f'"{_literal(key)}"{_SPACE}:{_SPACE}{_STRING if text else _BARE}{_SPACE}' for key, text in self.columns
        ]
        return rf"^\{{{_SPACE}{f',{_SPACE}'.join(members)}\}}{_SPACE}$"


def layout_of(fields: Mapping[str, Any]) -> Layout | None:
    """The layout of a parsed row; None for a row that is not flat, or whose keys cannot be looked for as they are."""
    if not 0 < len(fields) <= _MOST_KEYS:
        return None
    for key, value in fields.items():
        if value is not None and type(value) not in (str, Number, bool):
            return None
        if _escape(key) != f'"{key}"':
            return None
    return Layout(tuple((key, type(value) is str) for key, value in fields.items()))


def texts(lines: pl.Series) -> pl.Series:
    """Lines (Binary) as strings; null where one is not UTF-8."""
    try:
        return lines.cast(pl.String)
    except pl.exceptions.ComputeError:  # says of all what is true of one
        return pl.Series([_decoded(raw) for raw in lines], dtype=pl.String)


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


class Layouts:
    """The layouts of a run: those that were seen often enough, the most useful ones kept."""

    def __init__(self) -> None:
        self._seen: dict[Layout, int] = {}
        self._hits: dict[Layout, int] = {}  # of the layouts in use: lines matched in the last run that was tried

    def learn(self, fields: Mapping[str, Any]) -> None:
        """Takes notice of a row that was read strictly."""
        layout = layout_of(fields)
        if layout is None or layout in self._hits:
            return
        self._seen[layout] = seen = self._seen.get(layout, 0) + 1
        if seen >= _OFTEN:
            del self._seen[layout]
            if len(self._hits) >= _MOST:
                del self._hits[min(self._hits, key=self._hits.__getitem__)]
            self._hits[layout] = seen
        elif len(self._seen) > 64 * _MOST:  # rows that each bring a layout of their own
            self._seen.clear()

    def matches(self, lines: pl.Series) -> Iterator[tuple[Cells, pl.Series]]:
        """For each layout that matches any: the cells of its lines, and their positions in `lines`, ascending (UInt32).
        `lines` are strings, null where a line is not UTF-8."""
        left = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)
        for layout in sorted(self._hits, key=lambda layout: -self._hits[layout]):
            if not left.len():
                return
            groups = lines.str.extract_groups(layout.pattern).struct.unnest()
            hit = groups.to_series(0).is_not_null()
            self._hits[layout] = found = int(hit.sum())
            if not found:
                continue
            if found == lines.len():
                yield Cells(layout, groups), left
                return
            yield Cells(layout, groups.filter(hit)), left.filter(hit)
            lines, left = lines.filter(~hit), left.filter(~hit)


class Cells:
    """The values of lines of one layout, column by column; what a method gives is aligned with the lines."""

    def __init__(self, layout: Layout, groups: pl.DataFrame) -> None:
        self.height = groups.height
        self.columns = tuple(key for key, _ in layout.columns)
        self._is_text = dict(layout.columns)
        self._inside = {key: groups.to_series(index) for index, key in enumerate(self.columns)}
        self._decoded: dict[str, pl.Series] = {}

    def text(self, column: str) -> pl.Series | None:
        """The strings of a column; None where its values are no strings, or there is no such column."""
        return self._string(column) if self._is_text.get(column) else None

    def optional_text(self, column: str | None) -> pl.Series:
        """The same, empty where it is missing or null; null where a value is none of these."""
        if column is None or column not in self._is_text:
            return pl.repeat("", self.height, dtype=pl.String, eager=True)
        if self._is_text[column]:
            return self._string(column)
        return self._inside[column].replace_strict({"null": ""}, default=None, return_dtype=pl.String)

    def scalar(self, column: str | None) -> pl.Series:
        """The source text of any value, as `shapes.scalar` gives it; null where it is missing or null."""
        if column is None or column not in self._is_text:
            return pl.repeat(None, self.height, dtype=pl.String, eager=True)
        if self._is_text[column]:
            return self._string(column)
        bare = self._inside[column]
        return bare.set(bare == "null", None)

    def compact(self, columns: list[str]) -> pl.Series:
        """One object of these columns, in this order, as `strict_json.dumps` writes it."""
        parts: list[Any] = []
        for column in columns:
            parts += [pl.lit(f"{',' if parts else '{'}{_escape(column)}:"), self._json(column)]
        return pl.select(pl.concat_str([*parts, pl.lit("}")])).to_series()

    def _string(self, column: str) -> pl.Series:
        found = self._decoded.get(column)
        if found is None:
            inside = self._inside[column]
            found = self._decoded[column] = _changed(inside, lambda text: _scan(text + '"', 0)[0])
        return found

    def _json(self, column: str) -> pl.Expr:
        inside = self._inside[column]
        if not self._is_text[column]:
            return pl.lit(inside)
        canonical = _changed(inside, lambda text: _escape(_scan(text + '"', 0)[0])[1:-1])
        return pl.lit('"') + pl.lit(canonical) + pl.lit('"')


class PlainCells(Cells):
    """The values of a table, where no escape stands for anything: a text is what stands there."""

    def _string(self, column: str) -> pl.Series:
        return self._inside[column]

    def _json(self, column: str) -> pl.Expr:
        inside = self._inside[column]
        if not self._is_text[column]:
            return pl.lit(inside)
        special = inside.str.contains(_SPECIAL)
        if special.any():
            values = inside.to_list()
            for index in special.arg_true():
                values[index] = _escape(values[index])[1:-1]
            inside = pl.Series(values, dtype=pl.String)
        return pl.lit('"') + pl.lit(inside) + pl.lit('"')


def _changed(inside: pl.Series, change: Callable[[str], str]) -> pl.Series:
    """What strings hold between their quotes, those with an escape changed."""
    escaped = inside.str.contains("\\", literal=True)
    if not escaped.any():
        return inside
    texts = inside.to_list()
    for index in escaped.arg_true():
        texts[index] = change(texts[index])
    return pl.Series(texts, dtype=pl.String)


def _literal(key: str) -> str:
    """A key as a pattern that matches it alone."""
    return "".join(char if char.isascii() and char.isalnum() else f"\\x{{{ord(char):x}}}" for char in key)
