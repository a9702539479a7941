"""A poisoned copy of a dataset's files: the poisoned records in the manner of the others, all else byte for byte.

Text files are spliced: of the decompressed bytes only the poisoned records' are exchanged, so that headers, blank
lines, line ends and unreadable records stay. Columnar files keep the schema and every other value. What was written is
read again, and every record that is not poisoned must have the hash that it had.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from audit import durable
from audit.attacks.encode import JsonStyle, csv_bytes, json_bytes, json_style
from audit.attacks.records import Fields, Unwritable, write_back
from audit.attacks.targets import Example
from audit.config import IngestConfig
from audit.errors import ConservationError, UsageError, WriteFailed
from audit.remedies.writers import ColumnarOutput, compressed
from audit.rundir import RunDir, atomic_file
from audit.schema import InputFile
from audit.sources.delimited import parse_fields
from audit.sources.files import COLUMNAR, Source
from audit.sources.readers import reread
from audit.sources.record import Budget
from audit.sources.shards import original_rows, row_positions, without_rows
from audit.sources.streams import ByteStream
from audit.sources.strict_json import ObjectParser

# A file with such a record cannot be copied whole: part of it was not read.
_LOST = ("too_long", "truncated_input", "damaged_input", "count_mismatch", "resource_limit", "bad_header")
_STYLED = 200  # records that show a file's manner


@dataclass(frozen=True, slots=True)
class Change:
    """One poisoned record: what its example was and is now. An appended one is made from `old`'s record."""

    old: Example
    new: Example
    appended: bool


class Copy:
    """A read dataset (`run`) and what is needed to write its records again."""

    def __init__(self, run: RunDir, limits: IngestConfig) -> None:
        self.run, self.info, self.limits = run, run.dataset(), limits
        columns = ["row", "file", "offset", "raw", "sha256", "reason"]
        self.ledger = pl.concat([pl.read_parquet(path, columns=columns) for path in run.shards("ledger")])
        lost = self.ledger.filter(pl.col("reason").is_in(_LOST))
        if lost.height:
            file = self.info.files[int(lost["file"][0])].path
            raise UsageError(f"{file} could not be read whole ({lost['reason'][0]}); repair it before planting in it")
        self._parse = ObjectParser(limits)
        self._styles: dict[int, JsonStyle] = {}
        self._table: tuple[pa.Table, dict[int, int]] | None = None  # the shard that was used last
        self._labels: dict[str, Any] = {}

    def file_of(self, row: int) -> InputFile:
        """The file that holds a record."""
        return self.info.files[int(self.ledger["file"][row])]

    def is_columnar(self, change: Change) -> bool:
        """True when the record stands in a parquet or Arrow file."""
        return self.file_of(int(change.old["row"])).format in COLUMNAR

    def fields(self, row: int) -> Fields:
        """A readable record's columns, by name, numbers as their source text."""
        file, raw = self.file_of(row), self.ledger["raw"][row]
        if file.format in COLUMNAR:
            table, places = self._shard_of(row)
            values: Fields = table.slice(places[row], 1).to_pylist()[0]
            return values
        if file.format in ("csv", "tsv"):
            delimiter, quoted = file.layout["delimiter"], file.layout["quoted"]
            names = parse_fields(file.layout["header"], delimiter, quoted)
            return dict(zip(names, parse_fields(raw.decode(), delimiter, quoted), strict=True))
        return self._parse(raw)

    def changed(self, change: Change) -> Fields:
        """The columns of a poisoned record. Raises Unwritable."""
        fields = self.fields(int(change.old["row"]))
        labels = self._labels
        wanted = change.new["label"]
        if wanted is not None and wanted != change.old["label"] and wanted not in labels:
            self._find_label(wanted)
        written = write_back(self.info, fields, change.old, change.new, labels)
        column = self.info.mapping.get("id", "")
        if change.new["id"] is None and written.get(column) is not None:
            form = self.file_of(int(change.old["row"])).format
            written[column] = "" if form in ("csv", "tsv") else None
        return written

    def encoded(self, change: Change) -> bytes:
        """A poisoned record as its text file has it. Raises Unwritable."""
        row = int(change.old["row"])
        file, raw, fields = self.file_of(row), self.ledger["raw"][row], self.changed(change)
        if file.format not in ("csv", "tsv"):
            return json_bytes(fields, self._style(int(self.ledger["file"][row])))
        delimiter, quoted = file.layout["delimiter"], file.layout["quoted"]
        try:
            made = csv_bytes(list(fields.values()), raw, delimiter, quoted)
        except ValueError as error:
            raise Unwritable(str(error)) from None
        if not made.strip():
            raise Unwritable("its line would be blank")
        return made

    def _find_label(self, label: str) -> None:
        for path in self.run.shards("examples"):
            found = pl.read_parquet(path, columns=["row", "label"]).filter(pl.col("label") == label)
            if found.height:
                self._labels[label] = self.fields(int(found["row"][0]))[self.info.mapping["label"]]
                return

    def _style(self, file: int) -> JsonStyle:
        if file not in self._styles:
            rows = self.ledger.filter((pl.col("file") == file) & pl.col("reason").is_null()).head(_STYLED)
            self._styles[file] = json_style([(raw, self._parse(raw)) for raw in rows["raw"]])
        return self._styles[file]

    def _shard_of(self, row: int) -> tuple[pa.Table, dict[int, int]]:
        if self._table is not None and row in self._table[1]:
            return self._table
        for shard in self.info.shards:
            stored = original_rows(self.run, shard)
            if stored is not None and row in (positions := row_positions(stored)):
                self._table = (without_rows(stored), {position: i for i, position in enumerate(positions)})
                return self._table
        raise ConservationError(f"row {row} has no original values")


