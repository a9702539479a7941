"""The way back from decisions to data: a finished run and files of decisions -> the cleaned dataset.

Rows that are kept are the input's, byte for byte; edited rows stand in their places; what is removed stands beside it
with the rule, the evidence, the decision and the reviewer; what is held stands in a review file. Nothing is read but
the run directory and the decisions: the input itself may be gone.

Laws: rows read = kept + edited + removed + held + unreadable, each position exactly once, checked against what was
written and read again. The same run and decisions, in any order, give the same bytes.

Source: `audit.remedies.clean`, whose law this is; docs/decisions.md.
Misses: unreadable rows are counted here and stand in the run directory's unreadable.parquet alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
import pyarrow as pa

from audit import config as configuration
from audit.attest import applied as provenance
from audit.config import Config, IngestConfig
from audit.errors import ConservationError, InputError
from audit.remedies import signals
from audit.remedies.anatomy import Layout
from audit.remedies.applied import Applied, Open, summary, unmatched
from audit.remedies.decisions import FIX, merge, read
from audit.remedies.editor import Editor
from audit.remedies.pieces import ColumnarFiles, Piece, TextFiles, judged, pieces, take
from audit.remedies.resolve import Outcome, Undecided, resolve
from audit.remedies.strippable import known_parts
from audit.remedies.targets import Targets, check_run, put_in_place, staging, take_back_unfinished
from audit.rundir import RunDir, atomic_file, read_json, write_json
from audit.schema import DatasetInfo, Trigger, Verdict
from audit.sources.files import COLUMNAR
from audit.sources.shards import original_rows, without_rows
from audit.sources.strict_json import dumps

_MOST_EVIDENCE = 600  # characters


def apply(
    run: RunDir, decision_files: Sequence[Path], out: Path, *, undecided: Undecided = "hold", force: bool = False
) -> Applied:
    """Writes the data that a run and decisions come to. Raises InputError for a run that is not whole or whose rows do
    not add up, and for a file that is none of decisions; UsageError for an OUT that may not be written; WriteFailed;
    ConservationError where what was written does not add up (then nothing is left)."""
    info, config = check_run(run), _config(run)
    targets = Targets.of(info, out)
    take_back_unfinished(targets)
    targets.check(run, info, config.source, decision_files, force)
    merged, conflicts = merge([read(path) for path in decision_files])
    verdicts = _verdicts(run, info)
    triggers = [Trigger(**raw) for raw in read_json(run.triggers)]
    resolved = resolve(verdicts, triggers, merged, undecided)
    work = _Work(run, info, config.ingest, triggers, verdicts, resolved)
    with staging(out) as folder:
        staged = [*work.write(folder, targets)]
        counts = work.check()
        left = Open(tuple(conflicts), unmatched(merged, verdicts, triggers), tuple(work.editor.refused))
        facts = summary(run, info, resolved, counts, left, undecided, decision_files, staged, out.parent)
        write_json(folder / "applied.json", facts)
        told = (folder / "applied.json", targets.summary)
        fates = provenance.fates_of(run, resolved, {refused.row for refused in work.editor.refused})
        named = [*staged, told]
        place, final = folder / "record", targets.provenance
        staged += provenance.record(run, config, named, targets.roles, place, final, fates, facts)
        staged.append(told)
        put_in_place(staged, targets)
    return Applied(targets, tuple(final for _, final in staged), counts, left, facts)


def _verdicts(run: RunDir, info: DatasetInfo) -> pl.DataFrame:
    """The verdicts in row order. Raises InputError unless they and the ledger know the same rows, and agree on which of
    them can be read."""
    try:
        verdicts = judged(run, info, ["content_hash", "fix", "new_value", "codes", "trigger_ids"])
        ledger = run.ledger(["row", "reason"])
        if not ledger["row"].equals(verdicts["row"]):
            raise ConservationError(f"the ledger has {ledger.height} rows, the verdicts {verdicts.height}")
        if not ledger["reason"].is_not_null().equals(verdicts["verdict"] == Verdict.UNREADABLE):
            raise ConservationError("the ledger and the verdicts disagree on which rows can be read")
    except ConservationError as error:
        raise InputError(f"the rows of {run.path} do not add up ({error}); scan again") from None
    return verdicts


def _config(run: RunDir) -> Config:
    return configuration.load(run.config) if run.config.exists() else Config()


class _Work:
    """One dataset on its way: writes its files into a folder and counts what it wrote."""

    def __init__(
        self,
        run: RunDir,
        info: DatasetInfo,
        limits: IngestConfig,
        triggers: Sequence[Trigger],
        verdicts: pl.DataFrame,
        resolved: pl.DataFrame,
    ) -> None:
        self.run, self.info, self.limits, self.resolved = run, info, limits, resolved
        self.judgement = verdicts.select("row", "verdict", "content_hash").hstack(resolved.drop("row"))
        self._said = {t.id: f"Holds the {t.status} trigger {t.display}: {t.behavior}" for t in triggers}
        by_check = pl.col("rule").list.eval(pl.element().is_in(list(self._said))).list.any().not_()
        gone = resolved.filter((pl.col("outcome") == Outcome.REMOVE) & by_check)
        marked = resolved.filter((pl.col("fix") == "strip") & (pl.col("decision") == FIX))
        flags = signals.flags(run, {*gone["row"], *marked["row"]})
        self._evidence = signals.evidence(flags)
        marks = signals.marks(flags)
        self.editor = Editor(Layout.of(info), limits, triggers, known_parts(run), marks)
        self.tally: Counter[str] = Counter()
        self.written = {Outcome.KEEP: 0, Outcome.HOLD: 0, Outcome.REMOVE: 0}  # rows in files; KEEP counts EDIT too

    def write(self, folder: Path, targets: Targets) -> Iterator[tuple[Path, Path]]:
        """Writes everything but the summary; yields (staged path, final path). Raises ConservationError."""
        left = dict.fromkeys(range(len(self.info.files)))
        with _Removed(folder / "removed.jsonl") as removed:
            for index, group in groupby(pieces(self.run, self.info, self.judgement), key=lambda piece: piece.file):
                left.pop(index)
                yield from self._file(index, group, folder, targets, removed)
            for index in left:  # files without a record keep their header
                yield from self._file(index, iter(()), folder, targets, removed)
        self.written[Outcome.REMOVE] = removed.count
        yield folder / "removed.jsonl", targets.removed

    def _file(
        self, index: int, group: Iterator[Piece], folder: Path, targets: Targets, removed: _Removed
    ) -> Iterator[tuple[Path, Path]]:
        file = self.info.files[index]
        kept, held = folder / "data" / file.path, folder / "held" / file.path
        files: TextFiles | ColumnarFiles
        if file.format in COLUMNAR:
            with ColumnarFiles(kept, held, file, self.limits) as columnar:
                for piece in group:
                    self._columnar(piece, columnar, removed)
            files = columnar
        else:
            with TextFiles(kept, held, file, self.limits) as text:
                for piece in group:
                    rows = self.editor.text(file, piece.rows)
                    text.write(_raw(rows, Outcome.KEEP, Outcome.EDIT), _raw(rows, Outcome.HOLD))
                    self._set_aside(rows, removed, None)
            files = text
        final = {kept: (targets.data[index], Outcome.KEEP), held: (targets.held[index], Outcome.HOLD)}
        for path in files.written():
            place, outcome = final[path]
            self.written[outcome] += files.outputs[path].count
            yield path, place

    def _columnar(self, piece: Piece, files: ColumnarFiles, removed: _Removed) -> None:
        table = original_rows(self.run, piece.shard)
        if table is None:
            self.tally.update(piece.rows["outcome"].to_list())
            return  # a shard of failures only: nothing was decoded
        plain = without_rows(table)
        keep, rows = self.editor.columnar(self.info.files[piece.file], table, plain, piece.rows)
        files.write(keep, take(table, plain, rows.filter(pl.col("outcome") == Outcome.HOLD)))
        gone = take(table, plain, rows.filter(pl.col("outcome") == Outcome.REMOVE))
        self._set_aside(rows, removed, gone)

    def _set_aside(self, rows: pl.DataFrame, removed: _Removed, values: pa.Table | None) -> None:
        self.tally.update(rows["outcome"].to_list())
        gone = rows.filter(pl.col("outcome") == Outcome.REMOVE)
        for at, record in enumerate(gone.iter_rows(named=True)):
            rule = record["rule"]
            said = next((self._said[i] for i in rule if i in self._said), self._evidence.get(record["row"], ""))
            original = record["raw"].decode() if values is None else _values(values.slice(at, 1))
            removed.add(
                {
                    "row": record["row"],
                    "file": self.info.files[record["file"]].path,
                    "line": record["line"],
                    "content_hash": record["content_hash"],
                    "record": original,
                    "rule": rule,
                    "evidence": said[:_MOST_EVIDENCE],
                    **{name: record[name] for name in ("decision", "why", "reviewer", "decided_at")},
                }
            )

    def check(self) -> dict[str, int]:
        """The counts by outcome. Raises ConservationError unless they add up to the rows read, to what was resolved,
        and to what stands in the files."""
        counts = {"rows": self.tally.total(), **{str(o): self.tally[o] for o in Outcome}}
        wanted = Counter(self.resolved["outcome"].to_list())
        refused = len(self.editor.refused)
        wanted[Outcome.EDIT] -= refused
        wanted[Outcome.HOLD] += refused
        kept = self.tally[Outcome.KEEP] + self.tally[Outcome.EDIT]
        files = {Outcome.KEEP: kept, Outcome.HOLD: self.tally[Outcome.HOLD], Outcome.REMOVE: self.tally[Outcome.REMOVE]}
        records = sum(file.records for file in self.info.files)
        if not counts["rows"] == self.info.rows == records or any(self.tally[o] != wanted[o] for o in Outcome):
            known = f"{records} records were read, {self.info.rows} are known"
            raise ConservationError(f"{known}, these were written: {counts}")
        if files != self.written:
            raise ConservationError(f"the files hold other rows than were decided: {files} against {self.written}")
        return counts


def _raw(rows: pl.DataFrame, *outcomes: Outcome) -> pl.Series:
    return rows.filter(pl.col("outcome").is_in([str(o) for o in outcomes]))["raw"]


def _values(row: pa.Table) -> Any:
    """A columnar row as JSON values; what JSON has no word for (bytes, times) as text."""
    return json.loads(dumps(row.to_pylist()[0]))


class _Removed:
    """OUT.removed.jsonl: one JSON object a row, in ASCII, for row text is hostile."""

    def __init__(self, path: Path) -> None:
        self._path, self._stack, self.count = path, ExitStack(), 0

    def __enter__(self) -> _Removed:
        self._handle = self._stack.enter_context(atomic_file(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def add(self, record: Mapping[str, Any]) -> None:
        self._handle.write(json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n")
        self.count += 1
