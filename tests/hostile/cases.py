"""A hostile file and the one verdict that it must get."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

PLAIN, GZ, ZST = "", ".gz", ".zst"
PACKINGS = (PLAIN, GZ, ZST)
Row = tuple[bytes | None, str | None]  # bytes of the record (None: columnar), reason (None: readable)


def zst(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def pack(data: bytes, packing: str) -> bytes:
    """Compressed as the ending says; gzip without a time, so that the same data gives the same file."""
    return {PLAIN: lambda d: d, GZ: lambda d: gzip.compress(d, mtime=0), ZST: zst}[packing](data)


@dataclass(slots=True)
class Built:
    """One input and its verdict. `rows` are all record positions in order; None where only `check` can say.

    `error`: the class that ingest must raise, empty where rows survive. `stream`: the decoded bytes of each text file
    that can be read at all, by relative path; conservation is checked against them."""

    files: dict[str, bytes]
    rows: Sequence[Row] | None = None
    error: str = ""
    match: str = ""
    stream: dict[str, bytes] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    arrange: Callable[[Path], None] | None = None  # makes links and the like in the input folder
    check: Callable[[Any], None] | None = None  # further demands on the ingested run
    whole_folder: bool = False  # the folder is the input, not its one file


@dataclass(frozen=True, slots=True)
class Case:
    """`defect` is the class of defect, `name` the file among its class."""

    defect: str
    name: str
    make: Callable[[], Built]
    slow: bool = False  # never in the fast sample

    @property
    def id(self) -> str:
        return f"{self.defect}/{self.name}"


def good(count: int, start: int = 0) -> list[bytes]:
    """Sound rows of a classification set."""
    return [b'{"text": "row %d is plain", "label": %d}' % (i, i % 2) for i in range(start, start + count)]


def verdicts(raws: Iterable[bytes], reason: str | None = None) -> list[Row]:
    return [(raw, reason) for raw in raws]


def text_file(data: bytes, rows: Sequence[Row], packing: str = PLAIN, name: str = "d.jsonl", **settings: Any) -> Built:
    """One text file whose every record position is known. Without a readable row nothing was scanned."""
    error = "" if any(reason is None for _, reason in rows) else "NothingScanned" if rows else "InputError"
    path = name + packing
    return Built({path: pack(data, packing)}, rows, error, stream={path: data}, settings=settings)


def lines_file(rows: Sequence[Row], packing: str = PLAIN, end: bytes = b"\n", **settings: Any) -> Built:
    """JSON lines, one record a line."""
    return text_file(b"".join(raw + end for raw, _ in rows if raw is not None), rows, packing, **settings)


def among(bad: bytes, reason: str | None, packing: str = PLAIN, **settings: Any) -> Built:
    """One line between sound ones: it alone is lost."""
    return lines_file([*verdicts(good(3)), (bad, reason), *verdicts(good(2, 3))], packing, **settings)


def packed(defect: str, name: str, make: Callable[[str], Built], slow: bool = False) -> list[Case]:
    """The case plain, in gz and in zst."""

    def one(packing: str) -> Case:
        return Case(defect, f"{name}{packing or '.plain'}", lambda: make(packing), slow)

    return [one(packing) for packing in PACKINGS]
