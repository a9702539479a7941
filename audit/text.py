"""Text as people may see it, and text as words. Row text is written by an attacker: nothing here
interprets it, and the patterns used on it are single character classes, linear in the input.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from typing import Any

# Letters and digits as words, with their inner apostrophes; every other visible character alone. Texts with more than
# ASCII go by `_general_word`, which knows combining marks and scripts without spaces besides.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_", re.UNICODE)

# Scripts that set no spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese,
# Javanese, ideographs with their marks, kana, bopomofo, Yi, and the historic ideographs.
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u2fdf"
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096\u309b-\u309f\u30a1-\u30fa\u30fc-\u312f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48f\ua980-\ua9df\ua9e0-\ua9ff\uaa60-\uaa7f"
    "\uf900-\ufaff\uff66-\uff9f\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U00020000-\U0003fffd"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
# Marks that show nothing of their own are invisible characters, no parts of a word.
_BLANK_MARKS = frozenset((0x034F, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)))

_HIDDEN_CATEGORIES = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_KEEP = {"\n", "\t"}
# What str.isprintable lets through and `is_invisible` does not: one class, linear.
_ODD = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\u2800]")
# Combining marks that one letter may carry, as in the Stream-Safe Text Format of UAX 15; a longer run hides its lines.
MAX_MARKS = 30
# What a spreadsheet may take for the beginning of a formula: = + - @, their wide and small forms, the minus sign, and
# characters that some take away before they look.
_FORMULA = re.compile("[ \t\r\n\x00]*[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212]|[\t\r\n\x00]")


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


def all_visible(text: str) -> bool:
    """True when `safe_text(text, newlines=True)` would change nothing; fast for ordinary text."""
    if not text.replace("\n", "").replace("\t", "").isprintable():
        return False
    return text.isascii() or not (_ODD.search(text) or _flood().search(text))


def safe_text(text: str, limit: int | None = None, newlines: bool = False) -> str:
    """Text with every invisible character spelled out as ⟦U+200B⟧; cut to `limit` characters with an
    ellipsis; newlines and tabs shown as ⏎ and ⇥ unless `newlines`. Of more than MAX_MARKS combining marks in a row the
    others are counted: ⟦marks ×270⟧. For terminals, logs and csv."""
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    if not newlines:
        text = text.replace("\n", "⏎").replace("\t", "⇥")
    if all_visible(text):
        return text
    text = _flood().sub(lambda found: f"{found[1]}⟦marks ×{len(found[0]) - MAX_MARKS}⟧", text)
    return "".join(f"⟦U+{ord(char):04X}⟧" if is_invisible(char) else char for char in text)


def json_text(value: Any) -> str:
    r"""JSON on one line, with an escape for each character that cannot be seen: it reads back to the same value.

    >>> json_text({"a": "é\u200b"})
    '{"a": "é\\u200b"}'
    """
    text = json.dumps(value, ensure_ascii=False)
    return text if all_visible(text) else "".join(_json_escape(c) if is_invisible(c) else c for c in text)


def toml_string(value: str) -> str:
    r"""A basic string of TOML, with an escape for each character that cannot be seen.

    >>> toml_string("é\u200b\U000e0041")
    '"é\\u200b\\U000e0041"'
    """
    # Not as ASCII: JSON spells characters beyond U+FFFF as two surrogates, which TOML refuses.
    text = json.dumps(value, ensure_ascii=False)
    escape = {True: "\\u{:04x}", False: "\\U{:08x}"}
    return "".join(escape[ord(c) < 0x10000].format(ord(c)) if is_invisible(c) else c for c in text)


def _json_escape(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > 0x7F else f"\\u{ord(char):04x}"


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
    """The words and single marks of a text, in order, case kept.

    Combining marks stay with their letter. In scripts without spaces each letter with its marks is a unit of its own,
    so that runs of units are what words are elsewhere. `"".join` of them is the text without its white space."""
    return _word(text).findall(text)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of `words`."""
    return [m.span() for m in _word(text).finditer(text)]


def is_unspaced(text: str) -> bool:
    """True when a text holds a letter of a script that sets no spaces between words."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def _word(text: str) -> re.Pattern[str]:
    return WORD if text.isascii() or not _special().search(text) else _general_word()


@cache
def _special() -> re.Pattern[str]:
    """What tells `_general_word` from `WORD`, or may: ranges beyond the basic plane would each be tried in turn."""
    basic = "".join(r for r in re.findall("[^-]-[^-]", mark_class() + UNSPACED) if ord(r[2]) < 0x10000)
    return re.compile(f"[{basic}\U00010000-\U0010ffff]")


@cache
def _general_word() -> re.Pattern[str]:
    """`WORD` with combining marks and scripts without spaces. No class overlaps its neighbour: linear."""
    mark = f"[{mark_class()}]"
    letters = rf"[^\W_{UNSPACED}]+(?:{mark}[^\W_{UNSPACED}]*)*"
    return re.compile(rf"{letters}(?:['’]{letters})*|[^\W_]{mark}*|[^\w\s]|_")


@cache
def _flood() -> re.Pattern[str]:
    """More combining marks in a row than MAX_MARKS; the group holds those that are kept."""
    mark = f"[{mark_class()}]"
    return re.compile(f"({mark}{{{MAX_MARKS}}}){mark}+")


@cache
def mark_class() -> str:
    """The ranges of a character class of all combining marks that can be seen (Mn, Mc and Me)."""
    out, start = [], -1
    for code in range(0x300, 0x20000):
        is_mark = unicodedata.category(chr(code))[0] == "M" and code not in _BLANK_MARKS
        if is_mark and start < 0:
            start = code
        elif not is_mark and start >= 0:
            out.append(f"{chr(start)}-{chr(code - 1)}")
            start = -1
    return "".join(out)


def csv_safe(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula: a quote is put before = + - @, before their full-width and small
    forms and the minus sign, blanks before them or not, and before TAB, CR, LF and NUL.

    >>> csv_safe("=1+1"), csv_safe(" ＝1"), csv_safe("a=1")
    ("'=1+1", "' ＝1", 'a=1')
    """
    return "'" + cell if _FORMULA.match(cell) else cell
