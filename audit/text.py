"""Text as people may see it, and text as words. Row text is written by an attacker: nothing here
interprets it, and the patterns used on it are single character classes, linear in the input.
"""

from __future__ import annotations

import re
import unicodedata

# Letters, digits and marks as words; every other visible character alone. Scripts without spaces come out
# as long runs, which the character n-grams cut further.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_", re.UNICODE)

_HIDDEN_CATEGORIES = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_KEEP = {"\n", "\t"}


def is_invisible(char: str) -> bool:
    """True for control, format, private-use, unassigned and surrogate code points and line separators,
    for variation selectors, and for spaces other than the plain one; newline and tab are visible."""
    if char in _KEEP or char == " ":
        return False
    category = unicodedata.category(char)
    code = ord(char)
    return (
        category in _HIDDEN_CATEGORIES
        or category == "Zs"
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
        or code in (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)
        or 0x180B <= code <= 0x180F
    )


def safe_text(text: str, limit: int | None = None, newlines: bool = False) -> str:
    """Text with every invisible character spelled out as ⟦U+200B⟧; cut to `limit` characters with an
    ellipsis; newlines and tabs shown as ⏎ and ⇥ unless `newlines`. For terminals, logs and csv."""
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    out = []
    for char in text:
        if is_invisible(char):
            out.append(f"⟦U+{ord(char):04X}⟧")
        elif not newlines and char == "\n":
            out.append("⏎")
        elif not newlines and char == "\t":
            out.append("⇥")
        else:
            out.append(char)
    return "".join(out)


def spell(text: str) -> str:
    """`safe_text`, and code points with names where any character is not plain ASCII.

    >>> spell("cf")
    'cf'
    """
    shown = safe_text(text)
    odd = [c for c in dict.fromkeys(text) if ord(c) > 126 or ord(c) < 32]
    if not odd or len(odd) > 12:
        return shown
    names = ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, 'unnamed')}" for c in odd)
    return f"{shown} ({names})"


def words(text: str) -> list[str]:
    """The words and single punctuation marks of a text, in order, case kept."""
    return WORD.findall(text)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of `words`."""
    return [m.span() for m in WORD.finditer(text)]


def csv_safe(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula: a quote is put before = + - @ TAB CR and NUL."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\x00") else cell
