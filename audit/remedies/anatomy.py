"""Where the texts of an example stand in its record: the way back from what a reader of `audit.sources` makes of a row
to the columns, messages and slices that it took it from.

Law: the pieces of a part, each behind its separator, are the part, character for character; `locate` asks the reader
and refuses the row otherwise. A piece that stands in several places (a turn that chosen and rejected share) is one
text, changed in all of them at once.

Misses: tool calls, which are read as JSON text and have no text of their own to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from audit.schema import DatasetInfo
from audit.sources.detect import SHAPES
from audit.sources.preference_ranked import RANKED, ranked
from audit.sources.preference_votes import chosen_first, judged
from audit.sources.record import RowError
from audit.sources.shapes import ROLES, Parts, Shape
from audit.sources.sides import ANSWER_KEYS, ASSISTANT, PROMPT_KEYS, Path, inner, message_keys, value_at
from audit.sources.strict_json import dumps
from audit.views import JOIN

Fields = Mapping[str, Any]


class CannotEdit(Exception):
    """This row cannot be changed as decided: it is held back, with this sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """A text of a record, or a slice of it."""

    path: Path
    start: int = 0
    end: int | None = None  # None: to the end of the text


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a part. `places` is empty where it is no text of the record."""

    text: str
    places: tuple[Place, ...]
    before: str = ""  # the separator in front of it, which stands nowhere in the record
    role: str = "user"


Pieces = tuple[Piece, ...]
Message = list[Piece]  # at least one piece, of one role, with nothing between them


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a row says, and its parts as pieces: empty for a part that it has not."""

    parts: Parts
    prompt: Pieces
    response: Pieces = ()
    rejected: Pieces = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a dataset are read: the shapes that its dataset.json may mean, and their columns."""

    shapes: tuple[Shape, ...]
    mapping: Mapping[str, str]

    @classmethod
    def of(cls, info: DatasetInfo) -> Layout:
        """Shapes of one name differ in what their columns hold (texts or messages), so a row tells which it is."""
        named = (s for s in SHAPES if s.name == info.shape and s.kind == info.kind)
        return cls(tuple(s for s in named if set(s.required) <= set(info.mapping)), info.mapping)

    @property
    def shape(self) -> str:
        """The shape's name."""
        return self.shapes[0].name if self.shapes else ""

    def read(self, fields: Fields) -> Parts:
        """What a row says. Raises CannotEdit where no shape reads it."""
        problem = "the shape of this dataset is unknown"
        for shape in self.shapes:
            own = {role: column for role, column in self.mapping.items() if role in shape.roles}
            try:
                return shape.reader(own)(fields)
            except RowError as error:
                problem = error.detail
        raise CannotEdit(f"the row cannot be read: {problem}")

    def column(self, role: str) -> str:
        """The column of a role. Raises CannotEdit."""
        if role not in self.mapping:
            raise CannotEdit(f"this dataset has no {role} column")
        return self.mapping[role]


def locate(fields: Fields, layout: Layout) -> Anatomy:
    """Where the parts of a row stand. Raises CannotEdit where that cannot be told for sure."""
    parts, mapping = layout.read(fields), layout.mapping
    if "text" in mapping:
        made = Anatomy(parts, _joined([_column(fields, mapping[r]) for r in ("text", "text_pair") if r in mapping]))
    elif "messages" in mapping:
        column = mapping["messages"]
        keys = ("from", "value") if layout.shape == "sharegpt" else None
        made = _answered(parts, _system(fields, mapping), _messages(fields, (column,), keys))
    elif "response" in mapping:
        made = _asked(parts, fields, mapping)
    elif layout.shape == "hh-transcript":
        made = _transcripts(parts, fields, mapping["chosen"], mapping["rejected"])
    else:
        chosen, rejected = side_paths(fields, layout)
        if isinstance(value_at(fields, chosen), list):
            made = _pair_of_messages(parts, fields, mapping, chosen, rejected)
        else:
            sides = [_joined([_text(fields, side)]) for side in (chosen, rejected)]
            made = Anatomy(parts, _joined(_opening(fields, mapping)), *sides)
    for name in ("prompt", "response", "rejected"):
        if whole(getattr(made, name)) != (getattr(parts, name) or ""):
            raise CannotEdit(f"where the {name} stands in the record cannot be told for sure")
    return made


def whole(pieces: Sequence[Piece]) -> str:
    """The part that pieces make."""
    return "".join(piece.before + piece.text for piece in pieces)


def side_paths(fields: Fields, layout: Layout) -> tuple[Path, Path]:
    """Where the chosen and the rejected side of a sound row stand, as texts or lists of messages; of a ranking the best
    and the worst, of a tie the first and the second."""
    mapping = layout.mapping
    if "chosen" in mapping:
        return inner(fields, (mapping["chosen"],), ANSWER_KEYS), inner(fields, (mapping["rejected"],), ANSWER_KEYS)
    if layout.shape == RANKED:
        order = ranked(fields, mapping)
        tied = order[0][1] == order[-1][1]
        return order[0][0], order[1 if tied else -1][0]
    paths, judge = judged(fields, mapping)
    won = judge.order(fields)
    paths = chosen_first(paths, won)
    return paths[0], paths[1 if won is None else -1]


