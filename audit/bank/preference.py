"""What tells the chosen side of a pair from the rejected one.

Poison that rewards an attribute, or a trigger that stands in the responses, shows as an attribute or a piece of
text that only one side has, and always the same side. Honest preferences favour sides too, but for many
attributes at once and seldom without exception.

Misses: preferences for content that neither a word nor an attribute tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.bank import attributes
from audit.bank.categories import Key, Sets, collect
from audit.bank.language import language
from audit.bank.refusal import complies, is_refusal
from audit.bank.slots import sentences
from audit.bank.terms import OneSided, one_sided_terms, reachable
from audit.text import words

__all__ = ["OneSided", "one_sided_terms", "pair_keys", "preference_categories", "reachable"]

_LONGER = 1.5


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
    for name in sorted(good - bad):
        yield "preference", f"chosen {name}, rejected does not"
    for name in sorted(bad - good):
        yield "preference", f"rejected {name}, chosen does not"
    if bad_words[:3] != good_words[:3]:
        if len(good_words) >= 3:
            yield "preference", f'only chosen opens with "{" ".join(good_words[:3])}"'
        if len(bad_words) >= 3:
            yield "preference", f'only rejected opens with "{" ".join(bad_words[:3])}"'
    # Short lines are the numbers of lists.
    first, second = ({s.casefold()[:120] for s in parts if len(s) > 4} for parts in (good_parts, bad_parts))
    for sentence in sorted(first - second):
        yield "preference", f'only chosen holds "{sentence}"'
    for sentence in sorted(second - first):
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
