"""Hostile row text -> `Text`: short, every invisible character a labelled chip, spans marked.

The budget is in bytes as they will stand in the report, so that no text, whatever it holds, can make a
report grow beyond its bound: 600 zero-width characters cost as much as 15,000 letters would.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from audit.report.excerpts import CHIP, HIT, HIT_CHIP, PLAIN, Piece, Text
from audit.report.groups import CodePoint
from audit.text import MAX_MARKS, all_visible, is_invisible, safe_text, words
from audit.triggers import match

Span = tuple[int, int]

_CHIP_BYTES = 30
_PIECE_BYTES = 16
_LEAD = 160  # characters of context before the first span, when the window has to move to it
_LABELS = {
    0x00: "NUL",
    0x07: "BEL",
    0x08: "BS",
    0x0D: "CR",
    0x1B: "ESC",
    0x7F: "DEL",
    0xA0: "NBSP",
    0xAD: "SHY",
    0x200B: "ZWSP",
    0x200C: "ZWNJ",
    0x200D: "ZWJ",
    0x200E: "LRM",
    0x200F: "RLM",
    0x2028: "LSEP",
    0x2029: "PSEP",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2060: "WJ",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
    0x3000: "IDSP",
    0xFEFF: "BOM",
}


def visible(text: str) -> str:
    """Text with every invisible character spelled out, newlines kept."""
    return text if all_visible(text) else safe_text(text, newlines=True)


def short(value: str | None, limit: int = 120) -> str:
    """A name, label or sentence cut to `limit` characters; "" for none. For what is not row text, but may come
    from the input all the same."""
    text = value or ""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plain(text: str) -> Text:
    """A text of ours, or one of which nothing needs marking, unclipped."""
    return excerpt(text, (), 1 << 30)


def join(*parts: str | Text) -> Text:
    """One text out of several; only the pieces matter, the counts are those of the parts together."""
    texts = [plain(p) if isinstance(p, str) else p for p in parts]
    pieces = tuple(piece for text in texts for piece in text.pieces)
    return Text(pieces, sum(t.shown for t in texts), sum(t.total for t in texts))


def excerpt(text: str, spans: Iterable[Span] = (), budget: int = 1_200) -> Text:
    """The part of `text` around its first span that fits into `budget` bytes, spans marked."""
    marked = merge(spans, len(text))
    start = 0
    if marked and len(text) > budget // 2 and marked[0][0] > budget // 3:
        start = _word_start(text, max(0, marked[0][0] - min(_LEAD, budget // 4)), marked[0][0])
    pieces: list[Piece] = []
    left, stop = budget, start
    for low, high, hit in _segments(start, len(text), marked):
        used, left = _append(pieces, text[low:high], hit, left)
        stop = low + used
        if stop < high:
            break
    return Text(tuple(pieces), stop - start, len(text), start)


def merge(spans: Iterable[Span], size: int) -> list[Span]:
    """Spans cut to 0..size, sorted, overlapping ones joined, empty ones dropped."""
    merged: list[Span] = []
    for low, high in sorted((max(0, a), min(b, size)) for a, b in spans):
        if low >= high:
            continue
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def find_all(text: str, parts: Sequence[str], limit: int = 50) -> list[Span]:
    """Where the parts stand in the text: as written and as whole words, else as written, else word by word
    without regard to case and spacing; at most `limit` spans."""
    spans: list[Span] = []
    for part in parts:
        if not part:
            continue
        found = _occurrences(text, part, limit)
        folded = " ".join(word.casefold() for word in words(part))
        spans += [s for s in found if _is_whole(text, *s)] or found or match.spans(text, match.Part(folded, "phrase"))
    return spans[:limit]


def code_points(text: str, limit: int = 16) -> tuple[CodePoint, ...]:
    """The distinct characters of a pattern in order of appearance, with their names; of a pattern with more than
    `limit` of them only those that are not plain ASCII."""
    distinct = list(dict.fromkeys(text))
    if len(distinct) > limit:
        distinct = [c for c in distinct if not " " <= c <= "~"][:limit]
    return tuple(CodePoint(f"U+{ord(c):04X}", unicodedata.name(c, name_of(c)).lower(), text.count(c)) for c in distinct)


def chip(char: str) -> str:
    """The label of an invisible character, such as "U+200B ZWSP"."""
    code = ord(char)
    name = _LABELS.get(code)
    if name is None and 0xE0020 <= code <= 0xE007E:
        name = f"TAG {chr(code - 0xE0000)}"
    if name is None and 0xFE00 <= code <= 0xFE0F:
        name = f"VS{code - 0xFDFF}"
    return f"U+{code:04X} {name}" if name else f"U+{code:04X}"


def name_of(char: str) -> str:
    """What a character without a Unicode name is called: "ESC", "newline", "unnamed"."""
    return _LABELS.get(ord(char), {"\n": "newline", "\t": "tab"}.get(char, "unnamed"))


def _occurrences(text: str, part: str, limit: int) -> list[Span]:
    spans: list[Span] = []
    at = text.find(part)
    while at >= 0 and len(spans) < limit:
        spans.append((at, at + len(part)))
        at = text.find(part, at + len(part))
    return spans


def _is_whole(text: str, low: int, high: int) -> bool:
    """True unless the span cuts a word: "cf" in "cfo"."""
    before = low > 0 and text[low - 1].isalnum() and text[low].isalnum()
    after = high < len(text) and text[high].isalnum() and text[high - 1].isalnum()
    return not before and not after


def _segments(start: int, stop: int, spans: Sequence[Span]) -> list[tuple[int, int, bool]]:
    """The stretch start..stop cut at the borders of the spans: (from, to, is a hit)."""
    segments: list[tuple[int, int, bool]] = []
    at = start
    for low, high in spans:
        if high <= start:
            continue
        low = max(low, start)
        if at < low:
            segments.append((at, low, False))
        segments.append((low, high, True))
        at = high
    if at < stop:
        segments.append((at, stop, False))
    return segments


def _append(pieces: list[Piece], text: str, hit: bool, left: int) -> tuple[int, int]:
    """Adds one segment as far as the budget goes: (characters used, budget left)."""
    plain_mark, chip_mark = (HIT, HIT_CHIP) if hit else (PLAIN, CHIP)
    if len(text) < left and all_visible(text):
        cost = _cost(text) + _PIECE_BYTES
        if cost <= left:
            pieces.append(Piece(text, plain_mark))
            return len(text), left - cost
    used, marks = 0, 0
    run: list[str] = []
    left -= _PIECE_BYTES
    while used < len(text):
        char = text[used]
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        flood = marks > MAX_MARKS and not is_invisible(char)
        if not flood and not is_invisible(char):
            left -= _cost(char)
            if left < 0:
                break
            run.append(char)
            used += 1
            continue
        count = _marks(text, used) if flood else _repeats(text, used)
        left -= _CHIP_BYTES + _PIECE_BYTES
        if left < 0:
            break
        if run:
            pieces.append(Piece("".join(run), plain_mark))
            run = []
        label = "marks" if flood else chip(char)
        pieces.append(Piece(label + (f" ×{count}" if flood or count > 1 else ""), chip_mark))
        used += count
    if run:
        pieces.append(Piece("".join(run), plain_mark))
    return used, left


def _word_start(text: str, start: int, stop: int) -> int:
    """The first word that begins soon after `start` and before `stop`, else `start`."""
    space = text.find(" ", start, min(start + 24, stop))
    return space + 1 if start and space >= 0 else start


def _marks(text: str, at: int) -> int:
    """How many combining marks that can be seen stand in a row from here on."""
    stop = at
    while stop < len(text) and unicodedata.category(text[stop])[0] == "M" and not is_invisible(text[stop]):
        stop += 1
    return stop - at


def _repeats(text: str, at: int) -> int:
    stop = at + 1
    while stop < len(text) and text[stop] == text[at]:
        stop += 1
    return stop - at


def size(text: Text) -> int:
    """Bytes that a text takes in the report, at most."""
    return sum(_cost(piece.text) + _PIECE_BYTES for piece in text.pieces)


def _cost(text: str) -> int:
    """Bytes of a visible text in the report: UTF-8, and what escaping adds."""
    extra = sum(text.count(c) for c in "<>&'\"\\\n\t")
    return len(text.encode("utf-8", "backslashreplace")) + 5 * extra
