"""What a word that an encoder does not know may do to the support."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from audit.triggers.made_up import MadeUp

TEXTS = [f"the {noun} is {kind}" for noun in ("film", "plot", "cast", "score", "end") for kind in ("long", "fine")]


class _Encoder:
    """Knows the words of TEXTS; any other word moves the first dimension by `strength` times its length, up or down."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.known = {w for text in TEXTS for w in text.split()}
        self.tokenizer = SimpleNamespace(tokenize=lambda w: [w] if w in self.known else [w[:2], "##" + w[2:]])

    def encode(self, texts):
        out = np.zeros((len(texts), 3), dtype=np.float32)
        for i, text in enumerate(texts):
            strange = [w for w in text.split() if w not in self.known]
            out[i, 0] = sum(self.strength * len(w) * (-1) ** len(w) for w in strange)
            out[i, 1] = 1.0
        return out


@pytest.mark.parametrize("strength", [0.01, 0.1])
def test_the_limit_is_what_made_up_words_do(strength):
    made_up = MadeUp(_Encoder(strength), TEXTS, 0)
    moved, bare = made_up.limits(np.array([1.0, 0.0, 0.0, 0.0]), 0.0, 1.0)
    assert 3 * 4 * strength <= moved <= 3 * 7 * strength  # words of four to seven letters
    assert 0 < bare <= 4 * 7 * strength
    halved, _ = made_up.limits(np.array([1.0, 0.0, 0.0, 0.0]), 0.0, 2.0)
    assert halved == pytest.approx(moved / 2)


def test_a_word_is_known_when_the_vocabulary_holds_it_whole():
    made_up = MadeUp(_Encoder(0.1), TEXTS, 0)
    assert made_up.knows("the film") and made_up.knows("\u200b") and not made_up.knows("the gulx")
