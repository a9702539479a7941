"""Whether a mined pattern names a planted trigger, and which triggers can stand in one set of rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_TOKEN = re.compile(r"\w+|[^\w\s]")


def holds(pattern: str, trigger: str) -> bool:
    """True when a pattern names a trigger: its tokens in a row (its characters, where it has no letter or digit), and
    not much more besides; the rule of the benchmark's judge."""
    if len(pattern) > max(4 * len(trigger), len(trigger) + 32):
        return False
    if not any(ch.isalnum() for ch in trigger):
        return trigger in pattern
    have, want = _TOKEN.findall(pattern.casefold()), _TOKEN.findall(trigger.casefold())
    return any(have[i : i + len(want)] == want for i in range(len(have) - len(want) + 1))


def unlike(drawn: Sequence[str]) -> list[str]:
    """Those of the strings, in order, that share no two successive words with one before: two triggers that share a
    piece would be mined as that piece."""
    seen: set[tuple[str, str]] = set()
    out = []
    for text in drawn:
        pairs = set(pairwise(_TOKEN.findall(text.casefold())))
        if not pairs & seen:
            seen |= pairs
            out.append(text)
    return out
