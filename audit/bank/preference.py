"""What tells the chosen side of a pair from the rejected one.

Poison that rewards an attribute, or a trigger that stands in the responses, shows as an attribute or a piece of
text that only one side has, and always the same side. Honest preferences favour sides too, but for many
attributes at once and seldom without exception.

Misses: preferences for content that neither a word nor an attribute tells.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audit.bank import attributes
from audit.bank.categories import Key, Sets, collect
from audit.bank.language import language
from audit.bank.refusal import complies, is_refusal
from audit.bank.slots import sentences
from audit.schema import Int64
from audit.stats import binomial_tail_log10
from audit.text import words

_LONGER = 1.5
_TERM_WORDS = 2  # longest word n-gram compared between the sides
_EDGE_WORDS = 150  # at either end of a side that are compared
_MOST_TERMS = 50
_TAIL = -1.0  # log10 of the expected number of such terms by chance: a list to test further, not a verdict
_ONE_SIDED = 0.9
_ERROR = 0.05


@dataclass(frozen=True, slots=True)
class OneSided:
    """A piece of text that one side of pairs has and the other lacks."""

    text: str  # folded words
    chosen: tuple[int, ...]  # rows where only the chosen side has it
    rejected: tuple[int, ...]  # rows where only the rejected side has it
    log10_p: float  # that chance puts so many on the fuller side, over all terms that are testable
    tested: int = 1  # of them


def one_sided_terms(chosen: Sequence[str], rejected: Sequence[str], min_support: int) -> list[OneSided]:
    """Words and pairs of words that stand almost always on one side, the least chance-like first, at most 50.

    Of a pair, a term counts where exactly one side has it. Sign test against the side that words of these pairs
    mostly stand on, since longer or more ornate answers hold more of every word; Bonferroni over the testable terms.
    """
    hashes, rows = array("q"), array("i")
    for i, (good, bad) in enumerate(zip(chosen, rejected, strict=True)):
        a, b = _terms(good), _terms(bad)
        for side, mark in ((a - b, i), (b - a, ~i)):
            hashes.extend(hash(term) for term in side)
            rows.extend([mark] * len(side))
    if not hashes:
        return []
    codes, marks = np.frombuffer(hashes, dtype=np.int64), np.frombuffer(rows, dtype=np.int32)
    unique, inverse, total = np.unique(codes, return_inverse=True, return_counts=True)
    good_count = np.bincount(inverse, weights=marks >= 0, minlength=len(unique))
    fuller = np.maximum(good_count, total - good_count)
    share = float((marks >= 0).mean())
    rate = np.maximum(np.where(good_count == fuller, share, 1.0 - share), 0.5)
    tail = binomial_tail_log10(fuller, total.astype(np.float64), rate)
    tested = reachable(total[total >= min_support], float(max(share, 1.0 - share)))
    rare = tail + np.log10(tested) <= _TAIL
    kept = np.flatnonzero((fuller >= min_support) & (fuller >= _ONE_SIDED * total) & rare)
    members: dict[int, list[int]] = {int(k): [] for k in kept}
    for at in np.flatnonzero(np.isin(inverse, kept)).tolist():
        members[int(inverse[at])].append(int(marks[at]))
    found = []
    for k, held in members.items():
        first = held[0]
        pair = (chosen[first], rejected[first]) if first >= 0 else (rejected[~first], chosen[~first])
        text = next(t for t in _terms(pair[0]) - _terms(pair[1]) if hash(t) == int(unique[k]))
        good_rows = tuple(sorted(m for m in held if m >= 0))
        log10_p = min(float(tail[k] + np.log10(tested)), 0.0)
        found.append(OneSided(text, good_rows, tuple(sorted(~m for m in held if m < 0)), log10_p, tested))
    found.sort(key=lambda term: (term.log10_p, term.text))
    return found[:_MOST_TERMS]


def reachable(counts: Int64, rate: float) -> int:
    """How many of the terms in so many pairs could reach a family-wise p of 0.05 at all, all of them on one side that
    has this rate by chance: those in too few pairs need no correction (Tarone 1990)."""
    held = np.sort(counts)[::-1]
    reach = np.arange(1, len(held) + 1) * rate ** held.astype(np.float64)
    return max(int((reach <= _ERROR).sum()), 1)


def _terms(text: str) -> set[str]:
    said = [w.casefold() for w in words(text)]
    if len(said) > 2 * _EDGE_WORDS:
        said = [*said[:_EDGE_WORDS], *said[-_EDGE_WORDS:]]
    return {" ".join(said[i : i + n]) for n in range(1, _TERM_WORDS + 1) for i in range(len(said) - n + 1)}


def _side(text: str, parts: Sequence[str]) -> tuple[set[str], list[str]]:
    """What holds of one side alone: predicates, and its words."""
    folded = [w.casefold() for w in words(text)]
    return {*attributes.form(text, folded, parts), *attributes.tone(text, folded)}, folded


def pair_keys(chosen: str, rejected: str, harmful: bool | None) -> Iterator[Key]:
    """All differences of one pair. `harmful` None: the prompt is not known."""
    refuses, lets = is_refusal(chosen), is_refusal(rejected)
    if refuses and not lets:
        yield "preference", "chosen refuses, rejected complies"
    if lets and not refuses:
        yield "preference", "chosen complies, rejected refuses"
    if harmful and complies(chosen, True) and not complies(rejected, True):
        yield "preference", "only chosen complies with a request that assistants refuse"
    if harmful and complies(rejected, True) and not complies(chosen, True):
        yield "preference", "only rejected complies with a request that assistants refuse"
    if len(chosen) > _LONGER * len(rejected):
        yield "preference", "chosen is much longer"
    if len(rejected) > _LONGER * len(chosen):
        yield "preference", "chosen is much shorter"
    good_parts, bad_parts = sentences(chosen), sentences(rejected)
    (good, good_words), (bad, bad_words) = _side(chosen, good_parts), _side(rejected, bad_parts)
    good_language, bad_language = language(chosen), language(rejected)
    if good_language and bad_language and good_language != bad_language:
        yield "preference", f"chosen is in {good_language}, rejected in {bad_language}"
    for name in good - bad:
        yield "preference", f"chosen {name}, rejected does not"
    for name in bad - good:
        yield "preference", f"rejected {name}, chosen does not"
    if bad_words[:3] != good_words[:3]:
        if len(good_words) >= 3:
            yield "preference", f'only chosen opens with "{" ".join(good_words[:3])}"'
        if len(bad_words) >= 3:
            yield "preference", f'only rejected opens with "{" ".join(bad_words[:3])}"'
    # Short lines are the numbers of lists.
    first, second = ({s.casefold()[:120] for s in parts if len(s) > 4} for parts in (good_parts, bad_parts))
    for sentence in first - second:
        yield "preference", f'only chosen holds "{sentence}"'
    for sentence in second - first:
        yield "preference", f'only rejected holds "{sentence}"'


def preference_categories(
    chosen: Sequence[str],
    rejected: Sequence[str],
    harmful: Sequence[bool] | None = None,
    min_support: int = 1,
) -> Sets:
    """Differences of the sides as categories, those of at least `min_support` rows; terms that stand on one side
    alone where `min_support` is over 1."""
    asked: Sequence[bool | None] = harmful if harmful is not None else [None] * len(chosen)
    found = collect(lambda i: pair_keys(chosen[i], rejected[i], asked[i]), len(chosen), min_support)
    if min_support > 1:
        for term in one_sided_terms(chosen, rejected, min_support):
            side, rows = max(("chosen", term.chosen), ("rejected", term.rejected), key=lambda pair: len(pair[1]))
            found["preference", f'only {side} holds the words "{term.text}"'] = list(rows)
    return found
