"""Shards: the trusted tables that all later stages read instead of the input.

A shard holds a fixed number of record positions: examples/NAME.parquet (the readable ones), ledger/NAME.parquet
(all of them) and, where the input is columnar, originals/NAME.parquet (its rows as they were, every column and
type, and `ROW_COLUMN` for the position). What is no record stands in regions/. Memory is bounded by one shard.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audit import durable
from audit.errors import InputError
from audit.provenance import content_hash
from audit.rundir import RunDir
from audit.schema import EXAMPLES, LEDGER
from audit.sources.behind import WriteBehind, parquet
from audit.sources.detect import Recognised
from audit.sources.record import Record
from audit.sources.regions import RegionWriter
from audit.sources.shapes import Parts, Ranking, Turns, scalar
from audit.sources.strict_json import dumps

_SCHEMA_KEY = b"tunevet.schema"
_LEVEL = 1  # of zstd: higher ones take twice the time for a thirtieth less
ROW_COLUMN = "__tunevet_row__"  # last column of originals, never part of an output
FACT_ROLES = ("annotator", "source", "created_at", "id")
_NO_FACTS = (None,) * len(FACT_ROLES)


class ExampleTable:
    """Rows of EXAMPLES, collected one by one."""

    def __init__(self, recognised: Recognised) -> None:
        facts = [recognised.mapping.get(role) for role in FACT_ROLES]
        self._facts = facts if any(facts) else []
        self._used = recognised.used
        self._rows: list[tuple[Any, ...]] = []
        self._turns: list[Turns] = []
        self._rankings: list[Ranking | None] = []

    def __len__(self) -> int:
        return len(self._turns)

    def add(self, row: int, fields: dict[str, Any], parts: Parts) -> None:
        prompt, response, rejected, label, turns, ranking, shown_first = parts
        facts = [None if c is None else scalar(fields.get(c)) for c in self._facts] if self._facts else _NO_FACTS
        meta = "{}"
        if not self._used.issuperset(fields):
            meta = dumps({name: value for name, value in fields.items() if name not in self._used})
        identity = content_hash(prompt, response, rejected, label)
        self._rows.append((row, identity, prompt, response, rejected, label, *facts, shown_first, meta))
        self._turns.append(turns)
        self._rankings.append(ranking)

    def frame(self) -> pl.DataFrame:
        """The table so far, schema EXAMPLES."""
        names = ("row", "content_hash", *Parts._fields[:4], *FACT_ROLES, "shown_first", "meta")
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(names)
        data = {n: pl.Series(n, list(v), dtype=EXAMPLES[n]) for n, v in zip(names, columns, strict=True)}
        data["turns"] = pl.Series("turns", _turns_array(self._turns), dtype=EXAMPLES["turns"])
        said = [None if r is None else [{"text": text, "rank": rank} for text, rank in r] for r in self._rankings]
        data["ranking"] = pl.Series("ranking", said, dtype=EXAMPLES["ranking"])
        return pl.DataFrame(data).select(list(EXAMPLES))


def _turns_array(turns: Sequence[Turns]) -> pl.Series:
    offsets = np.zeros(len(turns) + 1, dtype=np.int64)
    np.cumsum([len(said) for said in turns], out=offsets[1:])
    # Not by pyarrow.array, which loads pandas.
    roles = pl.Series([role for said in turns for role, _ in said], dtype=pl.String).to_arrow()
    texts = pl.Series([text for said in turns for _, text in said], dtype=pl.String).to_arrow()
    structs = pa.StructArray.from_arrays([roles, texts], ["role", "text"])
    converted = pl.from_arrow(pa.LargeListArray.from_arrays(pl.Series(offsets).to_arrow(), structs))
    assert isinstance(converted, pl.Series)
    return converted


class ShardWriter:
    """Collects record positions and writes a shard each time that it is full, by `behind`."""

    def __init__(self, run: RunDir, shard_rows: int, behind: WriteBehind | None = None) -> None:
        self.run, self.shard_rows = run, shard_rows
        self.names: list[str] = []
        self.paths: list[Path] = []
        self.rows = 0
        self._behind = behind or WriteBehind(False)
        self.regions = RegionWriter(run, self._behind)
        self._recognised: Recognised | None = None
        self._examples: ExampleTable | None = None
        self._ledger: list[tuple[Any, ...]] = []
        self._tables: list[tuple[pl.DataFrame, pl.DataFrame]] = []  # (ledger, examples) in front of these
        self._held = 0  # rows of the shard at hand
        self._file, self._columnar = -1, False
        self._batches: list[tuple[int, int, pa.RecordBatch]] = []  # (file, first ordinal, batch), not yet written

    def use(self, recognised: Recognised) -> None:
        """From now on readable rows are of this shape. Rows added before were all unreadable."""
        self._recognised = recognised
        self._examples = ExampleTable(recognised)

    def add(self, record: Record, parts: Parts | None) -> None:
        """Takes the next record position; `parts` exactly when it is readable."""
        file, line, offset, raw, fields, reason, detail = record
        if file != self._file:
            self._enter(file, raw is None)
        sha256 = None if raw is None else hashlib.sha256(raw).hexdigest()
        self._ledger.append((self.rows, file, line, offset, raw, sha256, reason, detail))
        if parts is not None:
            assert self._examples is not None and fields is not None
            self._examples.add(self.rows, fields, parts)
        self.rows += 1
        self._held += 1
        if self._held >= self.shard_rows:
            self.flush()

    def add_tables(self, file: int, ledger: pl.DataFrame, examples: pl.DataFrame, columnar: bool) -> None:
        """Takes the next record positions of a file as tables: those of the ledger begin with row `rows`."""
        if file != self._file:
            self._enter(file, columnar)
        while ledger.height:
            self._seal()
            room = self.shard_rows - self._held
            taken = ledger.head(room)
            readable = int(np.searchsorted(examples["row"].to_numpy(), self.rows + taken.height))
            self._tables.append((taken, examples.head(readable)))
            ledger, examples = ledger.slice(taken.height), examples.slice(readable)
            self.rows += taken.height
            self._held += taken.height
            if self._held >= self.shard_rows:
                self.flush()

    def keep_batch(self, file: int, first: int, batch: pa.RecordBatch) -> None:
        """Takes decoded rows of a columnar file, whose records follow one by one."""
        self._batches.append((file, first, batch))

    def close(self) -> None:
        """Hands on what is left of rows and regions; `paths` is complete then, the files when `behind` is left."""
        self.flush()
        self.regions.flush()
        self.paths += self.regions.paths

    def flush(self) -> None:
        """Hands the rows collected so far on as a shard; nothing when there are none."""
        if not self._held:
            return
        name = f"part-{len(self.names):05d}"
        self._seal()
        ledgers, examples = zip(*self._tables, strict=True)
        if self._columnar:
            self._keep_originals(name, pl.concat(ledgers))
        self._write("examples", name, examples)
        self._write("ledger", name, ledgers)
        self.names.append(name)
        self._tables, self._held = [], 0

    def _enter(self, file: int, columnar: bool) -> None:
        # Rows of a columnar file share their originals' schema with no other file.
        if self._columnar or columnar:
            self.flush()
        self._file, self._columnar = file, columnar

    def _seal(self) -> None:
        """Makes tables of the rows that came one by one."""
        if not self._ledger:
            return
        columns = zip(*self._ledger, strict=True)
        ledger = pl.DataFrame({n: pl.Series(n, list(v), dtype=LEDGER[n]) for n, v in zip(LEDGER, columns, strict=True)})
        examples = self._examples.frame() if self._examples else pl.DataFrame(schema=EXAMPLES)
        self._tables.append((ledger, examples))
        self._ledger = []
        if self._recognised:
            self._examples = ExampleTable(self._recognised)

    def remove_stale(self) -> None:
        """Deletes shards of an earlier run with other settings."""
        for folder in ("examples", "ledger", "originals", "regions"):
            for path in (self.run / folder).glob("part-*.parquet"):
                if path not in self.paths:
                    durable.remove(path)

    def _write(self, folder: str, name: str, tables: Sequence[pl.DataFrame]) -> None:
        path = self.run / folder / f"{name}.parquet"
        self._behind.write(path, parquet, tables, _LEVEL)
        self.paths.append(path)

    def _keep_originals(self, name: str, ledger: pl.DataFrame) -> None:
        """The batches' rows that this shard holds, each with its position; batches that are used up go."""
        rows = dict(ledger.select("offset", "row").iter_rows())  # ordinal -> row
        last = max(rows)
        here = [(first, batch) for file, first, batch in self._batches if file == self._file and first <= last]
        if here:
            path = self.run / "originals" / f"{name}.parquet"
            self._behind.write(path, _originals, here, rows)
            self.paths.append(path)
        self._batches = [
            (file, first, batch)
            for file, first, batch in self._batches
            if file > self._file or (file == self._file and first + batch.num_rows - 1 > last)
        ]


