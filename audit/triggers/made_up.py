"""How far words that mean nothing move the support: what a word that the encoder does not know may move it too.

The pieces that an encoder cuts an unknown word into have vectors of their own, so that even a word made up by chance
moves the support a little, and on one dataset far more than on another. Made-up words put into random rows say how
far. A word that the encoder's vocabulary holds whole has a meaning, and no such excuse.

Source: calibration by a sample of the null, as for the natural controls of the experiment (`controls`).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from audit.attacks.names import names
from audit.models.encoder import Encoder
from audit.stats import Array
from audit.text import words
from audit.triggers.match import Law, insert
from audit.triggers.windows import window

_POOL = 3
_WORDS = 24
_ROWS = 16
_DEVIATIONS = 3.0
_ANYWHERE = (Law("anywhere", True),)


class MadeUp:
    """Made-up words and what they do to the embeddings of rows drawn at random."""

    def __init__(self, encoder: Encoder, texts: list[str], seed: int) -> None:
        self.encoder, self.texts, self.seed = encoder, texts, seed

    def knows(self, text: str) -> bool:
        """True when the encoder's vocabulary holds every word of a text whole, or the text has none."""
        held = [w for w in words(text) if any(map(str.isalpha, w))]
        return all(len(self.encoder.tokenizer.tokenize(w)) <= 1 for w in held)

    def limits(self, weights: Array, level: float, distance: float) -> tuple[float, float]:
        """How far such words move the support when they are put in, and how far alone they are from `level`: mean and
        three standard deviations, in units of `distance`. `weights` (d + 1,) with the constant last."""
        moved, alone = self._vectors
        d = moved.shape[1]
        inserted = np.abs(moved @ weights[:d]) / distance
        bare = (alone @ weights[:d] + weights[-1] - level) / distance
        spread = np.sqrt(np.mean(inserted**2))  # about 0: a made-up word has no side
        return float(_DEVIATIONS * spread), float(bare.mean() + _DEVIATIONS * bare.std())

    @cached_property
    def _vectors(self) -> tuple[Array, Array]:
        """(w, d) the mean change of a row's embedding by each word, and each word's own embedding."""
        held = set().union(*(text.casefold().split() for text in self.texts)) if self.texts else set()
        drawn = [w for w in names(_POOL, 2 * _WORDS) if w not in held][:_WORDS]
        rng = np.random.default_rng(self.seed)
        at = rng.choice(len(self.texts), size=min(_ROWS, len(self.texts)), replace=False)
        plain = [window(self.texts[i]) for i in np.sort(at).tolist()]
        put = [insert(text, (word,), _ANYWHERE, rng) for word in drawn for text in plain]
        found = self.encoder.encode([*drawn, *plain, *put]).astype(np.float64)
        alone, before, after = np.split(found, [len(drawn), len(drawn) + len(plain)])
        return (after.reshape(len(drawn), len(plain), -1) - before).mean(axis=1), alone
