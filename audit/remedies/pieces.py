"""What writing cleaned data shares: the ledger cut at files and shards, original rows, and the two files of kept and
held rows that each input file becomes.

Law: a file that was written is read again by the reader of its format and gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from audit.config import IngestConfig
from audit.errors import ConservationError
from audit.remedies.writers import ColumnarOutput, RowDigest, TextOutput
from audit.rundir import RunDir
from audit.schema import DatasetInfo, InputFile, Verdict
from audit.sources.readers import reread
from audit.sources.shards import row_positions


class Piece(NamedTuple):
    """Rows of one file in one shard: LEDGER columns and those of the judgement beside them."""

    file: int
    shard: str
    rows: pl.DataFrame


def judged(run: RunDir, info: DatasetInfo, columns: list[str]) -> pl.DataFrame:
    """`row`, `verdict` and these columns of the verdicts, in row order. Raises ConservationError unless each row has
    one verdict that there is."""
    frame = pl.read_parquet(run.verdicts, columns=list(dict.fromkeys(["row", "verdict", *columns]))).sort("row")
    if not frame["row"].equals(pl.Series("row", range(info.rows), dtype=pl.Int64)):
        raise ConservationError(f"{frame.height} verdicts do not cover each of {info.rows} rows once")
    unknown = set(frame["verdict"].unique()) - {v.value for v in Verdict}
    if unknown:
        raise ConservationError(f"{len(unknown)} words in verdicts.parquet are no verdict")
    return frame


def pieces(run: RunDir, info: DatasetInfo, judgement: pl.DataFrame) -> Iterator[Piece]:
    """The ledger in row order, cut at files, with `row`, `verdict` and whatever else was judged beside it. Raises
    ConservationError where a shard does not go on where the last one ended, and for a readable row that was judged
    unreadable, or the reverse."""
    position = 0
    for name, path in zip(info.shards, run.shards("ledger"), strict=True):
        ledger = pl.read_parquet(path)
        part = judgement.slice(position, ledger.height)
        if not ledger["row"].equals(part["row"]):
            raise ConservationError(f"shard {name} of the ledger does not continue at row {position}")
        position += ledger.height
        rows = ledger.hstack(part.drop("row"))
        torn = rows.filter(pl.col("reason").is_not_null() != (pl.col("verdict") == Verdict.UNREADABLE))
        if torn.height:
            row = torn["row"][0]
            raise ConservationError(f"row {row}: the ledger and its verdict disagree on whether it can be read")
        for of_file in rows.partition_by("file", maintain_order=True):
            yield Piece(int(of_file["file"][0]), name, of_file)


def take(table: pa.Table, plain: pa.Table, rows: pl.DataFrame) -> pa.Table:
    """The original rows at these positions, in order; `table` is `original_rows`, `plain` the same without positions.
    Raises ConservationError when one has no original."""
    wanted = set(rows["row"].to_list())
    places = [i for i, row in enumerate(row_positions(table)) if row in wanted]
    if len(places) != len(wanted):
        raise ConservationError(f"{len(wanted) - len(places)} of {len(wanted)} rows have no original values")
    return plain.take(pa.array(places, pa.int64()))


class TextFiles:
    """The rows of one text file that are kept and those that are held; no file of held rows where there is none."""

    def __init__(self, kept: Path, held: Path, file: InputFile, limits: IngestConfig) -> None:
        self._paths, self._file, self._limits = (kept, held), file, limits
        self._stack = ExitStack()
        self.outputs: dict[Path, TextOutput] = {}

    def __enter__(self) -> TextFiles:
        self._open(self._paths[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def _open(self, path: Path) -> TextOutput:
        if path not in self.outputs:
            self.outputs[path] = self._stack.enter_context(TextOutput(path, self._file))
        return self.outputs[path]

    def write(self, keep: Iterable[bytes], hold: Iterable[bytes]) -> None:
        """Appends records, each to its file."""
        self._open(self._paths[0]).write(keep)
        if held := list(hold):
            self._open(self._paths[1]).write(held)

    def written(self) -> list[Path]:
        """The files, after they were closed, read again: the same rows, byte for byte. Raises ConservationError."""
        for path, output in self.outputs.items():
            found, digest = 0, RowDigest()
            for record in reread(path, self._file, self._limits):
                if record.reason is None:
                    found += 1
                    digest.add(record.raw or b"")
            if found != output.count or digest.value() != output.digest:
                raise ConservationError(f"{path.name}: {output.count} rows were written, {found} are read again")
        return list(self.outputs)


class ColumnarFiles:
    """The rows of one columnar file that are kept and those that are held; none of either where nothing of the file was
    decoded."""

    def __init__(self, kept: Path, held: Path, file: InputFile, limits: IngestConfig) -> None:
        self._paths, self._file, self._limits = (kept, held), file, limits
        self._stack = ExitStack()
        self.outputs: dict[Path, ColumnarOutput] = {}

    def __enter__(self) -> ColumnarFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def _open(self, path: Path, schema: pa.Schema) -> ColumnarOutput:
        if path not in self.outputs:
            self.outputs[path] = self._stack.enter_context(ColumnarOutput(path, self._file, schema))
        return self.outputs[path]

    def write(self, keep: pa.Table, hold: pa.Table) -> None:
        """Appends rows of the original schema, each to its file."""
        self._open(self._paths[0], keep.schema).write(keep)
        if hold.num_rows:
            self._open(self._paths[1], hold.schema).write(hold)

    def written(self) -> list[Path]:
        """The files, after they were closed, read again: as many rows. Raises ConservationError."""
        for path, output in self.outputs.items():
            records = reread(path, self._file, self._limits)
            found = sum(1 for record in records if record.reason not in ("damaged_input", "count_mismatch"))
            if found != output.count:
                raise ConservationError(f"{path.name}: {output.count} rows were written, {found} are read again")
        return list(self.outputs)
