"""A changed example written back into the record that it was read from.

A record is a mapping of columns; which of them say what is the dataset's shape. Only the columns that the example's
change touches are replaced, and what was written is read again by the shape's own reader: a record that would not say
exactly what the example says is refused, never approximated.

Misses: shapes without a place for a further turn cannot take one; numbers in labels must be values that some row has.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from audit.attacks.targets import Example
from audit.schema import DatasetInfo
from audit.sources.detect import SHAPES
from audit.sources.record import RowError
from audit.sources.shapes import ROLES, Parts, RowReader
from audit.sources.winner import judge_of
from audit.sources.winner_named import NoSpelling
from audit.views import JOIN

Fields = dict[str, Any]
_SAID = len(("prompt", "response", "rejected", "label", "turns"))  # the first fields of Parts


class Unwritable(Exception):
    """The record's shape has no place for this change. The text says why; row text is never in it."""


def write_back(info: DatasetInfo, fields: Fields, old: Example, new: Example, labels: Mapping[str, Any]) -> Fields:
    """The record of `old` changed to say what `new` says; `fields` is left as it is. `labels` gives the native value
    of each label as some record has it. Raises Unwritable."""
    reader, old = _reader(info, fields, old), dict(old)
    wanted = _parts(new)
    for attempt in _attempts(info, fields, old, new, labels):
        try:
            if _same(reader(attempt), wanted):
                return attempt
        except RowError:
            continue
    raise Unwritable(f"the columns of its shape ({info.shape}) cannot hold the change")


def _reader(info: DatasetInfo, fields: Fields, old: Example) -> RowReader:
    """The reader of the shape that reads the record as the example."""
    for shape in SHAPES:
        if shape.name == info.shape and set(shape.required) <= set(info.mapping):
            reader = shape.reader({role: column for role, column in info.mapping.items() if role in shape.roles})
            try:
                if _same(reader(fields), _parts(old)):
                    return reader
            except RowError:
                continue
    raise Unwritable(f"it does not read as a record of its shape ({info.shape})")


def _parts(example: Example) -> Parts:
    turns = [(turn["role"], turn["text"]) for turn in example["turns"] or []]
    return Parts(example["prompt"], example["response"], example["rejected"], example["label"], turns)


def _same(read: Parts, wanted: Parts) -> bool:
    """True where a record says what an example says; which side was shown first, and the rest of a ranking, are facts
    that no attack names."""
    return read[:_SAID] == wanted[:_SAID]


def _attempts(
    info: DatasetInfo, fields: Fields, old: Example, new: Example, labels: Mapping[str, Any]
) -> Iterator[Fields]:
    """Records that may say it, likeliest first."""
    columns = info.mapping
    base = copy.deepcopy(fields)
    if "label" in columns and new["label"] != old["label"]:
        if new["label"] not in labels:
            raise Unwritable("no record has its new label, so how that is written is unknown")
        base[columns["label"]] = labels[new["label"]]
    if "chosen" in columns:
        _swap(columns, base, old, new)
    elif "response_a" in columns and _is_crossed(old, new):
        _turn(columns, base, old)
    write = _write_lists if _has_lists(columns, fields) else _write_texts
    yield from write(info, base, old, new)


def _has_lists(columns: Mapping[str, str], fields: Fields) -> bool:
    said = ("messages", "prompt", "chosen", "response")
    return any(isinstance(fields.get(columns[role]), list) for role in said if role in columns)


def _swap(columns: Mapping[str, str], fields: Fields, old: Example, new: Example) -> None:
    """Exchanges the two sides' columns where the sides were swapped; they hold whole conversations in some shapes."""
    if _is_crossed(old, new):
        good, bad = columns["chosen"], columns["rejected"]
        fields[good], fields[bad] = fields[bad], fields[good]
        old["response"], old["rejected"] = old["rejected"], old["response"]


