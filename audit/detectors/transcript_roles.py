"""Missing, swapped and forged roles in conversations: a prompt that does not end with a user turn, an assistant that
speaks first, two turns of one role in a row, an empty turn, a turn of an unknown role, and a side that goes on with a
further "Human:" or "Assistant:" turn, or that speaks as the user.

Why it works: a chat template gives every turn its place, so who speaks when is known before a word is read. A turn that
was lost, or that stands under the other role, breaks the order; a side that goes on with turns of its own teaches a
model to answer itself, and lets an attacker put words into the user's mouth. A dataset that writes its conversations
otherwise does so in many rows, and then it is no fault of a row: what counts is the rate.

Source: the transcripts of Bai et al. 2022, "Training a Helpful and Harmless Assistant with Reinforcement Learning from
Human Feedback"; the alternation that published chat templates demand (Llama 2, Mistral, Gemma).

Misses: roles that are swapped throughout a conversation, so that they alternate again; turns within the sides of
conversations in messages, of which only the assistant's are read; marks in other words than those listed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

import polars as pl

from audit.detectors.sightings import FIELDS, Sighting, detection
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Kind, Severity, Skipped
from audit.views import JOIN

THRESHOLD = 0.6
SIDES = ("response", "rejected")
_SLICE = 10_000  # rows whose turns are Python objects at a time

_USER, _ASSISTANT = "user", "assistant"
_KNOWN = frozenset((_USER, _ASSISTANT, "system", "tool"))
_FURTHER = re.compile(r"\n\n(Human|Assistant):")
_BEGINS = re.compile(r"\s{0,8}(Human|User|Assistant|AI|Bot):")
_ASKING = ("Human", "User")
_MARKED = re.compile(r"(?:^|\n\n)(?:Human|Assistant):")

NO_USER = "prompts that do not end with a user turn"
FIRST = "conversations that an assistant turn opens"
TWICE = "two turns of one role in a row"
EMPTY = "empty turns"
UNKNOWN = "turns of an unknown role"
FURTHER = "sides that go on with a further turn"
AS_USER = "sides that speak as the user"
MARK = "sides that begin with the assistant's mark"
_WEIGHTS = {NO_USER: 0.8, FIRST: 0.75, TWICE: 0.7, EMPTY: 0.7, UNKNOWN: 0.75, FURTHER: 0.85, AS_USER: 0.8, MARK: 0.65}

Turns = Sequence[tuple[str, str]]


@detector(code="TV-TRN", title="Missing or swapped roles", severity=Severity.MEDIUM)
def transcript_roles(examples: pl.DataFrame, info: DatasetInfo, *, house_style: float = 0.01) -> Detection | Skipped:
    """Scores every example by the gravest break in the order of its turns; spans point at the turn in the prompt. What
    more than the share `house_style` of the rows have (and more than 20) is reported once, and flags no row."""
    if info.kind == Kind.CLASSIFICATION or not _has_conversations(examples):
        return Skipped("needs conversations of several turns, which this dataset has not")
    sightings: list[Sighting] = []
    for start in range(0, examples.height, _SLICE):
        part = examples.slice(start, _SLICE)
        columns = (part[name].to_list() for name in ("turns", *FIELDS))
        for offset, (turns, prompt, *sides) in enumerate(zip(*columns, strict=True)):
            position = start + offset
            said = [(turn["role"] or "", turn["text"] or "") for turn in turns or ()]
            sightings += _in_prompt(position, prompt or "", said)
            for field, text in zip(SIDES, sides, strict=True):
                if text is not None:
                    sightings += _side(position, field, text)
    severities = dict.fromkeys(_WEIGHTS, Severity.MEDIUM)
    return detection(
        examples, sightings, code="TV-TRN", threshold=THRESHOLD, house_style=house_style, severities=severities
    )


def _has_conversations(examples: pl.DataFrame) -> bool:
    """True where some example's prompt holds a turn of the assistant, or several of the user, or is a transcript."""
    if examples["prompt"].str.contains(r"^\n\n(Human|Assistant):").any():
        return True
    roles = examples.select("row", "turns").explode("turns").select("row", role=pl.col("turns").struct.field("role"))
    asked = roles.filter(pl.col("role") == _USER)["row"]
    return bool((roles["role"] == _ASSISTANT).any() or asked.is_duplicated().any())


