"""Wrong labels, and the errors of a model that are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.detectors.confidence import noise_floor
from audit.detectors.label_noise import label_noise
from audit.schema import Kind, Skipped


def world(build, artifacts, flips, count=3_000, seed=0):
    """Labels of three classes; the model's confidence falls off, and it errs as often as it says."""
    rng = np.random.default_rng(seed)
    certain = rng.beta(6, 0.6, count) * 0.65 + 0.345
    truth = rng.integers(0, 3, count)
    guess = np.where(rng.random(count) < certain, truth, (truth + rng.integers(1, 3, count)) % 3)
    probability = np.repeat(((1 - certain) / 2)[:, None], 3, axis=1)
    probability[np.arange(count), guess] = certain
    given = truth.copy()
    wrong = rng.choice(count, flips, replace=False)
    given[wrong] = (given[wrong] + 1) % 3
    examples = build([f"row {i}" for i in range(count)], labels=[("a", "b", "c")[g] for g in given])
    vectors = np.ones((count, 2), dtype=np.float32) / np.sqrt(2)
    made = {"label_probability": probability.astype(np.float32), "accuracy": 0.85}
    return artifacts(Kind.CLASSIFICATION, examples, vectors, **made), set(wrong.tolist()), truth


def run(made, **settings):
    names = ("examples", "info", "embeddings", "neighbors", "support")
    return label_noise(*(made[name] for name in names), **settings)


def test_catches_flipped_labels_and_suggests_the_right_one(build, artifacts):
    made, wrong, truth = world(build, artifacts, flips=240)
    found = run(made)
    flagged = found.signals.with_row_index("i").filter(pl.col("score") >= found.threshold)
    hits = [i for i in flagged["i"] if i in wrong]
    assert len(hits) >= 0.3 * len(wrong) and len(hits) >= 0.6 * flagged.height
    fixes = dict(flagged.filter(pl.col("fix") == "relabel").select("i", "new_value").iter_rows())
    right = [fixes[i] == ("a", "b", "c")[truth[i]] for i in hits if i in fixes]
    assert np.mean(right) > 0.9
    assert found.findings[0].details["noise_rate"] == pytest.approx(0.08, abs=0.035)


@pytest.mark.parametrize("seed", range(4))
def test_leaves_the_errors_of_a_model_alone(seed, build, artifacts):
    made, _, _ = world(build, artifacts, flips=0, seed=seed)
    found = run(made)
    assert found.signals.filter(pl.col("score") >= found.threshold).height <= 0.01 * 3_000
    assert found.findings[0].details["noise_rate_lower"] < 0.01


def test_ranks_the_doubtful_first_even_when_nothing_is_flagged(build, artifacts):
    made, wrong, _ = world(build, artifacts, flips=20, seed=1)
    top = run(made).signals.with_row_index("i").sort("score", descending=True).head(200)["i"]
    assert len(wrong & set(top)) >= 12


def test_needs_labels_and_rows(build, artifacts):
    made, _, _ = world(build, artifacts, flips=0)
    assert isinstance(run({**made, "support": replace(made["support"], label_probability=None)}), Skipped)
    one = build(["x"] * 300, labels=["a"] * 300)
    small = artifacts(Kind.CLASSIFICATION, one, np.ones((300, 1), np.float32), label_probability=np.ones((300, 1)))
    assert "two labels" in run(small).reason


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.floats(0.1, 50))
def test_floor_scales_with_confidence_and_ignores_order(seed, factor):
    rng = np.random.default_rng(seed)
    confidence, wrong = rng.random(500), rng.random(500) < 0.1
    order = rng.permutation(500)
    plain = noise_floor(confidence, wrong)
    moved = noise_floor(factor * confidence[order], wrong[order])
    assert (plain.rate, plain.lower) == (moved.rate, moved.lower)
    assert moved.cut == pytest.approx(factor * plain.cut)


def test_floor_is_found_under_errors_that_fade():
    rng = np.random.default_rng(0)
    confidence = rng.random(40_000)
    errs = rng.random(40_000) < 0.4 * (1 - confidence)
    assert noise_floor(confidence, errs).rate < 0.005
    noisy = errs ^ (rng.random(40_000) < 0.05)
    assert noise_floor(confidence, noisy).rate == pytest.approx(0.05, abs=0.012)
