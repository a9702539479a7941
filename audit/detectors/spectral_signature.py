"""Examples that stand out along the direction in which the hidden states of their class vary most.

Why it works: rows that carry a pattern which the probe has learnt share a direction that the class's other rows have
not. For each behavior, the states of the rows that show it are centred, and the score is the size of the correlation
with the top right singular vector. What the probe's logits explain linearly is taken out before: within a class they
are how sure the probe is, which was the first singular vector of the word-piece probes that were measured
(correlation 1.00, 52 to 69% of the variance), and how sure it is of a row is no signature. A direction counts where
its variance exceeds that of every copy of the matrix with each column shuffled. A row counts where a clean class of
this size would hold such a row in one of a hundred sets: by a normal with robust scale and by an exponential tail,
whichever is farther out, both fitted to the rows that carry no suspect.

Source: Tran, Li and Madry 2018, "Spectral Signatures in Backdoor Attacks", algorithm 1 (centred; without its fixed
share of removals); Horn 1965, "A Rationale and Test for the Number of Factors in Factor Analysis" (shuffled columns).

Misses: most poison in text at low rates. On SST-2 with five rare tokens in 1% of the rows its ranking was no better
than chance (docs/benchmarks.md), as others found. A class in which more than a twentieth of the rows are poisoned and
known as no suspect's. A rank, and no reason to remove.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.detectors.tails import MIN_ROWS, excess
from audit.registry import detector
from audit.schema import Detection, Severity, Skipped, signals_frame
from audit.stats import spread
from audit.watched import HiddenStates

_SHUFFLES = 19
_TESTED_ROWS = 2_000
_SPREAD = 1e-6  # of the states' size: below, what is left of them is rounding


@detector(code="TV-SPEC", title="Spectral signatures", severity=Severity.LOW)
def spectral_signature(
    examples: pl.DataFrame, hidden_states: HiddenStates, *, family_wise: float = 0.01
) -> Detection | Skipped:
    """Scores the examples of each behavior that a suspect calls for, in units of the bound; the others abstain.
    `family_wise` is the probability that a clean class flags a row."""
    rows = examples["row"].to_numpy()
    scores = np.full(len(rows), np.nan)
    evidence: list[str | None] = [None] * len(rows)
    order = np.argsort(rows[hidden_states.positions], kind="stable")  # whatever order the examples come in
    classes = 0
    for head, name in enumerate(hidden_states.heads):
        chosen = order[hidden_states.shown[order, head]]
        if len(chosen) < MIN_ROWS:
            continue
        states = beyond_logits(hidden_states.vectors[chosen], hidden_states.logits[chosen])
        if states is None:
            continue
        found = excess(states @ top_direction(states), hidden_states.carriers[chosen], family_wise, sides=2)
        if found is None:
            continue
        classes += 1
        if not is_beyond_shuffles(states):
            found = np.minimum(found, 0.99)
        at = hidden_states.positions[chosen]
        scores[at] = np.fmax(scores[at], found)
        for i, value in zip(at.tolist(), found.tolist(), strict=True):
            if value >= 1.0:
                evidence[i] = f"{value:.1f} times as far out as the rows that show {name} should lie"
    if not classes:
        return Skipped(f"needs {MIN_ROWS} rows that show one behavior, with states that differ")
    return Detection(signals_frame(rows, scores.astype(np.float32), evidence), (), 1.0)


def beyond_logits(vectors: NDArray[np.float32], logits: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """(m, d) states, centred, without what is linear in the (m, H) logits; None where nothing is left."""
    states = np.asarray(vectors, dtype=np.float64)
    size = float(np.abs(states).max(initial=0.0))
    states = states - states.mean(axis=0)
    known = np.asarray(logits, dtype=np.float64) - logits.mean(axis=0, dtype=np.float64)
    states -= known @ np.linalg.lstsq(known, states, rcond=1e-6)[0]
    return states if float(np.abs(states).max(initial=0.0)) > _SPREAD * max(size, _SPREAD) else None


def top_direction(states: NDArray[np.float64]) -> NDArray[np.float64]:
    """(d,) the top right singular vector of centred states, by the covariance."""
    direction: NDArray[np.float64] = np.linalg.eigh(states.T @ states)[1][:, -1]
    return direction


def is_beyond_shuffles(states: NDArray[np.float64]) -> bool:
    """True when the largest variance of any direction exceeds that of each of 19 copies with shuffled columns."""
    some = states[spread(len(states), _TESTED_ROWS)]
    rng = np.random.default_rng(0)
    largest = max(_largest(rng.permuted(some, axis=0)) for _ in range(_SHUFFLES))
    return _largest(some) > largest


def _largest(states: NDArray[np.float64]) -> float:
    return float(np.linalg.eigvalsh(states.T @ states)[-1])
