"""The cleaned dataset: keep rows in the input's own format, the others beside it with their reasons; ledger.parquet
says of every row what became of it.

The law: rows read = keep + review + remove + unreadable, each position exactly once. It is checked against the
verdicts, against the ledger and against the written files, which are read again by the readers of `audit.sources`.
A run that breaks it is void (`ConservationError`). A fix named by a verdict is a proposal; no row is edited here.

Source: byte conservation instead of row counts, as the ledger of every record position allows.
Misses: blank lines between records, and line ends where a file mixes LF and CRLF, are not in the cleaned file; they
stand in regions/, from which `audit.remedies.restore` rebuilds the input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from audit import durable
from audit.config import IngestConfig
from audit.errors import ConservationError
from audit.remedies.fates import FATES, Fates, check_fates
from audit.remedies.pieces import ColumnarFiles, Piece, TextFiles, judged, pieces, take
from audit.rundir import Context, RunDir, atomic_file
from audit.schema import LEDGER, DatasetInfo, Verdict
from audit.sources.files import COLUMNAR
from audit.sources.shards import original_rows, without_rows
from audit.sources.strict_json import dumps

REMOVED: dict[str, Any] = {
    **LEDGER,
    "content_hash": pl.String,
    "codes": pl.List(pl.String),
    "trigger_ids": pl.List(pl.String),
    "score": pl.Float32,
    "original": pl.String,  # columnar input: the row as JSON
}
UNREADABLE: dict[str, Any] = {
    name: LEDGER[name] for name in ("row", "file", "line", "offset", "reason", "detail", "raw")
}
_JUDGED = ["content_hash", "codes", "trigger_ids", "score"]


class _Settings(NamedTuple):
    hold: bool
    ingest: IngestConfig


def build(ctx: Context, unit: str) -> list[Path]:
    """Writes cleaned/, removed.parquet, unreadable.parquet and ledger.parquet. Raises ConservationError."""
    run, info = ctx.run, ctx.run.dataset()
    verdicts = judged(run, info, _JUDGED)
    settings = _Settings(ctx.config.review.undecided == "hold", ctx.config.ingest)
    tally: Counter[str] = Counter()
    written: list[Path] = []
    ctx.progress.start("Writing the cleaned dataset", info.rows, "rows")
    fates = Fates(run, info)
    with (
        _Aside(run / "removed.parquet", REMOVED) as removed,
        _Aside(run / "unreadable.parquet", UNREADABLE) as bad,
        _Aside(run / "ledger.parquet", FATES) as ledger,
    ):
        groups = dict.fromkeys(range(len(info.files)))
        for file, group in groupby(pieces(run, info, verdicts), key=lambda piece: piece.file):
            groups.pop(file)
            counted = _tallied(group, tally, fates, ledger, ctx)
            written += _clean_file(run, info, file, counted, settings, removed, bad)
        for file in groups:  # files without a record keep their header
            written += _clean_file(run, info, file, iter(()), settings, removed, bad)
    _check_law(info, tally, verdicts)
    check_fates(run, verdicts)
    _remove_stale(run / "cleaned", written)
    return [*written, *(run / f"{name}.parquet" for name in ("removed", "unreadable", "ledger"))]


def counts(run: RunDir) -> dict[str, int]:
    """Verdict -> number of rows, all four named."""
    found = pl.read_parquet(run.verdicts, columns=["verdict"])["verdict"].to_list()
    return {verdict.value: found.count(verdict.value) for verdict in Verdict}


def outputs(run: RunDir) -> tuple[list[Path], list[Path]]:
    """The cleaned files and the files of held review rows, as they stand in the run directory."""
    info = run.dataset()
    cleaned = [run / "cleaned" / f.path for f in info.files]
    held = [run / "cleaned" / review_name(f.path, len(info.files)) for f in info.files]
    return [p for p in cleaned if p.exists()], [p for p in held if p.exists()]


def review_name(path: str, files: int) -> str:
    """Where the held review rows of an input file go, relative to cleaned/: review.EXT beside a single file,
    STEM.review.EXT beside each of several.

    >>> review_name("data.jsonl.gz", 1), review_name("a/x.csv", 2)
    ('review.jsonl.gz', 'a/x.review.csv')
    """
    whole = PurePosixPath(path)
    stem, _, extension = whole.name.partition(".")
    if whole.suffixes:
        extension = "".join(whole.suffixes[-2:] if whole.suffix.lower() in (".gz", ".zst") else whole.suffixes[-1:])[1:]
        stem = whole.name[: -len(extension) - 1]
    name = f"review.{extension}" if files == 1 and stem != "review" else f"{stem}.review.{extension}"
    return str(whole.with_name(name))


def _tallied(
    group: Iterator[Piece], tally: Counter[str], fates: Fates, ledger: _Aside, ctx: Context
) -> Iterator[Piece]:
    """Passes pieces on, counts their verdicts and writes down their fates."""
    for piece in group:
        tally.update(piece.rows["verdict"].to_list())
        ledger.add(fates.of(piece.rows))
        yield piece
        ctx.progress.advance(piece.rows.height)


def _clean_file(
    run: RunDir,
    info: DatasetInfo,
    index: int,
    group: Iterator[Piece],
    settings: _Settings,
    removed: _Aside,
    bad: _Aside,
) -> list[Path]:
    file = info.files[index]
    target = run / "cleaned" / file.path
    beside = run / "cleaned" / review_name(file.path, len(info.files))
    if file.format in COLUMNAR:
        return _clean_columnar(run, ColumnarFiles(target, beside, file, settings.ingest), group, settings, removed, bad)
    return _clean_text(TextFiles(target, beside, file, settings.ingest), group, settings, removed, bad)


def _clean_text(
    files: TextFiles, group: Iterator[Piece], settings: _Settings, removed: _Aside, bad: _Aside
) -> list[Path]:
    with files:
        for piece in group:
            keep, review = _split(piece.rows, settings.hold)
            files.write(keep["raw"], review["raw"])
            removed.add(_removed(piece.rows))
            bad.add(piece.rows.filter(pl.col("verdict") == Verdict.UNREADABLE))
    return files.written()


def _clean_columnar(
    run: RunDir, files: ColumnarFiles, group: Iterator[Piece], settings: _Settings, removed: _Aside, bad: _Aside
) -> list[Path]:
    with files:
        for piece in group:
            bad.add(piece.rows.filter(pl.col("verdict") == Verdict.UNREADABLE))
            table = original_rows(run, piece.shard)
            if table is None:
                continue  # a shard of failures only: nothing was decoded
            plain = without_rows(table)
            keep, review = _split(piece.rows, settings.hold)
            files.write(take(table, plain, keep), take(table, plain, review))
            gone = _removed(piece.rows)
            originals = take(table, plain, gone).to_pylist()
            removed.add(gone.with_columns(pl.Series("original", [dumps(o) for o in originals], dtype=pl.String)))
    return files.written()


def _split(rows: pl.DataFrame, hold: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows for the cleaned file and rows for the review file."""
    kept = [Verdict.KEEP] if hold else [Verdict.KEEP, Verdict.REVIEW]
    keep = rows.filter(pl.col("verdict").is_in([str(v) for v in kept]))
    return keep, rows.filter((pl.col("verdict") == Verdict.REVIEW) & pl.lit(hold))


