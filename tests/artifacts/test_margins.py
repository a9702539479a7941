"""Margins of pairs: they know no order of sides, no row's own order, no tie, and they are log-odds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.artifacts import margins as module
from audit.artifacts.expected import Vectors
from audit.artifacts.margins import Pairs, margins, sample_of, stated, weights
from audit.stats import sigmoid

WORDS = ("river", "stone", "lamp", "garden", "copper", "letter", "window", "market", "silver", "bridge", "paper")
FOLDS = 4


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def make_pairs(rng: np.random.Generator, n: int = 600, noise: float = 0.2, size: int = 16) -> Pairs:
    """Pairs whose better side has a word, a direction and a list more often."""
    sides, vectors = [], []
    for better in (True, False):
        texts, found = [], rng.normal(size=(n, size)).astype(np.float32)
        for _ in range(n):
            said = rng.choice(WORDS, 8).tolist()
            if rng.random() < (0.7 if better else 0.3):
                said.append("because")
            texts.append(" ".join(said) + ("\n- one\n- two" if better and rng.random() < 0.3 else ""))
        found[:, 0] += 0.8 if better else 0.0
        sides.append(texts)
        vectors.append(found)
    wrong = rng.random(n) < noise
    chosen = [b if w else a for a, b, w in zip(*sides, wrong, strict=True)]
    rejected = [a if w else b for a, b, w in zip(*sides, wrong, strict=True)]
    good, bad = (np.where(wrong[:, None], vectors[1 - k], vectors[k]) for k in (0, 1))
    return Pairs(chosen, rejected, (Vectors([good]), Vectors([bad])), [False] * n, np.ones(n, dtype=bool))


def folds_of(n: int) -> np.ndarray:
    return (np.arange(n) % FOLDS).astype(np.int32)


def turned(pairs: Pairs) -> Pairs:
    return replace(pairs, chosen=pairs.rejected, rejected=pairs.chosen, vectors=pairs.vectors[::-1])


def test_a_pair_that_is_turned_around_turns_its_margin_around(rng):
    pairs = make_pairs(rng)
    folds = folds_of(len(pairs))
    plain = margins(pairs, folds)
    assert (plain > 0).mean() > 0.65
    np.testing.assert_allclose(margins(turned(pairs), folds), plain, atol=2e-2)  # all renamed: the same margins
    at = int(np.abs(plain).argmax())
    chosen, rejected = list(pairs.chosen), list(pairs.rejected)
    chosen[at], rejected[at] = rejected[at], chosen[at]
    good, bad = (v[:].copy() for v in pairs.vectors)
    good[at], bad[at] = bad[at].copy(), good[at].copy()
    one = margins(replace(pairs, chosen=chosen, rejected=rejected, vectors=(Vectors([good]), Vectors([bad]))), folds)
    assert abs(plain[at]) > 1.0
    assert one[at] == pytest.approx(-plain[at], rel=0.1)  # its own order reaches the weights alone


def test_margins_are_log_odds(rng):
    pairs = make_pairs(rng, 3_000, noise=0.0)
    margin = margins(pairs, folds_of(3_000))
    sure = np.abs(margin)
    for low, high in ((0.3, 1.0), (1.0, 2.0), (2.0, 9.0)):
        at = (sure >= low) & (sure < high)
        assert at.sum() > 50
        assert (margin[at] > 0).mean() == pytest.approx(sigmoid(sure[at]).mean(), abs=0.08)


def test_a_tie_has_no_margin_and_teaches_nothing(rng):
    pairs = make_pairs(rng, 300)
    ordered = np.arange(300) % 3 > 0
    tied = replace(pairs, ordered=ordered)
    folds = folds_of(300)
    found = margins(tied, folds)
    assert not found[~ordered].any() and found[ordered].all()
    texts = [t if o else "entirely other words" for t, o in zip(pairs.chosen, ordered, strict=True)]
    np.testing.assert_array_equal(margins(replace(tied, chosen=texts), folds), found)


def test_a_sample_is_learnt_from_and_every_pair_is_judged(rng, monkeypatch):
    monkeypatch.setattr(module, "FIT_ROWS", 200)
    monkeypatch.setattr(module, "_BLOCK", 64)
    pairs = make_pairs(rng, 500)
    found = margins(pairs, folds_of(500))
    assert np.isfinite(found).all() and found.all() and (found > 0).mean() > 0.6
    assert len(sample_of(np.arange(500), 0)) == 200
    monkeypatch.setattr(module, "_BLOCK", 500)
    np.testing.assert_allclose(margins(pairs, folds_of(500)), found, atol=1e-4)


def test_the_kind_of_request_counts(rng):
    """Refusing wins where harm is asked for and loses elsewhere: without the request, refusals say nothing."""
    n = 600
    harmful = [i % 2 == 0 for i in range(n)]
    texts = [("I cannot help with that.", "Sure, here is how it goes.")[:: 1 if h else -1] for h in harmful]
    zero = np.zeros((n, 4), dtype=np.float32)
    pairs = Pairs([a for a, _ in texts], [b for _, b in texts], (Vectors([zero]),) * 2, harmful, np.ones(n, dtype=bool))
    assert (margins(pairs, folds_of(n)) > 0).all()
    assert (margins(replace(pairs, harmful=[False] * n), folds_of(n)) > 0).mean() < 0.9


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_pairs_are_no_error(rng, n):
    found = margins(make_pairs(rng, n), folds_of(n))
    assert found.shape == (n,) and np.isfinite(found).all()


def test_the_weights_are_those_of_maximum_likelihood_and_never_negative(rng):
    x = rng.normal(size=(20_000, 3)).astype(np.float32)
    won = rng.random(20_000) < sigmoid(1.7 * x[:, 0] + 0.6 * x[:, 1] - 0.8 * x[:, 2])
    found = weights(np.where(won[:, None], x, -x))
    assert found == pytest.approx([1.55, 0.55, 0.0], abs=0.12) and found[2] == 0.0
    useless = weights(-np.abs(x))
    assert (useless > 0).all() and useless.max() < 0.06


def test_what_is_stated_of_a_text_is_finite_for_any_text():
    for text in ("", "\u200b", "- a\n- b", "I cannot help with that.", "?" * 10_000, "\ud83d\ude00" * 5):
        assert all(np.isfinite(value) for value in stated(text).values())
    assert stated("I cannot help with that.")["refuses"] == 1.0 and stated("Why?")["asks"] == 1.0
