"""Ingest: the input is streamed once into trusted shards, and what it is stands in dataset.json.

Everything that cannot be read keeps its place in the ledger with its reason; nothing ends the run but an input
without one readable row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from audit.config import Config
from audit.errors import InputError, NothingScanned
from audit.rundir import Context, write_json
from audit.schema import EXAMPLES, DatasetInfo, InputFile, Kind, Progress
from audit.sources import detect
from audit.sources.batches import RunMapper
from audit.sources.behind import WriteBehind
from audit.sources.files import Inventory, enumerate_input, fingerprint_input, fingerprint_of
from audit.sources.readers import FileReader
from audit.sources.record import Budget, LineRun, NotRows, Record, RowError, RowRun
from audit.sources.shapes import Parts
from audit.sources.shards import ExampleTable, ShardWriter
from audit.text import safe_text

_MOST_COLUMNS = 1_000  # names kept in dataset.json; rows may each bring their own
_PREVIEW_RECORDS = 5_000
_BEHIND_BYTES = 32 << 20  # inputs from this size on are written while they are read
_PREVIEW_BYTES = 32 << 20  # inputs up to this size are previewed to their end, so that the counts are exact


def fingerprint(config: Config) -> str:
    """SHA-256 over the relative paths and hashes of all input files; part of the stage's key. Raises InputError
    for a missing input."""
    return fingerprint_input(config.source)


def ingest(ctx: Context, unit: str) -> list[Path]:
    """Reads the whole input into shards. Raises InputError for an input that is missing, empty, of no known
    format or of no known kind; NothingScanned when not one record was readable."""
    inventory = enumerate_input(ctx.config.source)
    large = sum(source.size_bytes for source in inventory.sources) >= _BEHIND_BYTES
    with WriteBehind(large) as behind:
        writer = ShardWriter(ctx.run, ctx.config.ingest.shard_rows, behind)
        walk = _Walk(inventory, ctx.config, writer)
        facts = _Facts()
        meter = _Meter(ctx.progress, walk, writer)
        for record, parts in _mapped(walk, facts, ctx.config, writer, meter):
            writer.add(record, parts)
            meter.step(parts is not None)
        writer.close()
    meter.end()
    info = _describe(inventory, walk, facts, ctx.config, writer.rows, tuple(writer.names))
    writer.remove_stale()
    path = ctx.run / "dataset.json"
    write_json(path, info.to_dict())
    return [*writer.paths, path]


def preview(config: Config, rows: int = 3) -> tuple[DatasetInfo, pl.DataFrame]:
    """What an input is, and its first `rows` examples, without a run directory. A large input is read in part:
    its `rows` and `readable` are then -1 and its hashes empty. Raises as `ingest` does."""
    inventory = enumerate_input(config.source)
    small = sum(source.size_bytes for source in inventory.sources) <= _PREVIEW_BYTES
    walk = _Walk(inventory, config, None, most=None if small else _PREVIEW_RECORDS)
    facts = _Facts()
    total, first = 0, None
    for record, parts in _mapped(walk, facts, config, None):
        if parts is not None and record.fields is not None:
            assert facts.recognised is not None
            first = first or ExampleTable(facts.recognised)
            if len(first) < rows:
                first.add(total, record.fields, parts)
        total += 1
    partial = not small and total >= _PREVIEW_RECORDS
    info = _describe(inventory, walk, facts, config, -1 if partial else total, ())
    return info, first.frame() if first else pl.DataFrame(schema=EXAMPLES)


@dataclass(slots=True)
class _Facts:
    """What is learned of the rows on the way."""

    recognised: detect.Recognised | None = None
    readable: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    first_bad: str = ""
    labels: set[str] = field(default_factory=set)
    columns: dict[str, None] = field(default_factory=dict)
    _forms: set[tuple[str, ...]] = field(default_factory=set)

    def see(self, record: Record, parts: Parts | None) -> None:
        if parts is None:
            self.bad[str(record.reason)] += 1
            self.first_bad = self.first_bad or record.detail
        else:
            self.readable += 1
            if parts.label is not None:
                self.labels.add(parts.label)
        self.note(tuple(record.fields or ()))

    def note(self, form: tuple[str, ...]) -> None:
        """These columns stand in a row."""
        if form not in self._forms and len(self.columns) < _MOST_COLUMNS:
            self._forms.add(form)
            self.columns.update(dict.fromkeys(form))


class _Meter:
    """Tells the user how many rows were read, once there is one that can be read."""

    def __init__(self, progress: Progress, walk: _Walk, writer: ShardWriter) -> None:
        self._progress, self._walk, self._writer = progress, walk, writer
        self._started = False
        self._reported = 0

    def step(self, readable: bool) -> None:
        """Called when the writer took rows, the last of which could be read or not."""
        if readable and not self._started:
            self._started = True
            self._progress.start("Reading rows", max(self._walk.estimate(), 1), "rows")
        if self._writer.rows - self._reported >= 1_000 and self._started:
            self.end()

    def end(self) -> None:
        if self._started:
            self._progress.advance(self._writer.rows - self._reported)
            self._reported = self._writer.rows


class _Walk:
    """The records of all files in order; closes each file and remembers what it was."""

    def __init__(
        self, inventory: Inventory, config: Config, writer: ShardWriter | None, most: int | None = None
    ) -> None:
        limits = [value for value in (config.ingest.limit, most) if value is not None]
        self._most = min(limits, default=None)
        self._whole = most is None
        self._inventory, self._settings, self._writer = inventory, config.ingest, writer
        self._reader: FileReader | None = None
        self._share = 0.0  # of the input, in files that are done
        self._taken = 0
        self.on_run: Callable[[LineRun | RowRun], bool] | None = None  # takes runs of rows, which are no records then
        self.files: list[InputFile] = []
        self.hashes: list[tuple[str, str]] = []  # of all files, those without rows too
        self.no_rows: list[tuple[str, str]] = []  # (relative path, why)
        self.rowless: list[InputFile] = []  # the same files

    def __iter__(self) -> Iterator[Record]:
        budget = Budget(self._settings.max_decoded_bytes)
        left = self._most
        sizes = [max(source.size_bytes, 1) for source in self._inventory.sources]
        for source, size in zip(self._inventory.sources, sizes, strict=True):
            with FileReader(source, len(self.files), self._settings, budget) as reader:
                self._reader, self._weight = reader, size / sum(sizes)
                try:
                    # No record beyond the limit is asked for: each one that is handed out counts as read.
                    for record in islice(reader.records(*self._hooks()), left):
                        left = None if left is None else left - 1
                        self._taken += 1
                        yield record
                except NotRows as error:
                    reader.without_rows(len(self.rowless))
                    self.no_rows.append((source.relative, str(error)))
                    self.rowless.append(reader.finish(self._whole))
                    self.hashes.append((source.relative, self.rowless[-1].sha256))
                    continue
                self._reader = None
                self._share += self._weight
                self.files.append(reader.finish(self._whole))
                self.hashes.append((source.relative, self.files[-1].sha256))

    def _hooks(self) -> tuple[Any, ...]:
        """Who takes decoded batches, regions and runs of rows."""
        if self._writer is None:
            return (None, None, None)
        return (self._writer.keep_batch, self._writer.regions.add, self._run if self._most is None else None)

    def _run(self, run: LineRun | RowRun) -> bool:
        if self.on_run is None or not self.on_run(run):
            return False
        self._taken += len(run.raws) if isinstance(run, LineRun) else run.rows
        return True

    def estimate(self) -> int:
        """How many records there will be, from the share of the input that those so far took."""
        share = self._share + (self._weight * self._reader.progress if self._reader else 0.0)
        total = round(self._taken / min(max(share, 1e-9), 1.0))
        return min(total, self._most) if self._most else total


def _mapped(
    walk: _Walk, facts: _Facts, config: Config, writer: ShardWriter | None, meter: _Meter | None = None
) -> Iterator[tuple[Record, Parts | None]]:
    """Records with what they say; those that the adapter cannot map get its reason. The first records are held
    back until there are enough to recognise the kind. From then on the writer takes runs of rows past this."""
    held: list[Record] = []
    readable = 0
    records = iter(walk)
    for record in records:
        held.append(record)
        readable += record.fields is not None
        if readable >= detect.SAMPLE:
            break
        if not readable and len(held) >= config.ingest.shard_rows:
            for bad in held:
                facts.see(bad, None)
                yield bad, None
            held = []
    sample = [record.fields for record in held if record.fields is not None]
    if sample:
        facts.recognised = detect.recognise(sample, config.ingest)
        if writer:
            writer.use(facts.recognised)
    mapper = RunMapper(facts.recognised, config.ingest, partial(_map, facts=facts)) if facts.recognised else None
    if mapper is None or not mapper.useful or writer is None or meter is None:
        yield from (_map(record, facts) for record in chain(held, records))
        return
    walk.on_run = partial(_take, mapper, facts, writer, meter)
    for record in chain(held, records):
        mapper.learn(record)
        yield _map(record, facts)


def _take(mapper: RunMapper, facts: _Facts, writer: ShardWriter, meter: _Meter, run: LineRun | RowRun) -> bool:
    """Maps and writes a run of rows."""
    tables = mapper.tables(run, writer.rows)
    facts.readable += tables.mapped
    if tables.mapped and run.dialect is not None:
        facts.note(run.dialect.columns)
    facts.labels |= tables.labels
    writer.add_tables(run.file, tables.ledger, tables.examples, isinstance(run, RowRun))
    meter.step(False)
    return True


def _map(record: Record, facts: _Facts) -> tuple[Record, Parts | None]:
    parts: Parts | None = None
    if record.fields is not None:
        assert facts.recognised is not None
        try:
            parts = facts.recognised.read(record.fields)
        except RowError as error:
            record = record._replace(reason=str(error.reason), detail=error.detail)
    facts.see(record, parts)
    return record, parts


def _describe(
    inventory: Inventory, walk: _Walk, facts: _Facts, config: Config, rows: int, shards: tuple[str, ...]
) -> DatasetInfo:
    if not facts.readable:
        _nothing(inventory, walk, facts)
    assert facts.recognised is not None
    shape = facts.recognised.shape
    files = tuple(walk.files)
    notes = [inventory.note, *(f"{safe_text(path, 120)} holds no rows: {why}" for path, why in walk.no_rows)]
    names = next(
        (n for f in files if (n := f.layout.get("label_names", {}).get(facts.recognised.mapping.get("label")))), None
    )
    if names:
        notes.append(
            "labels: " + ", ".join(f"{value} = {safe_text(name, 60)}" for value, name in enumerate(names[:50]))
        )
    return DatasetInfo(
        name=config.name or inventory.name,
        kind=shape.kind,
        shape=shape.name,
        mapping=facts.recognised.mapping,
        confidence=facts.recognised.confidence,
        columns=tuple(facts.columns),
        labels=_sorted_labels(facts.labels) if shape.kind == Kind.CLASSIFICATION or shape.name == "kto" else (),
        rows=rows,
        readable=facts.readable if rows >= 0 else -1,
        bad=dict(sorted(facts.bad.items())),
        shards=shards,
        files=files,
        fingerprint=fingerprint_of(walk.hashes, inventory.identity),
        note="; ".join(note for note in notes if note),
        no_rows=tuple(walk.rowless),
    )


def _nothing(inventory: Inventory, walk: _Walk, facts: _Facts) -> None:
    """Raises what an input without a readable row deserves."""
    where = inventory.sources[0].path if inventory.single else inventory.name
    if facts.bad:
        counts = ", ".join(f"{count} {reason}" for reason, count in facts.bad.most_common(5))
        raise NothingScanned(f"{where} has {facts.bad.total()} records, none readable ({counts}): {facts.first_bad}")
    if walk.no_rows:
        raise InputError(f"{where} holds no rows: {walk.no_rows[0][1]}")
    raise InputError(f"{where} is empty: it holds no record")


def _sorted_labels(labels: set[str]) -> tuple[str, ...]:
    """Numbers by value, then words by code point; the same for any order of rows."""

    def key(label: str) -> Any:
        body = label.removeprefix("-")
        number = body.isascii() and body.isdigit() and len(body) < 16
        return (0, int(label), label) if number else (1, 0, label)

    return tuple(sorted(labels, key=key))
