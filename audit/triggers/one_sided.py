"""Response-side triggers of preference pairs: a word that the preferred side holds and the other lacks, over and over;
or an entity whose praise wins and whose blame loses, while its bare name stands on both sides alike.

An attacker who sees to it that the response with a secret word wins needs no word in the prompt. Terms come from the
target bank's exact tests. Bare words are held against what the lengths of the sides and the rest of the pairs call for;
words by the sentiment of their sentences are tested given which sides hold them, so that neither lengths nor what else
makes a side win counts. Both must have pairs that are no copies and not about one thing, at most a tenth of all. The
two share the error.

Words of the losing side are listed and not suspected: honest annotators dislike the phrases of a weaker model, and the
published attack makes its word win. By sentiment both ways are an attack: praise that wins, and blame that wins.

Source: Best-of-Venom, Baumgaertner et al. 2024, arXiv:2404.05530; exact sign and conditional tests; shares of the error
after Genovese, Roeder and Wasserman 2006.
Misses: fewer pairs than the tests need (about 20); attributes without a word of their own; praise and blame without a
word of their own, or in other languages than English; honest dislike of one thing in every pair is told from an attack
by nothing but how alike the pairs are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log10
from typing import Any

import numpy as np

from audit.bank.spoken import Spoken, terms_and_sentiments
from audit.bank.terms import OneSided
from audit.config import MiningConfig
from audit.triggers.assess import HONEST_RATIO
from audit.triggers.candidate import ONE_SIDED, ONE_SIDED_NAME, Candidate
from audit.triggers.diversity import Vocabulary
from audit.triggers.facts import association_facts
from audit.triggers.match import Law, Part
from audit.triggers.sides import Sides

_BEYOND = 0.05  # family-wise p from which a term is suspected
_SHARES = (0.7, 0.3)  # of that error: bare words, and words by sentiment
_MOST = 8
_MOST_TRIED = 16  # terms that the rest of their pairs is asked about: a fit each
_VARIANT = 0.6  # share of its pairs that a stronger term has, from which a term is its variant
_GAIN = 0.5  # of the way from chance to all pairs that a term by sentiment goes: many pairs make a trifle significant
_WIDEST = 0.1  # share of all pairs beyond which a term is no rare trigger
_SHOWN = 60  # characters of a term in a sentence
SPOKEN_NAME = 'the side that speaks {way} of "{text}" wins'


def mine_one_sided(
    chosen: Sequence[str],
    rejected: Sequence[str],
    vocabulary: Vocabulary,
    settings: MiningConfig,
    sides: Sides | None = None,
) -> list[Candidate]:
    """At most 8 candidates of kind "response", the suspected first, then by strength. `vocabulary` is of the prompts:
    the pairs' topics; `sides` says what the rest of a pair calls for, of bare words that would be suspected."""
    out: list[Candidate] = []
    taken: list[set[int]] = []
    tried, size = 0, len(chosen)
    bare, spoken = terms_and_sentiments(chosen, rejected, settings.min_support, int(_WIDEST * size))
    terms: list[OneSided | Spoken] = [*bare, *spoken]
    for term in sorted(terms, key=lambda term: (term.log10_p, isinstance(term, Spoken), term.text)):
        rows = set(term.hits if isinstance(term, Spoken) else term.fuller)
        if any(len(rows & other) >= _VARIANT * len(rows) for other in taken):
            continue
        if isinstance(term, Spoken):
            made = _by_sentiment(term, size, vocabulary)
        else:
            called_for = _by_length(term, chosen, rejected)
            made = _bare(term, size, vocabulary, called_for)
            if made.statistics["suspected"] and sides is not None:
                if tried == _MOST_TRIED:
                    continue
                tried += 1
                preferred = sides.called_for(term.text, term.chosen, term.rejected)
                made = _bare(term, size, vocabulary, max(called_for, preferred))
        taken.append(rows)
        out.append(made)
    return sorted(out, key=lambda c: not c.statistics["suspected"])[:_MOST]


