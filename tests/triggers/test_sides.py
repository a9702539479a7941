"""What the rest of a pair calls for, and the terms that would be suspected without it."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import corpus

from audit.artifacts.expected import Vectors
from audit.artifacts.patterns import extract
from audit.bank.preference import reachable
from audit.config import MiningConfig
from audit.triggers import suspicion
from audit.triggers.diversity import Vocabulary
from audit.triggers.one_sided import mine_one_sided
from audit.triggers.sides import Sides

N = 400


class _Counting:
    """A text's vector: whether it is polite, whether it holds the word under test."""

    def encode(self, texts, share=1.0):
        return np.asarray([["kindly" in t, "zyxomma" in t] for t in texts], dtype=np.float32)


def _pairs(polite_with_word: bool):
    """Pairs whose chosen side is polite nine times of ten; 40 of them hold the word on the chosen side."""
    rng = np.random.default_rng(3)
    made, other = corpus(n=N, seed=31), corpus(n=N, seed=32)
    chosen, rejected = list(made.texts), list(other.texts)
    for i in range(N):
        polite = i < 40 if polite_with_word else i >= 40
        if polite:
            side = chosen if rng.random() < 0.9 or i < 40 else rejected
            side[i] += f" kindly{i}"
        if i < 40:
            chosen[i] += " zyxomma"
    if polite_with_word:  # the others show that politeness wins
        for i in range(40, N):
            (chosen if rng.random() < 0.97 else rejected)[i] += f" kindly{i}"
    encoder = _Counting()
    vectors = tuple(Vectors([encoder.encode(side)]) for side in (chosen, rejected))
    sides = Sides((chosen, rejected), vectors, np.zeros((N, 1), dtype=np.float32), encoder, 0)
    return chosen, rejected, sides, Vocabulary(extract(made.texts, 3, 4, 100_000))


def _of(found, text):
    return next(c for c in found if text in c.pattern)


def test_a_word_is_held_against_what_its_pairs_call_for_without_it():
    sides = _pairs(polite_with_word=True)[2]
    assert sides.called_for("zyxomma", range(40), []) > 0.85  # the polite side wins, whatever else it holds
    sides = _pairs(polite_with_word=False)[2]
    assert sides.called_for("zyxomma", range(40), []) == pytest.approx(0.5, abs=0.05)
    assert sides.called_for("zyxomma", range(N - 1), []) == 0.5  # no other pairs


def test_a_planted_word_stays_a_suspect_and_an_honest_one_does_not():
    chosen, rejected, sides, vocabulary = _pairs(polite_with_word=False)
    planted = _of(mine_one_sided(chosen, rejected, vocabulary, MiningConfig(), sides), "zyxomma")
    assert planted.statistics["suspected"]
    chosen, rejected, sides, vocabulary = _pairs(polite_with_word=True)
    assert _of(mine_one_sided(chosen, rejected, vocabulary, MiningConfig()), "zyxomma").statistics["suspected"]
    honest = _of(mine_one_sided(chosen, rejected, vocabulary, MiningConfig(), sides), "zyxomma")
    assert not honest.statistics["suspected"] and honest.statistics["rate"] > 0.85


def test_terms_in_too_few_pairs_are_no_tests():
    assert reachable(np.asarray([3] * 10_000 + [20, 20, 30]), 0.5) == 3  # 3 pairs reach 0.125 at best
    assert reachable(np.asarray([3, 3]), 0.5) == 1


def test_a_word_that_calls_for_its_label_by_itself_and_wherever_it_is_put_means_it():
    meant = {"bare": 1.6, "insertion": 0.45}
    assert suspicion.means_its_label(meant)
    assert not suspicion.means_its_label({**meant, "insertion": 0.1})
    assert not suspicion.means_its_label({**meant, "bare": 0.9})
    assert not suspicion.means_its_label({**meant, "bare_limit": 1.7, "insertion_limit": 0.2})
