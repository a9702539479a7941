"""What a reader hands on: one record position of the input, readable or not.

Nothing is coerced, normalised or stripped. A number keeps its source text (`Number`), so that 007, 1.0 and
9007199254740993 are what the file says. A record that cannot be read keeps its place, its bytes and its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import polars as pl


class Reason(StrEnum):
    """Why a record position has no example. Stable words; a user may filter by them."""

    INVALID_UTF8 = "invalid_utf8"
    DUPLICATE_KEY = "duplicate_key"
    LONE_SURROGATE = "lone_surrogate"
    NOT_JSON = "not_json"
    TRAILING_DATA = "trailing_data"
    NOT_AN_OBJECT = "not_an_object"
    NON_FINITE_NUMBER = "non_finite_number"
    INTEGER_TOO_LARGE = "integer_too_large"
    TOO_DEEP = "too_deep"
    TOO_LONG = "too_long"
    TOO_MANY_KEYS = "too_many_keys"
    RAGGED_ROW = "ragged_row"
    BAD_QUOTING = "bad_quoting"
    BAD_HEADER = "bad_header"
    STRAY_CARRIAGE_RETURN = "stray_carriage_return"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    TRUNCATED_INPUT = "truncated_input"
    DAMAGED_INPUT = "damaged_input"
    COUNT_MISMATCH = "count_mismatch"
    RESOURCE_LIMIT = "resource_limit"


class Record(NamedTuple):
    """One record position. Exactly one of `fields` and `reason` is set."""

    file: int  # index into the inventory
    line: int  # 1-based line of the first byte; .json and columnar: 1-based ordinal
    offset: int  # bytes into the decompressed file; columnar: 0-based ordinal
    raw: bytes | None  # exact bytes without the separator; columnar: None
    fields: dict[str, Any] | None
    reason: str | None = None
    detail: str = ""


class LineRun(NamedTuple):
    """Lines in a row, each a record position, that end alike; none of them is blank or over the cap."""

    file: int
    line: int  # number of the first, 1-based
    offset: int  # of the first, bytes into the decompressed file
    raws: list[bytes]  # without their line ends
    newline: bytes  # behind each but perhaps the last
    dialect: Dialect | None = None  # of csv and tsv; None: JSON lines


class RowRun(NamedTuple):
    """Rows in a row of a columnar file."""

    file: int
    line: int  # 1-based ordinal of the first
    offset: int  # 0-based ordinal of the first
    rows: int
    dialect: Dialect


class Dialect(Protocol):
    """How the rows of a table are read: lines without a quote in them, or decoded rows."""

    columns: tuple[str, ...]  # of every row that can be read

    def read(self, row: Record) -> Record:
        """One row, of which the place is known, and of a line the bytes, with its fields or its reason."""
        ...

    def matches(self, lines: pl.Series) -> Iterator[tuple[Any, pl.Series]]:
        """Those of many lines (String, null where one is not UTF-8; of a columnar file empty) that can be read at once:
        their `layouts.Cells`, and their positions, ascending (UInt32)."""
        ...


class Number(str):
    """A number as its source text."""

    __slots__ = ()


class RowError(Exception):
    """This record cannot be read: set it aside and go on. `detail` holds positions, never row text."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class NotRows(Exception):
    """This file is readable but holds no rows (a model card, a statistics file). The text says why."""


@dataclass(slots=True)
class Budget:
    """Decoded bytes that may still be read, over all files: the bound on decompression bombs."""

    remaining: int

    def take(self, size: int) -> bool:
        """Spends `size` bytes; False when they are more than what is left."""
        self.remaining -= size
        return self.remaining >= 0


@dataclass(slots=True)
class Reading:
    """What a reader learns of its file on the way and the writer of the cleaned file needs."""

    file: int
    format: str
    layout: dict[str, Any] = field(default_factory=dict)
    claimed_rows: int = 0  # by a columnar file's footer; 0 when it says nothing
    on_batch: Callable[[int, int, Any], None] | None = None  # columnar: (file, first ordinal, decoded record batch)
    on_run: Callable[[LineRun | RowRun], bool] | None = None  # True when it took them all, and no Record follows
