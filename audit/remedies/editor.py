"""Rows of a piece with their edits made: what can be edited is kept, changed; what cannot is held back, with why.

Source: `audit.remedies.edits` for what an edit is, `audit.remedies.forms` for how it is written and checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from audit.config import IngestConfig
from audit.remedies import edits
from audit.remedies.anatomy import CannotEdit, Fields, Layout
from audit.remedies.decisions import STRIP
from audit.remedies.edits import Edit
from audit.remedies.forms import TextForm, columnar_edited, columnar_fields, concatenated
from audit.remedies.pieces import take
from audit.remedies.resolve import Outcome
from audit.remedies.strippable import Known, parts_of
from audit.schema import InputFile, Trigger
from audit.sources.shards import row_positions
from audit.triggers.match import Part

_KEPT = [str(Outcome.KEEP), str(Outcome.EDIT)]
Record = Mapping[str, Any]  # a row of RESOLVED with the ledger's columns and content_hash


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that could not be edited as decided, and is held back for it."""

    row: int
    content_hash: str
    fix: str
    reason: str


@dataclass(slots=True)
class Editor:
    """Makes the edits of one dataset. `marks` are row -> spans of the prompt that a check marked to be stripped."""

    layout: Layout
    limits: IngestConfig
    triggers: Sequence[Trigger]
    known: Known
    marks: Mapping[int, Sequence[edits.Span]]
    refused: list[Refused] = field(default_factory=list)
    _parts: dict[tuple[str, ...], tuple[Part, ...] | CannotEdit] = field(default_factory=dict)

    def text(self, file: InputFile, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of a text file, `raw` of the edited ones as it is to be written, `outcome` of the refused HOLD."""
        wanted = rows.filter(pl.col("outcome") == Outcome.EDIT)
        if wanted.is_empty():
            return rows
        form = TextForm(file, self.layout, self.limits)
        made: dict[int, bytes] = {}
        for record in wanted.iter_rows(named=True):
            try:
                fields = form.fields(record["raw"])
                made[record["row"]] = form.edited(record["raw"], fields, self._edit(record, fields))
            except CannotEdit as error:
                self._refuse(record, error)
        patch = pl.DataFrame({"row": list(made), "_raw": list(made.values())}, {"row": pl.Int64, "_raw": pl.Binary})
        joined = self._held(rows).join(patch, on="row", how="left", maintain_order="left")
        return joined.with_columns(pl.coalesce("_raw", "raw").alias("raw")).drop("_raw")

    def columnar(
        self, file: InputFile, table: pa.Table, plain: pa.Table, rows: pl.DataFrame
    ) -> tuple[pa.Table, pl.DataFrame]:
        """The kept rows of a piece, edited ones in their places, and `rows` with the `outcome` of the refused HOLD.
        `table` is `original_rows`, `plain` the same without positions."""
        wanted = rows.filter(pl.col("outcome") == Outcome.EDIT)
        originals = take(table, plain, wanted)
        closed = file.layout.get("container") == "file"
        made: dict[int, pa.Table] = {}
        for at, record in enumerate(wanted.iter_rows(named=True)):
            row = originals.slice(at, 1)
            try:
                fields = next(iter(columnar_fields(row, self.limits)), None)
                if fields is None:
                    raise CannotEdit("the row cannot be read")
                edit = self._edit(record, fields)
                made[record["row"]] = columnar_edited(row, fields, edit, self.layout, self.limits, closed=closed)
            except CannotEdit as error:
                self._refuse(record, error)
        rows = self._held(rows)
        kept = rows.filter(pl.col("outcome").is_in(_KEPT))
        if not made:
            return take(table, plain, kept), rows
        places = {row: at for at, row in enumerate(row_positions(table))}
        places |= {row: plain.num_rows + at for at, row in enumerate(made)}
        whole = concatenated([plain, *made.values()], plain.schema)
        return whole.take(pa.array([places[row] for row in kept["row"]], pa.int64())), rows

    def _held(self, rows: pl.DataFrame) -> pl.DataFrame:
        refused = pl.Series([r.row for r in self.refused], dtype=pl.Int64).implode()
        held = pl.when(pl.col("row").is_in(refused)).then(pl.lit(str(Outcome.HOLD))).otherwise("outcome")
        return rows.with_columns(held.alias("outcome"))

    def _refuse(self, record: Record, error: CannotEdit) -> None:
        self.refused.append(Refused(record["row"], record["content_hash"], record["fix"], str(error)))

    def _edit(self, record: Record, fields: Fields) -> Edit:
        fix, value = record["fix"], record["new_value"]
        if fix == "strip" and record["decision"] == STRIP:
            return edits.strip(fields, self.layout, self._of(tuple(record["rule"])))
        if fix == "strip":
            return edits.strip_marks(fields, self.layout, self.marks.get(record["row"], ()))
        if fix == "relabel":
            return edits.relabel(fields, self.layout, value)
        if fix == "swap":
            return edits.swap(fields, self.layout)
        if record["field"] is None:
            raise CannotEdit("the proposed edit does not say what it replaces; decide edit, with its field")
        return edits.rewrite(fields, self.layout, record["field"], value)

    def _of(self, ids: tuple[str, ...]) -> tuple[Part, ...]:
        """The parts of all these triggers."""
        if ids not in self._parts:
            try:
                named = [parts_of(trigger, self.known) for trigger in self.triggers if trigger.id in ids]
                self._parts[ids] = tuple(dict.fromkeys(part for parts in named for part in parts))
            except CannotEdit as error:
                self._parts[ids] = error
        found = self._parts[ids]
        if isinstance(found, CannotEdit):
            raise found
        return found
