"""Candidates that are no word towards one behavior: untargeted labels, one-sided terms, topics, clean labels."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from corpora import corpus

from audit.artifacts.expected import Known, Predictors, Vectors
from audit.artifacts.patterns import extract
from audit.config import MiningConfig
from audit.triggers.candidate import ONE_SIDED, UNTARGETED
from audit.triggers.clean_label import clean_label
from audit.triggers.diversity import Vocabulary
from audit.triggers.mine import Beside, Miner
from audit.triggers.one_sided import mine_one_sided
from audit.triggers.rest import Rest
from audit.triggers.reversal import MarginNull, mine_reversal
from audit.triggers.topics import mine_topics
from audit.triggers.untargeted import mine_untargeted


def _miner(made, rng, labels=None):
    bank = made.behaviors()
    n = len(made.texts)
    patterns = extract(made.texts, 3, 4, 100_000)
    vectors = Vectors([rng.normal(size=(n, 8)).astype(np.float32)])
    rest = Rest(Predictors.of(vectors, np.full(n, 10.0)), bank.matrix)
    support = Known(made.support(bank))
    return Miner(made.texts, patterns, bank, support, MiningConfig(), Beside(rest=rest)), vectors


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_word_under_which_labels_are_anything_is_found(rng):
    made = corpus(n=500, seed=21)
    rows = made.plant("cf", 12, None)
    codes = rng.integers(0, 4, 500).astype(np.int32)
    probability = np.full((500, 4), 0.02, dtype=np.float32)
    probability[np.arange(500), codes] = 0.94
    codes[rows] = (codes[rows] + rng.integers(1, 4, len(rows))) % 4
    miner, _ = _miner(made, rng)
    found = mine_untargeted(miner, codes, probability)
    assert found[0].pattern == "cf" and found[0].behavior == UNTARGETED and list(found[0].hits) == rows
    assert found[0].statistics["suspected"]
    honest = np.asarray(probability.argmax(axis=1), dtype=np.int32)
    assert mine_untargeted(_miner(made, rng)[0], honest, probability) == []


def test_a_word_of_the_winning_side_is_a_suspect_and_honest_pairs_have_none(rng):
    made = corpus(n=600, seed=22)
    other = corpus(n=600, seed=23)
    chosen, rejected = list(made.texts), list(other.texts)
    vocabulary = Vocabulary(extract(made.texts, 3, 4, 100_000))
    assert not [c for c in mine_one_sided(chosen, rejected, vocabulary, MiningConfig()) if c.statistics["suspected"]]
    for row in range(40, 70):
        chosen[row] += " zyxomma"
    found = mine_one_sided(chosen, rejected, vocabulary, MiningConfig())
    assert found[0].pattern == "zyxomma" and found[0].behavior == ONE_SIDED
    assert set(found[0].hits) == set(range(40, 70)) and "chosen" in found[0].statistics["suspected"]


def test_a_reversal_is_held_against_margins_dealt_anew(rng):
    made = corpus(n=800, seed=24)
    rows = made.plant("cf", 60, None)
    margin = rng.normal(0.8, 1.0, 800).astype(np.float32)
    margin[rows] = -np.abs(margin[rows]) - 0.5
    patterns = extract(made.texts, 3, 4, 100_000)
    first = mine_reversal(made.texts, patterns, margin, MiningConfig())[0]
    assert first.pattern == "cf" and first.statistics["reversal_p"] <= 0.05 and first.statistics["suspected"]
    null = MarginNull(patterns, margin, 0)
    assert null.family_wise(-1.0, "token") == 1.0
    assert null.family_wise(1e6, "token") == pytest.approx(2 / 200) and null.family_wise(1e6, "slot") == pytest.approx(
        1 / 200 / 0.15
    )


def test_topics_are_listed_and_never_suspected(rng):
    made = corpus(n=400, seed=25)
    topic = made.untouched[:70]
    made.shows["QQ"] |= set(topic)
    miner, _ = _miner(made, rng)
    vectors = rng.normal(size=(400, 8)).astype(np.float32)
    vectors[topic] = 20.0 + rng.normal(scale=0.1, size=(70, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = mine_topics(miner, Vectors([vectors]), 0)
    assert found and set(topic) <= set(found[0].carriers) and found[0].kind == "topic"
    assert not any(c.statistics["suspected"] for c in found)


class _NoMeaning:
    """No pattern moves any support; every text is of two numbers, and which row is of which kind no text tells."""

    def __init__(self, texts=(), vectors=np.zeros((0, 2), dtype=np.float32)):
        self.texts, self.seed, self.encoder = list(texts), 0, self
        self.rest = SimpleNamespace(predictors=SimpleNamespace(vectors=vectors))

    def encode(self, texts):
        return np.random.default_rng(len(texts)).normal(size=(len(texts), 2)).astype(np.float32)

    def bare(self, *given):
        return 0.0

    def limits(self, *given):
        return {}

    def measure(self, *given):
        return {"insertion": 0.0, "deletion": 0.0, "bare": 0.0}


class _Telling(_NoMeaning):
    def measure(self, *given):
        return {"insertion": 0.4, "deletion": -0.3, "bare": 0.6}


class _TellingAsAnyWord(_Telling):
    """The pattern moves the support, but so do words that mean nothing."""

    def limits(self, *given):
        return {"insertion_limit": 0.45, "bare_limit": 0.5}


def test_a_word_of_one_label_without_meaning_is_a_clean_label_suspect(rng):
    """The support expects the label of these rows rightly, so that no residual shows."""
    made = corpus(n=900, vocabulary=300, seed=26, QQ=0.4)
    made.untouched = [row for row in made.untouched if row in made.shows["QQ"]]
    rows = made.plant("cf", 40, "QQ")
    miner, _ = _miner(made, rng)
    miner.families = ["label"] * len(miner.families)
    expected = np.full((900, 1), 0.05, dtype=np.float32)
    expected[sorted(made.shows["QQ"])] = 0.95
    miner.support = Known(expected)
    assert not [c for c in miner.candidates() if c.statistics["suspected"]]
    vectors = rng.normal(size=(900, 2)).astype(np.float32)
    found = clean_label(miner, miner.pairs, _NoMeaning(miner.texts, vectors))
    assert [c.pattern for c in found] == ["cf"] and list(found[0].hits) == rows
    assert clean_label(_fresh(miner), miner.pairs, _Telling(miner.texts, vectors)) == []
    assert [c.pattern for c in clean_label(_fresh(miner), miner.pairs, _TellingAsAnyWord(miner.texts, vectors))] == [
        "cf"
    ]
    # Rows that a classifier tells from the label's others are about one thing.
    of_one_topic = _NoMeaning(miner.texts, vectors + np.float32(4))
    assert clean_label(_fresh(miner), miner.pairs, of_one_topic) == []


def _fresh(miner):
    again = Miner(miner.texts, miner.patterns, miner.behaviors, miner.support, miner.settings, miner.beside)
    again.families, again.tested = miner.families, miner.tested
    return again
