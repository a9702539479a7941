"""The checks that look at a trained probe: each finds what is planted, and clean data flags nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.detectors.activation_clustering import activation_clustering, whitened
from audit.detectors.spectral_signature import beyond_logits, spectral_signature, top_direction
from audit.detectors.strip import example_entropy, strip, sureness
from audit.detectors.tails import excess
from audit.schema import Skipped
from audit.watched import HiddenStates, Perturbed

ROWS, WIDTH = 600, 24


def states(vectors, logits=None, shown=None):
    count = len(vectors)
    shown = np.ones((count, 1), dtype=bool) if shown is None else shown
    logits = np.full(shown.shape, 2.0) if logits is None else logits
    heads = tuple(f"label {h}" for h in range(shown.shape[1]))
    at = np.arange(count, dtype=np.int64)
    nobody = np.zeros(count, dtype=bool)
    return HiddenStates(at, vectors.astype(np.float32), logits.astype(np.float32), shown, nobody, heads)


def clean_vectors(rng, count=ROWS):
    """Normal, with directions that vary more and less."""
    mix = rng.normal(size=(WIDTH, WIDTH)) * np.linspace(3, 0.1, WIDTH)
    return rng.normal(size=(count, WIDTH)) @ mix.T


def blends(rng, centre, noise=1.0, count=ROWS):
    """Predictions of `count` examples with eight blends each, log-odds about `centre`."""
    own = rng.normal(centre, 0.5, (count, 1, 1))
    logits = own + noise * rng.normal(size=(count, 8, 1))
    return Perturbed(
        np.arange(count, dtype=np.int64),
        np.full((count, 1), 0.9, dtype=np.float32),
        (1 / (1 + np.exp(-logits))).astype(np.float32),
        np.zeros(count, dtype=bool),
        ("label 0",),
    )


def flagged(found):
    return np.flatnonzero(found.signals["score"].to_numpy() >= found.threshold).tolist()


def rows(build, count=ROWS):
    return build([f"row {i}" for i in range(count)])


def test_strip_finds_predictions_that_blending_does_not_move(build):
    made = blends(np.random.default_rng(0), 1.5)
    made.probability[[7, 99, 300]] = 0.999999
    found = strip(rows(build), made)
    assert flagged(found) == [7, 99, 300]
    assert found.signals["evidence"][7].startswith("entropy 0.000 under blending towards label 0")


@pytest.mark.parametrize("seed", range(20))
def test_clean_data_flags_nothing(seed, build):
    rng = np.random.default_rng(seed)
    for centre, noise in ((1.5, 1.0), (0.2, 0.5), (4.0, 2.0)):
        assert flagged(strip(rows(build), blends(rng, centre, noise))) == []
    vectors = clean_vectors(rng)
    logits = vectors[:, :1] + rng.normal(size=(ROWS, 1))
    known = replace(states(vectors, logits), carriers=rng.permutation(ROWS) < 30)
    for seen in (states(vectors, logits), known):
        assert flagged(spectral_signature(rows(build), seen)) == []
        assert flagged(activation_clustering(rows(build), seen)) == []


def test_entropies_are_taken_per_example_and_never_across():
    """Averaging over the wrong axis would give both examples the same figure."""
    sure = np.full((8, 1), 0.999)
    torn = np.full((8, 1), 0.5)
    found = example_entropy(np.stack([sure, torn]).astype(np.float32))
    np.testing.assert_allclose(found[:, 0], [0.0079, np.log(2)], atol=1e-3)
    mixed = np.concatenate([np.full((4, 1), 0.01), np.full((4, 1), 0.99)])  # its mean is 0.5, and it is never unsure
    assert example_entropy(mixed[None].astype(np.float32))[0, 0] < 0.06
    moved = example_entropy(np.stack([torn, sure]).astype(np.float32))
    np.testing.assert_allclose(moved, found[::-1])


def test_sureness_is_the_inverse_of_the_entropy():
    for logit in (0.1, 1.0, 4.0, 9.0):
        p = 1 / (1 + np.exp(-logit))
        entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
        assert sureness(np.array([entropy]))[0] == pytest.approx(logit, abs=0.01)
    assert sureness(np.array([np.log(2), 0.0])).tolist() == pytest.approx([0.0, 30.0], abs=0.05)


def test_strip_compares_rows_of_one_predicted_behavior_only(build):
    made = blends(np.random.default_rng(0), 1.5)
    plain = made.plain.copy()
    plain[::2] = 0.1
    scores = strip(rows(build), replace(made, plain=plain)).signals["score"].to_numpy()
    assert np.isnan(scores[::2]).all() and np.isfinite(scores[1::2]).all()
    assert isinstance(strip(rows(build), replace(made, plain=np.zeros_like(plain))), Skipped)


def test_spectral_signature_finds_a_planted_direction(build):
    rng = np.random.default_rng(1)
    vectors = clean_vectors(rng)
    planted = [3, 50, 51, 200, 404, 405, 599]
    vectors[planted] += 400 * np.eye(WIDTH)[5]
    found = spectral_signature(rows(build), states(vectors))
    assert flagged(found) == planted


def test_spectral_signature_is_centred(build):
    """Uncentred, the class's mean would be the top direction: moving all rows alike must change nothing."""
    rng = np.random.default_rng(2)
    vectors = clean_vectors(rng)
    vectors[:5] += 60 * np.eye(WIDTH)[5]
    plain = spectral_signature(rows(build), states(vectors)).signals["score"].to_numpy()
    for shift in (1_000.0, -1_000.0):
        moved = spectral_signature(rows(build), states(vectors + shift)).signals["score"].to_numpy()
        np.testing.assert_allclose(moved, plain, rtol=1e-2, atol=1e-3)
    mirrored = spectral_signature(rows(build), states(-vectors)).signals["score"].to_numpy()
    np.testing.assert_allclose(mirrored, plain, rtol=1e-4)


