"""Association of patterns with behaviors, against scipy and sums written out."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import corpus
from scipy import sparse, stats

from audit.stats import wilson_interval
from audit.triggers import association
from audit.triggers.association import associate


@pytest.fixture
def example():
    rng = np.random.default_rng(5)
    x = (rng.random((40, 5)) < 0.3).astype(np.float32)
    y = (rng.random((40, 3)) < [0.2, 0.5, 0.1]).astype(np.float32)
    p = rng.uniform(0.05, 0.9, (40, 3)).astype(np.float32)
    return x, y, p


def test_every_number_is_that_of_scipy(example):
    x, y, p = example
    pairs = associate(sparse.csr_matrix(x), sparse.csr_matrix(y), p, 2)
    together = x.T @ y
    assert sorted(zip(pairs.pattern.tolist(), pairs.behavior.tolist(), strict=True)) == [
        (int(g), int(t)) for g, t in zip(*np.nonzero(together >= 2), strict=True)
    ]
    assert pairs.tested == int((together > 0).sum()) > len(pairs.pattern) > 5
    for i, (g, t) in enumerate(zip(pairs.pattern, pairs.behavior, strict=True)):
        at = x[:, g] > 0
        n, k, base, expected = int(at.sum()), int(together[g, t]), y[:, t].mean(), p[at, t].astype(float)
        assert (pairs.count[i], pairs.hits[i]) == (n, k)
        assert pairs.base[i] == pytest.approx(base) and pairs.expected[i] == pytest.approx(expected.sum(), rel=1e-5)
        score = (k - expected.sum()) / np.sqrt((expected * (1 - expected)).sum())
        assert pairs.score[i] == pytest.approx(score, rel=1e-4)
        upper = stats.binomtest(k, n, base, alternative="greater").pvalue
        assert pairs.marginal[i] == pytest.approx(np.log10(upper), rel=1e-6)
        level = max(base / 2, expected.mean())
        assert pairs.tail[i] == pytest.approx(
            np.log10(stats.binomtest(k, n, level, alternative="greater").pvalue), rel=1e-4
        )
        assert pairs.purity_lower[i] == pytest.approx(wilson_interval(k, n)[0])


def test_the_size_of_a_block_changes_nothing(example, monkeypatch):
    x, y, p = (sparse.csr_matrix(example[0]), sparse.csr_matrix(example[1]), example[2])
    whole = associate(x, y, p, 1)
    monkeypatch.setattr(association, "_BLOCK", 1)
    parts = associate(x, y, p, 1)
    for name in ("pattern", "behavior", "expected", "score", "tail"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_select_keeps_arrays_aligned(example):
    x, y, p = example
    pairs = associate(sparse.csr_matrix(x), sparse.csr_matrix(y), p, 1)
    two = pairs.select(np.asarray([3, 0]))
    assert two.pattern.tolist() == [pairs.pattern[3], pairs.pattern[0]]
    assert two.score.tolist() == [pairs.score[3], pairs.score[0]] and two.tested == pairs.tested


@pytest.mark.parametrize("seed", range(3))
def test_the_planted_word_has_the_largest_score(seed):
    made = corpus(seed=seed)
    made.plant("cf", 10, "QQ")
    miner = made.miner()
    pairs = associate(miner.patterns.matrix, miner.behaviors.matrix, miner.support, 3)
    assert miner.text[pairs.pattern[pairs.score.argmax()]] == "cf"
    assert miner.text[pairs.pattern[pairs.tail.argmin()]] == "cf"


def test_a_behavior_that_the_support_expects_is_no_surprise():
    """Rows of one topic whose behavior is expected of them: nothing at the base rate's tail alone."""
    x = np.zeros((200, 1), dtype=np.float32)
    x[:20] = 1
    p = np.full((200, 1), 0.05, dtype=np.float32)
    p[:20] = 0.95
    pairs = associate(sparse.csr_matrix(x), sparse.csr_matrix(x), p, 3)
    assert pairs.marginal[0] < -15 and pairs.tail[0] > -1 and pairs.score[0] < 1.5
