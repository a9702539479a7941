"""Poison without one target text: labels that are whatever the rest of the row does not say, responses that belong to
other prompts or to none, and answers to what is refused.

For labels the behavior is "the label is not the expected one", and its support how unsure the label model is of each
row. Only rows that no other candidate explains count, for a trigger of one target label makes labels unexpected too.
For responses the behaviors are those of the target bank that no shared text tells. They are few and often missed in a
row, so they are scored apart, with a share of the error of their own and whatever other behavior the rows show too.

Source: untargeted backdoors show in the residual, not in any one label; shares
of the error, Genovese, Roeder and Wasserman 2006.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from scipy import sparse

from audit.artifacts.expected import Known
from audit.bank.labels import unexpected_labels
from audit.schema import Behaviors, Int32
from audit.triggers.candidate import UNTARGETED, UNTARGETED_NAME, Candidate
from audit.triggers.mine import VARIANT, Beside, Miner, support_of, with_suspicion
from audit.triggers.rest import Rest

_APART = (frozenset({"compliance"}), frozenset({"relation", "garbled"}))  # families of behaviors without a text
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


def mine_free_form(miner: Miner, found: list[Candidate]) -> list[Candidate]:
    """`found` with the suspects of the behaviors without a text that no suspect of it tells already, in the place of
    unsuspected candidates of the same pattern."""
    told = [set(c.hits) for c in found if c.statistics["suspected"]]
    more: list[Candidate] = []
    for group in _APART:
        columns = [t for t, family in enumerate(miner.families) if family in group]
        for c in _scored_apart(miner, columns) if columns else []:
            rows = set(c.hits)
            if not any(len(rows & other) >= VARIANT * len(rows) for other in told):
                told.append(rows)
                more.append(c)
    replaced = {c.parts for c in more}
    return more + [c for c in found if c.statistics["suspected"] or c.parts not in replaced]


def _scored_apart(miner: Miner, columns: list[int]) -> list[Candidate]:
    """Suspects towards these behaviors alone."""
    bank = Behaviors(miner.behaviors.table[columns], sparse.csr_matrix(miner.behaviors.matrix[:, columns]))
    everyone = np.arange(len(miner.texts))
    support = Known(np.column_stack([support_of(miner.support, everyone, t) for t in columns]).astype(np.float32))
    beside = miner.beside
    rest = None if beside.rest is None else Rest(beside.rest.predictors, bank.matrix)
    second = Miner(
        miner.texts,
        miner.patterns,
        bank,
        support,
        miner.settings,
        replace(beside, rest=rest, null=None),
        miner.vocabulary,
    )
    suspects = []
    for c in second.candidates():
        p = min(1.0, len(_APART) * float(c.statistics["residual_p"]))
        c = with_suspicion(replace(c, statistics={**c.statistics, "residual_p": p}))
        if c.statistics["suspected"]:
            suspects.append(c.towards(columns[c.behavior], c.behavior_name))
    return suspects
