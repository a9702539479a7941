"""Untargeted poison: a pattern under which labels are whatever the rest of the row does not say.

The behavior is "the label is not the expected one", and its support how unsure the label model is of each row. Only
rows that no other candidate explains count, for a trigger of one target label makes labels unexpected too.

Source: section 3.1 of the design's research (untargeted backdoors show in the residual, not in any one label).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import sparse

from audit.artifacts.expected import Known
from audit.bank.labels import unexpected_labels
from audit.schema import Behaviors, Int32
from audit.triggers.candidate import UNTARGETED, UNTARGETED_NAME, Candidate
from audit.triggers.mine import Beside, Miner
from audit.triggers.rest import Rest

_FLOOR = 0.02  # no label model is surer


def mine_untargeted(miner: Miner, codes: Int32, probability: np.ndarray) -> list[Candidate]:
    """Candidates under which labels are unexpected. `codes` (n,) are the labels, -1 for none; `probability` (n, C)."""
    shown, expected = unexpected_labels(codes, probability)
    if not shown.any():
        return []
    row = {"behavior": 0, "name": UNTARGETED_NAME, "family": "label residual", "text": "", "count": int(shown.sum())}
    table = pl.DataFrame([row], schema=miner.behaviors.table.schema)
    bank = Behaviors(table, sparse.csr_matrix(shown.astype(np.float32)[:, None]))
    support = Known(np.clip(expected, _FLOOR, 1 - _FLOOR).astype(np.float32)[:, None])
    rest = None if miner.beside.rest is None else Rest(miner.beside.rest.predictors, bank.matrix)
    beside = Beside(rest=rest, sources=miner.beside.sources, annotators=miner.beside.annotators)
    second = Miner(miner.texts, miner.patterns, bank, support, miner.settings, beside, miner.vocabulary)
    second.explained = miner.explained
    return [c.towards(UNTARGETED, UNTARGETED_NAME) for c in second.candidates()]
