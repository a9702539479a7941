"""The ledger that is published beside cleaned data: every record position of the input with its hash and its fate.

`sha256` of a text row is taken over the record's exact bytes, of a columnar row over `encoding` of its values; null
where nothing could be decoded. `written` is the hash of the row as it stands in the cleaned data where somebody edited
it, else null: the row stands there as it was. No text of a row is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa

from audit.attest import merkle
from audit.attest.encoding import row_hashes, rows
from audit.config import IngestConfig
from audit.errors import ConservationError
from audit.rundir import RunDir, write_frame
from audit.schema import InputFile
from audit.sources import columnar
from audit.sources.files import COLUMNAR
from audit.sources.readers import reread
from audit.sources.record import Budget, Reading
from audit.sources.shards import original_rows, row_positions, without_rows

COLUMNS: dict[str, Any] = {
    "row": pl.Int64,  # 0-based position in the input, across its files in order
    "file": pl.Int32,  # index into the manifest's inputs
    "offset": pl.Int64,  # bytes into the decompressed file; columnar: the row's ordinal
    "length": pl.Int64,  # bytes; null for columnar rows
    "sha256": pl.String,
    "fate": pl.String,
    "reasons": pl.List(pl.String),
    "decided_by": pl.String,
    "written": pl.String,
}
FATES = ("row", "fate", "reasons", "decided_by")  # what a caller of `gather` says of each row
_BLANK = bytes(32)
_SLICE = 20_000  # entries that are encoded at once


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file beside a record. `role`: "data" (the cleaned rows), "held" (rows for a person), "removed" or "summary"."""

    path: str  # relative to the folder that holds the data and its record, "/" separated
    place: Path  # where it stands while the record is written
    role: str
    input: int | None  # index of the input file whose rows it holds, whose format and layout it has


def gather(run: RunDir, fates: pl.DataFrame) -> pl.DataFrame:
    """The ledger of a run, COLUMNS without any edit, from the shards of its ingest and `fates` (FATES, one row a
    position, in order). Raises ConservationError where the two do not know the same rows."""
    parts = []
    for name, path in zip(run.dataset().shards, run.shards("ledger"), strict=True):
        part = pl.read_parquet(path, columns=["row", "file", "offset", "raw", "sha256"])
        part = part.with_columns(pl.col("raw").bin.size().cast(pl.Int64).alias("length")).drop("raw")
        if (table := original_rows(run, name)) is not None:
            known = dict(zip(row_positions(table), (h.hex() for h in row_hashes(without_rows(table))), strict=True))
            ours = [known.get(row) or sha for row, sha in part.select("row", "sha256").iter_rows()]
            part = part.with_columns(pl.Series("sha256", ours, dtype=pl.String))
        parts.append(part)
    ledger = (
        pl.concat(parts) if parts else pl.DataFrame(schema={n: t for n, t in COLUMNS.items() if n not in FATES[1:]})
    )
    if not ledger["row"].equals(fates["row"]) or not ledger["row"].equals(pl.int_range(len(ledger), eager=True)):
        raise ConservationError(f"the ledger has {ledger.height} rows, {fates.height} were judged")
    judged = ledger.hstack(fates.select(FATES[1:])).with_columns(pl.lit(None, dtype=pl.String).alias("written"))
    return judged.select(list(COLUMNS)).cast(pl.Schema(COLUMNS))


