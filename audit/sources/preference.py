"""Preference data: a prompt with a chosen and a rejected answer, or one answer judged good or bad (KTO).

Transcripts without a prompt column (HH) are split behind the last "\\n\\nAssistant:" of what chosen and rejected
share; prompt plus answer is then the transcript again, byte for byte. A transcript that shares no such turn, and a
conversation that ends without an assistant, are unreadable rows: whose words they are cannot be told.

Misses: pairs in other columns than chosen and rejected, and rankings (`audit.sources.preference_votes`,
`audit.sources.preference_ranked`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from audit.schema import Kind
from audit.sources.instruction import conversation, with_system
from audit.sources.layouts import Cells
from audit.sources.record import Number, Reason, RowError
from audit.sources.shapes import (
    ColumnReader,
    Columns,
    Mapped,
    Parts,
    RowReader,
    Shape,
    all_present,
    joined,
    kind_of,
    text,
    turns,
)
from audit.sources.sides import (
    ANSWER_KEYS,
    ASSISTANT,
    HUMAN,
    both_sides,
    inner,
    message_keys,
    opening,
    prompt_of,
    spoken,
    transcript_turns,
)
from audit.views import JOIN

_TRUE = frozenset(("true", "1", "1.0", "yes", "good", "desirable"))
_FALSE = frozenset(("false", "0", "0.0", "-1", "-1.0", "no", "bad", "undesirable"))


def _pairwise(mapping: Mapped) -> RowReader:
    """prompt, chosen, rejected: each a text, a list of messages, or an object that holds one."""

    def read(fields: Mapping[str, Any]) -> Parts:
        chosen, rejected = (inner(fields, (mapping[side],), ANSWER_KEYS) for side in ("chosen", "rejected"))
        before, good, bad = both_sides(fields, opening(fields, mapping), chosen, rejected)
        return Parts(prompt_of(before), good, bad, None, spoken(before))

    return read


def _many_pairs(mapping: Mapped) -> ColumnReader:
    """The same of many rows that hold texts; a prompt that is a transcript is one for the row reader."""

    def read(cells: Cells) -> Columns | None:
        asked, good, bad = (cells.text(mapping[role]) for role in ("prompt", "chosen", "rejected"))
        if asked is None or good is None or bad is None:
            return None
        more, system = cells.optional_text(mapping.get("input")), cells.optional_text(mapping.get("system"))
        asked = joined(asked, more, JOIN)
        before = pl.select(pl.when(pl.lit(system) != "").then(system)).to_series()
        sound = all_present(more, system) & ~asked.str.starts_with(HUMAN)
        return Columns(with_system(system, asked), good, bad, None, [("system", before), ("user", asked)], sound)

    return read


def _answered(mapping: Mapped) -> RowReader:
    """A conversation so far, and two answers to it that are no lists: else the conversation may hold an answer."""
    read_pair = _pairwise(mapping)

    def read(fields: Mapping[str, Any]) -> Parts:
        if isinstance(fields.get(mapping["chosen"]), list):
            raise RowError(Reason.WRONG_TYPE, f"{mapping['chosen']} is a list beside a conversation")
        return read_pair(fields)

    return read


def _implicit(mapping: Mapped) -> RowReader:
    """chosen and rejected as whole conversations in messages; what they share is the prompt."""
    chosen_column, read_pair = mapping["chosen"], _pairwise(mapping)

    def read(fields: Mapping[str, Any]) -> Parts:
        if not isinstance(fields.get(chosen_column), list):
            raise RowError(Reason.WRONG_TYPE, f"{chosen_column} is {kind_of(fields.get(chosen_column))}, not messages")
        return read_pair(fields)

    return read


def _transcript(mapping: Mapped) -> RowReader:
    chosen_column, rejected_column = mapping["chosen"], mapping["rejected"]

    def read(fields: Mapping[str, Any]) -> Parts:
        good, bad = text(fields, chosen_column), text(fields, rejected_column)
        cut = good.rfind(ASSISTANT, 0, _shared_length(good, bad))
        if cut < 0:
            raise RowError(Reason.MISSING_FIELD, f"{chosen_column} and {rejected_column} share no assistant turn")
        cut += len(ASSISTANT)
        return Parts(good[:cut], good[cut:], bad[cut:], None, transcript_turns(good[:cut]))

    return read


def _shared_length(a: str, b: str) -> int:
    """Length of the longest common beginning."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a.startswith(b[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _judged(mapping: Mapped) -> RowReader:
    """KTO: one answer and whether it is desired."""
    response_column, label_column = mapping["response"], mapping["label"]

    def read(fields: Mapping[str, Any]) -> Parts:
        label = judgement(fields.get(label_column), label_column)
        prompt, answer = fields.get(mapping["prompt"]), fields.get(response_column)
        if isinstance(prompt, list):
            said = turns(prompt, mapping["prompt"], *message_keys(prompt))
            said += turns(answer, response_column, *message_keys(answer))
            return conversation(said, response_column)._replace(label=label)
        before = opening(fields, mapping)
        return Parts(prompt_of(before), text(fields, response_column), None, label, spoken(before))

    return read