def _turn(columns: Mapping[str, str], fields: Fields, old: Example) -> None:
    """Names the other one of two responses the winner, in the spelling of the record. Raises Unwritable."""
    try:
        fields |= judge_of(columns).turned(fields)
    except NoSpelling as error:
        raise Unwritable(str(error)) from None
    old["response"], old["rejected"] = old["rejected"], old["response"]


def _is_crossed(old: Example, new: Example) -> bool:
    """True where each side is more like the other side as it was."""
    kept = len(_differ(new["response"], old["response"])) + len(_differ(new["rejected"], old["rejected"]))
    crossed = len(_differ(new["response"], old["rejected"])) + len(_differ(new["rejected"], old["response"]))
    return crossed < kept


def _differ(a: str, b: str) -> str:
    """ "" for equal texts, else the longer one."""
    return "" if a == b else max(a, b, key=len)


def _write_texts(info: DatasetInfo, fields: Fields, old: Example, new: Example) -> Iterator[Fields]:
    columns = info.mapping
    if info.shape == "hh-transcript":
        yield fields | {
            columns["chosen"]: new["prompt"] + new["response"],
            columns["rejected"]: new["prompt"] + new["rejected"],
        }
        return
    if info.shape == "text-label":
        said = [turn["text"] for turn in new["turns"]]
        yield fields | dict(
            zip((columns[role] for role in ("text", "text_pair") if role in columns), said, strict=False)
        )
        return
    sides = {"response": "response", "chosen": "response", "rejected": "rejected"}
    if "response_a" in columns:
        won = judge_of(columns).order(fields)
        sides = dict(zip(("response_b", "response_a") if won else ("response_a", "response_b"), _SIDES, strict=True))
    fields |= {columns[role]: new[name] for role, name in sides.items() if role in columns}
    said = new["prompt"]
    system = columns.get("system")
    if system is not None and fields.get(system):
        if new["turns"] and new["turns"][0]["role"] == "system":
            fields[system] = new["turns"][0]["text"]
            said = said.removeprefix(fields[system] + JOIN)
        else:
            fields[system] = ""
    history = columns.get("history")
    if history is not None:
        earlier = [turn["text"] for turn in new["turns"][:-1] if turn["role"] != "system"]
        fields[history] = [list(pair) for pair in zip(earlier[::2], earlier[1::2], strict=False)]
        said = new["turns"][-1]["text"]
    if columns.get("input") is None or not fields.get(columns["input"]):
        yield fields | {columns["prompt"]: said}
        return
    yield from _split_input(fields, columns["prompt"], columns["input"], said)


def _split_input(fields: Fields, prompt: str, given: str, said: str) -> Iterator[Fields]:
    """The prompt cut where the further input begins: behind the old prompt, before the old input, at the same blank
    line, or nowhere."""
    lead, tail = fields[prompt] + JOIN, JOIN + fields[given]
    if said.startswith(lead) and len(said) > len(lead):
        yield fields | {prompt: fields[prompt], given: said[len(lead) :]}
    if said.endswith(tail):
        yield fields | {prompt: said[: -len(tail)]}
    pieces = said.split(JOIN)
    before = fields[prompt].count(JOIN) + 1
    if len(pieces) > before:
        yield fields | {prompt: JOIN.join(pieces[:before]), given: JOIN.join(pieces[before:])}
    yield fields | {prompt: said, given: ""}


def _write_lists(info: DatasetInfo, fields: Fields, old: Example, new: Example) -> Iterator[Fields]:
    columns = info.mapping
    keys = ("from", "value") if info.shape == "sharegpt" else ("role", "content")
    roles = [role for role in ("messages", "prompt", "chosen", "rejected", "response") if role in columns]
    lists: list[list[Any]] = [fields[columns[role]] for role in roles if isinstance(fields.get(columns[role]), list)]
    system = columns.get("system")
    before, after = _turns(old), _turns(new)
    if system is not None and fields.get(system) and before[:1] == [("system", fields[system])]:
        if after[:1] != before[:1]:
            fields[system] = ""
        before, after = before[1:], after[after[:1] == before[:1] :]
    prompt = columns.get("prompt", "")
    if isinstance(fields.get(prompt), str) and before[:1] == [("user", fields[prompt])] and after:
        fields[prompt] = after[0][1]
        before, after = before[1:], after[1:]
    talk = _Talk(lists, *keys)
    talk.put_turns(before, after)
    for name in ("response", "rejected"):
        if name in columns and isinstance(fields.get(columns[name]), str):
            fields[columns[name]] = new[name]
        elif new[name] != old[name]:
            talk.put_answer(old[name], new[name], fields.get(columns.get(_SIDES.get(name, ""), "")))
    yield fields


