"""Exact comparisons within strata: does one annotator hit more often than the others on items equally hard?

Within a stratum the items are alike in how certain the rest is of them, so whose decision is contradicted is a draw
without replacement: hypergeometric. Over the strata the weighted counts add up, and the tail of their sum is worked
out by convolution, not approximated. Contradictions weigh by the log-odds against them, which is the likelihood ratio
of an annotator who turns decisions around at random: one where the rest is sure says more than ten where it is not.

Source: Mantel and Haenszel 1959; Hirji 2006, "Exact Analysis of Discrete Data", chapter 6 (stratified tables).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.special import gammaln
from scipy.stats import norm

from audit.schema import Int32, Int64

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_STRATA, STRATUM_SIZE = 20, 50
_WEIGHTS = 12  # contradictions are weighted by whole numbers up to this, so that their sum has few values
_GRID = np.linspace(0.0, 1.0, 501)
_SUPPORTED = 1.9207  # log-likelihood lost at the ends of a 95% interval, chi-square with one degree of freedom
_FFT_FROM = 4_096


@dataclass(frozen=True, slots=True)
class Tally:
    """Decisions by annotator and stratum."""

    rows: Int64  # (A, S)
    against: Int64  # (A, S) of them contradicted

    def others(self, a: int) -> Array:
        """(S,) share of contradicted decisions of everybody else; half a decision is added to each side."""
        rows, against = self.rows.sum(axis=0) - self.rows[a], self.against.sum(axis=0) - self.against[a]
        return np.asarray((against + 0.5) / (rows + 1))

    def without(self, left_out: Collection[int]) -> Tally:
        """The same, with the decisions of these annotators taken away."""
        kept = np.ones((len(self.rows), 1), dtype=np.int64)
        kept[list(left_out)] = 0
        return Tally(self.rows * kept, self.against * kept)


@dataclass(frozen=True, slots=True)
class Reliability:
    """The one coin of an annotator: the probability that a decision is made as the others make theirs on items as
    hard; else it is another one."""

    best: float
    low: float  # 95% interval by the profile of the likelihood
    high: float


def strata(certainty: Array, most: int = MOST_STRATA) -> Int32:
    """(m,) stratum of each decision by equal parts of the certainty, equal values together; at most `most`, of about
    STRATUM_SIZE or more."""
    count = int(np.clip(len(certainty) // STRATUM_SIZE, 1, most))
    edges = np.quantile(certainty, np.linspace(0, 1, count + 1)[1:-1]) if len(certainty) else np.zeros(0)
    return np.searchsorted(edges, certainty, side="right").astype(np.int32)


def tally(annotator: Int32, stratum: Int32, against: Bools, people: int) -> Tally:
    """Counts decisions by annotator and stratum."""
    width = int(stratum.max(initial=0)) + 1
    cell = annotator.astype(np.int64) * width + stratum
    rows = np.bincount(cell, minlength=people * width).reshape(people, width)
    hits = np.bincount(cell[against], minlength=people * width).reshape(people, width)
    return Tally(rows, hits)


def weights(counted: Tally) -> Int64:
    """(S,) whole numbers, 0 to 12: the log-odds that a decision of the stratum is not contradicted, scaled; 0 where
    half of them or more are."""
    share = (counted.against.sum(axis=0) + 0.5) / (counted.rows.sum(axis=0) + 1)
    odds = np.maximum(np.log((1 - share) / share), 0.0)
    return np.asarray(np.round(_WEIGHTS * odds / max(float(odds.max(initial=0.0)), 1e-9)), dtype=np.int64)


def contradiction_tail(counted: Tally, a: int, weight: Int64) -> float:
    """P of a weighted sum of contradicted decisions as large as annotator a's, were the contradicted decisions of
    each stratum dealt out among all annotators at random; exact to about 1e-14."""
    total, marked = counted.rows.sum(axis=0), counted.against.sum(axis=0)
    parts = [
        (overlap(int(total[s]), int(marked[s]), int(counted.rows[a, s])), int(weight[s]))
        for s in np.flatnonzero((counted.rows[a] > 0) & (weight > 0))
    ]
    return tail(parts, int((weight * counted.against[a]).sum()))


def overlap(total: int, marked: int, drawn: int, log_odds: float = 0.0) -> tuple[int, Array]:
    """Least value and probabilities of how many of `marked` among `total` are among `drawn` drawn without replacement;
    with log-odds other than 0, Fisher's noncentral hypergeometric distribution."""
    least, most = max(0, drawn - (total - marked)), min(marked, drawn)
    k = np.arange(least, most + 1, dtype=np.float64)
    log_mass = -(gammaln(k + 1) + gammaln(marked - k + 1) + gammaln(drawn - k + 1)) + log_odds * k
    log_mass -= gammaln(total - marked - drawn + k + 1)
    mass = np.exp(log_mass - log_mass.max())
    return least, mass / mass.sum()