def _removed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("verdict") == Verdict.REMOVE)


def _check_law(info: DatasetInfo, tally: Counter[str], verdicts: pl.DataFrame) -> None:
    records = sum(file.records for file in info.files)
    if not tally.total() == info.rows == records or tally != Counter(verdicts["verdict"].to_list()):
        raise ConservationError(
            f"{records} records were read, {info.rows} are known, {tally.total()} were written: {tally}"
        )


def _remove_stale(folder: Path, written: list[Path]) -> None:
    """Deletes what an earlier run of this stage left."""
    for path in folder.rglob("*") if folder.exists() else []:
        if path.is_file() and path not in written:
            durable.remove(path)


class _Aside:
    """A parquet file of rows that are set aside, written shard by shard."""

    def __init__(self, path: Path, schema: dict[str, Any]) -> None:
        self._path, self._names = path, schema
        self._arrow = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self._stack = ExitStack()

    def __enter__(self) -> _Aside:
        handle = self._stack.enter_context(atomic_file(self._path))
        self._writer = self._stack.enter_context(pq.ParquetWriter(handle, self._arrow, compression="zstd"))
        return self

    def __exit__(self, *exc: Any) -> None:
        self._stack.__exit__(*exc)

    def add(self, rows: pl.DataFrame) -> None:
        """Appends rows; columns of the schema that they have not are null."""
        if rows.height:
            missing = [pl.lit(None, dtype).alias(n) for n, dtype in self._names.items() if n not in rows.columns]
            table = rows.with_columns(missing).select(list(self._names)).to_arrow(compat_level=pl.CompatLevel.oldest())
            self._writer.write_table(table.cast(self._arrow))
