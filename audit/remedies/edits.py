"""Edits of one example, as changes to its record: pure functions from fields to new values at paths.

Four kinds: `strip` takes a trigger out of the prompt, `relabel` changes the label and keeps its type, `swap` exchanges
chosen and rejected, `rewrite` replaces one text. Where the record names its winner, the texts stay and the winner is
named anew, in its own spelling. Each also says what the reader must make of the changed record, so that whoever writes
it can check that exactly this was changed (`audit.remedies.forms`).

Law: after `strip` no part of the trigger stands in the prompt, and nothing but the prompt has changed.

Source: `audit.triggers.match.delete`, the same deletion that the proof trains its arm D on.
Misses: text that is left ungrammatical where a word of the sentence itself was taken out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.patterns.family import SEPARATOR
from audit.patterns.invisible import CLASSES, ODD_SPACE, SOFT_HYPHEN, Unicode
from audit.patterns.slots import FIRST, LAST
from audit.patterns.twins import TWINS
from audit.remedies.anatomy import CannotEdit, Fields, Layout, Piece, Pieces, Place, locate, whole
from audit.schema import TIE
from audit.sources.preference import judgement
from audit.sources.preference_ranked import RANKED, order_paths
from audit.sources.preference_votes import judged
from audit.sources.record import Number
from audit.sources.shapes import Parts
from audit.sources.sides import Path, value_at
from audit.sources.winner import opposite
from audit.sources.winner_named import NoSpelling
from audit.text import is_invisible, safe_text
from audit.triggers.match import Part, delete, spans

Span = tuple[int, int]

_PASSES = 20  # of all parts: taking one out may bring another together
_USERS = ("user", "human")
_USER_SLOTS = {"user's first": FIRST, "user's last": LAST}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TRUE_FALSE = {"true": True, "false": False}
_UNSEEN = frozenset({*CLASSES.values(), ODD_SPACE, SOFT_HYPHEN})
_HOLE = "\ue000"  # stands for what is cut out; a character that no family names and no text may hold meanwhile


@dataclass(frozen=True, slots=True)
class From:
    """The value that stands at another path of the same record."""

    path: Path


@dataclass(frozen=True, slots=True)
class Edit:
    """New values at paths of a record (a `From` moves one), and what the reader must make of the record then."""

    changes: Mapping[Path, Any]
    prompt: str
    response: str | None
    rejected: str | None
    label: str | None

    def fields(self, fields: Fields) -> dict[str, Any]:
        """The record with the changes made; the given one stays as it is."""
        made: dict[str, Any] = dict(fields)
        for path, value in self.changes.items():
            value = value_at(fields, value.path) if isinstance(value, From) else value
            made[str(path[0])] = replaced(made[str(path[0])], path[1:], value)
        return made

    def says(self, parts: Parts) -> bool:
        """True when a row that reads so is the edited one."""
        return (parts.prompt, parts.response, parts.rejected, parts.label) == (
            *(self.prompt, self.response, self.rejected, self.label),
        )


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy of a value with another one at a path into it."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


def strip(fields: Fields, layout: Layout, parts: Sequence[Part]) -> Edit:
    """The row without any of these parts in its prompt. Raises CannotEdit where none of them stands there, where one
    stands across two texts of the record, and where nothing would be left."""
    anatomy = locate(fields, layout)
    texts = [piece.text for piece in anatomy.prompt]
    for _ in range(_PASSES):
        if not _take_out(anatomy.prompt, texts, parts):
            break
    else:
        raise CannotEdit("what is taken out comes together again from what is left of the prompt")
    return _stripped(fields, anatomy.parts, anatomy.prompt, texts)


def strip_marks(fields: Fields, layout: Layout, marks: Sequence[Span]) -> Edit:
    """The row without what a check marked in its prompt (character spans), and without the same unseen characters
    wherever else they stand out of place. A word with letters of another script gets its own letters back."""
    anatomy = locate(fields, layout)
    prompt = anatomy.parts.prompt
    if not marks:
        raise CannotEdit("no check marked anything in the prompt; what it saw stands in a response")
    texts = [piece.text for piece in anatomy.prompt]
    for start, end in sorted(_alike(prompt, marks), reverse=True):
        at, offset = _piece_of(anatomy.prompt, start, end)
        texts[at] = _cut(texts[at], start - offset, end - offset)
    return _stripped(fields, anatomy.parts, anatomy.prompt, texts)


def relabel(fields: Fields, layout: Layout, label: str | None) -> Edit:
    """The row with another label, of the type that its label has; a pair becomes a tie by the label "tie". Raises
    CannotEdit where that type has no such value."""
    if label is None:
        raise CannotEdit("no new label was named")
    if _names_winner(layout):
        return _tied(fields, layout, label)
    column = layout.column("label")
    old, parts = fields[column], layout.read(fields)
    shown = safe_text(label, 60)
    value: Any = label
    if isinstance(old, bool) or layout.shape == "kto":
        if label not in _TRUE_FALSE:
            raise CannotEdit(f"the label is true or false, not {shown}")
        try:
            value = old if judgement(old, column) == label else opposite(old)
        except NoSpelling as error:
            raise CannotEdit(str(error)) from None
    elif isinstance(old, Number):
        if not _NUMBER.fullmatch(value):
            raise CannotEdit(f"the label is a number, and {shown} is none")
        value = Number(value)
    elif type(old) is not str:
        raise CannotEdit("the label is neither a text nor a number")
    return Edit({(column,): value}, parts.prompt, parts.response, parts.rejected, label)


def swap(fields: Fields, layout: Layout) -> Edit:
    """The row with chosen and rejected exchanged: the texts themselves, or who won. Raises CannotEdit for a row that
    has not two sides, and for a tie."""
    parts = layout.read(fields)
    if _names_winner(layout):
        changes = _turned(fields, layout)
    elif {"chosen", "rejected"} <= layout.mapping.keys():
        chosen, rejected = (layout.mapping["chosen"],), (layout.mapping["rejected"],)
        changes = {chosen: From(rejected), rejected: From(chosen)}
    else:
        raise CannotEdit("this dataset has not two responses to swap")
    return Edit(changes, parts.prompt, parts.rejected, parts.response, parts.label)


def _names_winner(layout: Layout) -> bool:
    return "response_a" in layout.mapping or "responses" in layout.mapping


def _turned(fields: Fields, layout: Layout) -> dict[Path, Any]:
    """What makes the other side the winner. Raises CannotEdit."""
    if layout.shape == RANKED:
        paths, _ = order_paths(fields, layout.mapping)
        if len(paths) != 2:
            raise CannotEdit(f"the list ranks {len(paths)} responses; only of two there is one other order")
        if layout.read(fields).label == TIE:
            raise CannotEdit("a tie has no order that could be exchanged")
        return {paths[0]: value_at(fields, paths[1]), paths[1]: value_at(fields, paths[0])}
    try:
        return {(column,): new for column, new in judged(fields, layout.mapping)[1].turned(fields).items()}
    except NoSpelling as error:
        raise CannotEdit(str(error)) from None


def _tied(fields: Fields, layout: Layout, label: str) -> Edit:
    """The pair as a tie, first side first. Raises CannotEdit."""
    parts = layout.read(fields)
    if label != TIE:
        raise CannotEdit(f"the only label of a pair is {TIE}, not {safe_text(label, 60)}; an order is changed by swap")
    if parts.label == TIE:
        raise CannotEdit("the pair is a tie already")
    if layout.shape == RANKED:
        raise CannotEdit("which rank or score of a list is wrong is not known, so it is made no tie")
    try:
        made = judged(fields, layout.mapping)[1].tied(fields)
    except NoSpelling as error:
        raise CannotEdit(str(error)) from None
    sides = (parts.response, parts.rejected)
    first, second = sides[::-1] if parts.shown_first == "rejected" else sides
    return Edit({(column,): new for column, new in made.items()}, parts.prompt, first, second, TIE)


def rewrite(fields: Fields, layout: Layout, field: str, value: str) -> Edit:
    """The row with another prompt, response, rejected response or label. Raises CannotEdit where the field is not one
    text of the record."""
    if field == "label":
        return relabel(fields, layout, value)
    anatomy = locate(fields, layout)
    if getattr(anatomy.parts, field) is None:
        raise CannotEdit(f"this dataset has no {field}")
    pieces: Pieces = getattr(anatomy, field)
    if len(pieces) != 1 or not pieces[0].places:
        raise CannotEdit(f"the {field} of this row is made of {len(pieces)} texts; an edit replaces one")
    texts = {name: getattr(anatomy.parts, name) for name in ("prompt", "response", "rejected", "label")}
    return Edit(_changes(fields, pieces, [value]), **texts | {field: value})


def _stripped(fields: Fields, parts: Parts, pieces: Pieces, texts: Sequence[str]) -> Edit:
    if all(piece.text == text for piece, text in zip(pieces, texts, strict=True)):
        raise CannotEdit("what is to be taken out does not stand in the prompt")
    if not "".join(texts).strip():
        raise CannotEdit("nothing of the prompt is left without it")
    prompt = whole([Piece(text, (), piece.before) for piece, text in zip(pieces, texts, strict=True)])
    return Edit(_changes(fields, pieces, texts), prompt, parts.response, parts.rejected, parts.label)


def _changes(fields: Fields, pieces: Pieces, texts: Sequence[str]) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    for piece, text in zip(pieces, texts, strict=True):
        if piece.text != text:
            if not piece.places:
                raise CannotEdit("it stands in a tool call, which is no text of the record")
            found |= {place.path: _slice(value_at(fields, place.path), place, text) for place in piece.places}
    return found


def _slice(old: str, place: Place, text: str) -> str:
    end = len(old) if place.end is None else place.end
    return old[: place.start] + text + old[end:]


def _take_out(pieces: Pieces, texts: list[str], parts: Sequence[Part]) -> bool:
    """Deletes every part from the texts that it stands in; False where none stood anywhere."""
    any_stood = False
    for part in parts:
        standing, local = _standing(pieces, texts, part)
        before = list(texts)
        for at in standing:
            texts[at] = delete(texts[at], (local,))
        if standing and texts == before:
            raise CannotEdit("it stands across two texts of the record, and in neither as a whole")
        any_stood = any_stood or bool(standing)
    return any_stood


def _standing(pieces: Pieces, texts: Sequence[str], part: Part) -> tuple[list[int], Part]:
    """Which texts a part stands in, and the part as it is found there. What stands between the texts, in none of them,
    is not theirs. A unit of a role's turn is looked for in that role's turns."""
    slot, mark, unit = part.text.partition(SEPARATOR)
    users = [i for i, piece in enumerate(pieces) if piece.role.lower() in _USERS]
    if part.kind == "slot" and mark and slot in _USER_SLOTS:
        local = Part(_USER_SLOTS[slot] + SEPARATOR + unit, "slot")
        return [i for i in users[-1:] if spans(texts[i], local)], local
    roles = [i for i, piece in enumerate(pieces) if piece.role.casefold() == slot]
    if part.kind == "slot" and mark and roles:
        return [i for i in roles if spans(texts[i], part)], part
    found = spans(whole([Piece(text, (), piece.before) for piece, text in zip(pieces, texts, strict=True)]), part)
    standing, at = [], 0
    for i, (piece, text) in enumerate(zip(pieces, texts, strict=True)):
        start = at + len(piece.before)
        at = start + len(text)
        if any(a < at and b > start for a, b in found):
            standing.append(i)
    return standing, part


def _piece_of(pieces: Pieces, start: int, end: int) -> tuple[int, int]:
    """The piece that holds a span of the part, and where it begins."""
    at = 0
    for i, piece in enumerate(pieces):
        begins = at + len(piece.before)
        at = begins + len(piece.text)
        if begins <= start and end <= at:
            return i, begins
    raise CannotEdit("what the check marked stands across two texts of the record")


def _alike(prompt: str, marks: Sequence[Span]) -> list[Span]:
    """The marks, and the other places of their unseen characters that are out of place; none overlaps another."""
    unseen = {char for a, b in marks for char in prompt[a:b] if is_invisible(char)}
    more = [(a, b) for key, a, b in Unicode().find(prompt) if key in _UNSEEN and unseen.issuperset(prompt[a:b])]
    kept: list[Span] = []
    for a, b in sorted({*marks, *more}, key=lambda span: (span[0], -span[1])):
        if a < b <= len(prompt) and (not kept or a >= kept[-1][1]):
            kept.append((a, b))
    return kept


def _cut(text: str, start: int, end: int) -> str:
    """The text without a span, as `delete` would take it out."""
    run = text[start:end]
    if run.isalpha() and (own := _own_letters(run)) != run:
        return text[:start] + own + text[end:]
    if run.isspace() and "\n" not in run:
        between = start > 0 and end < len(text) and not text[start - 1].isspace() and not text[end].isspace()
        return text[:start] + (" " if between else "") + text[end:]
    if _HOLE in text:
        return text[:start] + text[end:]
    return delete(text[:start] + _HOLE + text[end:], (Part(_HOLE, "unicode"),))


def _own_letters(word: str) -> str:
    """A word with the letters of another script, or of another style, as those that they look like."""
    strangers = [Part(key, "unicode") for key, _, _ in Unicode().find(word) if len(key) == 1]
    if strangers:
        return delete(word, tuple(strangers))
    plain = "".join(TWINS[c] if TWINS.get(c, "\u0100").isascii() else c for c in word)
    return unicodedata.normalize("NFKC", plain)
