"""Masked diversity of carriers: one topic is cohesive, any rows are not, copies count once."""

from __future__ import annotations

import numpy as np
from corpora import NEVER, corpus

from audit.artifacts.patterns import extract
from audit.triggers.diversity import Vocabulary


def vocabulary(texts):
    return Vocabulary(extract(texts, 2, 1, NEVER))


def test_random_rows_are_as_diverse_as_the_dataset_and_a_topic_is_not():
    made = corpus(300, vocabulary=120)
    for row in range(20):
        for word in ("harbour", "vessel", "anchor"):
            made.write(row, word)
    held = vocabulary(made.texts)
    topic, anything = held.measure(np.arange(20), []), held.measure(np.arange(100, 120), [])
    assert topic.ratio > 3 > 1.6 > anything.ratio
    assert held.measure(np.arange(20), ["harbour", "vessel", "anchor"]).ratio < 1.6  # masked: any rows
    assert topic.compared == anything.compared == anything.distinct == 20


def test_cohesion_is_the_mean_cosine_of_tf_idf_vectors():
    texts = ["a b", "a b c", "c d", "d a", "b d c"]
    held = vocabulary(texts)
    frequency = {w: sum(w in t.split() for t in texts) for w in "abcd"}
    dense = np.asarray([[np.log(6 / (1 + frequency[w])) * (w in t.split()) for w in "abcd"] for t in texts])
    unit = dense / np.linalg.norm(dense, axis=1, keepdims=True)
    cosine = unit @ unit.T
    found = held.measure(np.asarray([0, 1, 4]), [])
    assert np.isclose(found.cohesion, np.mean([cosine[0, 1], cosine[0, 4], cosine[1, 4]]), atol=1e-5)
    everything = (cosine.sum() - 5) / 20
    close = ((cosine.sum(axis=1) - 1) / 4)[[0, 1, 4]].mean()
    assert close > everything
    assert np.isclose(found.ratio, found.cohesion / (close**2 / everything), atol=1e-4)


def test_long_rows_are_no_topic_for_being_long():
    """Every row has some of the common words, a long one most of them."""
    rng = np.random.default_rng(0)
    common, rare = [f"of{i}" for i in range(40)], [f"rare{i}" for i in range(3_000)]
    sizes = [40 if row < 20 else 4 for row in range(400)]
    texts = [" ".join([*rng.choice(common, size=n // 2, replace=False), *rng.choice(rare, size=n // 2)]) for n in sizes]
    held = vocabulary(texts)
    long = held.measure(np.arange(20), [])
    assert long.cohesion > 2.5 * held.background and long.ratio < 1.6
    about = " ".join(f"harbour{i}" for i in range(10))
    topic = [f"{text} {about}" if row < 20 else text for row, text in enumerate(texts)]
    assert vocabulary(topic).measure(np.arange(20), []).ratio > 1.5 * long.ratio


def test_copies_count_once():
    made = corpus(100)
    made.texts[:6] = [f"{made.texts[0]}"] * 3 + [f"{made.texts[9]} cf"] * 3
    found = vocabulary(made.texts).measure(np.arange(8), ["cf"])
    assert found.distinct == 4 and found.compared == 8


def test_no_rows_and_one_row_have_no_cohesion():
    held = vocabulary(corpus(50, vocabulary=60).texts)
    assert held.measure(np.arange(0), []).distinct == 0
    one = held.measure(np.arange(1), [])
    assert (one.cohesion, one.distinct) == (0.0, 1)