def _originals(batches: list[tuple[int, pa.RecordBatch]], rows: dict[int, int]) -> bytes:
    original = batches[0][1].schema
    schema = original.append(pa.field(ROW_COLUMN, pa.int64()))
    # Parquet keeps fewer types than Arrow has (units of time, widths of indices): the schema goes along.
    schema = schema.with_metadata({_SCHEMA_KEY: base64.b64encode(original.serialize().to_pybytes())})
    out = io.BytesIO()
    try:
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for first, batch in batches:
                wanted = [i for i in range(batch.num_rows) if first + i in rows]
                if wanted:
                    part = batch.slice(wanted[0], len(wanted))
                    places = pa.array([rows[first + i] for i in wanted], pa.int64())
                    writer.write_batch(pa.RecordBatch.from_arrays([*part.columns, places], schema=schema))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise InputError(f"a column's type cannot be stored as parquet: {error}") from None
    return out.getvalue()


def original_rows(run: RunDir, shard: str) -> pa.Table | None:
    """A shard's rows as they were in a columnar input, in the original schema, with `ROW_COLUMN` last; None when
    nothing of the shard could be decoded."""
    path = run / "originals" / f"{shard}.parquet"
    if not path.exists():
        return None
    stored = pq.ParquetFile(path, arrow_extensions_enabled=False).read()
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored.schema.metadata[_SCHEMA_KEY])))
    return stored.cast(schema.append(pa.field(ROW_COLUMN, pa.int64())))


def without_rows(table: pa.Table) -> pa.Table:
    """The original columns alone. By position: the input may have a column of any name."""
    return table.select(list(range(table.num_columns - 1)))


def row_positions(table: pa.Table) -> list[int]:
    """The record position of each row of `original_rows`."""
    positions: list[int] = table.column(table.num_columns - 1).to_pylist()
    return positions
