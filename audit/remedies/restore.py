"""The input, put together again out of the rows and regions that a run directory keeps.

For each text file, byte for byte: rows from ledger/, what lies between them from regions/. Of .gz and .zst it is the
decompressed stream, as far as it decodes. A parquet or Arrow file is not rebuilt: its bytes depend on the program that
wrote it. The values of its rows stand in originals/.

Law: restore(scan(x)) == x. Every row is hashed, and so is every file; what differs is written nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Generic, NamedTuple, TypeVar

import polars as pl

from audit.durable import atomic_file
from audit.errors import ConservationError, InputError, IntegrityError, UsageError
from audit.remedies.fates import check_fates
from audit.rundir import RunDir
from audit.schema import DatasetInfo, InputFile
from audit.sources.files import COLUMNAR
from audit.sources.regions import RegionKind
from audit.text import safe_text

_BLOCK = 1 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Restored:
    """One input file: what was rebuilt of it. `whole` is false where the run does not hold all of its bytes."""

    path: str  # of the input file
    written: Path | None
    size_bytes: int
    sha256: str
    whole: bool
    note: str  # one sentence for a person


class _Row(NamedTuple):
    offset: int
    raw: bytes
    sha256: str


class _Region(NamedTuple):
    offset: int
    times: int
    data: bytes


def restore(run: RunDir, out: Path | None) -> list[Restored]:
    """Rebuilds the input files below `out`, or only checks that they can be where it is None. Raises IntegrityError
    where rows and regions do not make up a file, or make up another one; UsageError where `out` is not empty;
    InputError for a run without regions; WriteFailed."""
    info = run.dataset()
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not an empty folder; choose another -o")
    if not (run / "regions").is_dir():
        raise InputError(f"{run.path} keeps no regions: it was scanned by a version that did not; scan again")
    names = _names(info)
    rebuilt = {}
    rows, parts, cuts = _Rows(run), _Parts(run, _between), _Parts(run, _is_cut)
    for index, file in enumerate(info.files):
        rebuilt[file.path] = _file(file, index, rows, parts, cuts, out and out / names[file.path])
    rows.finish("ledger/")
    nothing, whole = _Rows(None), _Parts(run, _without_rows)
    for index, file in enumerate(info.no_rows):
        rebuilt[file.path] = _file(file, -1 - index, nothing, whole, cuts, out and out / names[file.path])
    for left in (parts, cuts, whole):
        left.finish("regions/")
    return [rebuilt[path] for path in sorted(rebuilt)]


def broken_laws(run: RunDir) -> list[str]:
    """The laws of bytes and rows that do not hold in a finished run directory, one sentence each."""
    found = []
    try:
        restore(run, None)
    except (IntegrityError, InputError) as error:
        found.append(f"The input cannot be restored: {error}.")
    if (run / "ledger.parquet").exists():
        try:
            check_fates(run, pl.read_parquet(run.verdicts, columns=["row", "verdict"]).sort("row"))
        except (ConservationError, pl.exceptions.PolarsError) as error:
            found.append(f"The ledger does not add up: {error}.")
    return found


def restored_name(path: str, taken: set[str]) -> str:
    """Where a file goes below the output folder: its own path, without the end that names a compression unless another
    input has that name. Raises IntegrityError for a path that leads out of the folder.

    >>> restored_name("a/x.jsonl.gz", set()), restored_name("x.csv.zst", {"x.csv"})
    ('a/x.jsonl', 'x.csv.zst.decompressed')
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise IntegrityError(f"dataset.json names a file outside of the input: {safe_text(path, 120)}")
    whole = PurePosixPath(path)
    if whole.suffix.lower() not in (".gz", ".zst"):
        return path
    bare = str(whole.with_suffix(""))
    return bare if bare not in taken else f"{path}.decompressed"


def _names(info: DatasetInfo) -> dict[str, str]:
    """Input path -> where it goes, all different."""
    files = [*info.files, *info.no_rows]
    taken = {file.path for file in files}
    names = {}
    for file in files:
        names[file.path] = restored_name(file.path, taken)
        taken.add(names[file.path])
    return names


