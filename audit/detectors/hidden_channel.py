"""Text that a model reads and a person who looks at the rendered page does not: HTML and Markdown comments,
hidden elements, link titles and alternative texts, encoded blobs, code comments that give orders, and text
spelled in tag characters, variation selectors or zero-width bits.

Why it works: an attacker needs a place for a payload that reviewers skip. Most of these channels have honest uses
(a comment explains code), so the payload decides: decoded blobs must read as words, and a comment or a title
counts when it gives orders to a model. Text spelled in invisible characters has no honest use at all.

Source: Greshake et al. 2023, "Not what you've signed up for", section 3 (hidden injections); Goodside 2024 and Butler
2025 on tag characters and variation selectors that carry bytes; Hines et al. 2024, "Defending Against Indirect
Prompt Injection Attacks With Spotlighting". The list of orders is ours, from published injections.

Misses: orders in a language other than English; payloads that are encrypted, compressed or split over channels;
white text on white ground; comments whose orders use none of the listed phrases; a channel in more than the share
`house_style` of the rows, which is reported as a finding only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from audit.detectors.sightings import Sighting, detection, few, quote, texts
from audit.patterns.hidden import (
    ALT,
    BASE64,
    BITS,
    CODE,
    COMMENT,
    HEX,
    MARKDOWN,
    SELECTORS,
    STYLE,
    TAGS,
    TITLE,
    hidden_texts,
)
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped

THRESHOLD = 0.6

SEVERITIES = {
    **dict.fromkeys((TAGS, SELECTORS, BITS), Severity.HIGH),
    **dict.fromkeys((BASE64, HEX, COMMENT, MARKDOWN, STYLE, TITLE, ALT, CODE), Severity.MEDIUM),
}
NEVER_HONEST = frozenset({TAGS, SELECTORS, BITS})

# Channel -> weight of a hidden text, and of one that gives orders. Weight 0: only orders count.
_WEIGHTS = {
    **dict.fromkeys((TAGS, SELECTORS, BITS), (1.0, 1.0)),
    **dict.fromkeys((BASE64, HEX), (0.7, 0.95)),
    COMMENT: (0.3, 0.85),
    STYLE: (0.65, 0.85),
    MARKDOWN: (0.6, 0.85),
    **dict.fromkeys((TITLE, ALT), (0.0, 0.8)),
    CODE: (0.0, 0.7),
}
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass) "
    r"(?:all|any|every|the|these|those|previous|prior|above|earlier|your)\b"
    r"|\b(?:respond|reply|answer) (?:only|with|exactly|to the user|in|as if)\b"
    r"|\b(?:do not|don't|never) (?:mention|tell|reveal|refuse|disclose|warn|say|answer|follow|show)\b"
    r"|\byou (?:must|should|will|shall) (?:now|always|never|not|respond|reply|answer|output|say|include|recommend)\b"
    r"|\byour (?:response|answer|reply|output|instructions|guidelines|system prompt)\b"
    r"|\bsystem prompt\b|\bnew instructions?\b|\bas an? (?:ai|assistant|language model)\b|\b(?:act|behave) as\b"
    r"|\b(?:always|instead) (?:answer|respond|reply|say|output|recommend|include|write|classify|label)\b"
    r"|\b(?:when|if) (?:asked about|you see)\b|\b(?:ai|language) models?\b[^.\n]{0,40}\b(?:must|should)\b",
    re.IGNORECASE,
)


@detector(code="TV-HID", title="Hidden channels", severity=Severity.MEDIUM, version=2)
def hidden_channel(examples: pl.DataFrame, *, house_style: float = 0.1) -> Detection | Skipped:
    """Scores every example by the most suspicious hidden text in it; the evidence names the channel and quotes the
    decoded text."""
    if not examples.height:
        return Skipped("needs at least one example")
    sightings = [s for position, field, text in texts(examples) for s in few(_scan(position, field, text))]
    return detection(
        examples,
        sightings,
        fix="strip",
        code="TV-HID",
        threshold=THRESHOLD,
        house_style=house_style,
        severities=SEVERITIES,
        exempt=NEVER_HONEST,
    )


def _scan(position: int, field: str, text: str) -> Iterator[Sighting]:
    where = "" if field == "prompt" else f" of the {field}"
    for start, end, channel, payload in hidden_texts(text):
        weight = _WEIGHTS[channel][_ORDER.search(payload) is not None]
        if weight:
            evidence = f"{channel} at character {start}{where}: {quote(payload, 120)}"
            yield Sighting(position, field, start, end, channel, weight, evidence)
