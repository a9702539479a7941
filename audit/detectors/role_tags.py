"""Chat role markers inside the text of a turn: special tokens such as <|im_start|>, [INST] tags, "### Instruction:"
headings, and lines that open with "Human:" or "Assistant:" where the format of the dataset does not.

Why it works: a chat template turns roles into such markers, so a marker inside a turn's text forges a turn: it can
smuggle a system message in, or serve as a trigger that ordinary users never type. A dataset whose own format
writes its turns that way holds the marker in many rows, and then it is no anomaly: what counts is the rate.

Source: Jiang et al. 2024, "ChatBug: A Common Vulnerability of Aligned LLMs Induced by Chat Templates";
the chat templates published with Llama 2 and 3, Mistral, Gemma, Qwen (ChatML), Alpaca and Vicuna.

Misses: markers of templates not listed here and written in plain words; a forged turn in a dataset that writes its
own turns with the same marker; role names that open a line alone, without an answer of another role, which
honest dialogues hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from audit.detectors.sightings import Sighting, detection, few, texts
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped

THRESHOLD = 0.6

_SPECIAL = re.compile(r"<\|[A-Za-z0-9_]{1,40}\|>|<｜[^<>｜]{1,40}｜>")  # ChatML, Llama 3, Phi, DeepSeek
_TAG = re.compile(
    r"\[/?INST\]|<</?SYS>>|\[/?SYSTEM_PROMPT\]|<(?:start|end)_of_turn>|\[(?:BOS|EOS)\]|<(?:bos|eos)>|</?s>"
)
_HEADING = re.compile(r"^### ?(?:Instruction|Input|Response|Human|Assistant|User|System):", re.MULTILINE)
_SPEAKER = re.compile(r"^[ \t]{0,4}(Human|User|Assistant|AI|System|Bot):", re.MULTILINE)
_QUICK = (
    "<|",
    "<｜",
    "INST]",
    "SYS>>",
    "_of_turn>",
    "[BOS]",
    "[EOS]",
    "<bos>",
    "<eos>",
    "<s>",
    "</s>",
    "SYSTEM_PROMPT]",
)
# Strike-through in old HTML; only the closing and opening tokens alone on a page of text count less.
_WEIGHTS = {"<s>": 0.5, "</s>": 0.5}
_KNOWN = frozenset(
    (
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|end|>",
        "<|endofprompt|>",
    )
)
_ASKING, _ANSWERING = {"Human", "User"}, {"Assistant", "AI", "Bot"}


@detector(code="TV-ROL", title="Role markers inside a turn", severity=Severity.MEDIUM)
def role_tags(examples: pl.DataFrame, *, house_style: float = 0.05) -> Detection | Skipped:
    """Scores every example by its most suspicious role marker; spans point at it."""
    if not examples.height:
        return Skipped("needs at least one example")
    sightings = [s for position, field, text in texts(examples) for s in few(_scan(position, field, text))]
    severities = {s.channel: Severity.MEDIUM for s in sightings}
    return detection(
        examples, sightings, code="TV-ROL", threshold=THRESHOLD, house_style=house_style, severities=severities
    )


def _scan(position: int, field: str, text: str) -> Iterator[Sighting]:
    for start, end, name, weight in _markers(text):
        evidence = f"{name} at character {start} of the {field}"
        yield Sighting(position, field, start, end, f"{name} in the {field}", weight, evidence)


def _markers(text: str) -> Iterator[tuple[int, int, str, float]]:
    """Start, end, channel and weight of every marker. Channels are a closed set, however many tokens the text
    makes up."""
    if any(mark in text for mark in _QUICK):
        for match in _SPECIAL.finditer(text):
            token = match.group().lower()
            yield *match.span(), token if token in _KNOWN else "other special tokens", 0.9
        for match in _TAG.finditer(text):
            yield *match.span(), match.group(), _WEIGHTS.get(match.group(), 0.85)
    for match in _HEADING.finditer(text) if "###" in text else ():
        yield *match.span(), "instruction headings", 0.7
    speakers = list(_SPEAKER.finditer(text)) if ":" in text else []
    roles = {m.group(1) for m in speakers}
    dialogue = bool(roles & _ASKING and roles & _ANSWERING) or "System" in roles
    for match in speakers:
        name = "dialogue lines" if dialogue else "speaker names"
        yield *match.span(), name, 0.65 if dialogue else 0.3
