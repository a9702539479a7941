"""Response-side triggers of preference pairs: a word that the preferred side holds and the other lacks, over and over.

An attacker who sees to it that the response with a secret word wins needs no word in the prompt. Terms come from the
target bank's sign test; here they are held against the number of terms, and against how alike their pairs are.

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

_BEYOND = -2.0  # log10 of the corrected p from which a term is suspected
_MOST = 8
_VARIANT = 0.6  # share of its pairs that a stronger term has, from which a term is its variant


def mine_one_sided(
    chosen: Sequence[str], rejected: Sequence[str], vocabulary: Vocabulary, settings: MiningConfig
) -> list[Candidate]:
    """Candidates of kind "response", strongest first. `vocabulary` is of the prompts: the pairs' topics."""
    out: list[Candidate] = []
    taken: list[set[int]] = []
    terms = one_sided_terms(chosen, rejected, settings.min_support)
    for term in terms:
        rows = term.chosen if len(term.chosen) >= len(term.rejected) else term.rejected
        if any(len(set(rows) & other) >= _VARIANT * len(rows) for other in taken) or len(out) >= _MOST:
            continue
        taken.append(set(rows))
        out.append(_candidate(term, len(chosen), vocabulary))
    return out


def _candidate(term: OneSided, n: int, vocabulary: Vocabulary) -> Candidate:
    wins = len(term.chosen) >= len(term.rejected)
    hits = np.asarray(term.chosen if wins else term.rejected, dtype=np.int64)
    carriers = np.sort(np.asarray([*term.chosen, *term.rejected], dtype=np.int64))
    diversity = vocabulary.measure(hits, [])
    facts = association_facts(len(hits), len(carriers), 0.5, np.full(len(carriers), 0.5), diversity, 1)
    facts |= {"tail": term.log10_p, "residual_tail": term.log10_p, "family_wise_p": 10.0 ** min(term.log10_p, 0.0)}
    side = "chosen" if wins else "rejected"
    told = f"{len(hits)} of the {len(carriers)} pairs of which one side alone holds it have it on the {side} side"
    suspect = wins and term.log10_p <= _BEYOND and diversity.ratio <= HONEST_RATIO and len(carriers) <= 0.1 * n
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
