"""The estimated rate of pairs the wrong way round: right where margins can tell, wide where they cannot, each
annotator's own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from audit.detectors.flip_rate import estimate
from audit.stats import sigmoid


def decided(rng: np.random.Generator, n: int, strength: float, flipped: np.ndarray) -> np.ndarray:
    """Margins of pairs whose order follows a reward of this spread, then turned around where `flipped`. Divided by two,
    as a margin that is no calibrated log-odds."""
    reward = rng.normal(0, strength, n)
    margin = np.where(rng.random(n) < sigmoid(reward), reward, -reward)
    return np.where(flipped, -margin, margin) / 2


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2])
def test_the_rate_lies_in_its_interval(rate):
    inside, widths = 0, []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        found = estimate(decided(rng, 3_000, 5.0, rng.random(3_000) < rate), [None] * 3_000, seed)
        inside += found.low <= rate <= found.high
        widths.append(found.high - found.low)
        assert found.rate == pytest.approx(rate, abs=0.03)
    assert inside >= 6 and max(widths) < 0.12


def test_weak_margins_give_a_wide_interval_and_keep_their_order():
    rng = np.random.default_rng(1)
    margin = decided(rng, 1_500, 0.8, np.zeros(1_500, dtype=bool))
    found = estimate(margin, [None] * 1_500)
    assert found.low < 0.02 and found.high - found.low > 0.05
    order = np.argsort(-found.flipped, kind="stable")
    assert (np.diff(margin[order]) >= -1e-9).all()


def test_an_annotator_who_flips_is_ranked_before_others():
    rng = np.random.default_rng(2)
    names = [f"w{i % 5}" for i in range(3_000)]
    flipped = (np.asarray(names) == "w3") & (rng.random(3_000) < 0.5)
    margin = decided(rng, 3_000, 4.0, flipped)
    found = estimate(margin, names)
    assert found.by_annotator["w3"] == pytest.approx(0.5, abs=0.08)
    assert all(rate < 0.03 for name, rate in found.by_annotator.items() if name != "w3")
    plain = average_precision_score(flipped, -margin)
    assert average_precision_score(flipped, found.flipped) > plain + 0.15
    # The probabilities are probabilities: of those above a half, that share is wrong.
    sure = found.flipped > 0.5
    assert flipped[sure].mean() == pytest.approx(found.flipped[sure].mean(), abs=0.08)


def test_names_and_order_do_not_matter():
    rng = np.random.default_rng(3)
    names = [("a", "b", None)[i % 3] for i in range(600)]
    margin = decided(rng, 600, 3.0, rng.random(600) < 0.1)
    found = estimate(margin, names)
    shuffled = rng.permutation(600)
    again = estimate(margin[shuffled], [names[i] for i in shuffled])
    np.testing.assert_allclose(again.flipped, found.flipped[shuffled], atol=1e-9)
    assert (again.low, again.rate, again.high) == pytest.approx((found.low, found.rate, found.high))
    renamed = estimate(margin, [{"a": "zz", "b": "\u202e<b>", None: None}[n] for n in names])
    np.testing.assert_allclose(renamed.flipped, found.flipped, atol=1e-9)


@pytest.mark.parametrize("margin", [[], [0.3], [-1e9, 1e9, 0.0]])
def test_few_or_extreme_margins_are_no_error(margin):
    found = estimate(np.asarray(margin, dtype=np.float64), [None] * len(margin))
    assert np.isfinite(found.flipped).all() and 0 <= found.low <= found.rate <= found.high <= 1