def write_copy(copy: Copy, sources: Sequence[Source], outputs: Sequence[Path], changes: Mapping[int, Change]) -> None:
    """Writes each file to its output, with the records of `changes` (position in the copy -> change) in their new
    form; appended ones stand behind the last readable record. Raises Unwritable, ConservationError and WriteFailed;
    nothing is left behind then."""
    last = int(copy.ledger.filter(pl.col("reason").is_null())["row"].to_list()[-1])
    try:
        for number, (source, path) in enumerate(zip(sources, outputs, strict=True)):
            rows = copy.ledger.filter(pl.col("file") == number)
            here = set(rows["row"])
            added = [change for _, change in sorted(changes.items()) if change.appended] if last in here else []
            edited = {row: change for row, change in changes.items() if not change.appended and row in here}
            part = _Part(copy.info.files[number], source, path, rows, edited, last, added)
            if not edited and not added:
                with source.open() as handle, atomic_file(path) as out:
                    shutil.copyfileobj(handle, out)
            elif part.file.format in COLUMNAR:
                _write_columns(copy, part)
            else:
                _write_text(copy, part)
            _check(part, copy.limits)
    except BaseException:
        for path in outputs:
            with suppress(WriteFailed):
                durable.remove(path)
        raise


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of the dataset and what becomes of it."""

    file: InputFile
    source: Source
    path: Path
    rows: pl.DataFrame  # of the ledger
    edited: Mapping[int, Change]
    last: int  # the row behind which `added` goes
    added: Sequence[Change]


def _write_text(copy: Copy, part: _Part) -> None:
    edits: list[tuple[int, bytes, bytes]] = []  # where, what stands there, what shall
    layout, compression = part.file.layout, part.file.compression
    between = layout.get("separator", ",\n") if part.file.format == "json" else layout.get("newline", "\n")
    for row, offset, raw in part.rows.select("row", "offset", "raw").iter_rows():
        new = copy.encoded(part.edited[row]) if row in part.edited else raw
        if row == part.last and part.added:
            new = between.encode().join([new, *(copy.encoded(change) for change in part.added)])
        if new is not raw:
            edits.append((offset, raw, new))
    budget = Budget(copy.limits.max_decoded_bytes)
    with part.source.open() as handle, atomic_file(part.path) as out, compressed(out, compression) as stream:
        for block in splice(iter(ByteStream(handle, compression, budget)), edits):
            stream.write(block)


def splice(blocks: Iterator[bytes], edits: Sequence[tuple[int, bytes, bytes]]) -> Iterator[bytes]:
    """The stream of bytes with each (offset, old, new) exchanged; offsets ascend and do not overlap. Raises
    ConservationError where the old bytes are not those that stand there."""
    held, start = b"", 0  # bytes read and not handed on, and where they begin
    for offset, old, new in edits:
        while start + len(held) < offset + len(old):
            block = next(blocks, None)
            if block is None:
                raise ConservationError("the file ends before a record that was read from it; it changed meanwhile")
            if start + len(held) <= offset:
                yield held
                start, held = start + len(held), b""
            held += block
        if held[offset - start : offset - start + len(old)] != old:
            raise ConservationError(f"byte {offset} of the file no longer begins the record that was read there")
        yield held[: offset - start] + new
        held, start = held[offset - start + len(old) :], offset + len(old)
    yield held
    yield from blocks


def _write_columns(copy: Copy, part: _Part) -> None:
    here = set(part.rows["row"])
    output: ColumnarOutput | None = None
    with ExitStack() as stack:
        for shard in copy.info.shards:
            stored = original_rows(copy.run, shard)
            if stored is None or not here.intersection(positions := row_positions(stored)):
                continue
            plain = without_rows(stored)
            places = {row: i for i, row in enumerate(positions)}
            new = {places[row]: [copy.changed(change)] for row, change in part.edited.items() if row in places}
            if part.last in places and part.added:
                at = places[part.last]
                kept = new.get(at) or plain.slice(at, 1).to_pylist()
                new[at] = [*kept, *(copy.changed(change) for change in part.added)]
            output = output or stack.enter_context(ColumnarOutput(part.path, part.file, plain.schema))
            output.write(_exchange(plain, new))


def _exchange(table: pa.Table, new: Mapping[int, list[Fields]]) -> pa.Table:
    """The table with the rows at these places exchanged for the given ones; all other values are not touched."""
    pieces, start = [], 0
    for place in sorted(new):
        pieces += [table.slice(start, place - start), pa.Table.from_pylist(new[place], schema=table.schema)]
        start = place + 1
    return pa.concat_tables([*pieces, table.slice(start)]).unify_dictionaries().combine_chunks()


def _check(part: _Part, limits: IngestConfig) -> None:
    """Reads a written file again: as many records as there should be, those that are not poisoned unchanged."""
    expected: list[str | None] = []
    for row, sha256 in part.rows.select("row", "sha256").iter_rows():
        expected.append(None if row in part.edited else sha256)
        expected += [None] * (len(part.added) if row == part.last else 0)
    found = [record.raw for record in reread(part.path, part.file, limits)]
    if len(found) != len(expected):
        raise ConservationError(f"{part.path.name}: {len(expected)} records were written, {len(found)} are read again")
    for number, (raw, sha256) in enumerate(zip(found, expected, strict=True)):
        if sha256 is not None and (raw is None or hashlib.sha256(raw).hexdigest() != sha256):
            raise ConservationError(f"{part.path.name}: record {number} is not poisoned, but it changed")
