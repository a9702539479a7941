"""Characters that a reader cannot see or tell apart, by channel, and the places where honest text holds them: a
zero-width joiner inside an emoji or in Indic, Arabic or Persian script, a byte-order mark at the start, a variation
selector after an emoji or an ideograph, a tag character in the flag of a region.

Source: Unicode Technical Standard 39, sections 4 and 5; Unicode Technical Standard 51, emoji sequences.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

RANGES: dict[str, str] = {
    "tag characters": "\U000e0000-\U000e007f",
    "bidirectional overrides": "\u202d\u202e",
    "variation selectors without a base": "\ufe00-\ufe0f\U000e0100-\U000e01ef",
    "zero-width characters": "\u200b-\u200d\u2060-\u2064\u206a-\u206f\ufeff\u180e\ufff9-\ufffb",
    "bidirectional controls": "\u200e\u200f\u061c\u202a-\u202c\u2066-\u2069",
    "blank letters": "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0",
    "control characters": "\x00-\x08\x0e-\x1f\x7f",
    "private-use characters": "\ue000-\uf8ff\U000f0000-\U0010fffd",
    "encoding damage": "\x0b\x0c\x80-\x9f",  # form feeds and Windows-1252 read as Latin-1
}
ANY = re.compile("[" + "".join(RANGES.values()) + "]")  # quick to say no
SUSPECT = re.compile("|".join(f"([{ranges}]+)" for ranges in RANGES.values()))
CHANNELS = tuple(RANGES)  # in the order of SUSPECT's groups
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Cyrillic and Greek letters that most fonts draw as a Latin letter (UTS 39 confusables, single letters only).
LOOKALIKES = frozenset("авеіјкмнорсԁһԛѕтухѡӏАВЕІЈКМНОРСЅТУХԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧονϲϳ")
# Scripts that look-alike and styled letters come from: Greek, Cyrillic, full-width and mathematical letters.
FOREIGN = re.compile("[\u0370-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f\uff21-\uff5a\U0001d400-\U0001d7ff]")
LATIN = re.compile("[A-Za-z\u00c0-\u024f]")

# Scripts that join or separate letters by zero-width characters, and scripts written without spaces.
_JOINING = frozenset(
    (
        *("ARABIC", "SYRIAC", "MONGOLIAN", "NKO", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL"),
        *("TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "TIBETAN", "MYANMAR", "KHMER", "THAI", "LAO", "BALINESE"),
        *("JAVANESE", "TAI"),
    )
)
_IDEOGRAPHS = ("CJK", "HIRAGANA", "KATAKANA", "MONGOLIAN", "PHAGS-PA", "MYANMAR")
_EMOJI_BASES = frozenset("#*0123456789©®‼⁉〰〽㊗㊙")


def is_honest(text: str, index: int, channel: str) -> bool:
    """True where this character of a channel has a known honest use at this place."""
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if channel == "zero-width characters":
        if text[index] == "\ufeff":
            return index == 0
        if {script(before), script(after)} & _JOINING:
            return True
        # Either side: text stripped of its newer emoji keeps the tail of a sequence, joiner and sign.
        return text[index] == "\u200d" and (is_pictograph(_base(text, index)) or is_pictograph(after))
    if channel == "variation selectors without a base":
        if not before or unicodedata.category(before) in ("Mn", "Cf"):
            return False
        ideograph = script(before).startswith(_IDEOGRAPHS)
        return ideograph or (text[index] <= "\ufe0f" and (is_pictograph(before) or before in _EMOJI_BASES))
    if channel == "tag characters":
        return _in_flag(text, index)
    if channel == "blank letters":
        return script(before) in ("HANGUL", "KHMER") or script(after) in ("HANGUL", "KHMER")
    if channel == "private-use characters":
        # The bullets of word processors: the symbol font's private zone, alone at the start of a line.
        return "\uf020" <= text[index] <= "\uf0ff" and before in ("", "\n") and (not after or after.isspace())
    return False


@lru_cache(maxsize=100_000)
def script(char: str) -> str:
    """The first word of a character's name, which for letters is their script; "" for none."""
    return unicodedata.name(char, "").split(" ")[0] if char else ""


def is_pictograph(char: str) -> bool:
    """True for symbols and emoji."""
    if not char or char.isascii():
        return False
    return unicodedata.category(char) in ("So", "Sm") or "\U0001f000" <= char <= "\U0001faff"


def _base(text: str, index: int) -> str:
    """The character before `index`, past variation selectors (skin tones are pictographs themselves)."""
    while index > 0 and "\ufe00" <= text[index - 1] <= "\ufe0f":
        index -= 1
    return text[index - 1 : index]


def _in_flag(text: str, index: int) -> bool:
    """True inside a flag: a black flag, at most six tag letters, and a cancel tag (England, Scotland, Wales)."""
    window = text[max(index - 7, 0) : index + 8]
    return re.search("\U0001f3f4[\U000e0061-\U000e007a]{2,6}\U000e007f", window) is not None