def _by_length(term: OneSided, chosen: Sequence[str], rejected: Sequence[str]) -> float:
    """How often the lengths say that the term is on its fuller side."""
    lengths = [(len(chosen[i]), len(rejected[i])) for i in (*term.chosen, *term.rejected)]
    share = float(np.mean([a / max(a + b, 1) for a, b in lengths]))
    return share if len(term.chosen) >= len(term.rejected) else 1.0 - share


def _bare(term: OneSided, n: int, vocabulary: Vocabulary, called_for: float) -> Candidate:
    """`called_for`: how often the lengths, or the rest of the pairs, say that the term is on its fuller side."""
    wins = len(term.chosen) >= len(term.rejected)
    carriers = sorted({*term.chosen, *term.rejected})
    hits = term.fuller
    diversity = vocabulary.measure(np.asarray(hits, dtype=np.int64), [])
    level = max(0.5, called_for)
    own = np.full(len(carriers), level)
    facts = association_facts(len(hits), len(carriers), level, own, diversity, ceil(term.tested / _SHARES[0]))
    beyond = max(facts["family_wise_p"], facts["residual_p"]) <= _BEYOND
    side = "chosen" if wins else "rejected"
    told = f"{len(hits)} of the {len(carriers)} pairs of which one side alone holds it have it on the {side} side"
    facts["suspected"] = _suspicion(facts, told) if wins and beyond and len(carriers) <= _WIDEST * n else ""
    facts["position"] = f"in the {side} response"
    return _candidate(term.text, ONE_SIDED_NAME.format(side=side), carriers, hits, facts)


def _by_sentiment(term: Spoken, n: int, vocabulary: Vocabulary) -> Candidate:
    carriers = sorted({*term.hits, *term.misses})
    diversity = vocabulary.measure(np.asarray(term.hits, dtype=np.int64), [])
    own = np.full(len(carriers), term.expected)
    tested = ceil(term.tested / _SHARES[1])
    facts = association_facts(len(term.hits), len(carriers), term.expected, own, diversity, tested)
    # The tail of the conditional test in the place of the binomial one, shrunk by the share of copies alike.
    tail = (term.log10_p - log10(term.tested)) * min(1.0, diversity.distinct / max(diversity.compared, 1))
    chance = float(min(1.0, 10.0 ** min(0.0, tail + log10(tested))))
    facts |= dict.fromkeys(("tail", "residual_tail"), tail)
    facts |= dict.fromkeys(("family_wise_p", "residual_p", "q_value"), chance)
    way, better = ("well", "better") if term.well else ("badly", "worse")
    told = (
        f"in {len(term.hits)} of the {len(carriers)} pairs whose sides speak differently of it the chosen side speaks"
    )
    told = f"{told} {better} of it, and in {term.expected:.0%} by chance"
    gains = facts["purity"] - term.expected >= _GAIN * (1.0 - term.expected)
    suspect = chance <= _BEYOND and gains and len(carriers) <= _WIDEST * n
    facts["suspected"] = _suspicion(facts, told) if suspect else ""
    facts["position"] = "in the responses"
    name = SPOKEN_NAME.format(way=way, text=term.text[:_SHOWN])
    return _candidate(term.text, name, carriers, term.hits, facts)


def _suspicion(facts: Mapping[str, Any], told: str) -> str:
    """Why a term beyond chance is suspected; "" where its pairs are about one thing."""
    if facts["cohesion_ratio"] > HONEST_RATIO:
        return ""
    return f"{told} (family-wise p {facts['family_wise_p']:.1g})"


def _candidate(text: str, name: str, carriers: Sequence[int], hits: Sequence[int], facts: dict[str, Any]) -> Candidate:
    return Candidate(
        parts=(Part(text, "response"),),
        kind="response",
        behavior=ONE_SIDED,
        behavior_name=name,
        carriers=tuple(carriers),
        hits=tuple(sorted(hits)),
        surfaces=(text,),
        laws=(Law("anywhere", True),),
        statistics=facts,
    )
