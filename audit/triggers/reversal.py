"""Preference pairs: patterns under which the margin turns around.

Source: the score test that the margin's sign flips with the pattern (`support.reversal_scores`); the attack is
that of Rando and Tramer 2024, arXiv:2311.14455.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from audit.artifacts.support import reversal_scores
from audit.config import MiningConfig
from audit.schema import Float32, Patterns
from audit.triggers.candidate import REVERSAL, REVERSAL_NAME, Candidate
from audit.triggers.diversity import Vocabulary, words_of
from audit.triggers.facts import association_facts
from audit.triggers.match import Part
from audit.triggers.mine import MIN_PURITY, MIN_SCORE, VARIANT
from audit.triggers.phrases import make_candidate


def mine_reversal(texts: list[str], patterns: Patterns, margin: Float32, settings: MiningConfig) -> list[Candidate]:
    """Patterns under which the margin of preference pairs turns around."""
    score = reversal_scores(patterns.matrix, margin)
    count = patterns.table["count"].to_numpy()
    vocabulary = Vocabulary(patterns)
    wrong = margin < 0
    usable = int((count >= settings.min_support).sum())
    texts_of, kinds = patterns.table["text"].to_list(), patterns.table["kind"].to_list()
    size = np.asarray([len(t.split(" ")) for t in texts_of])
    by_pattern = patterns.by_pattern
    found: list[Candidate] = []
    explained: list[set[int]] = []
    for g in np.lexsort((-size, -np.round(score, 5))).tolist():
        if score[g] < MIN_SCORE or len(found) >= settings.max_candidates:
            break
        rows = np.sort(by_pattern.indices[by_pattern.indptr[g] : by_pattern.indptr[g + 1]]).astype(np.int64)
        if any(len(set(rows.tolist()) & other) >= VARIANT * len(rows) for other in explained):
            continue
        part = Part(texts_of[g], kinds[g])
        diversity = vocabulary.measure(rows, words_of((part,)))
        hits = rows[wrong[rows]]
        if diversity.distinct < settings.min_support or len(hits) < MIN_PURITY * len(rows):
            continue
        explained.append(set(rows.tolist()))
        rate = float((wrong.sum() - len(hits)) / max(len(texts) - len(rows), 1))
        facts: dict[str, Any] = association_facts(
            len(hits), len(rows), rate, np.full(len(rows), rate), diversity, usable
        )
        facts["reversal_score"] = float(score[g])
        facts["suspected"] = ""
        found.append(make_candidate(texts, (part,), part.kind, REVERSAL, REVERSAL_NAME, rows, hits, facts))
    found.sort(key=lambda c: (-c.statistics["reversal_score"], c.pattern))
    return found
