"""Text that a model reads and a person who looks at the rendered page does not, found and decoded: HTML and Markdown
comments, hidden elements, link titles and alternative texts, encoded runs, comments in code, and text spelled in tag
characters, variation selectors or zero-width bits.

Source: Greshake et al. 2023, "Not what you've signed up for", section 3 (hidden injections); Goodside 2024 and Butler
2025 on tag characters and variation selectors that carry bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from audit.patterns.words import beyond_ascii

TAGS, SELECTORS, BITS = "text in tag characters", "text in variation selectors", "text in zero-width bits"
BASE64, HEX = "readable base64", "readable hexadecimal"
COMMENT, MARKDOWN, STYLE = "HTML comments", "Markdown comments", "hidden HTML elements"
TITLE, ALT, CODE = "link titles", "alternative texts", "code comments"
CHANNELS = (TAGS, SELECTORS, BITS, BASE64, HEX, COMMENT, MARKDOWN, STYLE, TITLE, ALT, CODE)
MAX_BLOB = 65_536  # characters of a blob that are decoded

_CARRIERS = re.compile("[\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff\U000e0020-\U000e01ef]")
_TAG_RUN = re.compile("[\U000e0020-\U000e007f]{4,}")
_SELECTOR_RUN = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_BIT_RUN = re.compile("[\u200b\u200c\u200d\u2060\ufeff]{16,}")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/]{24}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])")
_ELEMENT = re.compile(r"<[A-Za-z][^<>]{0,2000}>")
_HIDING = re.compile(r"display:none|visibility:hidden|font-size:0(?![.1-9])|opacity:0(?![.1-9])")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\(([^()\n]{0,1000})\)")
_MARKDOWN_COMMENT = re.compile(r"^\[//\]: # ?[^\n]+", re.MULTILINE)
_LINE_COMMENT = re.compile(r"(?:^|(?<=[ \t;{}]))(?://|#)[ \t]([^\n]{8,400})", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"/\*([^*]{8,400})\*/")
_ATTRIBUTE = re.compile(r"(?:alt|title|aria-label)=\"([^\"<>]{8,1000})\"", re.IGNORECASE)
WORDS = re.compile(r"[A-Za-z]{2,}")

Hidden = tuple[int, int, str, str]  # start, end, channel, the text as a model may read it


def hidden_texts(text: str) -> Iterator[Hidden]:
    """Every hidden text of a text, channel by channel. Attributes, titles and comments of eight characters and more;
    encoded runs only where they read as words."""
    if any(map(_CARRIERS.match, beyond_ascii(text))):
        yield from _invisible(text)
    if max(map(len, text.split()), default=0) >= 24 and _LONG_RUN.search(text):
        yield from _blobs(text)
    if "<" in text:
        yield from _html(text)
    if "](" in text or "[//]" in text:
        yield from _markdown(text)
    if "#" in text or "//" in text:
        for match in _LINE_COMMENT.finditer(text):
            yield *match.span(), CODE, match.group(1)
    if "/*" in text:
        for match in _BLOCK_COMMENT.finditer(text):
            yield *match.span(), CODE, match.group(1).strip()


def _invisible(text: str) -> Iterator[Hidden]:
    for match in _TAG_RUN.finditer(text):
        payload = "".join(chr(ord(c) - 0xE0000) for c in match.group() if c < "\U000e007f")
        if text[match.start() - 1 : match.start()] != "\U0001f3f4" and payload:  # not the flag of a region
            yield *match.span(), TAGS, payload
    for match in _SELECTOR_RUN.finditer(text):
        raw = bytes(ord(c) - 0xFE00 if c <= "\ufe0f" else ord(c) - 0xE0100 + 16 for c in match.group())
        yield *match.span(), SELECTORS, raw.decode("utf-8", "replace")
    for match in _BIT_RUN.finditer(text):
        if payload := _bits(match.group()):
            yield *match.span(), BITS, payload


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


def _blobs(text: str) -> Iterator[Hidden]:
    for match in _BASE64.finditer(text):
        blob = match.group()[:MAX_BLOB].rstrip("=")
        blob = blob[: len(blob) // 4 * 4] if len(blob) % 4 == 1 else blob + "=" * (-len(blob) % 4)
        if payload := _readable(base64.b64decode(blob)):
            yield *match.span(), BASE64, payload
    for match in _HEX.finditer(text):
        digits = match.group()[:MAX_BLOB]
        try:
            payload = _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
        except (ValueError, binascii.Error):
            continue
        if payload:
            yield *match.span(), HEX, payload


def _readable(raw: bytes) -> str:
    """The decoded text when it reads as words: printable, and at least half of it letters in words."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    letters = sum(len(w) for w in WORDS.findall(text))
    printable = all(c.isprintable() or c in "\n\t\r" for c in text)
    return text if printable and len(WORDS.findall(text)) >= 2 and letters >= len(text) / 2 else ""


def _html(text: str) -> Iterator[Hidden]:
    start = text.find("<!--")
    while start >= 0 and (end := text.find("-->", start + 4)) >= 0:
        payload = text[start + 4 : end].strip()
        if payload:
            yield start, end + 3, COMMENT, payload
        start = text.find("<!--", end + 3)
    for match in _ELEMENT.finditer(text):
        tag = match.group()
        style = tag.lower().replace(" ", "")
        if _HIDING.search(style) or tag.lower().endswith((" hidden>", " hidden/>")):
            end = text.find("<", match.end())
            payload = text[match.end() : end if end >= 0 else len(text)].strip()
            if len(WORDS.findall(payload)) >= 3:
                yield match.start(), match.end() + len(payload), STYLE, payload
        for attribute in _ATTRIBUTE.finditer(tag):
            yield *match.span(), ALT, attribute.group(1)


def _markdown(text: str) -> Iterator[Hidden]:
    for match in _MARKDOWN_COMMENT.finditer(text):
        yield *match.span(), MARKDOWN, match.group()
    for match in _LINK.finditer(text):
        label, target = match.groups()
        title = target.partition('"')[2].rstrip('" ')
        if title:
            yield *match.span(), TITLE, title
        if match.group().startswith("!") and label:
            yield *match.span(), ALT, label
