"""What the three kinds share: a shape is a way in which columns teach; reading a row with it gives `Parts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

from audit.schema import Kind
from audit.sources.layouts import Cells
from audit.sources.record import Number, Reason, RowError
from audit.sources.strict_json import dumps

Mapped = Mapping[str, str]  # role of ours -> column of the input
Turns = list[tuple[str, str]]  # (role, text)
Ranking = list[tuple[str, int]]  # (text, rank), best first; rank 1 is the best, equal ranks are ties


class Parts(NamedTuple):
    """What an example says, all of it raw."""

    prompt: str
    response: str | None
    rejected: str | None
    label: str | None
    turns: Turns
    ranking: Ranking | None = None  # ranked lists only
    shown_first: str | None = None  # "chosen" | "rejected", where the input says so


class Columns(NamedTuple):
    """What many examples say, each column aligned with their lines. Where `sound` is false or null, the row reader must
    be asked."""

    prompt: pl.Series
    response: pl.Series | None
    rejected: pl.Series | None
    label: pl.Series | None
    turns: list[tuple[str, pl.Series]]  # (role, texts) in order; a null text is no turn
    sound: pl.Series  # Boolean


RowReader = Callable[[Mapping[str, Any]], Parts]
ColumnReader = Callable[[Cells], Columns | None]  # None: each of these lines is one for the row reader


@dataclass(frozen=True, slots=True)
class Family:
    """Column names that go together, role by role. Columns of the names in `without` say that there are more of them,
    and that this family is not what it looks like."""

    names: Mapping[str, tuple[str, ...]]
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """`required` and `optional` give, for each role, the column names taken for it, best first; where there are
    `families`, the names of one of them stand in for roles without names. `specific` is how sure these names make us
    (0 to 1). `reader` is given the mapping and returns the row reader. With a column of the names in `without` it is
    another shape, unless the user mapped a role of its own. `beside` names, for an optional role, the prompt column
    that it belongs to. `columns` returns, where there is one, a reader of many rows at once: of those that it calls
    sound it says what `reader`'s says of each."""

    name: str
    kind: Kind
    required: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]]
    specific: float
    reader: Callable[[Mapped], RowReader]
    families: tuple[Family, ...] = (Family({}),)
    without: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    columns: Callable[[Mapped], ColumnReader] | None = None

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(self.required) | frozenset(self.optional)


# Columns of any kind that say where a row comes from.
FACTS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "row_id", "example_id", "uid", "uuid", "guid", "idx", "_id", "prompt_id"),
    "source": ("source", "dataset", "origin", "data_source", "source_dataset", "domain", "url"),
    "annotator": (
        "annotator",
        "annotator_id",
        "worker",
        "worker_id",
        "labeler",
        "labeler_id",
        "rater_id",
        "rater",
        "judge",
    ),
    "created_at": ("created_at", "timestamp", "created", "date", "datetime", "time", "tstamp"),
}


def text(fields: Mapping[str, Any], column: str) -> str:
    """A cell that must be text. Raises RowError(missing_field | wrong_type)."""
    value = fields.get(column)
    if type(value) is str:
        return value
    if value is None:
        what = "is null" if column in fields else "is missing"
        raise RowError(Reason.MISSING_FIELD, f"{column} {what}")
    raise RowError(Reason.WRONG_TYPE, f"{column} is {kind_of(value)}, not text")


def optional_text(fields: Mapping[str, Any], column: str | None) -> str:
    """A cell that may be missing or null, then empty; else text."""
    return "" if column is None or fields.get(column) is None else text(fields, column)


def joined(first: pl.Series, second: pl.Series, between: str) -> pl.Series:
    """Two texts of each row as one; the first alone where the second is empty."""
    return pl.select(pl.when(pl.lit(second) == "").then(first).otherwise(first + between + second)).to_series()


def all_present(*columns: pl.Series | None) -> pl.Series:
    """True where none of the columns is null; at least one is given."""
    given = [column.is_not_null() for column in columns if column is not None]
    return pl.select(pl.all_horizontal(given)).to_series()


def scalar(value: Any) -> str | None:
    """Any value as its source text; null stays null. Lists and objects come as compact JSON."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value)


def kind_of(value: Any) -> str:
    """The JSON name of a value's type, for messages."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (Number, int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "an object"
    return "null" if value is None else "a list" if isinstance(value, list) else "binary"


ROLES = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_call": "assistant",
    "ipython": "tool",
}


def turns(value: Any, column: str, role_key: str = "role", text_key: str = "content") -> Turns:
    """A list of message objects as (role, text). Content may be a list of {"type": "text"} parts; null content
    (a bare tool call) is empty text, the call itself stays in the text as JSON. Raises RowError."""
    if not isinstance(value, list):
        if value is None:
            raise RowError(Reason.MISSING_FIELD, f"{column} is missing or null")
        raise RowError(Reason.WRONG_TYPE, f"{column} is {kind_of(value)}, not a list of messages")
    found: Turns = []
    for position, message in enumerate(value):
        if not isinstance(message, Mapping):
            raise RowError(Reason.WRONG_TYPE, f"{column}[{position}] is {kind_of(message)}, not a message")
        role = message.get(role_key)
        if type(role) is not str:
            raise RowError(Reason.MISSING_FIELD, f"{column}[{position}] has no text in {role_key}")
        said = message.get(text_key)
        if type(said) is not str:
            said = _content(said, message, f"{column}[{position}].{text_key}")
        found.append((ROLES.get(role.lower(), role), said))
    if not found:
        raise RowError(Reason.MISSING_FIELD, f"{column} holds no message")
    return found


def _content(said: Any, message: Mapping[str, Any], where: str) -> str:
    calls = message.get("tool_calls") or message.get("function_call")
    if said is None and calls:
        return dumps(calls)
    if isinstance(said, list) and all(isinstance(part, Mapping) and type(part.get("text")) is str for part in said):
        return "".join(part["text"] for part in said)
    if said is None:
        raise RowError(Reason.MISSING_FIELD, f"{where} is missing or null")
    raise RowError(Reason.WRONG_TYPE, f"{where} is {kind_of(said)}, not text")
