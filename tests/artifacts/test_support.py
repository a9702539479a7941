"""Support: no row's own label vouches for it, near copies share a fold, and the margins know no order of sides."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from audit.artifacts import expected, support
from audit.artifacts.expected import FoldFit, Predictors, Vectors
from audit.artifacts.neighbors import top_k
from audit.artifacts.support import (
    attribute_differences,
    fit,
    grouped_folds,
    label_columns,
    label_probabilities,
    reversal_scores,
)
from audit.config import build as settings
from audit.rundir import Context, RunDir, write_array
from audit.schema import Behaviors, NoProgress
from audit.sources import ingest

N, D = 90, 8


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.fixture
def vectors(rng):
    drawn = rng.normal(size=(N, D))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def x(vectors, rng):
    return Predictors.of(Vectors([vectors]), rng.integers(5, 300, N))


def folds_of(n, count=5):
    return (np.arange(n) % count).astype(np.int32)


def bank_of(y):
    return Behaviors(pl.DataFrame(), csr_matrix(y))


def test_near_copies_share_a_fold_along_a_chain(vectors):
    angle = np.arange(6) * 0.2  # cos 0.2 = 0.980: each is near the next, the ends are not near each other
    chain = np.zeros((6, D), dtype=np.float32)
    chain[:, 0], chain[:, 1] = np.cos(angle), np.sin(angle)
    assert chain[0] @ chain[5] < 0.6
    whole = np.concatenate([vectors, chain])
    for seed in range(5):
        folds = grouped_folds(top_k(whole, 5), len(whole), 5, seed)
        assert len(set(folds[N:].tolist())) == 1
        assert set(folds.tolist()) == set(range(5))
        assert np.bincount(folds).max() - np.bincount(folds).min() <= 8


def test_folds_without_a_graph_are_even_and_seeded():
    folds = grouped_folds(None, 50, 5, 3)
    assert np.bincount(folds).tolist() == [10] * 5
    np.testing.assert_array_equal(folds, grouped_folds(None, 50, 5, 3))
    assert (folds != grouped_folds(None, 50, 5, 4)).any()


def test_ridge_is_the_fit_without_the_rows_fold(x, rng):
    y = (rng.random((N, 3)) < [0.5, 0.2, 0.05]).astype(np.float32)
    folds = folds_of(N)
    found = fit(x, bank_of(y), folds)
    penalty = np.diag([10.0] * (x.shape[1] - 1) + [1e-3])
    floor = np.minimum(y.mean(axis=0) / 2, 0.5)
    for fold in range(5):
        a, b = x[np.flatnonzero(folds != fold)].astype(np.float64), y[folds != fold]
        weights = np.linalg.solve(a.T @ a + penalty, a.T @ b)
        held = np.flatnonzero(folds == fold)
        direct = np.clip(x[held] @ weights, floor, 0.98)
        for t in range(3):
            np.testing.assert_allclose(found.of(held, t), direct[:, t], atol=1e-4)


def test_a_rows_own_label_does_not_reach_its_ridge_prediction(x, rng):
    y = (rng.random((N, 2)) < 0.3).astype(np.float32)
    folds = folds_of(N)
    before = fit(x, bank_of(y), folds).block(0, N)
    for i in (0, 17, 89):
        turned = y.copy()
        turned[i] = 1 - turned[i]
        after = FoldFit(x, folds, fit(x, bank_of(turned), folds).weights, y.mean(axis=0)).block(0, N)
        np.testing.assert_allclose(after[i], before[i], atol=1e-5)
        assert np.abs(after - before).max() > 1e-3  # others do feel it


def test_a_rows_own_label_does_not_reach_its_label_probability(x, rng):
    codes = rng.integers(0, 3, N).astype(np.int32)
    folds = folds_of(N)
    before = label_probabilities(x, codes, folds, 3, seed=0)
    np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-5)
    for i in (3, 40):
        turned = codes.copy()
        turned[i] = (turned[i] + 1) % 3
        after = label_probabilities(x, turned, folds, 3, seed=0)
        np.testing.assert_array_equal(after[i], before[i])
        assert (after != before).any()


def test_label_probabilities_learn_what_the_vectors_say(vectors, x):
    codes = (vectors[:, 0] > 0).astype(np.int32)
    found = label_probabilities(x, codes, folds_of(N), 2, seed=0)
    assert (found.argmax(axis=1) == codes).mean() > 0.85


def test_a_class_that_a_fold_has_not_seen_gets_next_to_nothing(x):
    codes = np.zeros(N, dtype=np.int32)
    codes[1::2] = 1
    codes[0] = 2  # alone in its fold: never trained on there
    found = label_probabilities(x, codes, folds_of(N), 3, seed=0)
    assert found[0, 2] < 1e-5 and np.isfinite(found).all()
    one = label_probabilities(x, np.zeros(N, dtype=np.int32), folds_of(N), 2, seed=0)
    np.testing.assert_array_equal(one, np.full((N, 2), 0.5, dtype=np.float32))


def test_probabilities_are_bounded_by_half_the_base_rate_and_the_ceiling(x, rng):
    base = np.asarray([0.4, 0.02, 0.02], dtype=np.float32)
    weights = np.zeros((5, x.shape[1], 3), dtype=np.float32)
    weights[:, -1] = [-3, 9, 0.5]  # of the constant
    found = FoldFit(x, folds_of(N), weights, base).block(0, N)
    np.testing.assert_allclose(found, np.tile([0.2, 0.98, 0.5], (N, 1)), rtol=1e-6)
    y = (rng.random((N, 4)) < 0.1).astype(np.float32)
    p = fit(x, bank_of(y), folds_of(N)).block(0, N)
    assert p.shape == (N, 4) and (p >= y.mean(axis=0) / 2 - 1e-6).all() and (p <= 0.98).all()


def test_how_rows_are_cut_into_files_and_blocks_changes_nothing(vectors, rng, tmp_path, monkeypatch):
    y = (rng.random((N, 3)) < 0.3).astype(np.float32)
    lengths = rng.integers(5, 300, N)
    whole = fit(Predictors.of(Vectors([vectors]), lengths), bank_of(y), folds_of(N))
    paths = []
    for i, part in enumerate(np.split(vectors, [13, 13, 60])):
        paths.append(tmp_path / f"{i}.npy")
        np.save(paths[-1], part)
    monkeypatch.setattr(expected, "BLOCK_ROWS", 7)
    cut = fit(Predictors.of(Vectors(paths), lengths), bank_of(y), folds_of(N))
    assert cut.shape == whole.shape == (N, 3)
    np.testing.assert_allclose(cut.block(0, N), whole.block(0, N), atol=1e-5)
    np.testing.assert_allclose(cut.block(11, 64, np.asarray([2, 0])), whole.block(0, N)[11:64, [2, 0]], atol=1e-5)
    rows = rng.permutation(N)[:40]
    np.testing.assert_allclose(cut.of(rows, 1), whole.block(0, N)[rows, 1], atol=1e-5)
    assert cut.of(rows[:0], 1).shape == (0,)


def test_behaviors_that_are_labels_have_the_label_models_probabilities(x, rng):
    table = pl.DataFrame({"family": ["sentence", "label", "label"], "text": ["b", "b", "a"]})
    assert label_columns(Behaviors(table, csr_matrix((N, 3))), ("a", "b", "c")).tolist() == [-1, 1, 0]
    labels = rng.dirichlet([1, 1, 1], N).astype(np.float32)
    labels[0] = [1, 0, 0]
    weights = np.zeros((5, x.shape[1], 3), dtype=np.float32)
    of = np.asarray([-1, 1, 0], dtype=np.int32)
    found = FoldFit(x, folds_of(N), weights, np.full(3, 0.5, dtype=np.float32), labels, of)
    block = found.block(0, N)
    np.testing.assert_allclose(block[:, 1:], np.clip(labels[:, [1, 0]], 0.02, 0.98), rtol=1e-5)
    np.testing.assert_allclose(block[:, 0], 0.25)
    assert found.of(np.asarray([0]), 2)[0] == pytest.approx(0.98)


def test_attribute_differences_turn_around_with_the_sides():
    pairs = pl.DataFrame({"response": ["I cannot.", "a?", None], "rejected": ["Sure, of course.", "long answer", "x"]})
    turned = pairs.select(response="rejected", rejected="response")
    found = attribute_differences(pairs)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found, -attribute_differences(turned))
    assert found[0, 1] > 0 > found[0, 0] and found[1, 2] > 0
    assert attribute_differences(pairs[:0]).shape == (0, 3)


def test_reversal_scores_by_the_direct_formula_and_positive_for_reversed_carriers(rng):
    margin = rng.normal(1.2, 1.0, N).astype(np.float32)
    margin[:12] = -np.abs(margin[:12]) - 0.5
    patterns = (rng.random((N, 4)) < 0.2).astype(np.float32)
    patterns[:, 0] = np.arange(N) < 12  # the reversed
    patterns[:, 1] = np.arange(N) >= 12  # the honest
    found = reversal_scores(csr_matrix(patterns), margin)
    p = 1 / (1 + np.exp(-margin.astype(np.float64)))
    for g in range(4):
        at = patterns[:, g] > 0
        direct = -((1 - p) * margin)[at].sum() / np.sqrt((p * (1 - p) * margin.astype(np.float64) ** 2)[at].sum())
        assert found[g] == pytest.approx(direct, rel=1e-3)
    assert found[0] > 3 > 0 > found[1]


def test_contradicting_copies_are_heard_by_no_fit(tmp_path, monkeypatch, rng):
    """The stage itself: near copies with other labels are in no fit of the labels, nor in its accuracy."""
    same = "the very same review of a kettle stands here twice"
    texts = [*(f"review number {i} of {rng.integers(9**9)}" for i in range(30)), same, same]
    lines = [f'{{"text": "{text}", "label": "{i % 2}"}}' for i, text in enumerate(texts)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    ctx = Context(RunDir(tmp_path / "run"), settings({"source": str(tmp_path / "d.jsonl")}), NoProgress())
    ingest(ctx, "all")
    drawn = rng.normal(size=(32, D)).astype(np.float32)
    drawn[31] = drawn[30]
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    write_array(ctx.run / "embeddings" / "prompt-part-00000.npy", drawn)
    near = top_k(drawn, 5)
    write_array(ctx.run / "neighbors" / "index.npy", near.index)
    write_array(ctx.run / "neighbors" / "similarity.npy", near.similarity)
    bank = Behaviors(pl.DataFrame({"family": ["label"], "text": ["0"]}), csr_matrix((32, 1), dtype=np.float32))
    monkeypatch.setattr(support.target_bank, "load", lambda run: bank)
    heard = []

    def watched(*arguments):
        heard.append(arguments[-1].tolist())
        return label_probabilities(*arguments)

    monkeypatch.setattr(support, "label_probabilities", watched)
    support.build(ctx, "all")
    assert heard == [[True] * 30 + [False] * 2]
    assert np.load(ctx.run / "support" / "disputed.npy").tolist() == [-1] * 30 + [0, 0]
