"""How many preference pairs are the wrong way round, and how likely each one is: a noise rate beside the margin.

A pair whose given order is right with odds `exp(a z)`, z its out-of-fold margin, is turned around with probability e:
`P(given) = (1 - e) s(a z) + e s(-a z)`. Where margins are sure, honest pairs hardly contradict them, so what still does
is e. Each annotator has a rate of their own, drawn towards the rate of all, and so has everything without an annotator.
Fitted by maximum likelihood; the interval of the rate is a bootstrap over pairs.

Source: Dawid and Skene 1979 (error rates of observers); Northcutt, Jiang and Chuang 2021, confident
learning: the rate of contradictions among confident examples as an estimate of noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from audit.stats import sigmoid

_PRIOR_ROWS = 20.0  # rows' worth of the common rate that each annotator's rate begins with
_LEAST_RATE, _MOST_RATE = 0.001, 0.95  # where no pair seems turned around, they are still ranked
_HALVINGS = 20
_REACH = 1.5  # how far the logarithm of the slope is looked for: margins are log-odds already, but for the noise
_RESAMPLES, _RESAMPLED_ROWS = 40, 20_000
_MOST_SURE = 30.0  # log-odds

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FlipRate:
    """What is estimated of the pairs."""

    rate: float  # share of the pairs that are the wrong way round
    low: float  # 95% interval
    high: float
    by_annotator: dict[str | None, float]
    flipped: Array  # (n,) probability that a pair is the wrong way round, given its margin and its annotator


def estimate(margin: NDArray[np.floating], annotators: Sequence[str | None], seed: int = 0) -> FlipRate:
    """From (n,) out-of-fold margins, positive where the chosen side is preferred, and who decided each pair."""
    z = np.asarray(margin, dtype=np.float64)
    names: list[str | None] = sorted(set(annotators), key=lambda name: (name is not None, name or ""))
    place = {name: k for k, name in enumerate(names)}
    who = np.asarray([place[name] for name in annotators], dtype=np.int64)
    if not len(z):
        return FlipRate(0.0, 0.0, 0.0, {}, np.zeros(0))
    best, rates, flipped = _fit(z, who, len(names))
    # By content, so that the order of the rows draws no other sample.
    order = np.lexsort((who, z))
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(_RESAMPLES):
        again = order[rng.integers(0, len(z), min(len(z), _RESAMPLED_ROWS))]
        drawn.append(float(_fit(z[again], who[again], len(names), best)[1][who[again]].mean()))
    low, high = np.quantile(drawn, [0.025, 0.975])
    rate = float(rates[who].mean())
    by_annotator = {name: float(rates[k]) for k, name in enumerate(names)}
    return FlipRate(rate, min(float(low), rate), max(float(high), rate), by_annotator, flipped)


def _fit(z: Array, who: NDArray[np.int64], groups: int, at: float = 0.0) -> tuple[float, Array, Array]:
    """The slope's logarithm, each group's rate (groups,) and each pair's probability of being turned around (n,).
    `at`: where the slope of the same pairs, drawn otherwise, was found."""

    def right(log_slope: float) -> Array:
        return sigmoid(np.clip(np.exp(log_slope) * z, -_MOST_SURE, _MOST_SURE))

    def loss(log_slope: float) -> float:
        q = right(log_slope)
        one = _rates(q, np.zeros(len(q), dtype=np.int64), 1, 0.0)[0]
        return -float(np.log(q + one * (1 - 2 * q)).sum())

    bounds = (at - _REACH, at + _REACH)
    best = float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.02}).x)
    q = right(best)
    common = float(_rates(q, np.zeros(len(q), dtype=np.int64), 1, 0.0)[0])
    rates = _rates(q, who, groups, common) if groups > 1 else np.full(groups, common)
    least = np.maximum(rates, _LEAST_RATE)[who]
    wrong = least * (1 - q)
    return best, rates, wrong / (wrong + (1 - least) * q)


def _rates(q: Array, who: NDArray[np.int64], groups: int, common: float) -> Array:
    """(groups,) the rates of largest likelihood, given the probability that each order is right: the logarithm of
    `q + e (1 - 2 q)` is concave in e, so its derivative is halved down. With `common`, drawn towards it."""
    low, high = np.zeros(groups), np.full(groups, _MOST_RATE)
    gain, prior = 1 - 2 * q, _PRIOR_ROWS if common > 0 else 0.0
    for _ in range(_HALVINGS):
        rate = (low + high) / 2
        slope = np.bincount(who, gain / (q + rate[who] * gain), groups)
        slope += prior * (common / np.maximum(rate, 1e-9) - (1 - common) / np.maximum(1 - rate, 1e-9))
        low, high = np.where(slope > 0, rate, low), np.where(slope > 0, high, rate)
    return np.asarray(low)
