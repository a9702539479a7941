"""Windows: the words around a pattern, so that a small training budget sees many rows.

A window of a carrier holds all of its parts where they stand within reach; of any other row it is the
prompt's beginning. Windows are cut at word boundaries and never through a pattern.
"""

from __future__ import annotations

from audit.text import word_spans
from audit.triggers.match import Part, spans

WORDS = 28  # about 36 word pieces


def window(text: str, parts: tuple[Part, ...] = (), size: int = WORDS) -> str:
    """At most about `size` words of a text, around the given parts. Parts too far apart to fit are joined:
    a piece around each, with a blank between."""
    places = word_spans(text)
    if len(places) <= size:
        return text
    found = sorted(spans(text, part)[0] for part in parts if spans(text, part))
    if not found:
        return text[: places[size - 1][1]]
    first, last = found[0][0], max(b for _, b in found)
    covered = [i for i, (a, b) in enumerate(places) if b > first and a < last]
    if len(covered) <= size:
        return _around(text, places, first, last, size)
    each = max(size // len(found), 4)
    return " ".join(_around(text, places, a, b, each) for a, b in found)


def _around(text: str, places: list[tuple[int, int]], first: int, last: int, size: int) -> str:
    """The slice of `size` words that holds text[first:last] near its middle."""
    inside = [i for i, (a, b) in enumerate(places) if b > first and a < last]
    # Between two words (a blank or an invisible run): centre on the word before.
    low = inside[0] if inside else max(sum(1 for a, _ in places if a < first) - 1, 0)
    high = inside[-1] if inside else low
    spare = max(size - (high - low + 1), 0)
    start = max(0, min(low - spare // 2, len(places) - size))
    stop = min(len(places), max(start + size, high + 1))
    begin = min(places[start][0], first) if start else 0
    end = max(places[stop - 1][1], last) if stop < len(places) else len(text)
    return text[begin:end]
