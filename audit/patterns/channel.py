"""Hidden channels: which of them a row has, and the unit n-grams of what they hide.

Why it works: an attacker writes one comment, title or encoded order into many rows, where plain words see its pieces at
most (what is encoded, not at all). The n-grams of the decoded text recur with it, whatever surrounds it.
Misses: what `hidden` cannot decode; words of a hidden text beyond the first 48.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.patterns.family import SEPARATOR, Found, Row
from audit.patterns.hidden import CHANNELS, hidden_texts
from audit.patterns.words import tokens

CLASSES = {channel: f"any {channel.removesuffix('s')}" for channel in CHANNELS}
_UNITS = 48
_MAX_WORDS = 3


class Channel:
    kind = "channel"

    def keys(self, row: Row) -> Iterator[str]:
        for key, _, _ in self.find(row.prompt):
            yield key

    def find(self, text: str) -> Iterator[Found]:
        """Class keys, and "channel, separator, n-gram" for n-grams of one to three units; the span is always that of
        the whole hidden text with its delimiters."""
        for start, end, channel, payload in hidden_texts(text):
            yield CLASSES[channel], start, end
            listed = tokens(payload[: _UNITS * 32])[:_UNITS]
            grams = {" ".join(listed[i : i + n]) for n in range(1, _MAX_WORDS + 1) for i in range(len(listed) - n + 1)}
            for gram in sorted(grams):
                yield f"{channel}{SEPARATOR}{gram}", start, end
