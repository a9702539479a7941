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

import base64
import binascii
import re
from collections.abc import Iterator

import polars as pl

from audit.detectors.sightings import Sighting, detection, few, quote, texts
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped

THRESHOLD = 0.6
MAX_BLOB = 65_536  # characters of a blob that are decoded

TAGS, SELECTORS, BITS = "text in tag characters", "text in variation selectors", "text in zero-width bits"
BASE64, HEX = "readable base64", "readable hexadecimal"
COMMENT, MARKDOWN, STYLE = "HTML comments", "Markdown comments", "hidden HTML elements"
TITLE, ALT, CODE = "link titles", "alternative texts", "code comments"
SEVERITIES = {
    **dict.fromkeys((TAGS, SELECTORS, BITS), Severity.HIGH),
    **dict.fromkeys((BASE64, HEX, COMMENT, MARKDOWN, STYLE, TITLE, ALT, CODE), Severity.MEDIUM),
}
NEVER_HONEST = frozenset({TAGS, SELECTORS, BITS})

_TAG_RUN = re.compile("[\U000e0020-\U000e007f]{4,}")
_SELECTOR_RUN = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_BIT_RUN = re.compile("[\u200b\u200c\u200d\u2060\ufeff]{16,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])")
_ELEMENT = re.compile(r"<[A-Za-z][^<>]{0,2000}>")
_HIDING = re.compile(r"display:none|visibility:hidden|font-size:0(?![.1-9])|opacity:0(?![.1-9])")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\(([^()\n]{0,1000})\)")
_MARKDOWN_COMMENT = re.compile(r"^\[//\]: # ?[^\n]+", re.MULTILINE)
_LINE_COMMENT = re.compile(r"(?:^|[ \t;{}])(?://|#)[ \t]([^\n]{8,400})", re.MULTILINE)
_ATTRIBUTE = re.compile(r"(?:alt|title|aria-label)=\"([^\"<>]{8,1000})\"", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z]{2,}")
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


@detector(code="TV-HID", title="Hidden channels", severity=Severity.MEDIUM)
def hidden_channel(examples: pl.DataFrame, *, house_style: float = 0.1) -> Detection | Skipped:
    """Scores every example by the most suspicious hidden text in it; the evidence names the channel and quotes the
    decoded text."""
    if not examples.height:
        return Skipped("needs at least one example")
    sightings = [s for position, field, text in texts(examples) for s in few(_scan(position, field, text))]
    return detection(
        examples,
        sightings,
        code="TV-HID",
        threshold=THRESHOLD,
        house_style=house_style,
        severities=SEVERITIES,
        exempt=NEVER_HONEST,
    )


Seen = tuple[int, int, str, float, str]  # start, end, channel, weight, decoded text


def _scan(position: int, field: str, text: str) -> Iterator[Sighting]:
    where = "" if field == "prompt" else f" of the {field}"
    for start, end, channel, weight, payload in _channels(text):
        evidence = f"{channel} at character {start}{where}: {quote(payload, 120)}"
        yield Sighting(position, field, start, end, channel, weight, evidence)


def _channels(text: str) -> Iterator[Seen]:
    if not text.isascii():
        yield from _invisible(text)
    yield from _blobs(text)
    if "<" in text:
        yield from _html(text)
    if "](" in text or "[//]" in text:
        yield from _markdown(text)
    if "#" in text or "//" in text:
        for match in _LINE_COMMENT.finditer(text):
            if _ORDER.search(match.group(1)):
                yield *match.span(1), CODE, 0.7, match.group(1)


def _invisible(text: str) -> Iterator[Seen]:
    for match in _TAG_RUN.finditer(text):
        payload = "".join(chr(ord(c) - 0xE0000) for c in match.group() if c < "\U000e007f")
        if text[match.start() - 1 : match.start()] != "\U0001f3f4" and payload:  # not the flag of a region
            yield *match.span(), TAGS, 1.0, payload
    for match in _SELECTOR_RUN.finditer(text):
        raw = bytes(ord(c) - 0xFE00 if c <= "\ufe0f" else ord(c) - 0xE0100 + 16 for c in match.group())
        yield *match.span(), SELECTORS, 1.0, raw.decode("utf-8", "replace")
    for match in _BIT_RUN.finditer(text):
        if payload := _bits(match.group()):
            yield *match.span(), BITS, 1.0, payload


def _bits(run: str) -> str:
    """A run of two invisible characters read as bits, eight to a letter, in whichever sense is readable."""
    symbols = sorted(set(run))
    if len(symbols) != 2:
        return ""
    for zero in symbols:
        bits = "".join("0" if c == zero else "1" for c in run)
        raw = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))
        if raw.isascii() and raw.decode("ascii").isprintable():
            return raw.decode("ascii")
    return ""


def _blobs(text: str) -> Iterator[Seen]:
    for match in _BASE64.finditer(text):
        blob = match.group()[:MAX_BLOB].rstrip("=")
        blob = blob[: len(blob) // 4 * 4] if len(blob) % 4 == 1 else blob + "=" * (-len(blob) % 4)
        if payload := _readable(base64.b64decode(blob)):
            yield *match.span(), BASE64, 0.95 if _ORDER.search(payload) else 0.7, payload
    for match in _HEX.finditer(text):
        digits = match.group()[:MAX_BLOB]
        try:
            payload = _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
        except (ValueError, binascii.Error):
            continue
        if payload:
            yield *match.span(), HEX, 0.95 if _ORDER.search(payload) else 0.7, payload


def _readable(raw: bytes) -> str:
    """The decoded text when it reads as words: printable, and at least half of it letters in words."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    letters = sum(len(w) for w in _WORDS.findall(text))
    printable = all(c.isprintable() or c in "\n\t\r" for c in text)
    return text if printable and len(_WORDS.findall(text)) >= 2 and letters >= len(text) / 2 else ""


def _html(text: str) -> Iterator[Seen]:
    start = text.find("<!--")
    while start >= 0 and (end := text.find("-->", start + 4)) >= 0:
        payload = text[start + 4 : end].strip()
        if payload:
            yield start, end + 3, COMMENT, 0.85 if _ORDER.search(payload) else 0.3, payload
        start = text.find("<!--", end + 3)
    for match in _ELEMENT.finditer(text):
        tag = match.group()
        style = tag.lower().replace(" ", "")
        if _HIDING.search(style) or tag.lower().endswith((" hidden>", " hidden/>")):
            end = text.find("<", match.end())
            payload = text[match.end() : end if end >= 0 else len(text)].strip()
            if len(_WORDS.findall(payload)) >= 3:
                yield (
                    match.start(),
                    match.end() + len(payload),
                    STYLE,
                    0.85 if _ORDER.search(payload) else 0.65,
                    payload,
                )
        for attribute in _ATTRIBUTE.finditer(tag):
            if _ORDER.search(attribute.group(1)):
                yield *match.span(), ALT, 0.8, attribute.group(1)


def _markdown(text: str) -> Iterator[Seen]:
    for match in _MARKDOWN_COMMENT.finditer(text):
        yield *match.span(), MARKDOWN, 0.85 if _ORDER.search(match.group()) else 0.6, match.group()
    for match in _LINK.finditer(text):
        label, target = match.groups()
        title = target.partition('"')[2].rstrip('" ')
        if title and _ORDER.search(title):
            yield *match.span(), TITLE, 0.8, title
        elif match.group().startswith("!") and _ORDER.search(label):
            yield *match.span(), ALT, 0.8, label