def test_the_top_direction_is_that_of_a_singular_value_decomposition():
    centred = clean_vectors(np.random.default_rng(3))
    centred -= centred.mean(axis=0)
    expected = np.linalg.svd(centred)[2][0]
    assert abs(top_direction(centred) @ expected) == pytest.approx(1.0)


def test_how_sure_the_probe_is_counts_as_no_signature():
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(ROWS, 1))
    vectors = rng.normal(size=(ROWS, WIDTH)) + 50 * logits * np.eye(WIDTH)[0]
    left = beyond_logits(vectors.astype(np.float32), logits.astype(np.float32))
    assert abs(left[:, 0].std() - 1) < 0.1 and abs(top_direction(left)[0]) < 0.9
    assert beyond_logits(np.ones((60, 3), dtype=np.float32), np.ones((60, 1), dtype=np.float32)) is None


def test_activation_clustering_finds_a_group_apart(build):
    rng = np.random.default_rng(5)
    vectors = clean_vectors(rng)
    planted = rng.permutation(ROWS)[:50]
    vectors[planted] += 40 * np.eye(WIDTH)[5]
    known = np.isin(np.arange(ROWS), planted[:20])  # the others are stragglers
    assert flagged(activation_clustering(rows(build), states(vectors))) == []  # a group, and nobody's
    found = activation_clustering(rows(build), replace(states(vectors), carriers=known))
    assert flagged(found) == sorted(planted.tolist())
    finding = found.findings[0]
    assert finding.text.startswith("50 of 600 rows that show label 0 lie apart")
    assert finding.rows == tuple(sorted(2 * planted + 1))  # row numbers, not positions


def test_activation_clustering_leaves_halves_alone(build):
    """Two even parts are what sure and unsure rows look like."""
    rng = np.random.default_rng(6)
    vectors = clean_vectors(rng)
    vectors[::2] += 80 * np.eye(WIDTH)[5]
    known = np.arange(ROWS) % 2 == 0
    assert flagged(activation_clustering(rows(build), replace(states(vectors), carriers=known))) == []


def test_components_are_white():
    white = whitened(clean_vectors(np.random.default_rng(7)).astype(np.float32))
    assert white.shape == (ROWS, 10)
    np.testing.assert_allclose(np.cov(white.T, ddof=0), np.eye(10), atol=1e-8)


@pytest.mark.parametrize("check", [spectral_signature, activation_clustering])
def test_each_behavior_is_a_class_of_its_own(check, build):
    rng = np.random.default_rng(9)
    vectors = clean_vectors(rng)
    shown = np.zeros((ROWS, 3), dtype=bool)
    shown[:300, 0] = shown[300:560, 1] = shown[590:, 2] = True
    vectors[300:560] += 500  # another class, no outlier
    found = check(rows(build), states(vectors, np.zeros((ROWS, 3)), shown))
    scores = found.signals["score"].to_numpy()
    assert np.isfinite(scores[:560]).all() and np.isnan(scores[560:]).all()  # ten rows are too few to judge
    assert flagged(found) == []


@pytest.mark.parametrize("count", [0, 1, 3, 49, 60])
def test_few_rows_and_equal_rows(count, build):
    same = states(np.ones((count, WIDTH)))
    few = states(clean_vectors(np.random.default_rng(0), count))
    made = blends(np.random.default_rng(0), 1.5, count=count)
    for found in (
        *(check(rows(build, count), s) for check in (spectral_signature, activation_clustering) for s in (same, few)),
        strip(rows(build, count), made),
        strip(rows(build, count), replace(made, probability=np.full_like(made.probability, 0.7))),
    ):
        assert isinstance(found, Skipped) or flagged(found) == []
    assert isinstance(spectral_signature(rows(build, count), same), Skipped)
    assert isinstance(activation_clustering(rows(build, count), same), Skipped)


def test_the_bound_of_a_tail():
    rng, nobody = np.random.default_rng(0), np.zeros(500, dtype=bool)
    over = [float((excess(rng.normal(size=500), nobody, 0.01) >= 1).any()) for _ in range(300)]
    assert np.mean(over) <= 0.01
    heavy = [float((excess(rng.exponential(size=500), nobody, 0.01) >= 1).any()) for _ in range(300)]
    assert np.mean(heavy) <= 0.05  # the normal's bound alone would flag nearly every one of them
    values, few = rng.normal(size=500), np.arange(500) >= 49
    assert excess(np.zeros(500), nobody, 0.01) is None and excess(values, few, 0.01) is None
    plain = excess(values, nobody, 0.01)
    np.testing.assert_allclose(excess(5 * values - 3, nobody, 0.01), plain)
    two = excess(values, nobody, 0.01, sides=2)
    np.testing.assert_allclose(excess(-values, nobody, 0.01, sides=2), two)


def test_carriers_of_a_suspect_make_no_bound_for_others(build):
    """A tenth of the rows are the suspect's: by their own tail they would hide, and two stragglers with them."""
    made = blends(np.random.default_rng(0), 1.5)
    planted = np.arange(ROWS) % 10 == 0
    sure = np.isin(np.arange(ROWS), [*np.flatnonzero(planted), 7, 99])
    made.probability[sure] = 1 - 10 ** -np.random.default_rng(1).uniform(4, 6, (int(sure.sum()), 1, 1))
    assert flagged(strip(rows(build), made)) == []
    known = strip(rows(build), replace(made, carriers=planted))
    assert flagged(known) == np.flatnonzero(sure).tolist()
