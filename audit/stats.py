"""The few statistics that scipy does not hold in the shape we need. Pure functions on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

Array = NDArray[np.float64]


def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval for a share; (0, 1) for no trials.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1.1.
    """
    if trials <= 0:
        return 0.0, 1.0
    z = float(scipy_stats.norm.ppf(0.5 + confidence / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def wilson_lower(successes: Array, trials: Array, confidence: float = 0.95) -> Array:
    """Lower Wilson bound, elementwise; 0 where there are no trials."""
    z = float(scipy_stats.norm.ppf(0.5 + confidence / 2))
    n = np.maximum(np.asarray(trials, dtype=np.float64), 1e-9)
    share = np.asarray(successes, dtype=np.float64) / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(np.maximum(share * (1 - share) / n + z * z / (4 * n**2), 0)) / (1 + z * z / n)
    return np.maximum(centre - half, 0.0)


def binomial_tail_log10(hits: Array, trials: Array, rate: Array) -> Array:
    """log10 of P(X >= hits), X binomial(trials, rate), elementwise; the exact upper tail."""
    with np.errstate(divide="ignore"):
        return np.asarray(scipy_stats.binom.logsf(np.asarray(hits) - 1, trials, rate) / np.log(10))


def poisson_binomial_tail_log10(probabilities: Array, hits: int) -> float:
    """log10 of P(X >= hits) for a sum of independent Bernoulli trials with these probabilities, exact; -300 at
    the least. Beyond 4,000 trials the binomial at their mean stands in, which is never smaller (Hoeffding 1956).
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if hits <= 0:
        return 0.0
    if hits > len(p):
        return -300.0
    if len(p) > 4_000:
        return max(float(binomial_tail_log10(np.asarray(hits), np.asarray(len(p)), np.asarray(p.mean()))), -300.0)
    mass = np.zeros(len(p) + 1)
    mass[0] = 1.0
    for i, q in enumerate(p.tolist()):
        mass[1 : i + 2] = mass[1 : i + 2] * (1 - q) + mass[: i + 1] * q
        mass[0] *= 1 - q
    return float(np.log10(max(float(mass[hits:].sum()), 1e-300)))


def benjamini_hochberg(p_values: Array) -> Array:
    """q-values of Benjamini and Hochberg 1995, in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    if p.size == 0:
        return p
    return np.asarray(scipy_stats.false_discovery_control(np.clip(p, 0.0, 1.0)))


def spread(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` positions out of `count`, ascending and evenly spread from the first to the last."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def median_absolute_deviation(values: Array) -> float:
    """MAD scaled to a normal's standard deviation; 0 for an empty array."""
    if values.size == 0:
        return 0.0
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def sigmoid(x: NDArray[np.floating]) -> Array:
    """The logistic function without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(x, dtype=np.float64), -60, 60))))
