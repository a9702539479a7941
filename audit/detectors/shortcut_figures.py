"""The figures behind `preference_shortcut`: how often a side with a shortcut wins, with the others held equal, by
source and annotator, and how far shortcuts alone agree with the pairs.

Pairs of one prompt are no independent witnesses. So the sign test counts prompts, each by the majority of its pairs;
intervals of shares are Wilson's at the number of pairs over the design effect; those of the regression are from the
observed information between scores summed up by prompt (the sandwich).

Source: Wilson 1927; Kish 1965 for design effects; Bradley and Terry 1952 for the regression of a choice on differences;
Liang and Zeger 1986 for errors by cluster.
Misses: dependence between prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, fisher_exact

from audit.schema import Int64
from audit.stats import Array, sigmoid, wilson_interval

Z95 = 1.959964
_RIDGE = 1.0  # of standardised columns: keeps a shortcut that never loses finite
_STEPS = 30
_DONE = 1e-8


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95% interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """How often the side with a shortcut wins, and the p of even chances."""

    cases: int  # pairs (responses) that tell anything of it
    share: Share
    p: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """The same in one stratum, against all others."""

    cases: int
    share: Share
    others: float
    p: float  # that both are equal


def effect(signs: NDArray[np.integer], prompts: Int64) -> Effect:
    """`signs` (n,) is 1 where the side with it wins, -1 where it loses and 0 where the pair does not tell; `prompts`
    (n,) numbers the prompts from 0."""
    balance, told, wins = _by_prompt(signs, prompts)
    first, second = int((balance > 0).sum()), int((balance < 0).sum())
    p = min(1.0, 2.0 * float(binom.sf(max(first, second) - 1, first + second, 0.5)))
    return Effect(int(told.sum()), _share(wins, told), p)


def contrast(signs: NDArray[np.integer], prompts: Int64, inside: NDArray[np.bool_]) -> Contrast:
    """The pairs `inside` (n,) against the others; Fisher's exact test over prompts by their majority."""
    of, told, wins = _by_prompt(np.where(inside, signs, 0), prompts)
    other, other_told, other_wins = _by_prompt(np.where(inside, 0, signs), prompts)
    table = [[int((part > 0).sum()), int((part < 0).sum())] for part in (of, other)]
    others = float(other_wins.sum() / max(other_told.sum(), 1))
    return Contrast(int(told.sum()), _share(wins, told), others, float(fisher_exact(table)[1]))


def agreement(scores: Array, prompts: Int64) -> Share:
    """How often a score above 0 agrees with the choice; a score of exactly 0 agrees half."""
    credit = (np.sign(scores) + 1.0) / 2.0
    size = int(prompts.max()) + 1 if len(prompts) else 0
    told = np.bincount(prompts, minlength=size).astype(np.float64)
    return _share(np.bincount(prompts, weights=credit, minlength=size).astype(np.float64), told)


def _by_prompt(signs: NDArray[np.integer], prompts: Int64) -> tuple[Array, Array, Array]:
    """Of each prompt: wins less losses, pairs that tell, wins."""
    size = int(prompts.max()) + 1 if len(prompts) else 0
    balance = np.bincount(prompts, weights=signs, minlength=size).astype(np.float64)
    told = np.bincount(prompts, weights=np.abs(signs), minlength=size).astype(np.float64)
    return balance, told, (told + balance) / 2


def _share(wins: Array, told: Array) -> Share:
    """Wilson's interval at the pairs over the design effect, which is 1 at the least and the size of whole prompts at
    the most."""
    total = float(told.sum())
    if total == 0:
        return Share(float("nan"), 0.0, 1.0)
    rate = float(wins.sum() / total)
    most = float((told**2).sum() / total)
    own, even = float(((wins - rate * told) ** 2).sum()), total * rate * (1 - rate)
    design = most if even == 0 else min(max(own / even, 1.0), max(most, 1.0))
    low, high = wilson_interval(rate * total / design, total / design)
    return Share(rate, low, high)


@dataclass(frozen=True, slots=True)
class Fit:
    """A logistic regression without intercept on standardised columns."""

    weights: Array  # (m,) of the columns as they are
    errors: Array  # (m,) their standard errors

    def share(self, column: int, step: float) -> Share:
        """How often the side wins that is `step` ahead in one column and equal in the others."""
        middle, width = self.weights[column] * step, Z95 * self.errors[column] * abs(step)
        rate, low, high = (float(sigmoid(np.asarray(v))) for v in (middle, middle - width, middle + width))
        return Share(rate, low, high)


def fit(x: Array, prompts: Int64) -> Fit:
    """The regression of "this side wins" on (n, m) differences of winner and loser, by Newton's method; errors by
    prompt. A column without any difference has weight 0 and an endless error."""
    scale = np.sqrt(np.mean(x**2, axis=0)) if len(x) else np.zeros(x.shape[1])
    moves = scale > 0
    if not moves.any():
        return Fit(np.zeros(x.shape[1]), np.full(x.shape[1], np.inf))
    z = x[:, moves] / scale[moves]
    weights = np.zeros(z.shape[1])
    penalty = _RIDGE * np.eye(z.shape[1])
    information = penalty
    for _ in range(_STEPS):
        wrong = sigmoid(-(z @ weights))
        information = (z * (wrong * (1 - wrong))[:, None]).T @ z + penalty
        step = np.linalg.solve(information, z.T @ wrong - penalty @ weights)
        weights = weights + step
        if float(np.abs(step).max(initial=0.0)) < _DONE:
            break
    scores = z * sigmoid(-(z @ weights))[:, None]
    size = int(prompts.max()) + 1 if len(prompts) else 0
    sums = np.stack([np.bincount(prompts, weights=column, minlength=size) for column in scores.T], axis=1)
    bread = np.linalg.inv(information)
    spread = np.sqrt(np.maximum(np.diag(bread @ (sums.T @ sums) @ bread), 0.0))
    full, errors = np.zeros(x.shape[1]), np.full(x.shape[1], np.inf)
    full[moves], errors[moves] = weights / scale[moves], spread / scale[moves]
    return Fit(full, errors)


def out_of_fold(x: Array, prompts: Int64, folds: Int64) -> Array:
    """(n,) score of each row by a regression that saw no row of its fold: above 0 where it agrees with the choice."""
    out = np.zeros(len(x))
    for fold in np.unique(folds).tolist():
        held = folds == fold
        if held.all():
            continue
        _, of = np.unique(prompts[~held], return_inverse=True)
        out[held] = x[held] @ fit(x[~held], of).weights
    return out
