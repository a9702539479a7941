"""How likely each given label is wrong: views combined, a rate of wrong labels fitted beside them, and where wrong
labels go.

1. The views' log-scores are added with one weight a view and one offset a label, fitted to the given labels by maximum
   likelihood. A share of the labels is taken to be drawn at random, and that share is fitted too: without it, a few
   confident contradictions would drag the weights down.
2. When most of a label's wrong rows carry the same other label, as where two are mixed up, doubt moves to that pair.
   Only rows whose label is likelier wrong than the model count, so that two labels which the model itself confuses do
   not pass for a pair; and the fit must be better with pairs than without by the Bayesian information criterion.
3. Where wrong labels crowd in a part of the embedding space, rows there are doubted more.

Source: Natarajan et al. 2013, "Learning with Noisy Labels", and Patrini et al. 2017, "Making Deep Neural Networks
Robust to Label Noise", section 3.2 (forward correction, here with an even share); Wolpert 1992, "Stacked
Generalization". Steps 2 and 3 are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from audit.detectors.label_views import BLOCK_ROWS, out_of_fold_ridge
from audit.schema import Float32, Int64
from audit.stats import sigmoid, spread

Array = NDArray[np.float64]

_FIT_ROWS = 50_000  # some ten parameters need no more
_LEAST_RATE = 1e-3
_SUPPOSED_RATES = (0.05, 0.2)  # where wrong labels would go if there were so many
_PAIR_PARAMETERS = 4  # of a pair, as the Bayesian information criterion counts: source, target, rate, concentration
_REFITS = 3
_ROUNDS = 3  # the wrong rows' own labels decide the pairs, and the pairs the wrong rows
_REGION_WRONG = 5.0  # wrong rows in a region that count as much as the overall rate; 15 gains half as much on topics
_REGION_BOUND = 4.0  # a region's rate is at most so many times the overall rate, or its inverse


@dataclass(frozen=True, slots=True)
class Posterior:
    """What the views together say of each label."""

    probability: Array  # (n, C) of the right label, rows sum to 1, before the given label is looked at
    wrong: Array  # (n,) log-odds that the given label is wrong
    suggested: Int64  # (n,) the likeliest other label
    rate: float  # share of wrong labels, 0 to 1, as fitted


@dataclass(frozen=True, slots=True)
class Fit:
    """Views combined."""

    probability: Array  # (n, C) of the right label
    rate: float  # share of wrong labels
    loss: float  # negative log-likelihood of the given labels


def label_posterior(views: Array, codes: Int64, vectors: Float32, folds: NDArray[np.int32]) -> Posterior:
    """From (V, n, C) views of `label_views`, the given labels, (n,), the embedding, (n, d), and the folds, (n,)."""
    count, classes = views.shape[1:]
    even = np.full((classes, classes), 1 / classes)
    plain = combine(views, codes, even)
    best, bound = (plain, even), plain.loss - _PAIR_PARAMETERS / 2 * np.log(count)
    for found in supposed_pairs(plain.probability, codes):
        for _ in range(_REFITS):
            if np.allclose(found, even):
                break
            fit = combine(views, codes, found)
            if fit.loss < bound:
                best, bound = (fit, found), fit.loss
            found = pairs(fit.probability, codes, max(fit.rate, _LEAST_RATE))
    fit, drawn = best
    moves = transitions(drawn, max(fit.rate, _LEAST_RATE), fit.probability.mean(axis=0))
    wrong, suggested = log_odds(fit.probability, codes, moves)
    return Posterior(fit.probability, wrong + region_shift(sigmoid(wrong), vectors, folds), suggested, fit.rate)


def combine(views: Array, codes: Int64, drawn: Array) -> Fit:
    """The views' weights and the share of wrong labels by maximum likelihood. A share of the labels is replaced by one
    drawn from the row of `drawn`, (C, C), of the right label. Law: the order of the rows does not matter."""
    size, count, classes = views.shape
    rows = spread(count, _FIT_ROWS)
    seen, labels, own = views[:, rows], codes[rows], np.eye(classes)[codes[rows]]
    into = drawn[:, labels].T  # (m, C) how likely each right label is replaced by the given one
    at = np.arange(rows.size)

    def loss(point: Array) -> tuple[float, Array]:
        """Negative log-likelihood and its gradient."""
        share, offsets = 0.5 * sigmoid(point[-1:])[0], point[size:-1]
        p = _softmax(np.tensordot(point[:size], seen, 1) + offsets)
        mine, replaced = p[at, labels], (p * into).sum(axis=1)
        likelihood = np.maximum((1 - share) * mine + share * replaced, 1e-300)
        slope = (1 - share) * mine[:, None] * (p - own) + share * p * (replaced[:, None] - into)
        slope /= likelihood[:, None]
        by_share = ((mine - replaced) / likelihood).sum() * share * (1 - 2 * share)
        gradient = [np.tensordot(seen, slope, ([1, 2], [0, 1])), slope.sum(axis=0) + offsets, [by_share]]
        return float(-np.log(likelihood).sum() + 0.5 * offsets @ offsets), np.concatenate(gradient)

    start = np.concatenate([np.full(size, 0.3), np.zeros(classes), [np.log(0.06 / 0.94)]])
    bounds = [(0.0, 20.0)] * size + [(-20.0, 20.0)] * classes + [(-12.0, 9.0)]
    options = {"maxiter": 300, "ftol": 1e-12, "gtol": 1e-5}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    point = found.x
    share = 0.5 * sigmoid(point[-1:])[0]
    probability = _softmax(np.tensordot(point[:size], views, 1) + point[size:-1])
    return Fit(probability, float(share * (probability @ (1 - np.diag(drawn))).mean()), float(found.fun))


def pairs(probability: Array, codes: Int64, rate: float) -> Array:
    """(C, C) probability that a wrong label is drawn as each label (column) by its right label (row): evenly from all,
    but for labels most of whose wrong rows carry one other label; and when most wrong rows of the whole set are of one
    such pair, the other labels stay as they are. Law: rows sum to 1."""
    classes = probability.shape[1]
    even, own = np.full((classes, classes), 1 / classes), np.eye(classes)
    drawn = even
    for _ in range(_ROUNDS):
        counts = doubted_pairs(probability, codes, drawn, rate)
        into = majority(counts.max(axis=1), counts.sum(axis=1))[:, None]
        drawn = (1 - into) * even + into * own[counts.argmax(axis=1)]
        alone = majority(counts.max(), counts.sum()) * (np.arange(classes) != counts.max(axis=1).argmax())[:, None]
        drawn = (1 - alone) * drawn + alone * own
    return drawn


def supposed_pairs(probability: Array, codes: Int64) -> list[Array]:
    """What `drawn` may be, (C, C) each: by the rows that would be doubted at a moderate rate of wrong labels, and the
    first pair alone of those that would be doubted at a high one. A model that has learned a pair gives its rows some
    right, and then no rate shows at first."""
    own = np.eye(probability.shape[1])
    counts = doubted_pairs(probability, codes, np.full(own.shape, 1 / len(own)), _SUPPOSED_RATES[1])
    source, target = np.unravel_index(int(counts.argmax()), counts.shape)
    alone = own.copy()
    alone[source] = own[target]
    return [pairs(probability, codes, _SUPPOSED_RATES[0]), alone]


def doubted_pairs(probability: Array, codes: Int64, drawn: Array, rate: float) -> Array:
    """(C, C) how many rows of each predicted label (row) carry each other label (column) and are likelier wrong than
    the model."""
    best = probability.argmax(axis=1)
    moves = transitions(drawn, rate, probability.mean(axis=0))
    doubted = (log_odds(probability, codes, moves)[0] > 0) & (best != codes)
    counts = np.zeros(moves.shape)
    np.add.at(counts, (best[doubted], codes[doubted]), 1)
    return counts


def majority(most: Array | float, total: Array | float) -> Array:
    """How far `most` of `total` rows are above one half, 0 to 1, with one more row against them, so that a single row
    is no majority."""
    return np.asarray(np.clip(2 * np.asarray(most) / (np.asarray(total) + 1) - 1, 0, 1))


def transitions(drawn: Array, rate: float, shares: Array) -> Array:
    """(C, C) probability that a label (row) is written as another (column) when `rate` of all rows are wrong and
    `shares` of them, (C,), have each right label; at most half of a label's rows are wrong."""
    away = drawn * (1 - np.eye(len(drawn)))
    away *= rate / max(float(shares @ away.sum(axis=1)), 1e-12)
    away *= np.minimum(1, 0.5 / np.maximum(away.sum(axis=1, keepdims=True), 1e-12))
    return np.asarray(away + np.diag(1 - away.sum(axis=1)))


