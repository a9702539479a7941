"""The re-label queue: rows as questions that say nothing of the answer they were given, for people to judge anew.

What is asked: rows that somebody decided to `queue` and, where asked for, the rows in review that nobody decided, the
queued ones first, each in order of suspicion. Rows of equal content are one question. A pair is asked as first against
second; which of the two comes first is a coin thrown by a hash of the seed, the prompt and both sides, whichever of
them was chosen. So the order is the same in every export, it is balanced, and it tells nothing of the choice. A row
with a label is asked for its label, and the label that it has is not shown.

Laws: two exports of one run and one set of decisions are the same bytes. Exchanging the sides of a record changes only
its key.

Misses: whoever knows how keys are made can work out the order from the key: this blinds people of good will. Rows that
have neither two sides nor one of several labels cannot be asked about.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from audit.errors import InputError
from audit.provenance import content_hash
from audit.remedies.decisions import QUEUE
from audit.remedies.resolve import Merged, Outcome, resolve
from audit.rundir import RunDir, atomic_file, read_json
from audit.schema import TIE, DatasetInfo, Trigger
from audit.text import csv_safe, safe_text

SCHEMA = "tunevet.relabel/1"
FIRST, SECOND, BOTH_BAD = "first", "second", "both_bad"
CHOICES = (FIRST, SECOND, TIE, BOTH_BAD)
KEYS = ("schema", "key", "prompt", "turns", "first", "second", "response", "choices", "answer", "labeler")
Format = Literal["jsonl", "csv"]
_COLUMNS = ["row", "content_hash", "prompt", "response", "rejected", "label", "turns"]


@dataclass(frozen=True, slots=True)
class Question:
    """One row to be labelled again. `given` is the answer that agrees with the record; it is never written."""

    key: str  # content hash
    row: int  # of the first row with this content
    prompt: str
    turns: tuple[tuple[str, str], ...]  # (role, text) of a prompt of several turns, else ()
    sides: tuple[str, str] | None  # first and second; None: asked for its label
    response: str | None  # of a row with a label: the response that is judged, where there is one
    choices: tuple[str, ...]
    given: str

    @property
    def is_pair(self) -> bool:
        """True where one of two sides is asked for, False where a label is."""
        return self.sides is not None


@dataclass(frozen=True, slots=True)
class Queue:
    """The questions of an export, and how many rows they leave out."""

    questions: tuple[Question, ...]
    queued: int  # questions that somebody asked for; they come first
    unaskable: int  # rows that have neither two sides nor one of several labels
    left: int  # questions beyond the most that were wanted


def queue(run: RunDir, merged: Merged, *, review: bool = False, most: int | None = None, seed: int = 0) -> Queue:
    """The questions of a finished run. `merged` is what was decided (`decisions.merge`); with `review` the rows in
    review that nobody decided are asked about too; at most `most` questions. Raises InputError for what is no finished
    run."""
    info = run.dataset()
    asked = _asked(run, merged, review)
    if asked.is_empty():
        return Queue((), 0, 0, 0)
    found = questions(run, info, asked["content_hash"], seed)
    order = asked.filter(pl.col("content_hash").is_in(list(found)))
    kept = order.head(len(order) if most is None else most)
    made = tuple(found[key] for key in kept["content_hash"])
    return Queue(made, int(kept["queued"].sum()), len(asked) - len(order), len(order) - len(kept))


def questions(run: RunDir, info: DatasetInfo, keys: Iterable[str], seed: int) -> dict[str, Question]:
    """The questions about these content hashes, by hash; those that cannot be asked, and hashes that the run has not,
    are left out. Reads a shard at a time."""
    wanted = list(dict.fromkeys(keys))
    found: dict[str, Question] = {}
    for path in run.shards("examples"):
        part = pl.read_parquet(path, columns=_COLUMNS).filter(pl.col("content_hash").is_in(wanted))
        for record in part.iter_rows(named=True):
            if record["content_hash"] not in found and (made := _question(record, info, seed)) is not None:
                found[made.key] = made
    return found


def _asked(run: RunDir, merged: Merged, review: bool) -> pl.DataFrame:
    """content_hash and queued, one row a content, in the order of asking."""
    if not run.verdicts.exists():
        raise InputError(f"{run.path} has no verdicts yet; scan it to its end")
    verdicts = pl.read_parquet(run.verdicts)
    triggers = [Trigger(**raw) for raw in read_json(run.triggers)] if run.triggers.exists() else []
    resolved = resolve(verdicts, triggers, merged).select("row", "outcome", "decision")
    queued = (pl.col("decision") == QUEUE).fill_null(value=False)
    open_ = pl.col("decision").is_null() & pl.lit(review)
    held = resolved.filter((pl.col("outcome") == Outcome.HOLD) & (queued | open_)).select("row", queued.alias("queued"))
    joined = held.join(verdicts.select("row", "content_hash", "score"), on="row", how="left", maintain_order="left")
    score = pl.col("score").fill_nan(None)
    ordered = joined.sort(~pl.col("queued"), -score, pl.col("row"), nulls_last=True)
    return ordered.unique("content_hash", keep="first", maintain_order=True).select("content_hash", "queued")


def _question(record: Mapping[str, Any], info: DatasetInfo, seed: int) -> Question | None:
    turns = tuple((turn["role"] or "", turn["text"] or "") for turn in record["turns"] or ())
    prompt, response, rejected = record["prompt"] or "", record["response"], record["rejected"]
    known: dict[str, Any] = {"key": record["content_hash"], "row": record["row"], "prompt": prompt}
    known["turns"] = turns if len(turns) > 1 else ()
    if response is not None and rejected is not None:
        first, second = in_order(prompt, response, rejected, seed)
        chosen = FIRST if first == response else SECOND
        given = TIE if record["label"] == TIE else chosen
        return Question(**known, sides=(first, second), response=None, choices=CHOICES, given=given)
    if record["label"] is None or len(info.labels) < 2:
        return None
    return Question(**known, sides=None, response=response, choices=info.labels, given=record["label"])


def in_order(prompt: str, one: str, other: str, seed: int) -> tuple[str, str]:
    """The two sides as they are shown: the same whichever way round they are given.

    >>> in_order("p", "a", "b", 0) == in_order("p", "b", "a", 0)
    True
    """
    low, high = sorted((one, other))
    coin = int(content_hash(str(seed), prompt, low, high)[-1], 16) % 2
    return (high, low) if coin else (low, high)


def write(path: Path, made: Sequence[Question], form: Format, pairs: bool) -> None:
    """Writes questions for people to answer, JSON in ASCII, for row text is hostile. Raises WriteFailed. `pairs` says
    which columns a csv has."""
    with atomic_file(path) as handle:
        if form == "csv":
            handle.write(_cells(made, pairs).encode("utf-8", "backslashreplace"))
            return
        for question in made:
            handle.write(json.dumps(line(question), ensure_ascii=True, allow_nan=False).encode() + b"\n")


def line(question: Question) -> dict[str, Any]:
    """A question as a record: its texts whole and raw, nothing of what was answered before."""
    made: dict[str, Any] = {"schema": SCHEMA, "key": question.key, "prompt": question.prompt}
    if question.turns:
        made["turns"] = [{"role": role, "text": text} for role, text in question.turns]
    if question.sides is not None:
        made |= {"first": question.sides[0], "second": question.sides[1]}
    elif question.response is not None:
        made["response"] = question.response
    return made | {"choices": list(question.choices), "answer": "", "labeler": ""}


def cell(text: str) -> str:
    """A text as a spreadsheet may show it: what cannot be seen is spelled out, and nothing is run as a formula."""
    return csv_safe(safe_text(text, newlines=True))


def _cells(made: Sequence[Question], pairs: bool) -> str:
    columns = [name for name in KEYS if name != "turns" and name not in (("response",) if pairs else (FIRST, SECOND))]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    for question in made:
        record = line(question)
        record["choices"] = json.dumps(record["choices"], ensure_ascii=False)
        writer.writerow({name: cell(value) for name, value in record.items() if name in columns})
    return out.getvalue()
