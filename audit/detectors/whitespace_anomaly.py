"""White space that a reader does not notice: exotic spaces, no-break spaces, runs of spaces, tabs between words,
leading and trailing space, lone carriage returns, tall gaps and unusual line breaks.

Why it works: many tokenizers keep white space that no reader sees, so a second space or a thin space can be a
trigger. White space is also the habit of whoever made the text, so each shape is judged against how common it is
in this dataset: a shape in more than the share `house_style` of the rows is the style of the house. Only spaces
that hardly any keyboard makes flag a row by themselves; the other shapes are findings, and their rows are ranked.

Source: measured on clean public corpora: runs of three or more spaces stand in 0.5% of honest rows, exotic
spaces inside a line in fewer than one in 1,000. No-break spaces before high punctuation are French typography
(Imprimerie nationale, Lexique des regles typographiques). The idea of white space as a trigger: Boucher et al.
2022.

Misses: a shape that the dataset already holds in more rows than `house_style`; the difference between one space
and two in text that uses both; white space inside code, where runs and tabs are expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import polars as pl

from audit.detectors.sightings import Sighting, carriers, detection, few, texts
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped

THRESHOLD = 0.6

# Channel -> (weight, pattern). Each pattern is linear: one class or anchored literals around one class.
SHAPES: dict[str, tuple[float, re.Pattern[str]]] = {
    "exotic spaces": (0.9, re.compile("[\u1680\u2000-\u200a\u205f]+|(?<=[!-~])\u3000+(?=[!-~])")),
    "no-break spaces": (0.65, re.compile("[\u00a0\u202f]+")),
    "unusual line breaks": (0.55, re.compile("[\u0085\u2028\u2029]+")),
    "tabs between words": (0.5, re.compile(r"(?<=[^\s])\t+(?=[^\s])")),
    "lone carriage returns": (0.5, re.compile(r"\r(?!\n)")),
    "runs of spaces": (0.4, re.compile(r"(?<=[^\s]) {3,}(?=[^\s])")),
    "tall gaps": (0.4, re.compile(r"\n{5,}")),
    "trailing space": (0.4, re.compile(r"(?<=[^\s])[ \t]+\Z")),
    "leading space": (0.4, re.compile(r"\A[ \t]+(?=[^\s])")),
}
# A space that this is written with in French: before high punctuation and closing marks, after opening ones,
# between digits and before units.
_FRENCH = re.compile("(?<![\u00a0\u202f])[\u00a0\u202f]+(?=[!?;:%»€$£0-9])|(?<=[«0-9])[\u00a0\u202f]+")
SEVERITIES = {"exotic spaces": Severity.MEDIUM}


@detector(code="TV-WSP", title="Unusual white space", severity=Severity.LOW, version=2)
def whitespace_anomaly(examples: pl.DataFrame, *, house_style: float = 0.03) -> Detection | Skipped:
    """Scores every example by its rarest shape of white space; spans point at it. A score is the shape's weight
    scaled by its rarity, from full at one row in 1,000 down to nothing at the share `house_style`."""
    if not examples.height:
        return Skipped("needs at least one example")
    sightings = [s for position, field, text in texts(examples) for s in few(_scan(position, field, text))]
    return detection(
        examples,
        sightings,
        fix="strip",
        code="TV-WSP",
        threshold=THRESHOLD,
        house_style=house_style,
        severities=SEVERITIES,
        scale={channel: _rarity(count, examples.height, house_style) for channel, count in carriers(sightings).items()},
        report_at=0.5,
    )


def _rarity(count: int, total: int, house_style: float) -> float:
    """1 for a single row and up to one row in 1,000, falling to 0 at the share `house_style` by logarithm."""
    share = (count - 1) / total
    if share <= 0.001 or house_style <= 0.001:
        return 1.0
    return max(0.0, 1 - math.log(share / 0.001) / math.log(house_style / 0.001))


def _scan(position: int, field: str, text: str) -> Iterator[Sighting]:
    where = "" if field == "prompt" else f" of the {field}"
    for channel, (weight, pattern) in SHAPES.items():
        for match in pattern.finditer(text):
            if channel == "no-break spaces" and _FRENCH.match(text, match.start()):
                continue
            codes = " ".join(f"U+{ord(c):04X}" for c in match.group()[:4])
            extra = f" ({len(match.group())} characters)" if len(match.group()) > 1 else ""
            start, end = match.span()
            evidence = f"{channel} at character {start}{where}: {codes}{extra}"
            yield Sighting(position, field, start, end, channel, weight, evidence)
