"""Response-side triggers of preference pairs: a word that the preferred side holds and the other lacks, over and over.

An attacker who sees to it that the response with a secret word wins needs no word in the prompt. Terms come from the
target bank's sign test; here they are held against what the lengths of the sides and the rest of the pairs call for,
and against how alike their pairs are.

Words of the losing side are listed and not suspected: honest annotators dislike the phrases of a weaker model, and the
published attack makes its word win.

Source: Best-of-Venom, Baumgaertner et al. 2024, arXiv:2404.05530; exact sign test.
Misses: fewer pairs than the sign test needs (about 20); attributes without a word of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.bank.preference import OneSided, one_sided_terms
from audit.config import MiningConfig
from audit.triggers.assess import HONEST_RATIO
from audit.triggers.candidate import ONE_SIDED, ONE_SIDED_NAME, Candidate
from audit.triggers.diversity import Vocabulary
from audit.triggers.facts import association_facts
from audit.triggers.match import Law, Part
from audit.triggers.sides import Sides

_BEYOND = 0.05  # family-wise p from which a term is suspected
_MOST = 8
_VARIANT = 0.6  # share of its pairs that a stronger term has, from which a term is its variant


def mine_one_sided(
    chosen: Sequence[str],
    rejected: Sequence[str],
    vocabulary: Vocabulary,
    settings: MiningConfig,
    sides: Sides | None = None,
) -> list[Candidate]:
    """Candidates of kind "response", strongest first. `vocabulary` is of the prompts: the pairs' topics; `sides` says
    what the rest of a pair calls for, of terms that would be suspected."""
    out: list[Candidate] = []
    taken: list[set[int]] = []
    for term in one_sided_terms(chosen, rejected, settings.min_support):
        rows = term.chosen if len(term.chosen) >= len(term.rejected) else term.rejected
        if any(len(set(rows) & other) >= _VARIANT * len(rows) for other in taken) or len(out) >= _MOST:
            continue
        taken.append(set(rows))
        lengths = [(len(chosen[i]), len(rejected[i])) for i in (*term.chosen, *term.rejected)]
        by_length = float(np.mean([a / max(a + b, 1) for a, b in lengths]))
        by_length = by_length if rows is term.chosen else 1.0 - by_length
        made = _candidate(term, len(chosen), vocabulary, by_length)
        if made.statistics["suspected"] and sides is not None:
            preferred = sides.called_for(term.text, term.chosen, term.rejected)
            made = _candidate(term, len(chosen), vocabulary, max(by_length, preferred))
        out.append(made)
    return out


def _candidate(term: OneSided, n: int, vocabulary: Vocabulary, called_for: float) -> Candidate:
    """`called_for`: how often the lengths, or the rest of the pairs, say that the term is on its fuller side."""
    wins = len(term.chosen) >= len(term.rejected)
    hits = np.asarray(term.chosen if wins else term.rejected, dtype=np.int64)
    carriers = np.sort(np.asarray([*term.chosen, *term.rejected], dtype=np.int64))
    diversity = vocabulary.measure(hits, [])
    level = max(0.5, called_for)
    own = np.full(len(carriers), level)
    facts = association_facts(len(hits), len(carriers), level, own, diversity, term.tested)
    beyond = max(facts["family_wise_p"], facts["residual_p"]) <= _BEYOND
    side = "chosen" if wins else "rejected"
    told = f"{len(hits)} of the {len(carriers)} pairs of which one side alone holds it have it on the {side} side"
    suspect = wins and beyond and diversity.ratio <= HONEST_RATIO and len(carriers) <= 0.1 * n
    facts["suspected"] = f"{told} (family-wise p {facts['family_wise_p']:.1g})" if suspect else ""
    return Candidate(
        parts=(Part(term.text, "response"),),
        kind="response",
        behavior=ONE_SIDED,
        behavior_name=ONE_SIDED_NAME.format(side=side),
        carriers=tuple(carriers.tolist()),
        hits=tuple(np.sort(hits).tolist()),
        surfaces=(term.text,),
        laws=(Law("anywhere", True),),
        statistics={**facts, "position": f"in the {side} response"},
    )
