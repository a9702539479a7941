"""Runs of rows as tables of examples and ledger at once: what is read of them row by row, only faster.

JSON lines of a known layout, plain lines of csv and tsv, and decoded rows of flat columns are mapped by columns; each
other row of the run goes to the strict parser and the row reader.
Law: shards and facts are those that come of the same rows one by one (tests/sources/test_row_batches.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from audit.config import IngestConfig
from audit.provenance import content_hashes
from audit.schema import EXAMPLES, LEDGER, Int64
from audit.sources.detect import Recognised
from audit.sources.layouts import Cells, Layouts, texts
from audit.sources.record import LineRun, Record, RowError, RowRun
from audit.sources.shapes import Columns, Parts
from audit.sources.shards import FACT_ROLES, ExampleTable
from audit.sources.strict_json import ObjectParser

RowMapper = Callable[[Record], tuple[Record, Parts | None]]


class Tables(NamedTuple):
    """What a run of rows says."""

    ledger: pl.DataFrame
    examples: pl.DataFrame
    mapped: int  # rows that were mapped at once; `map_row` has seen the others
    labels: set[str]  # of these rows


class RunMapper:
    """Maps runs of rows once the kind is known. `map_row` maps a record and takes note of its facts."""

    def __init__(self, recognised: Recognised, limits: IngestConfig, map_row: RowMapper) -> None:
        self._recognised, self._map_row = recognised, map_row
        self._parse = ObjectParser(limits)
        self._layouts = Layouts()

    @property
    def useful(self) -> bool:
        """False for a shape that is read row by row anyway."""
        return self._recognised.read_columns is not None

    def learn(self, record: Record) -> None:
        """Takes notice of a row that was read one by one."""
        if record.fields is not None and record.raw is not None and record.raw[:1] == b"{":
            self._layouts.learn(record.fields)

    def tables(self, run: LineRun | RowRun, first: int) -> Tables:
        """All rows of a run whose first is row `first`."""
        raws = run.raws if isinstance(run, LineRun) else []
        lines = pl.Series(raws, dtype=pl.Binary)
        if isinstance(run, LineRun):
            sizes = lines.bin.size().to_numpy().astype(np.int64) + len(run.newline)
            offsets = np.cumsum(sizes) - sizes + run.offset
        else:
            offsets = np.arange(run.offset, run.offset + run.rows, dtype=np.int64)
        left = np.ones(len(offsets), dtype=np.bool_)
        tables: list[pl.DataFrame] = []
        labels: set[str] = set()
        for cells, at in (run.dialect or self._layouts).matches(texts(lines)):
            table, at = self._examples(cells, at, first)
            if table.height:
                left[at.to_numpy()] = False
                tables.append(table)
                labels.update(table["label"].drop_nulls().unique())
        reasons: list[str | None] = [None] * len(offsets)
        details = [""] * len(offsets)
        rest = ExampleTable(self._recognised)
        for index in np.flatnonzero(left).tolist():
            raw = raws[index] if raws else None
            row = Record(run.file, run.line + index, int(offsets[index]), raw, None)
            record, parts = self._map_row(run.dialect.read(row) if run.dialect else self._strict(row))
            self.learn(record)
            if parts is not None and record.fields is not None:
                rest.add(first + index, record.fields, parts)
            else:
                reasons[index], details[index] = str(record.reason), record.detail
        if len(rest) or not tables:
            tables.append(rest.frame())
        examples = tables[0] if len(tables) == 1 else pl.concat(tables).sort("row")
        ledger = _ledger(run, first, lines, offsets).with_columns(
            reason=pl.Series(reasons, dtype=pl.String), detail=pl.Series(details, dtype=pl.String)
        )
        return Tables(ledger.select(list(LEDGER)), examples, examples.height - len(rest), labels)

    def _strict(self, line: Record) -> Record:
        assert line.raw is not None
        try:
            return line._replace(fields=self._parse(line.raw))
        except RowError as error:
            return line._replace(reason=error.reason, detail=error.detail)

    def _examples(self, cells: Cells, at: pl.Series, first: int) -> tuple[pl.DataFrame, pl.Series]:
        """The sound lines of one layout, schema EXAMPLES, and where they stand."""
        assert self._recognised.read_columns is not None
        columns = self._recognised.read_columns(cells)
        if columns is None:
            return pl.DataFrame(schema=EXAMPLES), at.clear()
        mapping, used = self._recognised.mapping, self._recognised.used
        data: dict[str, Any] = dict(zip(Columns._fields[:4], columns[:4], strict=True))
        data |= {role: cells.scalar(mapping.get(role)) for role in FACT_ROLES}
        beside = sorted(set(cells.columns) - used)
        data["meta"] = cells.compact(beside) if beside else pl.lit("{}")
        data["turns"] = _turns(columns.turns)
        data["row"] = at.cast(pl.Int64) + first
        absent = {name: pl.lit(None) for name in EXAMPLES if data.get(name) is None}
        frame = pl.select(**{**data, **absent}).filter(columns.sound)
        frame = frame.select(pl.col(name).cast(kind) for name, kind in EXAMPLES.items())
        hashes = content_hashes(*(frame[name] for name in ("prompt", "response", "rejected", "label")))
        return frame.with_columns(content_hash=hashes), at.filter(columns.sound)


def _turns(turns: list[tuple[str, pl.Series]]) -> pl.Expr:
    """A list of turns for each row; a null text is no turn."""
    said = [pl.struct(pl.lit(role).alias("role"), pl.lit(texts).alias("text")) for role, texts in turns]
    present = [texts.is_not_null() for _, texts in turns]
    if reduce(and_, present).all():
        return pl.concat_list(said)
    whole = pl.concat_list(said)
    return whole.list.eval(pl.element().filter(pl.element().struct.field("text").is_not_null()))


def _ledger(run: LineRun | RowRun, first: int, lines: pl.Series, offsets: Int64) -> pl.DataFrame:
    """The ledger of a run, but for reasons and details."""
    raw, sha256 = pl.lit(None, dtype=pl.Binary), pl.lit(None, dtype=pl.String)
    if isinstance(run, LineRun):
        digests = pl.Series([hashlib.sha256(line).digest() for line in run.raws], dtype=pl.Binary)
        raw, sha256 = pl.lit(lines), pl.lit(digests).bin.encode("hex")
    return pl.select(
        row=pl.int_range(first, first + len(offsets), dtype=pl.Int64),
        file=pl.lit(run.file, dtype=pl.Int32),
        line=pl.int_range(run.line, run.line + len(offsets), dtype=pl.Int64),
        offset=pl.lit(pl.Series(offsets)),
        raw=raw,
        sha256=sha256,
    )
