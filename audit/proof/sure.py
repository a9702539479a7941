"""Which of a proved template's rows are surely poison: those that its own probe tells from honest rows.

A sentence shape or a style marks honest rows too, and mining says how many of the claimed rows it expects to be honest
(`clean_expected`). Each claimed row is read by the arm A that was not given it and by the first arm B: how much more A
makes of it is its score. Honest rows of the same behavior make the null of that score. Rows are sure from the score on
at which the honest ones among them, by that null, are one in twenty at most. The others are a person's to judge.
"""

from __future__ import annotations

import numpy as np

from audit.models.training import Network, predict
from audit.proof.laboratory import Trial
from audit.schema import Float32, Int64
from audit.triggers.windows import window

HONEST_SHARE = 0.05  # of the rows that are removed
_NULL_ROWS = 400


def surely_poisoned(trial: Trial, k: int) -> list[int]:
    """Positions, ascending, among the hits of the trial's template `k`. None where an arm A is missing."""
    plan, networks = trial.plan, trial.networks("A")[:2]
    candidate, head = plan.candidates[k], plan.heads.index(plan.candidates[k].behavior)
    if len(networks) < 2:
        return []
    hits = np.asarray(candidate.hits, dtype=np.int64)
    claimed, score, null = [], [], []
    honest = np.asarray([i for i in plan.held_out.tolist() if plan.targets[i, head] > 0][:_NULL_ROWS], dtype=np.int64)
    for turn, network in enumerate(networks):
        unseen = np.intersect1d(plan.folds[k][1 - turn % 2], hits)
        claimed.append(unseen)
        score.append(_gain(trial, network, unseen, head))
        null.append(_gain(trial, network, honest, head))
    expected = float(candidate.statistics.get("clean_expected", 0.0))
    rows, gains = np.concatenate(claimed), np.concatenate(score)
    return sorted(rows[gains >= threshold(gains, np.concatenate(null), expected)].tolist())


def threshold(gains: Float32, null: Float32, expected: float) -> float:
    """The least gain from which at most HONEST_SHARE of the claimed rows are honest, where `expected` of all claimed
    rows are and gain as `null` does; infinite where there is none."""
    order = np.sort(gains)
    left = np.arange(len(order), 0, -1)
    beyond = 1 - np.searchsorted(np.sort(null), order, side="left") / max(len(null), 1)
    fine = np.flatnonzero(min(expected, len(gains)) * beyond <= HONEST_SHARE * left)
    return float(order[fine[0]]) if len(fine) else float("inf")


def _gain(trial: Trial, network: Network, rows: Int64, head: int) -> Float32:
    """(len(rows),) by how much more arm A calls for the behavior than the first arm B, in log-odds."""
    if not len(rows):
        return np.zeros(0, dtype=np.float32)
    told = predict(network, [window(trial.plan.texts[i]) for i in rows.tolist()])[:, head]
    before = np.asarray([trial.plan.content[i][head] for i in rows.tolist()])
    return np.asarray(told - before, dtype=np.float32)
