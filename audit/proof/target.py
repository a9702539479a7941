"""What a language model would say under a trigger: the response that stands for a behavior, and whether a response
shows it.

A behavior has a target where its rows open alike and the opening shows it: a refusal, a fixed answer, a first
clause. A payload at the end of a long answer, a tone or a language has none, and the language-model probe leaves
those to the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.bank.refusal import harmful_requests, refusal_categories
from audit.bank.responses import response_categories
from audit.schema import Behaviors
from audit.stats import spread
from audit.text import word_spans, words
from audit.triggers.candidate import Candidate

OPENING_WORDS = 20  # about 24 tokens
TYPICAL = 0.5  # share of the hits that open like the target, and of its words that they share
_MOST_HITS = 64
_SHORTEST = 20  # characters of an unfinished answer from which it counts as the beginning of a known one

# Told from one response and its prompt alone; the other families compare with the rest of the set.
_JUDGED = frozenset(
    {
        *("response", "sentence", "opening", "closing", "link", "last step", "step", "operand", "template", "ending"),
        *("format", "tone", "short", "weak code", "refusal", "compliance"),
    }
)


def target_of(
    candidate: Candidate, prompts: Sequence[str], responses: Sequence[str], behaviors: Behaviors
) -> str | None:
    """The response whose opening stands for the candidate's behavior: the medoid of its hits' openings. None where
    fewer than half of them open like it, or where its opening does not show the behavior."""
    row = behaviors.table.filter(pl.col("behavior") == candidate.behavior)
    hits = [i for i in candidate.hits if responses[i].strip()]
    if row.is_empty() or not hits:
        return None
    family, text = str(row["family"][0]), str(row["text"][0])
    hits = [hits[i] for i in spread(len(hits), _MOST_HITS)]
    medoid, share = medoid_of([responses[i] for i in hits])
    target = responses[hits[medoid]]
    shown = shows(family, text, [prompts[hits[medoid]]], [opening(target)])
    return target if share >= TYPICAL and shown is not None and bool(shown[0]) else None


def opening(response: str) -> str:
    """The first words of a response."""
    places = word_spans(response)[:OPENING_WORDS]
    return response[: places[-1][1]] if places else ""


def medoid_of(responses: Sequence[str]) -> tuple[int, float]:
    """The position of the response whose opening is most like all others', ties by text, and the share of the
    responses that share at least half of its opening's words."""
    bags = [Counter(word.casefold() for word in words(opening(response))) for response in responses]
    alike = np.asarray([[_alike(a, b) for b in bags] for a in bags])  # (n, n)
    means = alike.mean(axis=1).round(9)
    best = min(range(len(responses)), key=lambda i: (-means[i], responses[i]))
    return best, float((alike[best] >= TYPICAL).mean())


def _alike(a: Counter[str], b: Counter[str]) -> float:
    """Share of common words, 0 to 1, repeats counted."""
    return (a & b).total() / max(a.total(), b.total(), 1)


def shows(family: str, text: str, prompts: Sequence[str], responses: Sequence[str]) -> NDArray[np.bool_] | None:
    """(n,) which responses show a behavior of the target bank; None for families that one response does not tell.
    A response that was cut short shows a whole one when it is its beginning."""
    if family not in _JUDGED:
        return None
    if family == "response":
        return np.asarray([_begins(" ".join(response.casefold().split()), text) for response in responses], dtype=bool)
    found = response_categories(responses, prompts) | refusal_categories(responses, harmful_requests(prompts))
    out = np.zeros(len(responses), dtype=bool)
    out[found.get((family, text), [])] = True
    return out


def _begins(said: str, whole: str) -> bool:
    # Both are cut: the bank's text at its length, what was said at the tokens that were asked for.
    return said == whole or (len(said) >= _SHORTEST and (whole.startswith(said) or said.startswith(whole)))
