"""Views that never see a row's own label, and what they say together."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from audit.detectors.label_noise import label_noise
from audit.detectors.label_posterior import (
    combine,
    label_posterior,
    log_odds,
    pairs,
    region_shift,
    supposed_pairs,
    transitions,
)
from audit.detectors.label_views import (
    kernel_ridge,
    label_views,
    naive_bayes,
    neighbor_votes,
    out_of_fold_ridge,
    word_ridge,
    word_table,
)
from audit.schema import Kind, Neighbors
from audit.stats import sigmoid

WORDS = ("ember", "gravel", "lantern", "meadow", "pebble", "saddle")


def sharp(rng, truth, classes, strength):
    """(n, C) log-scores around the truth, right about as often as `strength` says."""
    return strength * np.eye(classes)[truth] + rng.normal(size=(truth.size, classes))


def posterior(views, codes, seed=0, dimensions=4):
    vectors = np.random.default_rng(seed).normal(size=(codes.size, dimensions)).astype(np.float32)
    return label_posterior(np.stack(views), codes, vectors, np.arange(codes.size, dtype=np.int32) % 5)


def even_odds(fit, codes):
    """Log-odds without pairs and regions."""
    classes = fit.probability.shape[1]
    moves = transitions(np.full((classes, classes), 1 / classes), max(fit.rate, 1e-3), np.full(classes, 1 / classes))
    return log_odds(fit.probability, codes, moves)[0]


def flip(rng, truth, classes, count, move=None):
    codes = truth.copy()
    at = rng.choice(truth.size, count, replace=False)
    codes[at] = (codes[at] + rng.integers(1, classes, count)) % classes if move is None else move[codes[at]]
    return codes, codes != truth


def test_closed_form_ridge_equals_a_fit_without_each_fold():
    rng = np.random.default_rng(0)
    rows, own, folds = rng.normal(size=(90, 7)), np.eye(3)[rng.integers(0, 3, 90)], rng.integers(0, 4, 90)
    design = np.column_stack([rows, np.ones(90)])
    found = out_of_fold_ridge(lambda start: design[start : start + 8_192], own, folds.astype(np.int32), 2.0)
    for fold in range(4):
        model = Ridge(alpha=2.0).fit(rows[folds != fold], own[folds != fold])
        np.testing.assert_allclose(found[folds == fold], model.predict(rows[folds == fold]), atol=1e-4)


def test_no_view_sees_the_label_of_its_own_row():
    rng = np.random.default_rng(1)
    codes, folds = rng.integers(0, 3, 200), np.arange(200, dtype=np.int32) % 5
    texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(200)]
    vectors = rng.normal(size=(200, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    index = np.argsort(-similarity, axis=1)[:, :8]
    graph = Neighbors(index.astype(np.int32), np.take_along_axis(similarity, index, axis=1))
    table = word_table(texts, 3)
    other = codes.copy()
    other[17] = (other[17] + 1) % 3

    def rows_of(labels):
        own = np.eye(3)[labels]
        return [
            kernel_ridge(vectors, own, folds),
            neighbor_votes(graph, labels, 3),
            word_ridge(table, own, folds),
            naive_bayes(table, own, folds),
        ]

    for plain, changed in zip(rows_of(codes), rows_of(other), strict=True):
        np.testing.assert_allclose(plain[17], changed[17], atol=1e-9)
        assert not np.allclose(plain, changed)  # other rows do see it


def test_words_of_scripts_without_spaces_are_shared():
    table = word_table(["猫が好きです", "犬が好きです", "天気がいい"], 2)
    assert table.shape[1] > 3
    assert (table[0] @ table[1].T).toarray()[0, 0] > (table[0] @ table[2].T).toarray()[0, 0] > 0


def test_texts_without_shared_words_leave_the_other_views():
    codes = np.arange(60) % 2
    graph = Neighbors(np.zeros((60, 1), np.int32), np.ones((60, 1), np.float32))
    base = np.tile([0.6, 0.4], (60, 1))
    base[codes == 1] = [0.3, 0.7]
    views = label_views([f"w{i}" for i in range(60)], np.eye(60, 8, dtype=np.float32), graph, codes, codes % 5, base)
    assert views.shape[1:] == (60, 2) and np.isfinite(views).all()


@pytest.mark.parametrize(("classes", "flips"), [(2, 0), (2, 300), (5, 60), (5, 300)])
def test_the_rate_of_wrong_labels_is_fitted(classes, flips):
    rng = np.random.default_rng(classes + flips)
    truth = rng.integers(0, classes, 6_000)
    views = np.stack([sharp(rng, truth, classes, 2.5) for _ in range(3)])
    codes, _ = flip(rng, truth, classes, flips)
    assert combine(views, codes, np.full((classes, classes), 1 / classes)).rate == pytest.approx(
        flips / 6_000, abs=0.012
    )


def test_views_are_weighed_by_what_they_know():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 3_000)
    views = np.stack([sharp(rng, truth, 4, 2.0), rng.normal(size=(3_000, 4)), sharp(rng, truth, 4, 2.0)])
    codes, wrong = flip(rng, truth, 4, 150)
    together = average_precision_score(wrong, posterior(views, codes).wrong)
    for view in views:
        assert together > average_precision_score(wrong, posterior([view], codes).wrong) + 0.05


@pytest.mark.parametrize("flips", [300, 900])
def test_pairs_are_found_where_labels_are_mixed_up_and_nowhere_else(flips):
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 6, 6_000)
    views = [sharp(rng, truth, 6, 1.5) for _ in range(3)]
    move, even = np.array([3, 4, 0, 5, 2, 1]), np.full((6, 6), 1 / 6)
    codes, wrong = flip(rng, truth, 6, flips, move)
    fit = combine(np.stack(views), codes, even)
    drawn = pairs(fit.probability, codes, max(fit.rate, 0.05))
    assert (drawn.argmax(axis=1) == move).all() and drawn.max(axis=1).min() > 0.5
    plain = average_precision_score(wrong, even_odds(fit, codes))
    found = posterior(views, codes)
    assert average_precision_score(wrong, found.wrong) > plain + 0.02
    assert found.rate == pytest.approx(flips / 6_000, abs=0.02)

    codes, _ = flip(rng, truth, 6, flips)
    fit = combine(np.stack(views), codes, even)
    np.testing.assert_allclose(pairs(fit.probability, codes, fit.rate), even)


@pytest.mark.parametrize("classes", [2, 6])
def test_one_pair_alone_leaves_the_other_labels_as_they_are(classes):
    rng = np.random.default_rng(9)
    truth = rng.integers(0, classes, 6_000)
    views = [sharp(rng, truth, classes, 1.2) for _ in range(2)]
    codes = truth.copy()
    codes[rng.choice(np.flatnonzero(truth == 1), 250, replace=False)] = 0
    found, fit = posterior(views, codes), combine(np.stack(views), codes, np.full((classes, classes), 1 / classes))
    better, plain = (average_precision_score(codes != truth, s) for s in (found.wrong, even_odds(fit, codes)))
    assert better > plain + 0.1
    assert found.rate == pytest.approx(250 / 6_000, abs=0.03)
    alone = supposed_pairs(fit.probability, codes)[1]
    np.testing.assert_allclose(alone, np.eye(classes)[[0, 0, *range(2, classes)]])


def test_gradient_of_the_fit_leads_to_the_best_share():
    """The fitted share is no worse than shares near it, by the likelihood worked out anew."""
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 3, 2_000)
    view = sharp(rng, truth, 3, 3.0)
    move = np.array([1, 2, 0])
    codes, _ = flip(rng, truth, 3, 200, move)
    drawn = np.eye(3)[move]
    fit = combine(view[None], codes, drawn)
    probability, rate = fit.probability, fit.rate

    def likelihood(share):
        written = (1 - share) * probability + share * probability @ drawn
        return np.log(written[np.arange(2_000), codes]).sum()

    assert rate == pytest.approx(0.1, abs=0.02)
    assert likelihood(rate) > max(likelihood(rate - 0.01), likelihood(rate + 0.01))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(2, 6))
def test_moves_are_probabilities(seed, classes):
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.full(classes, 0.3), 200)
    drawn = pairs(probability, rng.integers(0, classes, 200), 0.05)
    shares = probability.mean(axis=0)
    moves = transitions(drawn, 0.05, shares)
    assert (drawn >= 0).all() and (moves >= 0).all() and np.diag(moves).min() >= 0.5
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    np.testing.assert_allclose(moves.sum(axis=1), 1)
    if np.diag(moves).min() > 0.5:
        assert shares @ (1 - np.diag(moves)) == pytest.approx(0.05)


def test_doubt_moves_to_the_region_where_wrong_labels_crowd():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(3_000, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    folds = np.arange(3_000, dtype=np.int32) % 5
    inside = vectors[:, 0] > 0.4
    crowded = sigmoid(np.where(rng.random(3_000) < np.where(inside, 0.3, 0.02), 3.0, -5.0))
    shift = region_shift(crowded, vectors, folds)
    assert shift[inside].mean() > 0.3 > 0 > shift[~inside].mean()
    even = sigmoid(np.where(rng.random(3_000) < 0.05, 3.0, -5.0))
    assert np.abs(region_shift(even, vectors, folds)).mean() < 0.2


def test_ranks_better_than_the_support_alone_by_what_the_words_add(build, artifacts):
    """Half of the truth is in the embedding and half in the words; cleanlab is given the same probabilities."""
    rng = np.random.default_rng(6)
    count = 1_500
    truth = rng.integers(0, 3, count)
    near = np.eye(3)[np.where(rng.random(count) < 0.75, truth, rng.integers(0, 3, count))]
    vectors = (near + 0.3 * rng.normal(size=(count, 3))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    told = np.where(rng.random(count) < 0.75, truth, rng.integers(0, 3, count))
    texts = [f"{WORDS[2 * t]} {WORDS[2 * t + 1]} {rng.choice(WORDS)} {i}" for i, t in enumerate(told)]
    codes, wrong = flip(rng, truth, 3, 75)
    probability = np.exp(3 * vectors) / np.exp(3 * vectors).sum(axis=1, keepdims=True)
    examples = build(texts, labels=[("a", "b", "c")[c] for c in codes])
    made = artifacts(Kind.CLASSIFICATION, examples, vectors, label_probability=probability.astype(np.float32))
    found = label_noise(*(made[n] for n in ("examples", "info", "embeddings", "neighbors", "support")))
    ours = average_precision_score(wrong, found.signals["score"])
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        assert ours > 0.1 + average_precision_score(wrong, -get_label_quality_scores(codes, probability, method=method))


def test_rows_without_a_label_abstain_and_change_nothing(build, artifacts):
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 400)
    vectors = np.eye(2, dtype=np.float32)[truth] + rng.normal(scale=0.2, size=(400, 2)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [None if i % 40 == 0 else ("a", "b")[t] for i, t in enumerate(truth)]
    examples = build([f"{WORDS[t]} {i}" for i, t in enumerate(truth)], labels=labels)
    probability = np.clip(0.8 * np.eye(2)[truth] + 0.1, 0, 1).astype(np.float32)
    made = artifacts(Kind.CLASSIFICATION, examples, vectors, label_probability=probability)
    found = label_noise(*(made[n] for n in ("examples", "info", "embeddings", "neighbors", "support")))
    empty = found.signals["score"].is_nan().to_list()
    assert empty == [label is None for label in labels]
    assert found.findings[0].details["flagged"] == 0