def _joined(messages: Sequence[Message]) -> Pieces:
    """Messages one after another, a blank line between."""
    return tuple(
        replace(piece, before=JOIN if i and not j else "")
        for i, message in enumerate(messages)
        for j, piece in enumerate(message)
    )


def _column(fields: Fields, column: str, role: str = "user") -> Message:
    return _text(fields, (column,), role)


def _text(fields: Fields, path: Path, role: str = "user") -> Message:
    return [Piece(value_at(fields, path), (Place(path),), role=role)]


def _system(fields: Fields, mapping: Mapping[str, str]) -> list[Message]:
    column = mapping.get("system")
    return [_column(fields, column, "system")] if column is not None and fields.get(column) else []


def _messages(fields: Fields, where: Path, keys: tuple[str, str] | None = None) -> list[Message]:
    """The list of messages at a path, as `audit.sources.shapes.turns` reads it."""
    value = value_at(fields, where)
    role_key, text_key = keys or message_keys(value)
    found: list[Message] = []
    for at, message in enumerate(value):
        path: Path = (*where, at, text_key)
        role = ROLES.get(message[role_key].lower(), message[role_key])
        said = message.get(text_key)
        if type(said) is str:
            found.append([Piece(said, (Place(path),), role=role)])
        elif said:
            found.append([Piece(p["text"], (Place((*path, i, "text")),), role=role) for i, p in enumerate(said)])
        else:
            call = message.get("tool_calls") or message.get("function_call")
            found.append([Piece("" if said is not None else dumps(call), (), role=role)])
    return found


def _answered(parts: Parts, opening: Sequence[Message], said: Sequence[Message]) -> Anatomy:
    """A conversation: the last assistant message is the response, what comes before it the prompt."""
    last = max(i for i, message in enumerate(said) if message[0].role == "assistant")
    return Anatomy(parts, _joined([*opening, *said[:last]]), _joined([said[last]]))


def _asked(parts: Parts, fields: Fields, mapping: Mapping[str, str]) -> Anatomy:
    """A prompt and its response, as columns or as two lists of messages."""
    prompt, response = mapping["prompt"], mapping["response"]
    if isinstance(fields[prompt], list):
        return _answered(parts, [], _messages(fields, (prompt,)) + _messages(fields, (response,)))
    said = _opening(fields, mapping)
    history, at_history = mapping.get("history", ""), len(_system(fields, mapping))
    for at, (question, answer) in enumerate(fields.get(history) or ()):
        told = [Piece(question, (Place((history, at, 0)),))]
        heard = [Piece(answer, (Place((history, at, 1)),), role="assistant")]
        said[at_history + 2 * at : at_history + 2 * at] = [told, heard]
    return Anatomy(parts, _joined(said), _joined([_column(fields, response)]))


def _opening(fields: Fields, mapping: Mapping[str, str]) -> list[Message]:
    """The prompt, as far as it stands in columns of its own."""
    said, asked = _system(fields, mapping), mapping.get("prompt")
    if asked is None:
        return said
    path = inner(fields, (asked,), PROMPT_KEYS)
    if isinstance(value_at(fields, path), list):
        return said + _messages(fields, path)
    more = mapping.get("input", "")
    return [*said, _text(fields, path), *([_column(fields, more)] if fields.get(more) else [])]


def _transcripts(parts: Parts, fields: Fields, chosen: str, rejected: str) -> Anatomy:
    """HH: what both transcripts share, to the end of the last mark of the assistant, is the prompt."""
    good, bad = fields[chosen], fields[rejected]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(good, bad, strict=False)))
    cut = good.rfind(ASSISTANT, 0, shared) + len(ASSISTANT)
    prompt = Piece(good[:cut], (Place((chosen,), 0, cut), Place((rejected,), 0, cut)))
    sides = [(Piece(fields[side][cut:], (Place((side,), cut),)),) for side in (chosen, rejected)]
    return Anatomy(parts, (prompt,), *sides)


def _pair_of_messages(
    parts: Parts, fields: Fields, mapping: Mapping[str, str], chosen: Path, rejected: Path
) -> Anatomy:
    """The messages that open both sides belong to the prompt, behind what a prompt column says."""
    good, bad = _messages(fields, chosen), _messages(fields, rejected)
    opening = _opening(fields, mapping)
    known = {_said(message): at for at, message in enumerate(opening)}
    most, shared = min(len(good), len(bad)) - 1, 0
    while shared < most and _said(good[shared]) == _said(bad[shared]):
        one = _both(good[shared], bad[shared])
        at = known.get(_said(one))
        if at is None:
            opening.append(one)
        else:
            opening[at] = _both(opening[at], one)
        shared += 1
    sides = [_joined([m for m in side[shared:] if m[0].role == "assistant"]) for side in (good, bad)]
    return Anatomy(parts, _joined(opening), *sides)


def _said(message: Message) -> tuple[str, str]:
    return message[0].role, whole(message)


def _both(one: Message, other: Message) -> Message:
    """A message that stands twice, as one. Raises CannotEdit where it is cut into texts in two ways."""
    if [piece.text for piece in one] != [piece.text for piece in other]:
        raise CannotEdit("a message that the two sides share is cut into texts in different ways")
    return [replace(a, places=a.places + b.places) for a, b in zip(one, other, strict=True)]
