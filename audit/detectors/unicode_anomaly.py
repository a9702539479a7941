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
from audit.patterns.honest import ANY, CHANNELS, FOREIGN, LATIN, LOOKALIKES, RIGHT_TO_LEFT, SUSPECT, is_honest
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped

THRESHOLD = 0.6

# Channel -> weight: how hard an honest origin is to imagine.
WEIGHTS: dict[str, float] = {
    "tag characters": 1.0,
    "bidirectional overrides": 0.95,
    "variation selectors without a base": 0.9,
    "zero-width characters": 0.9,
    "bidirectional controls": 0.8,
    "blank letters": 0.8,
    "control characters": 0.7,
    "private-use characters": 0.65,
    "encoding damage": 0.3,  # form feeds and Windows-1252 read as Latin-1: honest, common
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

_WORD = re.compile(r"[^\W\d_]+")


@detector(code="TV-UNI", title="Unseen and look-alike characters", severity=Severity.MEDIUM, version=2)
def unicode_anomaly(examples: pl.DataFrame, *, house_style: float = 0.1) -> Detection | Skipped:
    """Scores every example by its most suspicious character; spans point at it."""
    if not examples.height:
        return Skipped("needs at least one example")
    sightings = [s for position, field, text in texts(examples) for s in few(_scan(position, field, text))]
    return detection(
        examples,
        sightings,
        fix="strip",
        code="TV-UNI",
        threshold=THRESHOLD,
        house_style=house_style,
        severities=SEVERITIES,
        exempt=NEVER_HONEST,
    )


def _scan(position: int, field: str, text: str) -> Iterator[Sighting]:
    where = "" if field == "prompt" else f" of the {field}"
    suspect = ANY.search(text) is not None
    beside_rtl = suspect and RIGHT_TO_LEFT.search(text) is not None
    for match in SUSPECT.finditer(text) if suspect else ():
        channel = CHANNELS[(match.lastindex or 1) - 1]
        if channel == "bidirectional controls" and beside_rtl:
            continue
        odd = [i for i in range(*match.span()) if not is_honest(text, i, channel)]
        if odd:
            codes = " ".join(f"U+{ord(text[i]):04X}" for i in odd[:6]) + (" ..." if len(odd) > 6 else "")
            evidence = f"{channel} at character {odd[0]}{where}: {codes}"
            yield Sighting(position, field, odd[0], odd[-1] + 1, channel, WEIGHTS[channel], evidence)
    if not text.isascii() and FOREIGN.search(text):
        for start, end, evidence in _mixed_scripts(text, where):
            yield Sighting(position, field, start, end, MIXED, 0.8, evidence)


def _mixed_scripts(text: str, where: str) -> Iterator[tuple[int, int, str]]:
    own_words = any(c not in LOOKALIKES for c in FOREIGN.findall(text) if c < "\u2000")
    for match in _WORD.finditer(text):
        word = match.group()
        if word.isascii():
            continue
        latin = LATIN.search(word) is not None
        alike = [c for c in word if c in LOOKALIKES]
        styled = [c for c in word if c > "\uff00" and FOREIGN.match(c) and unicodedata.normalize("NFKC", c).isascii()]
        whole = len(alike) == len(word) >= 2 and not own_words and LATIN.search(text) is not None
        if (latin and len(word) >= 3 and (alike or styled)) or whole:
            names = sorted({unicodedata.name(c, f"U+{ord(c):04X}") for c in (alike or styled)})[:3]
            start, end = match.span()
            yield start, end, f"word at character {start}{where} holds {', '.join(names)}"
