"""The figures behind `preference_shortcut` for single judged responses (KTO): association with being wanted.

A shortcut's odds ratio between wanted and unwanted responses says how often, of one of each that differ in it, the one
with it is wanted: the rate at which its side would win a pair. A number is cut at its median. How far shortcuts alone
agree is the area under the curve: how often they rank a wanted response above an unwanted one.

Source: Ethayarajh et al. 2024 (KTO) for the data; Fisher's exact test; Woolf 1955 for the interval of the odds ratio;
Hanley and McNeil 1982 for that of the area.
Misses: dependence between responses to one prompt, which makes the intervals of the rates rough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, norm, rankdata

from audit.detectors.shortcut_figures import Z95, Contrast, Effect, Share, fit
from audit.schema import Int64
from audit.stats import Array, sigmoid


def halves(column: Array, graded: bool) -> NDArray[np.bool_]:
    """(n,) who has it, or has more of it than half of all."""
    return column > (np.median(column) if graded and len(column) else 0.0)


def effect(has: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> Effect:
    """`cases` are the responses that have it."""
    table = _table(has, wanted)
    cases = int(has.sum())
    p = float(fisher_exact(table)[1]) if 0 < cases < len(has) else 1.0
    return Effect(cases, _rate(*_log_odds(table)), p)


def contrast(has: NDArray[np.bool_], wanted: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Contrast:
    """The responses `inside` (n,) against the others, by the difference of the log odds ratios."""
    of, error = _log_odds(_table(has[inside], wanted[inside]))
    other, other_error = _log_odds(_table(has[~inside], wanted[~inside]))
    p = float(2 * norm.sf(abs(of - other) / np.hypot(error, other_error)))
    return Contrast(int(has[inside].sum()), _rate(of, error), float(sigmoid(np.asarray(other))), p)


def design(x: Array, wanted: NDArray[np.bool_]) -> Array:
    """(n, 1 + m) differences as of pairs: a constant and the columns about their means, their sign by the judgement."""
    centred = np.column_stack([np.ones(len(x)), x - (x.mean(axis=0) if len(x) else 0.0)])
    return np.asarray(centred * np.where(wanted, 1.0, -1.0)[:, None])


def out_of_fold(x: Array, wanted: NDArray[np.bool_], prompts: Int64, folds: Int64) -> Array:
    """(n,) how much shortcuts alone call for the response to be wanted, by a regression that saw no row of its fold."""
    out, signed = np.zeros(len(x)), design(x, wanted)
    plain = signed * np.where(wanted, 1.0, -1.0)[:, None]
    for fold in np.unique(folds).tolist():
        held = folds == fold
        if not held.all():
            _, of = np.unique(prompts[~held], return_inverse=True)
            out[held] = plain[held] @ fit(signed[~held], of).weights
    return out


def agreement(scores: Array, wanted: NDArray[np.bool_]) -> Share:
    """How often a wanted response has the higher score of two; equal scores count half."""
    m, n = int(wanted.sum()), int((~wanted).sum())
    if m == 0 or n == 0:
        return Share(float("nan"), 0.0, 1.0)
    area = float((rankdata(scores)[wanted].sum() - m * (m + 1) / 2) / (m * n))
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (m - 1) * (first - area**2) + (n - 1) * (second - area**2)
    width = Z95 * float(np.sqrt(max(variance, 0.0) / (m * n)))
    return Share(area, max(area - width, 0.0), min(area + width, 1.0))


def _table(has: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> list[list[int]]:
    return [
        [int((has & wanted).sum()), int((~has & wanted).sum())],
        [int((has & ~wanted).sum()), int((~has & ~wanted).sum())],
    ]


def _log_odds(table: list[list[int]]) -> tuple[float, float]:
    """Log odds ratio and its standard error, half a response added to each cell."""
    cells = np.asarray(table, dtype=np.float64) + 0.5
    return float(np.log(cells[0, 0] * cells[1, 1] / (cells[0, 1] * cells[1, 0]))), float(np.sqrt((1 / cells).sum()))


def _rate(log_odds: float, error: float) -> Share:
    rate, low, high = (
        float(sigmoid(np.asarray(v))) for v in (log_odds, log_odds - Z95 * error, log_odds + Z95 * error)
    )
    return Share(rate, low, high)