def _in_prompt(position: int, prompt: str, turns: Turns) -> list[Sighting]:
    """What is wrong with the turns of a prompt, the first of each kind: conversations of thousands of turns cost time,
    not memory."""
    found: dict[str, tuple[int, str]] = {}
    for at, channel, evidence in _order(turns):
        found.setdefault(channel, (at, evidence))
    places = _places(prompt, turns) if found else []
    return [_seen(position, places[at], channel, evidence) for channel, (at, evidence) in found.items()]


def _order(turns: Turns) -> Iterator[tuple[int, str, str]]:
    """Turn, channel and evidence of all that is wrong with the order of turns."""
    talk = [at for at, (role, _) in enumerate(turns) if role != "system"]
    if turns and not talk:
        yield len(turns) - 1, NO_USER, "the prompt holds no turn of the user"
    if talk and turns[talk[0]][0] == _ASSISTANT:
        yield talk[0], FIRST, "the conversation opens with a turn of the assistant"
    if talk and turns[talk[-1]][0] == _ASSISTANT:
        yield talk[-1], NO_USER, f"the prompt ends with turn {talk[-1] + 1}, the assistant's; the user's is missing"
    for at, (role, text) in enumerate(turns):
        if at and role in (_USER, _ASSISTANT) and turns[at - 1][0] == role:
            yield at, TWICE, f"turns {at} and {at + 1} are both the {role}'s"
        if role != "system" and not text.strip():
            yield at, EMPTY, f"turn {at + 1} of {len(turns)} is empty"
        if role not in _KNOWN:
            yield at, UNKNOWN, f"turn {at + 1} of {len(turns)} has none of the known roles"


def _places(prompt: str, turns: Turns) -> list[tuple[int, int]]:
    """Where the turns stand in the prompt: behind the marks of a transcript, or joined by blank lines; the whole prompt
    where that cannot be told."""
    texts = [text for _, text in turns]
    pieces, starts = _MARKED.split(prompt), [0, *(match.end() for match in _MARKED.finditer(prompt))]
    skipped = 0 if pieces[0].strip() else 1
    if len(pieces) == 1 or pieces[skipped : skipped + len(texts)] != texts:
        if JOIN.join(texts) != prompt:
            return [(0, len(prompt))] * len(turns)
        skipped, starts = 0, list(accumulate((len(text) + len(JOIN) for text in texts), initial=0))
    return [(start, start + len(text)) for start, text in zip(starts[skipped:], texts, strict=False)]


def _side(position: int, field: str, text: str) -> Iterator[Sighting]:
    """What is wrong with a side, which should be one answer of the assistant."""
    which = "rejected" if field == "rejected" else "response"
    if not text.strip():
        yield _seen(position, (0, len(text)), EMPTY, f"the {which} is empty", field)
    if begins := _BEGINS.match(text):
        asks = begins.group(1) in _ASKING
        evidence = f"the {which} begins with the mark of the {'user' if asks else 'assistant'}"
        yield _seen(position, begins.span(), AS_USER if asks else MARK, evidence, field)
    further = _FURTHER.search(text, 0 if begins is None else begins.end())
    if further:
        evidence = f'the {which} goes on with a further "{further.group(1)}:" turn at character {further.start()}'
        yield _seen(position, further.span(), FURTHER, evidence, field)


def _seen(position: int, span: tuple[int, int], channel: str, evidence: str, field: str = "prompt") -> Sighting:
    return Sighting(position, field, *span, channel, _WEIGHTS[channel], evidence)