def _judged_talk(mapping: Mapped) -> RowReader:
    """KTO: a conversation, and whether its last answer is desired."""
    column, label_column = mapping["messages"], mapping["label"]

    def read(fields: Mapping[str, Any]) -> Parts:
        label = judgement(fields.get(label_column), label_column)
        said = turns(fields.get(column), column, *message_keys(fields.get(column)))
        return conversation(said, column)._replace(label=label)

    return read


def judgement(value: Any, column: str) -> str:
    """ "true" or "false". Raises RowError for a value that says neither."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, Number)):
        word = value.strip().lower()
        if word in _TRUE:
            return "true"
        if word in _FALSE:
            return "false"
    if value is None:
        raise RowError(Reason.MISSING_FIELD, f"{column} is missing or null")
    raise RowError(Reason.WRONG_TYPE, f"{column} is {kind_of(value)} that says neither yes nor no")


_CHOSEN = ("chosen", "preferred", "preferred_output", "chosen_response", "response_chosen", "response_j")
_REJECTED = ("rejected", "dispreferred", "non_preferred_output", "rejected_response", "response_rejected", "response_k")
_SIDES = {"chosen": _CHOSEN, "rejected": _REJECTED}
_PROMPT = ("prompt", "question", "instruction", "query", "input")
_TALK = ("conversations", "messages", "context", "history", "conversation", "dialogue")
_INSTRUCTED = {"system": ("system", "system_prompt"), "input": ("input",)}
_BESIDE = {"input": "instruction"}

SHAPES: tuple[Shape, ...] = (
    Shape(
        "pairwise",
        Kind.PREFERENCE,
        {"prompt": _PROMPT, **_SIDES},
        _INSTRUCTED,
        1.0,
        _pairwise,
        beside=_BESIDE,
        columns=_many_pairs,
    ),
    Shape("hh-transcript", Kind.PREFERENCE, _SIDES, {}, 0.995, _transcript),
    Shape("pairwise", Kind.PREFERENCE, _SIDES, {}, 0.995, _implicit),
    Shape("pairwise", Kind.PREFERENCE, {"prompt": _TALK, **_SIDES}, {"system": _INSTRUCTED["system"]}, 0.99, _answered),
    Shape(
        "kto",
        Kind.PREFERENCE,
        {"prompt": ("prompt", "question", "instruction"), "response": ("completion", "response"), "label": ("label",)},
        {},
        1.0,
        _judged,
    ),
    Shape(
        "kto",
        Kind.PREFERENCE,
        {
            "prompt": ("prompt", "question", "instruction"),
            "response": ("completion", "response", "output", "answer"),
            "label": ("kto_tag", "desirable", "is_desirable"),
        },
        _INSTRUCTED,
        1.0,
        _judged,
        beside=_BESIDE,
    ),
    Shape(
        "kto",
        Kind.PREFERENCE,
        {"messages": ("messages", "conversations"), "label": ("kto_tag", "desirable", "is_desirable")},
        {},
        0.993,
        _judged_talk,
    ),
)
