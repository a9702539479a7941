"""Answers to a re-label queue, read strictly: every line is an answer to a question of this run, or the file is refused
with the number of the line.

JSON lines or csv, as they were exported, with `answer` and `labeler` filled in. An empty answer is none. Lines may
stand in any order, keys may come several times (one for each labeler), and texts may be left out. Where the two sides
are there, they are compared with the row's: a file whose sides stand the other way round is read by its texts, and one
whose texts are others is refused.

Misses: a labeler who answers another question than was asked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.errors import InputError
from audit.remedies.decisions import BOM, file_bytes, json_object
from audit.remedies.relabel import FIRST, KEYS, SCHEMA, SECOND, Question, cell
from audit.text import safe_text

_MAX_NAME = 1_000  # characters of a labeler's name
_COMPARED = 30_000  # characters of a side; spreadsheets cut a cell at 32,767
_OTHER = {FIRST: SECOND, SECOND: FIRST}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one labeler says of one row, in the words of the question."""

    key: str
    answer: str  # one of the question's choices
    labeler: str
    where: str  # "FILE, line N"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file of answers, before it is held against its question."""

    key: str
    answer: str
    labeler: str
    sides: tuple[str, str] | None
    is_cell: bool  # texts are as `relabel.cell` writes them
    where: str


def read(path: Path) -> list[Line]:
    """The lines of a file of answers: csv where its name ends so, else JSON lines. Raises InputError
    "FILE, line N: ..." for the first that is none."""
    name, data = safe_text(str(path), 200), file_bytes(path, "answers").removeprefix(BOM)
    records = _csv(data, name) if path.name.lower().endswith(".csv") else _json_lines(data, name)
    return [_line(record, where, path.name.lower().endswith(".csv")) for record, where in records]


def check(lines: Sequence[Line], questions: Mapping[str, Question]) -> tuple[list[Answer], int]:
    """The answers, and how many lines have none. Raises InputError for a key that this run cannot ask about, for an
    answer that is none of its choices, for sides that are not the row's, and for a labeler who says two things of one
    row."""
    said: dict[tuple[str, str], Answer] = {}
    empty = 0
    for line in lines:
        question = questions.get(line.key)
        if question is None:
            raise InputError(
                f"{line.where}: this run has no row to be labelled under the key {safe_text(line.key, 40)}"
            )
        turned = _is_turned(line, question)
        if not line.answer:
            empty += 1
            continue
        chosen = _chosen(line, question)
        answer = Answer(line.key, _OTHER.get(chosen, chosen) if turned else chosen, line.labeler, line.where)
        known = said.setdefault((line.key, line.labeler), answer)
        if known.answer != answer.answer:
            who = safe_text(line.labeler, 60) or "a labeler without a name"
            raise InputError(
                f"{line.where}: {who} has answered this row before, and otherwise ({known.where}); give one answer, or "
                "fill in the labeler of each line"
            )
    return list(said.values()), empty


def _json_lines(data: bytes, name: str) -> Iterator[tuple[dict[str, Any], str]]:
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if raw.strip():
            where = f"{name}, line {number}"
            yield json_object(raw, where), where


def _csv(data: bytes, name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows by column; `line` is that of a row's first cell."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}, line {line}: not UTF-8; save the table as csv in UTF-8") from None
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, at = next(reader, None), 0
        if header is None:
            raise InputError(f"{name} is empty; the first line names the columns")
        if len(set(header)) != len(header):
            raise InputError(f"{name}, line 1: a column stands twice")
        while True:
            at = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if cells and len(cells) != len(header):
                raise InputError(f"{name}, line {at}: {len(cells)} cells under {len(header)} columns")
            if any(cells):
                yield dict(zip(header, cells, strict=True)), f"{name}, line {at}"
    except csv.Error as error:
        raise InputError(f"{name}, line {at}: no row of a csv ({safe_text(str(error), 80)})") from None
    finally:
        csv.field_size_limit(limit)


def _line(record: Mapping[str, Any], where: str, is_cell: bool) -> Line:
    unknown = next((key for key in record if key not in KEYS), None)
    if unknown is not None:
        known = ", ".join(KEYS)
        raise InputError(f"{where}: there is no key {safe_text(unknown, 60)!r}; the keys are {known}")
    if record.get("schema") != SCHEMA:
        shown = safe_text(str(record.get("schema", "missing")), 60)
        raise InputError(f"{where}: schema is {shown}, not {SCHEMA}")
    texts = {name: record.get(name, "") for name in ("key", "answer", "labeler", FIRST, SECOND)}
    for name, value in texts.items():
        if type(value) is not str:
            raise InputError(f"{where}: {name} is no text")
    if not texts["key"]:
        raise InputError(f"{where}: key is missing; leave it as it was exported")
    if len(texts["labeler"]) > _MAX_NAME:
        raise InputError(f"{where}: labeler has {len(texts['labeler']):,} characters; at most {_MAX_NAME:,} are read")
    sides = (texts[FIRST], texts[SECOND]) if FIRST in record and SECOND in record else None
    return Line(texts["key"], texts["answer"].strip(), texts["labeler"].strip(), sides, is_cell, where)


def _is_turned(line: Line, question: Question) -> bool:
    """True where the line shows the sides the other way round. Raises InputError where it shows others."""
    if line.sides is None or question.sides is None:
        return False
    shown = tuple(map(_alike, line.sides))
    own = tuple(_alike(cell(side) if line.is_cell else side) for side in question.sides)
    if shown == own:
        return False
    if shown == own[::-1]:
        return True
    raise InputError(
        f"{line.where}: first and second are not the two sides of this row; leave them as they were exported, or leave "
        "both out"
    )


def _alike(text: str) -> str:
    """A text without what programs change when they save it: spaces and line ends, the quote before a formula, and what
    lies beyond a full cell."""
    return " ".join(text[:_COMPARED].split()).lstrip("'")


def _chosen(line: Line, question: Question) -> str:
    """The choice that an answer names. Raises InputError."""
    if line.answer in question.choices:
        return line.answer
    written = [choice for choice in question.choices if line.answer in (cell(choice).strip(), choice.strip())]
    if len(written) == 1:
        return written[0]
    named = ", ".join(question.choices[:12]) + (" and others" if len(question.choices) > 12 else "")
    raise InputError(
        f"{line.where}: the answer is {safe_text(line.answer, 60)!r}; it is one of {safe_text(named, 300)}, or empty"
    )
