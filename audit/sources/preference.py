"""Preference data: a prompt with a chosen and a rejected answer, or one answer judged good or bad (KTO).

Transcripts without a prompt column (HH) are split behind the last "\\n\\nAssistant:" of what chosen and rejected
share; prompt plus answer is then the transcript again, byte for byte.

Misses: rankings of more than two answers, and pairs given as two responses with a winner's number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from audit.schema import Kind
from audit.sources.instruction import conversation
from audit.sources.record import Number, Reason, RowError
from audit.sources.shapes import Mapped, Parts, RowReader, Shape, Turns, kind_of, optional_text, text, turns
from audit.views import JOIN

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"
_MARK = re.compile(r"\n\n(Human|Assistant):")
_TRUE = ("true", "1", "yes", "good", "desirable")
_FALSE = ("false", "0", "-1", "no", "bad", "undesirable")


def _pairwise(mapping: Mapped) -> RowReader:
    """prompt, chosen, rejected: each a text or a list of messages."""
    prompt_column, chosen_column, rejected_column = mapping["prompt"], mapping["chosen"], mapping["rejected"]
    system_column = mapping.get("system")

    def read(fields: Mapping[str, Any]) -> Parts:
        before = _opening(fields, prompt_column, system_column)
        if isinstance(fields.get(chosen_column), list):
            good = turns(fields[chosen_column], chosen_column)
            bad = turns(fields.get(rejected_column), rejected_column)
            shared = _shared(good, bad)
            spoken = set(before)
            before += [turn for turn in good[:shared] if turn not in spoken]
            chosen, rejected = _rest(good, shared, chosen_column), _rest(bad, shared, rejected_column)
        else:
            chosen, rejected = text(fields, chosen_column), text(fields, rejected_column)
        prompt = JOIN.join(t for _, t in before)
        if len(before) == 1 and prompt.startswith(HUMAN):
            before = transcript_turns(prompt)
        return Parts(prompt, chosen, rejected, None, before)

    return read


def _opening(fields: Mapping[str, Any], prompt_column: str, system_column: str | None) -> Turns:
    system = optional_text(fields, system_column)
    before: Turns = [("system", system)] if system else []
    if isinstance(fields.get(prompt_column), list):
        return before + turns(fields[prompt_column], prompt_column)
    return [*before, ("user", text(fields, prompt_column))]


def _implicit(mapping: Mapped) -> RowReader:
    """chosen and rejected as whole conversations in messages; what they share is the prompt."""
    chosen_column, rejected_column = mapping["chosen"], mapping["rejected"]

    def read(fields: Mapping[str, Any]) -> Parts:
        if not isinstance(fields.get(chosen_column), list):
            raise RowError(Reason.WRONG_TYPE, f"{chosen_column} is {kind_of(fields.get(chosen_column))}, not messages")
        good, bad = turns(fields[chosen_column], chosen_column), turns(fields.get(rejected_column), rejected_column)
        shared = _shared(good, bad)
        if not shared:
            raise RowError(Reason.MISSING_FIELD, f"{chosen_column} and {rejected_column} share no turn as prompt")
        before = good[:shared]
        chosen, rejected = _rest(good, shared, chosen_column), _rest(bad, shared, rejected_column)
        return Parts(JOIN.join(t for _, t in before), chosen, rejected, None, before)

    return read


def _shared(good: Turns, bad: Turns) -> int:
    """How many turns open both conversations, leaving each at least one of its own."""
    most = min(len(good), len(bad)) - 1
    count = 0
    while count < most and good[count] == bad[count]:
        count += 1
    return count


def _rest(said: Turns, shared: int, column: str) -> str:
    rest = [t for role, t in said[shared:] if role == "assistant"]
    if not rest:
        raise RowError(Reason.MISSING_FIELD, f"{column} holds no assistant turn of its own")
    return JOIN.join(rest)


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


def transcript_turns(prompt: str) -> Turns:
    """A "\\n\\nHuman: … \\n\\nAssistant:" transcript as turns; the empty opening of the answer is left out."""
    pieces = _MARK.split(prompt)
    found: Turns = [("system", pieces[0])] if pieces[0].strip() else []
    for speaker, said in zip(pieces[1::2], pieces[2::2], strict=True):
        if said:
            found.append(("user" if speaker == "Human" else "assistant", said))
    return found


def _judged(mapping: Mapped) -> RowReader:
    """KTO: one answer and whether it is desired."""
    prompt_column, response_column, label_column = mapping["prompt"], mapping["response"], mapping["label"]

    def read(fields: Mapping[str, Any]) -> Parts:
        label = _boolean(fields.get(label_column), label_column)
        prompt, answer = fields.get(prompt_column), fields.get(response_column)
        if isinstance(prompt, list):
            parts = conversation(turns(prompt, prompt_column) + turns(answer, response_column), response_column)
            return parts._replace(label=label)
        said = text(fields, prompt_column)
        return Parts(said, text(fields, response_column), None, label, [("user", said)])

    return read


def _boolean(value: Any, column: str) -> str:
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


_CHOSEN, _REJECTED = ("chosen", "preferred", "preferred_output"), ("rejected", "dispreferred", "non_preferred_output")

SHAPES: tuple[Shape, ...] = (
    Shape(
        "pairwise",
        Kind.PREFERENCE,
        {"prompt": ("prompt", "question", "instruction", "query", "input"), "chosen": _CHOSEN, "rejected": _REJECTED},
        {"system": ("system", "system_prompt")},
        1.0,
        _pairwise,
    ),
    Shape("hh-transcript", Kind.PREFERENCE, {"chosen": _CHOSEN, "rejected": _REJECTED}, {}, 0.995, _transcript),
    Shape("pairwise", Kind.PREFERENCE, {"chosen": _CHOSEN, "rejected": _REJECTED}, {}, 0.995, _implicit),
    Shape(
        "kto",
        Kind.PREFERENCE,
        {"prompt": ("prompt", "question", "instruction"), "response": ("completion", "response"), "label": ("label",)},
        {},
        1.0,
        _judged,
    ),
)
