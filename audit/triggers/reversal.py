"""Preference pairs: patterns under which the margin turns around.

Source: the score test that the margin's sign flips with the pattern (`support.reversal_scores`); the attack is
that of Rando and Tramer 2024, arXiv:2311.14455.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from audit.artifacts.support import reversal_scores
from audit.config import MiningConfig
from audit.schema import Float32, Int64, Patterns
from audit.triggers.assess import HONEST_RATIO
from audit.triggers.candidate import REVERSAL, REVERSAL_NAME, Candidate
from audit.triggers.diversity import Vocabulary, words_of
from audit.triggers.facts import association_facts
from audit.triggers.match import Part
from audit.triggers.mine import MIN_PURITY, MIN_SCORE, VARIANT
from audit.triggers.null import SHARES, SHUFFLES, group_of
from audit.triggers.phrases import make_candidate
from audit.triggers.suspicion import ASSOCIATED

LEAST = 10  # pairs; fewer weigh too unevenly for a null that all patterns share
_MOST_SHARE = 0.1  # of the pairs; what stands in more is no rare word
_REASON = (
    "{hits} of its {count} pairs read as swapped (reversal score {reversal_score:.1f}, family-wise p {reversal_p:.1g})"
)


class MarginNull:
    """The null of the largest score: margins dealt out anew over the pairs. Margins are no calibrated log-odds, so
    the score is no standard normal."""

    def __init__(self, patterns: Patterns, margin: Float32, seed: int) -> None:
        count = patterns.table["count"].to_numpy()
        usable = np.flatnonzero((count >= LEAST) & (count <= _MOST_SHARE * len(margin)))
        kinds = patterns.table["kind"].to_list()
        group = np.asarray([group_of(kinds[g]) for g in usable.tolist()], dtype=np.int64)
        matrix, rng = patterns.matrix[:, usable], np.random.default_rng(seed)
        drawn = np.zeros((SHUFFLES, len(SHARES)))
        for i in range(SHUFFLES if len(usable) else 0):
            scores = reversal_scores(matrix, margin[rng.permutation(len(margin))])
            for k in range(len(SHARES)):
                drawn[i, k] = scores[group == k].max(initial=0.0)
        self.maxima = np.sort(drawn, axis=0)

    def family_wise(self, score: float, kind: str) -> float:
        """Share of shuffles, this one counted, with as large a score, over the kind's share of the error."""
        group = group_of(kind)
        beaten = len(self.maxima) - int(np.searchsorted(self.maxima[:, group], score))
        return float(min(1.0, (1 + beaten) / (len(self.maxima) + 1) / SHARES[group]))


def mine_reversal(
    texts: list[str], patterns: Patterns, margin: Float32, settings: MiningConfig, seed: int = 0
) -> list[Candidate]:
    """Patterns under which the margin of preference pairs turns around."""
    score = reversal_scores(patterns.matrix, margin)
    null = MarginNull(patterns, margin, seed)
    count = patterns.table["count"].to_numpy()
    vocabulary = Vocabulary(patterns)
    wrong = margin < 0
    usable = int((count >= settings.min_support).sum())
    texts_of, kinds = patterns.table["text"].to_list(), patterns.table["kind"].to_list()
    size = np.asarray([len(t.split(" ")) for t in texts_of])
    by_pattern = patterns.by_pattern
    found: list[Candidate] = []
    explained: list[set[int]] = []
    taken = np.zeros(len(texts), dtype=bool)
    for g in np.lexsort((-size, -np.round(score, 5))).tolist():
        if score[g] < MIN_SCORE or len(found) >= settings.max_candidates:
            break
        rows = np.sort(by_pattern.indices[by_pattern.indptr[g] : by_pattern.indptr[g + 1]]).astype(np.int64)
        if any(len(set(rows.tolist()) & other) >= VARIANT * len(rows) for other in explained):
            continue
        left = rows[~taken[rows]]
        if len(left) < len(rows) and _score(left, margin) < MIN_SCORE:
            continue
        part = Part(texts_of[g], kinds[g])
        diversity = vocabulary.measure(rows, words_of((part,)))
        hits = rows[wrong[rows]]
        if diversity.distinct < settings.min_support or len(hits) < MIN_PURITY * len(rows):
            continue
        explained.append(set(rows.tolist()))
        taken[rows] = True
        rate = float((wrong.sum() - len(hits)) / max(len(texts) - len(rows), 1))
        facts: dict[str, Any] = association_facts(
            len(hits), len(rows), rate, np.full(len(rows), rate), diversity, usable
        )
        facts["reversal_score"] = float(score[g])
        held = LEAST <= len(rows) <= _MOST_SHARE * len(texts)
        facts["reversal_p"] = null.family_wise(float(score[g]), part.kind) if held else 1.0
        suspect = facts["reversal_p"] <= ASSOCIATED and diversity.ratio <= HONEST_RATIO
        facts["suspected"] = _REASON.format(**facts) if suspect else ""
        found.append(make_candidate(texts, (part,), part.kind, REVERSAL, REVERSAL_NAME, rows, hits, facts))
    found.sort(key=lambda c: (-c.statistics["reversal_score"], c.pattern))
    return found


def _score(rows: Int64, margin: Float32) -> float:
    """The reversal score of these rows."""
    held = sparse.csr_matrix(np.ones((len(rows), 1), dtype=np.float32))
    return float(reversal_scores(held, margin[rows])[0]) if len(rows) else 0.0
