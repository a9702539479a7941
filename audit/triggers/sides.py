"""Which side of a pair the rest of the pair calls for, once a piece of text is taken out of it.

Honest annotators prefer the longer, the more detailed, the politer side, and so the words that come with it. A model
of the other pairs knows that, and says how often it would prefer the side of a word that it does not see.

Source: the Bradley-Terry margin of `audit.artifacts.support`, fitted without the pairs that it judges.
Misses: what the embeddings of the sides do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit.artifacts.expected import Vectors
from audit.artifacts.support import preference_model
from audit.models.encoder import Encoder
from audit.schema import Float32
from audit.stats import spread
from audit.triggers.match import Part, delete

_JUDGED = 64  # pairs of a term that are judged
_SHARE = 0.5  # of the encoder's tokens, as the embeddings of the sides have


class Sides:
    """The two sides of every pair: their texts, their embeddings, and further differences `extra` (n, m)."""

    def __init__(
        self,
        texts: tuple[Sequence[str], Sequence[str]],
        vectors: tuple[Vectors, Vectors],
        extra: Float32,
        encoder: Encoder,
        seed: int,
    ) -> None:
        self.texts = texts
        self.vectors, self.extra, self.encoder, self.seed = vectors, extra, encoder, seed

    def called_for(self, text: str, on_chosen: Sequence[int], on_rejected: Sequence[int]) -> float:
        """How often the other pairs would prefer the side with this text, once it is taken out of both, over at most 64
        of the pairs of which one side alone has it. 0.5 where there are fewer than two other pairs."""
        rows = np.asarray([*on_chosen, *on_rejected], dtype=np.int64)
        others = np.setdiff1d(np.arange(len(self.texts[0])), rows)
        if len(others) < 2 or len(rows) == 0:
            return 0.5
        good, bad = (side.take(others) for side in self.vectors)
        model = preference_model(np.column_stack([good - bad, self.extra[others]]).astype(np.float32), self.seed)
        at = spread(len(rows), _JUDGED)
        part = (Part(text, "phrase"),)
        cut = [delete(side[i], part) for side in self.texts for i in rows[at].tolist()]
        found = self.encoder.encode(cut, share=_SHARE)
        x = np.column_stack([found[: len(at)] - found[len(at) :], self.extra[rows[at]]])
        wins = 1.0 / (1.0 + np.exp(-np.asarray(model.decision_function(x), dtype=np.float64)))
        return float(np.mean(np.where(at < len(on_chosen), wins, 1.0 - wins)))