_SIDES = {"response": "chosen", "rejected": "rejected"}


def _turns(example: Example) -> list[tuple[str, str]]:
    return [(turn["role"], turn["text"]) for turn in example["turns"] or []]


class _Talk:
    """The message lists of one record, edited in place."""

    def __init__(self, lists: list[list[Any]], role_key: str, text_key: str) -> None:
        self._lists, self._role, self._text = lists, role_key, text_key

    def put_turns(self, before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
        """Changes the messages of `before` to those of `after`: what both begin and end with stays as it is."""
        head = _shared(before, after)
        tail = _shared(before[head:][::-1], after[head:][::-1])
        gone, come = before[head : len(before) - tail], after[head : len(after) - tail]
        if [role for role, _ in gone] == [role for role, _ in come]:
            for (role, text), (_, new) in zip(gone, come, strict=True):
                for said, at in self._where(role, text) if text != new else []:
                    self._say(said[at], new)
            return
        if not tail and not gone:
            raise Unwritable("it has no turn before which a further one could stand")
        added = [self._message(role, text) for role, text in come]
        if not gone:
            for said, at in self._where(*before[head]):
                said[at:at] = copy.deepcopy(added)
            return
        for said, at in self._where(*gone[-1]):
            said[at : at + 1] = copy.deepcopy(added)
        for role, text in gone[:-1]:
            for said, at in self._where(role, text):
                del said[at]

    def put_answer(self, old: str, new: str, side: Any) -> None:
        """Changes the answer's message in one side's list, or in whichever list it closes."""
        for said in [side] if isinstance(side, list) else self._lists:
            if (at := self._last(said, "assistant", old)) >= 0:
                self._say(said[at], new)
                return
        raise Unwritable("its answer is more than one message")

    def _where(self, role: str, text: str) -> list[tuple[list[Any], int]]:
        """The lists that hold this message, each with its last place there. Raises Unwritable when none does."""
        found = [(said, at) for said in self._lists if (at := self._last(said, role, text)) >= 0]
        if not found:
            raise Unwritable(f"no message of its {role} holds the turn that is to change")
        return found

    def _last(self, said: list[Any], role: str, text: str) -> int:
        for at in range(len(said) - 1, -1, -1):
            native = said[at].get(self._role)
            if ROLES.get(str(native).lower(), native) == role and self._read(said[at]) == text:
                return at
        return -1

    def _read(self, message: Mapping[str, Any]) -> str | None:
        value = message.get(self._text)
        if isinstance(value, list):
            return "".join(str(part.get("text")) for part in value)
        return value if isinstance(value, str) else None

    def _say(self, message: dict[str, Any], text: str) -> None:
        value = message[self._text]
        message[self._text] = [{**value[0], "text": text}] if isinstance(value, list) and value else text

    def _message(self, role: str, text: str) -> dict[str, Any]:
        """A new message, made like another one of its role in the record, else with the shape's own word for it."""
        for said in self._lists:
            for message in said:
                native = message.get(self._role)
                if ROLES.get(str(native).lower(), native) == role:
                    return dict.fromkeys(message) | {self._role: native, self._text: text}
        human = self._role == "from"
        word = {"user": "human" if human else "user", "assistant": "gpt" if human else "assistant"}.get(role, role)
        return {self._role: word, self._text: text}


def _shared(a: list[tuple[str, str]], b: list[tuple[str, str]]) -> int:
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count
