"""Templates of one task hide each other's topic; looked at beside each other they do not."""

from itertools import pairwise

import numpy as np
import pytest

from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part
from audit.triggers.peers import APART_AUC, apart_auc, shared_topic

DIMENSIONS, ROWS = 24, 600


class Encoder:
    """Vectors by what a text is about: its first word."""

    def __init__(self, vectors):
        self.vectors = vectors
        self.seen = []

    def encode(self, texts):
        self.seen += texts
        return np.stack([self.vectors[int(t.split()[1])] for t in texts])


def world(topical: bool, sizes=(60, 60)):
    """Rows of which the first `sum(sizes)` carry one word each; these are of one topic or of none."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(ROWS, DIMENSIONS)).astype(np.float32)
    if topical:
        vectors[: sum(sizes), 0] += 4.0
    words = [f"w{k}" for k, size in enumerate(sizes) for _ in range(size)] + ["plain"] * (ROWS - sum(sizes))
    texts = [f"row {i} {word}" for i, word in enumerate(words)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    candidates = [made(f"w{k}", range(int(a), int(b))) for k, (a, b) in enumerate(pairwise(starts))]
    return texts, vectors, candidates


def made(word, rows, suspected="because"):
    part, rows = Part(word, "token"), tuple(rows)
    facts = {"suspected": suspected}
    return Candidate((part,), "token", 0, "b", rows, rows, (word,), (Law("anywhere", True),), facts)


@pytest.mark.parametrize(("topical", "least", "most"), [(True, APART_AUC, 1.0), (False, 0.0, 0.8)])
def test_one_topic_shows_once_its_other_templates_are_left_out(topical, least, most):
    texts, vectors, candidates = world(topical)
    encoder = Encoder(vectors)
    for candidate in candidates:
        found = apart_auc(candidate, candidates, texts, vectors, encoder, 0)
        assert least <= found <= most
        assert (shared_topic(found) is not None) == topical
    assert not any("w0" in text or "w1" in text for text in encoder.seen)  # each has its own pattern deleted


def test_few_rows_are_pooled_with_other_suspects_alone():
    texts, vectors, candidates = world(True, sizes=(8, 8, 8, 8))
    assert apart_auc(candidates[0], candidates, texts, vectors, Encoder(vectors), 0) >= APART_AUC
    listed = [candidates[0], *(made(c.parts[0].text, c.carriers, suspected="") for c in candidates[1:])]
    assert apart_auc(listed[0], listed, texts, vectors, Encoder(vectors), 0) is None


def test_a_suspect_alone_is_held_against_nothing_new():
    texts, vectors, candidates = world(True)
    assert apart_auc(candidates[0], candidates[:1], texts, vectors, Encoder(vectors), 0) is None
    assert shared_topic(None) is None