def tail(parts: list[tuple[tuple[int, Array], int]], observed: int) -> float:
    """P(sum of weight times count >= observed) for independent counts, each as (least value, probabilities) with its
    whole, positive weight."""
    least, mass = 0, np.ones(1)
    for (start, probability), weight in parts:
        spaced = np.zeros((len(probability) - 1) * weight + 1)
        spaced[::weight] = probability
        small = len(mass) < _FFT_FROM or len(spaced) < 64
        mass = np.convolve(mass, spaced) if small else np.maximum(signal.fftconvolve(mass, spaced), 0.0)
        least += start * weight
    return float(np.clip(mass[max(observed - least, 0) :].sum(), 0.0, 1.0)) if observed > least else 1.0


def reliability(rows: Int64, against: Int64, others: Array, answers: int, spread: float) -> Reliability:
    """Of (S,) decisions by stratum, those contradicted, and the others' share: a decision is contradicted with
    probability r q + (1 - r)(1 - q / (answers - 1)). The likelihood is taken at 1 / `spread` of its weight."""
    q = np.clip(others, 1e-4, (answers - 1) / answers)[:, None]
    chance = np.clip(_GRID * q + (1 - _GRID) * (1 - q / (answers - 1)), 1e-9, 1 - 1e-9)
    fit = (against[:, None] * np.log(chance) + (rows - against)[:, None] * np.log1p(-chance)).sum(axis=0) / spread
    best = len(_GRID) - 1 - int(fit[::-1].argmax())  # of equals the most reliable
    inside = np.flatnonzero(fit >= fit[best] - _SUPPORTED)
    return Reliability(float(_GRID[best]), float(_GRID[inside[0]]), float(_GRID[inside[-1]]))


def design_effects(annotator: Int32, cluster: Int32, residual: Array, people: int) -> Array:
    """(people,) by what the variance of each annotator's sum of residuals grows because decisions of one cluster go
    together, at least 1. Residuals are taken about the annotator's mean, so that a rate is no clustering."""
    rows = np.maximum(np.bincount(annotator, minlength=people), 1)
    centred = residual - (np.bincount(annotator, weights=residual, minlength=people) / rows)[annotator]
    _, group = np.unique(annotator.astype(np.int64) * (int(cluster.max(initial=0)) + 1) + cluster, return_inverse=True)
    owner = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.int64)
    owner[group] = annotator
    together = np.bincount(owner, weights=np.bincount(group, weights=centred) ** 2, minlength=people)
    alone = np.bincount(annotator, weights=centred**2, minlength=people)
    return np.asarray(np.maximum(together / np.maximum(alone, 1e-12), 1.0))


def widened(p: float, spread: float) -> float:
    """A one-sided p-value with the variance of its statistic `spread` times as large."""
    return p if spread <= 1.0 or p >= 0.5 else float(norm.sf(norm.isf(max(p, 1e-300)) / np.sqrt(spread)))
