"""Characters that a reader cannot see or cannot tell apart: zero-width characters, bidirectional controls, tag
characters, variation selectors without a base, private-use and control characters, and words that mix letters
of scripts that look alike.

Why it works: a tokenizer reads such characters and a person does not, so they make triggers and hide text.
Honest text holds them only in known places: a zero-width joiner inside an emoji or in Indic, Arabic or Persian
script, a byte-order mark at the start, a direction mark beside right-to-left script, a variation selector
after an emoji or an ideograph. Whatever stands outside of those places is an anomaly, whatever its count.

Source: Boucher, Shumailov, Anderson and Papernot 2022, "Bad Characters: Imperceptible NLP Attacks";
Unicode Technical Standard 39, sections 4 and 5; Unicode Technical Standard 51, emoji sequences.

Misses: letters that look like ASCII inside their own script (a dotless i, a Latin alpha); soft hyphens inside a
word, which web text holds honestly; composed against decomposed accents; a private-use or invisible character
that stands in more than the share `house_style` of the rows, which is reported as a finding only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import polars as pl

from audit.detectors.sightings import Sighting, detection, few, texts
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped

THRESHOLD = 0.6

# Channel -> (weight, character ranges). Weights order the channels by how hard an honest origin is to imagine.
CHANNELS: dict[str, tuple[float, str]] = {
    "tag characters": (1.0, "\U000e0000-\U000e007f"),
    "bidirectional overrides": (0.95, "\u202d\u202e"),
    "variation selectors without a base": (0.9, "\ufe00-\ufe0f\U000e0100-\U000e01ef"),
    "zero-width characters": (0.9, "\u200b-\u200d\u2060-\u2064\u206a-\u206f\ufeff\u180e\ufff9-\ufffb"),
    "bidirectional controls": (0.8, "\u200e\u200f\u061c\u202a-\u202c\u2066-\u2069"),
    "blank letters": (0.8, "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"),
    "control characters": (0.7, "\x00-\x08\x0e-\x1f\x7f"),
    "private-use characters": (0.65, "\ue000-\uf8ff\U000f0000-\U0010fffd"),
    "encoding damage": (0.3, "\x0b\x0c\x80-\x9f"),  # form feeds and Windows-1252 read as Latin-1: honest, common
}
MIXED = "words of mixed scripts"
SEVERITIES = {
    "tag characters": Severity.HIGH,
    "bidirectional overrides": Severity.HIGH,
    "variation selectors without a base": Severity.MEDIUM,
    "zero-width characters": Severity.MEDIUM,
    "bidirectional controls": Severity.MEDIUM,
    "blank letters": Severity.MEDIUM,
    MIXED: Severity.MEDIUM,
}
NEVER_HONEST = frozenset({"tag characters", "bidirectional overrides"})

_ANY = re.compile("[" + "".join(ranges for _, ranges in CHANNELS.values()) + "]")
_SUSPECT = re.compile("|".join(f"([{ranges}]+)" for _, ranges in CHANNELS.values()))
_NAMES = list(CHANNELS)
# Scripts that join or separate letters by zero-width characters, and scripts written without spaces.
_JOINING = frozenset(
    (
        "ARABIC",
        "SYRIAC",
        "MONGOLIAN",
        "NKO",
        "DEVANAGARI",
        "BENGALI",
        "GURMUKHI",
        "GUJARATI",
        "ORIYA",
        "TAMIL",
        "TELUGU",
        "KANNADA",
        "MALAYALAM",
        "SINHALA",
        "TIBETAN",
        "MYANMAR",
        "KHMER",
        "THAI",
        "LAO",
        "BALINESE",
        "JAVANESE",
        "TAI",
    )
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_IDEOGRAPHS = ("CJK", "HIRAGANA", "KATAKANA", "MONGOLIAN", "PHAGS-PA", "MYANMAR")
_EMOJI_BASES = frozenset("#*0123456789©®‼⁉〰〽㊗㊙")

# Cyrillic and Greek letters that most fonts draw as a Latin letter (UTS 39 confusables, single letters only).
_LOOKALIKES = frozenset("авеіјкмнорсԁһԛѕтухѡӏАВЕІЈКМНОРСЅТУХԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧονϲϳ")
_FOREIGN = re.compile("[\u0370-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f\uff21-\uff5a\U0001d400-\U0001d7ff]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")


@detector(code="TV-UNI", title="Unseen and look-alike characters", severity=Severity.MEDIUM)
def unicode_anomaly(examples: pl.DataFrame, *, house_style: float = 0.1) -> Detection | Skipped:
    """Scores every example by its most suspicious character; spans point at it."""
    if not examples.height:
        return Skipped("needs at least one example")
    sightings = [s for position, field, text in texts(examples) for s in few(_scan(position, field, text))]
    return detection(
        examples,
        sightings,
        code="TV-UNI",
        threshold=THRESHOLD,
        house_style=house_style,
        severities=SEVERITIES,
        exempt=NEVER_HONEST,
    )


def _scan(position: int, field: str, text: str) -> Iterator[Sighting]:
    where = "" if field == "prompt" else f" of the {field}"
    suspect = _ANY.search(text) is not None
    beside_rtl = suspect and _RIGHT_TO_LEFT.search(text) is not None
    for match in _SUSPECT.finditer(text) if suspect else ():
        channel = _NAMES[(match.lastindex or 1) - 1]
        if channel == "bidirectional controls" and beside_rtl:
            continue
        odd = [i for i in range(*match.span()) if not _honest(text, i, channel)]
        if odd:
            codes = " ".join(f"U+{ord(text[i]):04X}" for i in odd[:6]) + (" ..." if len(odd) > 6 else "")
            evidence = f"{channel} at character {odd[0]}{where}: {codes}"
            yield Sighting(position, field, odd[0], odd[-1] + 1, channel, CHANNELS[channel][0], evidence)
    if not text.isascii() and _FOREIGN.search(text):
        for start, end, evidence in _mixed_scripts(text, where):
            yield Sighting(position, field, start, end, MIXED, 0.8, evidence)


def _honest(text: str, index: int, channel: str) -> bool:
    """True where this character has a known honest use at this place."""
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if channel == "zero-width characters":
        if text[index] == "\ufeff":
            return index == 0
        if {_script(before), _script(after)} & _JOINING:
            return True
        # Either side: text stripped of its newer emoji keeps the tail of a sequence, joiner and sign.
        return text[index] == "\u200d" and (_pictograph(_base(text, index)) or _pictograph(after))
    if channel == "variation selectors without a base":
        if not before or unicodedata.category(before) in ("Mn", "Cf"):
            return False
        ideograph = _script(before).startswith(_IDEOGRAPHS)
        return ideograph or (text[index] <= "\ufe0f" and (_pictograph(before) or before in _EMOJI_BASES))
    if channel == "tag characters":
        return _in_flag(text, index)
    if channel == "blank letters":
        return _script(before) in ("HANGUL", "KHMER") or _script(after) in ("HANGUL", "KHMER")
    if channel == "private-use characters":
        # The bullets of word processors: the symbol font's private zone, alone at the start of a line.
        return "\uf020" <= text[index] <= "\uf0ff" and before in ("", "\n") and (not after or after.isspace())
    return False


def _script(char: str) -> str:
    return unicodedata.name(char, "").split(" ")[0] if char else ""


def _pictograph(char: str) -> bool:
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


def _mixed_scripts(text: str, where: str) -> Iterator[tuple[int, int, str]]:
    own_words = any(c not in _LOOKALIKES for c in _FOREIGN.findall(text) if c < "\u2000")
    for match in _WORD.finditer(text):
        word = match.group()
        if word.isascii():
            continue
        latin = _LATIN.search(word) is not None
        alike = [c for c in word if c in _LOOKALIKES]
        styled = [c for c in word if c > "\uff00" and _FOREIGN.match(c) and unicodedata.normalize("NFKC", c).isascii()]
        whole = len(alike) == len(word) >= 2 and not own_words and _LATIN.search(text) is not None
        if (latin and len(word) >= 3 and (alike or styled)) or whole:
            names = sorted({unicodedata.name(c, f"U+{ord(c):04X}") for c in (alike or styled)})[:3]
            start, end = match.span()
            yield start, end, f"word at character {start}{where} holds {', '.join(names)}"