def settle(
    ledger: pl.DataFrame, files: Sequence[DataFile], inputs: Sequence[InputFile], holds: Mapping[str, Sequence[str]]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Reads the written files again: the ledger with `written` of rows that were edited, and path -> number of rows.
    `holds` says which fates a role holds. Raises ConservationError where a file does not hold exactly its rows."""
    written: list[str | None] = [None] * ledger.height
    counts: dict[str, int] = {}
    for file in files:
        if file.input is None:
            continue
        with file.place.open("rb") as handle:
            found = list(hashes(handle, inputs[file.input]))
        part = expected(ledger, file.input, holds[file.role])
        if part.height != len(found):
            raise ConservationError(f"{file.path} holds {len(found)} rows, the ledger has {part.height} for it")
        for (row, sha, fate), there in zip(part.select("row", "sha256", "fate").iter_rows(), found, strict=True):
            if sha != there and fate != "edited":
                raise ConservationError(f"row {row} of {file.path} is not the row that was read")
            written[row] = there if sha != there else None
        counts[file.path] = len(found)
    return ledger.with_columns(pl.Series("written", written, dtype=pl.String)), counts


def expected(ledger: pl.DataFrame, file: int, fates: Iterable[str]) -> pl.DataFrame:
    """The entries of the rows that a file of the cleaned data holds, in order."""
    return ledger.filter((pl.col("file") == file) & pl.col("fate").is_in(list(fates)))


def hashes(handle: BinaryIO, file: InputFile, limits: IngestConfig | None = None) -> Iterator[str]:
    """Hex hash of each record of a file of cleaned data, as in the ledger; "" for a record that cannot be decoded."""
    limits = limits or IngestConfig()
    if file.format not in COLUMNAR:
        for record in reread_open(handle, file, limits):
            yield hashlib.sha256(record.raw or b"").hexdigest()
        return
    found: list[pa.RecordBatch] = []
    reading = Reading(0, file.format, on_batch=lambda _file, _first, batch: found.append(batch))
    read = columnar.parquet_records if file.format == "parquet" else columnar.arrow_records
    for record in read(handle, reading, limits, Budget(limits.max_decoded_bytes)):
        for batch in found:
            yield from (digest.hex() for digest in row_hashes(batch))
        found.clear()
        if record.reason in ("damaged_input", "count_mismatch", "resource_limit"):
            yield ""


def reread_open(handle: BinaryIO, file: InputFile, limits: IngestConfig) -> Iterator[Any]:
    """`reread` of a handle that is open already, so that what was hashed is what is read."""
    handle.seek(0)
    return reread(Path(f"/dev/fd/{handle.fileno()}"), file, limits)


def table(handle: BinaryIO) -> pl.DataFrame | None:
    """The ledger in an open parquet file, parsed by a child process; None where it cannot be read or has other
    columns."""
    batches: list[pa.RecordBatch] = []
    reading = Reading(0, "parquet", on_batch=lambda _file, _first, batch: batches.append(batch))
    limits = IngestConfig()
    for record in columnar.parquet_records(handle, reading, limits, Budget(limits.max_decoded_bytes)):
        if record.fields is None:
            return None
    if not batches:
        return pl.DataFrame(schema=COLUMNS) if reading.claimed_rows == 0 and reading.layout else None
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    if not isinstance(frame, pl.DataFrame) or dict(frame.schema) != COLUMNS:
        return None
    return frame


def write(path: Path, ledger: pl.DataFrame) -> None:
    """Writes the ledger. Raises WriteFailed."""
    write_frame(path, ledger)


def row_leaves(ledger: pl.DataFrame) -> Iterator[bytes]:
    """The leaves of the tree over rows: the 32 bytes of each row's hash in order; zeros for a row that has none."""
    return (bytes.fromhex(sha) if sha else _BLANK for sha in ledger["sha256"])


def ledger_leaves(ledger: pl.DataFrame) -> Iterator[bytes]:
    """The leaves of the tree over the ledger: each entry as an object by `encoding`."""
    for part in ledger.iter_slices(_SLICE):
        yield from rows(part.to_arrow(compat_level=pl.CompatLevel.oldest()))


def roots(ledger: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """`rows` and `ledger` -> their Merkle root in hex and the number of leaves."""
    trees = {"rows": row_leaves(ledger), "ledger": ledger_leaves(ledger)}
    return {name: {"root": merkle.root(leaves).hex(), "leaves": ledger.height} for name, leaves in trees.items()}
