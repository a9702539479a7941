"""What the shapes of preference data share: how a prompt and the two sides stand in a record, and what they make.

A prompt, or a side, is a text, a list of messages, or an object that holds one of these under a known key. What two
conversations open with alike belongs to the prompt.

Misses: user turns behind the point where two conversations part: they are in neither side's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from audit.schema import TIE
from audit.sources.record import Reason, RowError
from audit.sources.shapes import Mapped, Parts, Turns, kind_of, optional_text, turns
from audit.views import JOIN

Path = tuple[str | int, ...]  # a column, then keys and indices into its value

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"
_MARK = re.compile(r"\n\n(Human|Assistant):")
_OPENING_MARK = re.compile(r"\s{0,4}(Human|Assistant):")

# Keys under which objects hold a prompt or an answer, best first.
PROMPT_KEYS = ("messages", "full_text", "post", "article", "text", "content", "value", "prompt", "question")
ANSWER_KEYS = ("response", "answer", "completion", "text", "content", "value", "output", "generation", "summary")


def inner(fields: Mapping[str, Any], path: Path, keys: tuple[str, ...]) -> Path:
    """The path to the text or the list of messages at `path`: of an object, that of the first of `keys` that it has
    with such a value; else the path itself."""
    value = value_at(fields, path)
    if not isinstance(value, Mapping):
        return path
    return next(((*path, key) for key in keys if isinstance(value.get(key), (str, list))), path)


def value_at(fields: Any, path: Path) -> Any:
    """The value at a path; None for a column that the record has not."""
    found = fields.get(path[0])
    for step in path[1:]:
        found = found[step]
    return found


def named(path: Path) -> str:
    """A path as messages name it."""
    return str(path[0]) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:])


def message_keys(value: Any) -> tuple[str, str]:
    """The keys of role and text in a list of messages: ShareGPT's, where its first message has them."""
    first = value[0] if isinstance(value, list) and value else None
    foreign = isinstance(first, Mapping) and "from" in first and "role" not in first
    return ("from", "value") if foreign else ("role", "content")


def messages(fields: Mapping[str, Any], path: Path) -> Turns:
    """The list of messages at a path. Raises RowError."""
    value = value_at(fields, path)
    return turns(value, named(path), *message_keys(value))


def text_at(fields: Mapping[str, Any], path: Path) -> str:
    """The text at a path. Raises RowError(missing_field | wrong_type)."""
    value = value_at(fields, path)
    if type(value) is str:
        return value
    if value is None:
        raise RowError(Reason.MISSING_FIELD, f"{named(path)} is missing or null")
    raise RowError(Reason.WRONG_TYPE, f"{named(path)} is {kind_of(value)}, not text")


def opening(fields: Mapping[str, Any], mapping: Mapped) -> Turns:
    """What stands in the columns of the prompt: a system text, the prompt, and further input to it. Raises
    RowError."""
    system = optional_text(fields, mapping.get("system"))
    before: Turns = [("system", system)] if system else []
    if "prompt" not in mapping:
        return before
    path = inner(fields, (mapping["prompt"],), PROMPT_KEYS)
    if isinstance(value_at(fields, path), list):
        return before + messages(fields, path)
    asked, more = text_at(fields, path), optional_text(fields, mapping.get("input"))
    return [*before, ("user", asked + JOIN + more if more else asked)]


def both_sides(fields: Mapping[str, Any], before: Turns, first: Path, second: Path) -> tuple[Turns, str, str]:
    """The turns of the prompt and the texts of the two sides that stand at these paths, both texts or both lists of
    messages. What two lists open with alike is added to the prompt, unless `before` holds it. Raises RowError."""
    if not isinstance(value_at(fields, first), list):
        return before, text_at(fields, first), text_at(fields, second)
    one, other = messages(fields, first), messages(fields, second)
    shared = shared_turns(one, other)
    spoken = set(before)
    before = before + [turn for turn in one[:shared] if turn not in spoken]
    if not before:
        raise RowError(Reason.MISSING_FIELD, f"{named(first)} and {named(second)} share no turn as prompt")
    return before, _rest(one, shared, first), _rest(other, shared, second)


def shared_turns(one: Turns, other: Turns) -> int:
    """How many turns open both conversations, leaving each at least one of its own."""
    most = min(len(one), len(other)) - 1
    count = 0
    while count < most and one[count] == other[count]:
        count += 1
    return count


def _rest(said: Turns, shared: int, path: Path) -> str:
    rest = [t for role, t in said[shared:] if role == "assistant"]
    if not rest:
        raise RowError(Reason.MISSING_FIELD, f"{named(path)} holds no assistant turn of its own")
    return JOIN.join(rest)


def pair(before: Turns, first: str, second: str, won: int | None) -> Parts:
    """A pair that was shown as first and second, of which side `won` (0 or 1) was preferred; None is a tie."""
    good, bad = (second, first) if won == 1 else (first, second)
    shown = None if won is None else "rejected" if won else "chosen"
    return Parts(prompt_of(before), good, bad, TIE if won is None else None, spoken(before), None, shown)


def prompt_of(before: Turns) -> str:
    """The turns of a prompt as one text."""
    return JOIN.join(t for _, t in before)


def spoken(before: Turns) -> Turns:
    """The turns of a prompt; one text that is a transcript as the turns that it tells."""
    if len(before) == 1 and before[0][1].startswith(HUMAN):
        return transcript_turns(before[0][1])
    return before


def transcript_turns(prompt: str) -> Turns:
    """A "\\n\\nHuman: … \\n\\nAssistant:" transcript as turns; the empty opening of the answer is left out. The blank
    line before the first mark may be missing."""
    start = _OPENING_MARK.match(prompt)
    pieces = _MARK.split(f"\n\n{prompt[start.start(1) :]}" if start else prompt)
    found: Turns = [("system", pieces[0])] if pieces[0].strip() else []
    for speaker, said in zip(pieces[1::2], pieces[2::2], strict=True):
        found.append(("user" if speaker == "Human" else "assistant", said))
    if found and found[-1] == ("assistant", ""):
        found.pop()
    return found
