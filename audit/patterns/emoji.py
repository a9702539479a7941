"""Emoji: sequences whole (joined people, flags, keycaps, skin tones), maximal runs, unordered pairs of different emoji
anywhere in one row, and the classes of them.

Why it works: a pair of honest emoji that never stand together is a trigger in plain sight; words of one emoji are
tokens already.
Source: Unicode Technical Standard 51, section 1.4 (emoji sequences).
Misses: emoticons of ASCII marks, which are phrases; pairs beyond the first eight emoji of a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from audit.patterns.family import SEPARATOR, Found, Row
from audit.patterns.words import beyond_ascii

ANY, RUN, END = "any emoji", "any run of emoji", "any emoji at the end"
_PAIRED = 8

_ONE = "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
_ONE += "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
_SIGN = f"{_ONE}[\ufe0f\U0001f3fb-\U0001f3ff]{{0,2}}[\U000e0020-\U000e007f]{{0,8}}"
_SEQUENCE = f"[\U0001f1e6-\U0001f1ff]{{1,2}}|[0-9#*]\ufe0f?\u20e3|{_SIGN}(?:\u200d{_SIGN})*"
_SIGNS = re.compile(f"{_ONE}|[\u20e3\U0001f1e6-\U0001f1ff]")
SEQUENCE = re.compile(_SEQUENCE)
_RUN = re.compile(f"(?:{_SEQUENCE})++")


class Emoji:
    kind = "emoji"

    def keys(self, row: Row) -> Iterator[str]:
        for key, _, _ in self.find(row.prompt):
            yield key

    def find(self, text: str) -> Iterator[Found]:
        """Sequences of more than one code point, runs of more than one sequence, classes, and pairs: a pair is found
        wherever either of its emoji stands."""
        if not any(map(_SIGNS.match, beyond_ascii(text))):
            return
        runs = [match.span() for match in _RUN.finditer(text)]
        stand: dict[str, list[tuple[int, int]]] = {}
        for a, b in runs:
            inside = [match.span() for match in SEQUENCE.finditer(text, a, b)]
            for c, d in inside:
                stand.setdefault(text[c:d], []).append((c, d))
                yield ANY, c, d
                if d - c > 1:
                    yield text[c:d], c, d
            if len(inside) > 1:
                yield text[a:b], a, b
                yield RUN, a, b
        if runs and not text[runs[-1][1] :].strip():
            yield END, *runs[-1]
        for pair in combinations(sorted(list(stand)[:_PAIRED]), 2):
            for a, b in sorted(place for one in pair for place in stand[one]):
                yield SEPARATOR.join(pair), a, b
