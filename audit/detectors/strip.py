"""Examples whose prediction stays as it is however their text is blended with other rows' words.

Why it works: words of other rows dilute what an honest example says, and the probe grows unsure; a trigger that
stands among them still decides. Each example is blended with eight random rows that hold no part of a suspect, and
the score is the mean entropy of its own eight predictions, never across examples, turned into the log-odds that have
this entropy (entropies crowd at both ends, log-odds do not). It is held against the examples for which the probe
predicts the same behavior and which carry no suspect. A low entropy counts from where a clean class of this size
would hold such a row in one of a hundred sets, by a normal with robust scale and by an exponential tail, whichever is
farther out.

Source: Gao et al. 2019, "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks", section IV (entropy of the
perturbed input); Coles 2001, "An Introduction to Statistical Modeling of Extreme Values", chapter 4, for the tail.

Misses: triggers that the probe did not learn; triggers that do not survive the blending, such as templates, styles
and positions; a class in which more than a twentieth of the rows are poisoned and known as no suspect's, for they
make the tail that they are held against. Rows that say the same thing in every word are honest and as sure. A rank
among rows, and no reason to remove.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.detectors.tails import MIN_ROWS, excess
from audit.registry import detector
from audit.schema import Detection, Float32, Severity, Skipped, signals_frame
from audit.watched import Perturbed

_LARGEST = 30.0  # log-odds; float32 probabilities reach no further


@detector(code="TV-STRIP", title="Predictions that blending does not move", severity=Severity.LOW)
def strip(examples: pl.DataFrame, perturbed: Perturbed, *, family_wise: float = 0.01) -> Detection | Skipped:
    """Scores the examples that were perturbed and for which the probe predicts a behavior, in units of the bound; the
    others abstain. `family_wise` is the probability that a clean class flags a row."""
    rows = examples["row"].to_numpy()
    scores = np.full(len(rows), np.nan)
    evidence: list[str | None] = [None] * len(rows)
    entropy = example_entropy(perturbed.probability)  # (m, H)
    classes = 0
    for head, name in enumerate(perturbed.heads):
        chosen = np.flatnonzero(perturbed.plain[:, head] > 0.5)
        found = excess(sureness(entropy[chosen, head]), perturbed.carriers[chosen], family_wise)
        if found is None:
            continue
        classes += 1
        typical = float(np.median(entropy[chosen, head]))
        for i, value in zip(chosen.tolist(), found.tolist(), strict=True):
            at = int(perturbed.positions[i])
            if not value <= scores[at]:  # NaN: not scored yet
                scores[at] = value
                words = f"entropy {entropy[i, head]:.3f} under blending towards {name}, {typical:.3f} is typical"
                evidence[at] = words if value >= 1.0 else None
    if not classes:
        return Skipped(f"needs {MIN_ROWS} perturbed rows with one predicted behavior, not all equally sure")
    return Detection(signals_frame(rows, scores.astype(np.float32), evidence), (), 1.0)


def example_entropy(probability: Float32) -> NDArray[np.float64]:
    """(m, P, H) probabilities of each example's own P blends -> (m, H) mean binary entropy in nats, 0 to log 2."""
    p = np.clip(probability.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log(p) + (1 - p) * np.log1p(-p)).mean(axis=1))


def sureness(entropy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The positive log-odds whose binary entropy this is; falls as the entropy rises."""
    grid = np.linspace(0.0, _LARGEST, 20_001)
    p = 1.0 / (1.0 + np.exp(-grid))
    falling = np.log1p(np.exp(-grid)) + grid * (1 - p)  # the entropy of p, without cancellation
    return np.asarray(np.interp(-entropy, -falling, grid))