def _file(file: InputFile, index: int, rows: _Rows, parts: _Parts, cuts: _Parts, target: Path | None) -> Restored:
    if file.format in COLUMNAR:
        rows.skip(index)
        note = f"not rebuilt: the run keeps the values of a {file.format} file (originals/), not its bytes"
        return Restored(file.path, None, 0, "", False, note)
    size, digest = 0, hashlib.sha256()
    with nullcontext() if target is None else atomic_file(target) as handle:
        for block in _blocks(_pieces(index, safe_text(file.path, 120), rows, parts, cuts)):
            size += len(block)
            digest.update(block)
            if handle is not None:
                handle.write(block)
        found = digest.hexdigest()
        _check(file, size, found)
    if not file.stream_sha256:
        note = f"in part: the scan read its first {size:,} bytes (ingest.limit, max_decoded_bytes or --limit)"
    elif file.compression:
        note = "the decompressed stream, with its SHA-256"
    else:
        note = "the same SHA-256 as the input"
    return Restored(file.path, target, size, found, bool(file.stream_sha256), note)


def _check(file: InputFile, size: int, found: str) -> None:
    wanted = file.stream_sha256 or found
    if not file.compression and file.stream_sha256 not in ("", file.sha256):
        wanted = file.sha256
    if size != file.stream_bytes or found != wanted:
        raise IntegrityError(f"{safe_text(file.path, 120)} comes out with other bytes than were read")


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of about a megabyte."""
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _pieces(index: int, name: str, rows: _Rows, parts: _Parts, cuts: _Parts) -> Iterator[bytes]:
    """The bytes of one file, in order: whatever says that it stands at the place that comes next. Raises IntegrityError
    where nothing does."""
    position, left, again = 0, 0, b""
    while True:
        row = rows.head(index)
        if row is not None and row.offset == position:
            if hashlib.sha256(row.raw).hexdigest() != row.sha256:
                raise IntegrityError(f"{name}: the record at byte {position} has another SHA-256 than the ledger says")
            yield row.raw
            position += len(row.raw)
            rows.take()
            if left:
                yield again
                position, left = position + len(again), left - 1
            continue
        source = next((s for s in (cuts, parts) if (r := s.head(index)) is not None and r.offset == position), None)
        if left or source is None:
            if not left and row is None and cuts.head(index) is None and parts.head(index) is None:
                return
            raise IntegrityError(f"{name}: neither a record nor a region holds byte {position}")
        region = source.take()
        yield region.data
        position, left, again = position + len(region.data), region.times - 1, region.data


class _Stream(Generic[T]):
    """What stands in shard files, in order, one after another and no more than a shard at once."""

    def __init__(self, found: Iterator[tuple[int, T]]) -> None:
        self._found = found
        self._next = next(found, None)

    def head(self, file: int) -> T | None:
        """The next one if it is of this file."""
        return self._next[1] if self._next is not None and self._next[0] == file else None

    def take(self) -> T:
        assert self._next is not None
        taken = self._next[1]
        self._next = next(self._found, None)
        return taken

    def skip(self, file: int) -> None:
        """Passes all of this file."""
        while self.head(file) is not None:
            self.take()

    def finish(self, folder: str) -> None:
        """Raises IntegrityError where something is left that belongs to no file."""
        if self._next is not None:
            raise IntegrityError(f"{folder} holds bytes of file {self._next[0]}, out of order or of no input file")


class _Rows(_Stream[_Row]):
    def __init__(self, run: RunDir | None) -> None:
        super().__init__(_ledger(run) if run is not None else iter(()))


class _Parts(_Stream[_Region]):
    def __init__(self, run: RunDir, of: Callable[[int, str], bool]) -> None:
        super().__init__(_regions(run, of))


def _ledger(run: RunDir) -> Iterator[tuple[int, _Row]]:
    for path in run.shards("ledger"):
        for file, offset, raw, sha256 in _read(path, ["file", "offset", "raw", "sha256"]):
            yield file, _Row(offset, b"" if raw is None else raw, "" if sha256 is None else sha256)


def _regions(run: RunDir, of: Callable[[int, str], bool]) -> Iterator[tuple[int, _Region]]:
    for path in sorted((run / "regions").glob("part-*.parquet")):
        for file, offset, times, kind, data in _read(path, ["file", "offset", "times", "kind", "data"]):
            if of(file, kind):
                yield file, _Region(offset, times, data)


def _read(path: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    try:
        frame = pl.read_parquet(path, columns=columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise IntegrityError(f"{path.parent.name}/{path.name} cannot be read ({type(error).__name__})") from None
    yield from frame.iter_rows()


def _is_cut(file: int, kind: str) -> bool:
    return kind == RegionKind.CUT


def _between(file: int, kind: str) -> bool:
    return file >= 0 and kind != RegionKind.CUT


def _without_rows(file: int, kind: str) -> bool:
    return file < 0