def log_odds(probability: Array, codes: Int64, moves: Array) -> tuple[Array, Int64]:
    """(n,) log-odds that the given label is wrong, and (n,) the likeliest other label."""
    at = np.arange(codes.size)
    joint = probability * moves[:, codes].T
    own = joint[at, codes].copy()
    joint[at, codes] = -1.0
    suggested = joint.argmax(axis=1)
    joint[at, codes] = 0.0
    return np.log(np.clip(joint.sum(axis=1), 1e-12, None)) - np.log(np.clip(own, 1e-12, None)), suggested


def region_shift(wrong: Array, vectors: Float32, folds: NDArray[np.int32]) -> Array:
    """(n,) log-odds to add: the rate of wrong labels around a row, predicted without its fold from the embedding,
    against the overall rate; zeros where the prediction is no better than that rate."""
    mean = float(np.clip(wrong.mean(), 1e-6, 0.5))
    rows = vectors.astype(np.float64)
    design = np.column_stack([rows, np.ones(len(rows))])

    def features(start: int) -> Array:
        return np.asarray(design[start : start + BLOCK_ROWS])

    local = out_of_fold_ridge(features, wrong[:, None], folds, _REGION_WRONG / mean)[:, 0]
    local = np.clip(local, mean / _REGION_BOUND, min(mean * _REGION_BOUND, 0.9))
    if _cross_entropy(wrong, local) >= _cross_entropy(wrong, np.full_like(wrong, mean)):
        return np.zeros_like(wrong)
    return np.asarray(np.log(local / (1 - local)) - np.log(mean / (1 - mean)))


def _cross_entropy(target: Array, predicted: Array) -> float:
    return float(-(target * np.log(predicted) + (1 - target) * np.log(1 - predicted)).mean())


def _softmax(logits: Array) -> Array:
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))
