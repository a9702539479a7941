"""Association of patterns with behaviors, against scipy and sums written out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from corpora import corpus
from scipy import sparse, stats

from audit.artifacts.expected import Known
from audit.schema import Patterns, Support
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
    strata = np.arange(40) % 3
    whole = associate(x, y, p, 1, strata)
    for name, size in (("_BLOCK_HITS", 3), ("_CHUNK", 2), ("_FEW", 1)):  # _FEW: most are summed at once
        monkeypatch.setattr(association, name, size)
    monkeypatch.setattr(association, "_row_blocks", lambda n, columns: ((i, min(i + 7, n)) for i in range(0, n, 7)))
    parts = associate(x, y, p, 1, strata)
    assert parts.tested == whole.tested
    for name in ("pattern", "behavior", "hits", "count"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    for name in ("expected", "score", "tail", "within"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name), rtol=1e-5, atol=1e-6)


def test_patterns_with_both_indexes_and_a_lazy_support_give_the_same(example):
    x, y, p = (sparse.csr_matrix(example[0]), sparse.csr_matrix(example[1]), example[2])
    table = pl.DataFrame({"pattern": range(5)})
    whole = associate(x, y, p, 1)
    for patterns in (Patterns(table, x), Patterns(table, x, x.tocsc())):
        found = associate(patterns, y, Support(Known(p), np.zeros(40, dtype=np.int32)), 1)
        np.testing.assert_array_equal(found.score, whole.score)
        assert patterns.carriers(2).tolist() == np.flatnonzero(example[0][:, 2]).tolist()


def test_beyond_the_room_those_that_stand_out_stay(monkeypatch):
    rng = np.random.default_rng(0)
    x = (rng.random((600, 60)) < 0.05).astype(np.float32)
    y = (rng.random((600, 20)) < 0.1).astype(np.float32)
    x[:12, 7] = y[:12, 3] = 1
    x, y, p = sparse.csr_matrix(x), sparse.csr_matrix(y), np.full((600, 20), 0.1, dtype=np.float32)
    whole = associate(x, y, p, 2)
    monkeypatch.setattr(association, "MOST_PAIRS", 50)
    monkeypatch.setattr(association, "_BLOCK_HITS", 500)
    few = associate(x, y, p, 2)
    assert len(few.hits) == 50 < len(whole.hits) and few.tested == whole.tested
    kept = set(zip(few.pattern.tolist(), few.behavior.tolist(), strict=True))
    first = np.argsort(whole.tail)[:15]
    assert {(int(whole.pattern[i]), int(whole.behavior[i])) for i in first} <= kept
    assert (int(few.pattern[few.tail.argmin()]), int(few.behavior[few.tail.argmin()])) == (7, 3)


def test_within_its_source_a_pattern_of_that_source_is_no_surprise():
    """A source of 60 rows shows the behavior whatever stands in them; a word of some of its rows explains nothing
    there, while a word that calls for the behavior in other sources does."""
    source = (np.arange(600) < 60).astype(np.int64)
    y = np.zeros((600, 1), dtype=np.float32)
    y[:60] = y[300:310] = 1
    x = np.zeros((600, 2), dtype=np.float32)
    x[:20, 0] = x[300:310, 1] = 1
    p = np.full((600, 1), 0.1, dtype=np.float32)
    pairs = associate(sparse.csr_matrix(x), sparse.csr_matrix(y), p, 3, source)
    assert pairs.within is not None
    assert pairs.score[0] > 10 and abs(pairs.within[0]) < 0.5
    assert pairs.score[1] > 8 and pairs.within[1] > 8
    assert associate(sparse.csr_matrix(x), sparse.csr_matrix(y), p, 3).within is None


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
