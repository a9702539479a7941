"""What became of the rows of a file: which were changed, dropped, added or moved, by their hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

_MOST = 20  # sentences of each kind


def differences(rows: Sequence[int], wanted: Sequence[str], found: Sequence[str]) -> list[str]:
    """Sentences that name what differs between the rows that a file should hold (`rows` and their hashes `wanted`, in
    order) and the hashes of its records; empty when nothing does. A record is counted from 1."""
    if list(wanted) == list(found):
        return []
    first = next(
        (i for i, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b), min(len(wanted), len(found))
    )
    rest = zip(reversed(wanted[first:]), reversed(found[first:]), strict=False)
    same = next((i for i, (a, b) in enumerate(rest) if a != b), min(len(wanted), len(found)) - first)
    here = list(range(first, len(wanted) - same))
    there = list(range(first, len(found) - same))
    gone = _left(here, wanted, Counter(found[i] for i in there))
    new = _left(there, found, Counter(wanted[i] for i in here))
    lost, odd = set(gone), set(new)
    changed = [i for i in gone if i in odd] if len(wanted) == len(found) else []
    sentences = [*_some([f"row {rows[i]} was changed (record {i + 1})" for i in changed])]
    both = set(changed)
    sentences += _some([f"row {rows[i]} was dropped or changed" for i in gone if i not in both])
    sentences += _some(
        [f"record {i + 1} was added or changed: it is no row of the ledger" for i in new if i not in both]
    )
    order = [i for i in here if i not in lost], [i for i in there if i not in odd]
    places = [(i, j) for i, j in zip(*order, strict=True) if wanted[i] != found[j]]
    return [*sentences, *_some([f"row {rows[i]} was moved: record {j + 1} is another row" for i, j in places])]


def _left(places: Sequence[int], hashes: Sequence[str], others: Counter[str]) -> list[int]:
    """The places whose hash the other side has not as often."""
    found = []
    for place in places:
        if others[hashes[place]]:
            others[hashes[place]] -= 1
        else:
            found.append(place)
    return found


def _some(sentences: list[str]) -> Iterator[str]:
    yield from sentences[:_MOST]
    if len(sentences) > _MOST:
        yield f"and {len(sentences) - _MOST:,} more rows alike"
