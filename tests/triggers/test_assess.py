"""Are the carriers about one thing without the pattern? AUC near a half for any rows, high for a topic."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import corpus

from audit.triggers.assess import HONEST_AUC, VALID_FROM, cross_validated_auc, honest_reason, masked_auc
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part


class Bag:
    """A sentence encoder: counts of words by a fixed random direction each, unit rows."""

    def __init__(self, dimension=64):
        self.dimension, self.seen, self.directions = dimension, [], {}

    def encode(self, texts):
        self.seen += texts
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                if word not in self.directions:
                    self.directions[word] = np.random.default_rng(len(self.directions)).normal(size=self.dimension)
                out[row] += self.directions[word]
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def planted(count=40, topic=()):
    """A word in `count` rows, which also hold two words of a topic; the corpus, the candidate, the encoder."""
    made = corpus(seed=2)
    rows = made.plant("cf", count, "QQ")
    for row in rows if topic else ():
        for word in made.rng.choice(topic, size=4):
            made.write(row, str(word))
    parts, laws = (Part("cf", "token"),), (Law("anywhere", True),)
    return made, Candidate(parts, "token", 0, "QQ", tuple(rows), tuple(rows), ("cf",), laws, {"cohesion_ratio": 1.0})


@pytest.mark.parametrize("seed", range(3))
def test_random_carriers_are_any_rows_and_the_pattern_is_masked(seed):
    made, candidate = planted()
    encoder = Bag()
    vectors = encoder.encode(made.texts)
    encoder.seen.clear()
    found = masked_auc(candidate, made.texts, vectors, encoder, seed)
    assert 0.3 < found < 0.72
    assert len(encoder.seen) == 40 and not any("cf" in text.split() for text in encoder.seen)


def test_carriers_of_a_topic_are_told_apart():
    made, candidate = planted(topic=("recipe", "oven", "flour", "butter"))
    encoder = Bag()
    assert masked_auc(candidate, made.texts, encoder.encode(made.texts), encoder, 0) > 0.95


def test_without_masking_the_pattern_itself_would_tell():
    made, candidate = planted()
    for row in candidate.carriers:
        made.texts[row] = "cf cf cf " + made.texts[row]
    encoder = Bag()
    vectors = encoder.encode(made.texts)
    others = np.setdiff1d(np.arange(len(made.texts)), candidate.carriers)
    x = np.concatenate([vectors[list(candidate.carriers)], vectors[others]])
    y = np.repeat([1.0, 0.0], [40, len(others)])
    assert cross_validated_auc(x, y, np.random.default_rng(0)) > 0.95
    assert masked_auc(candidate, made.texts, vectors, encoder, 0) < 0.75


def test_too_few_rows_are_not_tested():
    made, candidate = planted(VALID_FROM - 1)
    encoder = Bag()
    assert masked_auc(candidate, made.texts, encoder.encode(made.texts), encoder, 0) is None
    made, candidate = planted(VALID_FROM)
    short = made.texts[: max(candidate.carriers) + 1]
    everything = Candidate(**{**vars_of(candidate), "carriers": tuple(range(len(short) - 5))})
    assert masked_auc(everything, short, encoder.encode(short), encoder, 0) is None


def vars_of(candidate):
    return {name: getattr(candidate, name) for name in Candidate.__slots__}


def test_auc_of_noise_and_of_a_shift():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 10)), np.repeat([1.0, 0.0], [40, 360])
    noise = [cross_validated_auc(x, rng.permutation(y), np.random.default_rng(s)) for s in range(8)]
    assert 0.4 < np.mean(noise) < 0.6
    x[:40, 0] += 3
    assert cross_validated_auc(x, y, rng) > 0.95


def test_the_reason_for_honesty():
    _, candidate = planted(3)
    assert honest_reason(candidate, None) is None and honest_reason(candidate, HONEST_AUC - 0.01) is None
    assert "masked AUC 0.87" in honest_reason(candidate, HONEST_AUC)
    candidate.statistics["cohesion_ratio"] = 2.5
    assert "2.5 times as alike" in honest_reason(candidate, None)
    assert honest_reason(candidate, 0.5) is None  # the closer test, where there is one, decides
