"""Instruction tuning: a prompt and the response it teaches, as columns or as a conversation.

Of a conversation the last assistant turn is the response and all before it is the prompt; what follows the last
assistant turn (a dangling user turn) is part of neither and makes the row unreadable only if no assistant spoke.

Misses: earlier assistant turns of a conversation are context here, though a trainer may learn from them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from audit.schema import Kind
from audit.sources.layouts import Cells
from audit.sources.record import Reason, RowError
from audit.sources.shapes import (
    ColumnReader,
    Columns,
    Mapped,
    Parts,
    RowReader,
    Shape,
    Turns,
    all_present,
    joined,
    kind_of,
    optional_text,
    text,
    turns,
)
from audit.views import JOIN


def conversation(said: Turns, column: str, system: str = "") -> Parts:
    """Splits turns at the last assistant turn. Raises RowError when there is none, or nothing before it."""
    last = max((i for i, (role, _) in enumerate(said) if role == "assistant"), default=-1)
    if last < 0:
        raise RowError(Reason.MISSING_FIELD, f"{column} holds no assistant turn")
    before = ([("system", system)] if system else []) + said[:last]
    if not before:
        raise RowError(Reason.MISSING_FIELD, f"{column} holds nothing before the assistant turn")
    return Parts(JOIN.join(t for _, t in before), said[last][1], None, None, before)


def _columns(mapping: Mapped) -> RowReader:
    """A prompt column, perhaps with further input, a system text and a history of (user, assistant) pairs."""
    prompt_column, response_column = mapping["prompt"], mapping["response"]
    input_column, system_column = mapping.get("input"), mapping.get("system")
    history_column = mapping.get("history")

    def read(fields: Mapping[str, Any]) -> Parts:
        said, more = text(fields, prompt_column), optional_text(fields, input_column)
        if more:
            said += JOIN + more
        response = text(fields, response_column)
        if system_column is None and history_column is None:
            return Parts(said, response, None, None, [("user", said)])
        before: Turns = []
        if system := optional_text(fields, system_column):
            before.append(("system", system))
        if history_column is not None:
            before += _history(fields.get(history_column), history_column)
        before.append(("user", said))
        return Parts(JOIN.join(t for _, t in before), response, None, None, before)

    return read


def _many_columns(mapping: Mapped) -> ColumnReader:
    """The same of many rows, where no column tells a history."""
    prompt_column, response_column = mapping["prompt"], mapping["response"]

    def read(cells: Cells) -> Columns | None:
        said, response = cells.text(prompt_column), cells.text(response_column)
        if said is None or response is None or "history" in mapping:
            return None
        more, system = cells.optional_text(mapping.get("input")), cells.optional_text(mapping.get("system"))
        said = joined(said, more, JOIN)
        before = pl.select(pl.when(pl.lit(system) != "").then(system)).to_series()
        turns = [("system", before), ("user", said)]
        return Columns(with_system(system, said), response, None, None, turns, all_present(more, system))

    return read


def with_system(system: pl.Series, said: pl.Series) -> pl.Series:
    """Prompts as texts: a system text that is not empty stands in front."""
    return pl.select(pl.when(pl.lit(system) == "").then(said).otherwise(system + JOIN + said)).to_series()


def _history(value: Any, column: str) -> Turns:
    found: Turns = []
    for pair in value or ():
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(t) is str for t in pair)):
            raise RowError(Reason.WRONG_TYPE, f"{column} is no list of pairs of texts")
        found += [("user", pair[0]), ("assistant", pair[1])]
    return found


def _chat(role_key: str, text_key: str) -> Callable[[Mapped], RowReader]:
    def reader(mapping: Mapped) -> RowReader:
        column, system_column = mapping["messages"], mapping.get("system")

        def read(fields: Mapping[str, Any]) -> Parts:
            said = turns(fields.get(column), column, role_key, text_key)
            return conversation(said, column, optional_text(fields, system_column))

        return read

    return reader


def _prompt_messages(mapping: Mapped) -> RowReader:
    """`prompt` and `completion` as lists of messages."""
    prompt_column, response_column = mapping["prompt"], mapping["response"]

    def read(fields: Mapping[str, Any]) -> Parts:
        if not isinstance(fields.get(prompt_column), list):
            what = kind_of(fields.get(prompt_column))
            raise RowError(Reason.WRONG_TYPE, f"{prompt_column} is {what}, not a list of messages")
        said = turns(fields[prompt_column], prompt_column) + turns(fields.get(response_column), response_column)
        return conversation(said, response_column)

    return read


_SYSTEM = ("system", "system_prompt")

SHAPES: tuple[Shape, ...] = (
    Shape(
        "alpaca",
        Kind.INSTRUCTION,
        {"prompt": ("instruction",), "response": ("output", "response", "completion")},
        {"input": ("input", "context"), "system": _SYSTEM, "history": ("history",)},
        1.0,
        _columns,
        columns=_many_columns,
    ),
    Shape(
        "messages", Kind.INSTRUCTION, {"messages": ("messages",)}, {"system": _SYSTEM}, 0.99, _chat("role", "content")
    ),
    Shape(
        "sharegpt",
        Kind.INSTRUCTION,
        {"messages": ("conversations", "conversation", "messages")},
        {"system": _SYSTEM},
        0.99,
        _chat("from", "value"),
    ),
    Shape(
        "messages",
        Kind.INSTRUCTION,
        {"messages": ("conversations", "conversation", "dialog", "dialogue", "chat")},
        {"system": _SYSTEM},
        0.97,
        _chat("role", "content"),
    ),
    Shape(
        "prompt-completion",
        Kind.INSTRUCTION,
        {"prompt": ("prompt",), "response": ("completion", "response", "output", "answer")},
        {"system": _SYSTEM, "input": ()},
        0.98,
        _columns,
        columns=_many_columns,
    ),
    Shape(
        "prompt-completion",
        Kind.INSTRUCTION,
        {"prompt": ("prompt",), "response": ("completion", "response")},
        {},
        0.98,
        _prompt_messages,
    ),
    Shape(
        "question-answer",
        Kind.INSTRUCTION,
        {"prompt": ("question", "query"), "response": ("answer", "response")},
        {"system": _SYSTEM, "input": ("context",)},
        0.95,
        _columns,
        columns=_many_columns,
    ),
)
