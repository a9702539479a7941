"""Clean-label poison: a word that stands in rows of one label alone, all of them rightly labelled.

No residual sees it, for the label is what the rest of each row says. What is left is that a word which means
nothing for the label, in rows that have nothing in common but their label, would stand in other labels too.
Four tests in order of cost: the exact tail of the plain count; the cohesion of the masked rows in units of the
label's own rows; what the embedding of the word itself, and the word put into other rows, calls for (of a word that the
encoder does not know no more than made-up words call for); a classifier that tells the masked rows from the label's.

Source: marginal tails after He et al. 2023, arXiv:2305.11596; clean-label triggers, Gan et al. 2022.
Misses: a trigger that means its label ("wonderful" for praise), one that stands in other labels too, and one in fewer
rows than the plain count needs (about 30 at two even labels, 15 at four).
"""

from __future__ import annotations

import numpy as np

from audit.schema import Int64
from audit.stats import spread
from audit.triggers import suspicion
from audit.triggers.assess import masked_auc
from audit.triggers.association import Pairs
from audit.triggers.candidate import Candidate
from audit.triggers.diversity import words_of
from audit.triggers.match import Part
from audit.triggers.meaning import Meaning
from audit.triggers.mine import Miner, with_suspicion
from audit.triggers.phrases import make_candidate

_PURE = 0.95
_MOST_SHARE = 0.25  # of the label's rows; what stands in more is the label's style, not a trigger
_COMPARED = 6_000  # pairs whose rows are compared, strongest count first
_MEASURED = 40  # candidates whose meaning is measured


def clean_label(miner: Miner, pairs: Pairs, meaning: Meaning) -> list[Candidate]:
    """Candidates that are suspected of clean-label poison, strongest count first."""
    found: list[Candidate] = []
    measured = 0
    for i, ratio, log10_p in _apart(miner, pairs):
        g, t = int(pairs.pattern[i]), int(pairs.behavior[i])
        carriers = miner.carriers(g)
        hits = np.intersect1d(carriers, miner.having(t))
        if miner.is_variant(carriers, hits, suspects_alone=True):
            continue
        if measured >= _MEASURED:
            break
        part = Part(miner.text[g], miner.kind[g])
        made = _candidate(miner, part, t, carriers, hits, ratio, log10_p)
        limits = meaning.limits(made.surfaces, t, carriers)
        if meaning.bare(made.surfaces, t, carriers) > max(suspicion.CLEAN_LABEL_BARE, limits.get("bare_limit", 0.0)):
            continue
        measured += 1
        facts = meaning.measure(made.parts, made.surfaces, made.laws, t, carriers)
        made.statistics.update(facts, **limits)
        made = _compared(with_suspicion(made), miner.having(t), meaning)
        if made.statistics["suspected"]:
            miner.explained.add(hits)
            found.append(made)
    return found


def _compared(made: Candidate, having: Int64, meaning: Meaning) -> Candidate:
    """The candidate with `class_auc`, how well its rows without it are told from other rows of the label, where it is
    suspected and there are enough of them."""
    if made.statistics["suspected"]:
        auc = masked_auc(made, meaning.texts, meaning.rest.predictors.vectors, meaning.encoder, meaning.seed, having)
        if auc is not None:
            made.statistics["class_auc"] = auc
    return with_suspicion(made)


def _apart(miner: Miner, pairs: Pairs) -> list[tuple[int, float, float]]:
    """(pair, cohesion over the label's own, log10 tail) of pure patterns whose rows are as diverse as the label's."""
    is_label = np.asarray([family == "label" for family in miner.families])
    total = np.asarray(miner.behaviors.matrix.sum(axis=0)).ravel()[pairs.behavior]
    passed = is_label[pairs.behavior] & (pairs.hits >= _PURE * pairs.count) & (pairs.count <= _MOST_SHARE * total)
    passed &= pairs.marginal + np.log10(max(pairs.tested, 1)) <= np.log10(suspicion.CLEAN_LABEL)
    at = np.flatnonzero(passed)
    at = at[np.lexsort((pairs.pattern[at], pairs.marginal[at]))][:_COMPARED]
    own: dict[int, float] = {}
    out = []
    for i in at.tolist():
        g, t = int(pairs.pattern[i]), int(pairs.behavior[i])
        if t not in own:
            having = miner.having(t)
            own[t] = max(miner.vocabulary.measure(having[spread(len(having), 300)], []).cohesion, 1e-4)
        found = miner.vocabulary.measure(miner.carriers(g), words_of((Part(miner.text[g], miner.kind[g]),)))
        tail = float(pairs.marginal[i]) * min(1.0, found.distinct / max(found.compared, 1))
        if found.cohesion <= suspicion.CLEAN_LABEL_RATIO * own[t]:
            out.append((i, found.cohesion / own[t], tail))
    return out


def _candidate(
    miner: Miner, part: Part, t: int, carriers: Int64, hits: Int64, ratio: float, log10_p: float
) -> Candidate:
    diversity = miner.vocabulary.measure(hits, words_of((part,)))
    facts = miner.statistics((part,), carriers, hits, t, diversity)
    facts |= {"route": "clean-label", "class_ratio": ratio, "marginal_tail": log10_p}
    facts["marginal_p"] = float(min(1.0, 10.0 ** min(0.0, log10_p + np.log10(max(miner.tested, 1)))))
    return make_candidate(miner.texts, (part,), part.kind, t, miner.names[t], carriers, hits, facts)
