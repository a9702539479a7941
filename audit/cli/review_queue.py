"""What a reviewer is asked, in what order: triggers first (confirmed, suspected, untestable), then rows in review, the
most suspicious first.

A trigger is one decision for all rows that it claims, so these are asked about one by one only on request. What
the scan was told of earlier reviews is not asked again. Rows of equal content share a decision and stand in the queue
once. The cards are the report's, made as they are reached: the
report shows the first thousand flagged rows, a reviewer may go on to the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from audit import config as configuration
from audit.errors import InputError
from audit.report import cards, rows
from audit.report.read import Inputs
from audit.report.record import RowCard, TriggerCard
from audit.rundir import Context, RunDir
from audit.schema import DatasetInfo, NoProgress, Status, Trigger, Verdict
from audit.text import safe_text

_BATCH = 50  # row cards made at a time
_ASKED = (Status.CONFIRMED, Status.SUSPECTED, Status.UNTESTABLE)
_FIELDS = ("prompt", "response", "rejected", "label")


@dataclass(frozen=True, slots=True)
class Item:
    """One question."""

    subject: str  # row | trigger
    key: str  # a row's content hash, a trigger's id
    rows: int  # rows that the answer is about
    row: int | None = None  # of a row: its number, the first of those with this content
    fix: str | None = None  # of a row: the proposed fix, as in verdicts.parquet
    pattern: str = ""  # of a trigger: the pattern, harmless and short


class Queue:
    """The questions of a finished run, and what is shown with them."""

    def __init__(self, run: RunDir, every_row: bool = False) -> None:
        """`every_row` asks about every flagged row, those of triggers and those decided earlier too. Raises InputError
        for what is no finished run."""
        run.dataset()
        if not run.verdicts.exists():
            raise InputError(f"{run.path} has no verdicts yet; scan it to its end")
        self._data = Inputs(Context(run, configuration.load(run.config), NoProgress()))
        known = [t for t in self._data.triggers[: cards.MAX_CARDS] if t.status in _ASKED]
        triggers = [t for t in known if every_row or "decided" not in t.statistics]
        self.items: tuple[Item, ...] = (
            *(Item("trigger", t.id, len(t.rows), pattern=safe_text(t.pattern, 160)) for t in triggers),
            *_rows(self._data.base, set() if every_row else self._settled(triggers), every_row),
        )
        self._order = [item.row for item in self.items if item.row is not None]
        self._batches: dict[int, dict[int, RowCard]] = {}

    @property
    def info(self) -> DatasetInfo:
        return self._data.info

    def trigger(self, item: Item) -> TriggerCard:
        """The card of a trigger in the queue."""
        return self._triggers[item.key]

    def row(self, item: Item) -> RowCard:
        """The card of a row in the queue."""
        assert item.row is not None
        batch = self._place[item.row] // _BATCH
        if batch not in self._batches:
            chosen = self._order[batch * _BATCH : (batch + 1) * _BATCH]
            made, _ = rows.cards(_Batch(self._data, chosen))
            self._batches[batch] = {card.row: card for card in made}
        return self._batches[batch][item.row]

    def fields(self, item: Item) -> dict[str, str]:
        """The raw fields of a row that an edit may replace; those that the row has."""
        assert item.row is not None
        record = self._data.texts([item.row])[item.row]
        label = self._data.base.row(self._data.by_row[item.row], named=True)["label"]
        values: dict[str, Any] = {**record, "label": None if record["rejected"] is not None else label}
        return {name: values[name] for name in _FIELDS if values[name] is not None}

    def _settled(self, triggers: Iterable[Trigger]) -> set[int]:
        """Rows that these triggers claim, and those that the scan was told of (`--decisions`)."""
        path = self._data.run / "decided.parquet"
        told = pl.read_parquet(path, columns=["row"])["row"].to_list() if path.exists() else []
        return {row for t in triggers for row in t.rows} | set(told)

    @cached_property
    def _triggers(self) -> dict[str, TriggerCard]:
        return {card.id: card for card in cards.cards(self._data)[0]}

    @cached_property
    def _place(self) -> dict[int, int]:
        return {row: at for at, row in enumerate(self._order)}


class _Batch(Inputs):
    """A run as `rows.cards` reads it, with the flagged rows of one batch alone. What was read is shared."""

    def __init__(self, whole: Inputs, chosen: Iterable[int]) -> None:
        for name in ("by_row", "order", "verdict_of", "signals", "graph", "triggers", "findings", "margin"):
            getattr(whole, name)  # read before it is taken over
        self.__dict__.update(whole.__dict__)
        mine = pl.col("row").is_in(list(chosen))
        self.base = whole.base.with_columns(pl.when(mine).then(pl.col("verdict")).otherwise(pl.lit(Verdict.KEEP.value)))


def _rows(base: pl.DataFrame, settled: set[int], every_row: bool) -> Iterable[Item]:
    """The rows to ask about: in review, and with `every_row` removed ones too; none of `settled`. Rows that carry a
    trigger which does not claim them (their behavior could not be judged) are asked about: to reject the trigger says
    nothing of them."""
    wanted = [Verdict.REVIEW, Verdict.REMOVE] if every_row else [Verdict.REVIEW]
    asked = base.filter(pl.col("verdict").is_in(wanted) & ~pl.col("row").is_in(sorted(settled)))
    copies = base.group_by("content_hash").agg(pl.len().alias("copies"))
    ordered = asked.sort([-pl.col("score").fill_nan(None), pl.col("row")], nulls_last=True)
    distinct = ordered.unique("content_hash", keep="first", maintain_order=True)
    for key, row, fix, count in (
        distinct.join(copies, on="content_hash", how="left", maintain_order="left")
        .select("content_hash", "row", "fix", "copies")
        .iter_rows()
    ):
        yield Item("row", key, count, row, fix)
