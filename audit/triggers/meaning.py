"""Whether a pattern means its behavior: the embedding of the pattern alone, put in, and taken out.

An honest word moves the support towards its behavior wherever it is put, and a fit that never saw its rows
knows that too, for the embedding was trained elsewhere. A trigger's word moves nothing. A natural word picked
by an attacker for its meaning does: nothing is cleared by these columns, they only keep what has no proof yet
off the list of suspects.

Source: semantic irrelevance and counterfactual deletion (docs/concepts.md, the four answers).
"""

from __future__ import annotations

import numpy as np

from audit.models.encoder import Encoder
from audit.schema import Int64
from audit.stats import Array, spread
from audit.triggers.made_up import MadeUp
from audit.triggers.match import Law, Part, delete, insert
from audit.triggers.rest import Rest
from audit.triggers.windows import window

_INSERTIONS = 40
_DELETIONS = 40
_COMPARED = 2_000  # rows with and without the behavior whose mean support is taken


class Meaning:
    """The encoder of the prompts, and the regression on its vectors."""

    def __init__(self, encoder: Encoder, rest: Rest, texts: list[str], seed: int) -> None:
        self.encoder, self.rest, self.texts, self.seed = encoder, rest, texts, seed
        self.made_up = MadeUp(encoder, texts, seed)

    def limits(self, surfaces: tuple[str, ...], behavior: int, carriers: Int64) -> dict[str, float]:
        """`insertion_limit` and `bare_limit` for words that the encoder does not know: what words that mean nothing
        reach on this dataset; {} for words that it knows."""
        if self.made_up.knows(" ".join(surfaces)):
            return {}
        weights, _, level, distance = self._scale(carriers, behavior)
        moved, bare = self.made_up.limits(weights, level, distance)
        return {"insertion_limit": moved, "bare_limit": bare}

    def bare(self, surfaces: tuple[str, ...], behavior: int, carriers: Int64) -> float:
        """The support of the pattern's text alone, in the same units as `measure`."""
        weights, _, level, distance = self._scale(carriers, behavior)
        vector = self.encoder.encode([" ".join(surfaces)]).astype(np.float64)[0]
        return float(vector @ weights[: len(vector)] + weights[-1] - level) / distance

    def _scale(self, carriers: Int64, behavior: int) -> tuple[Array, Int64, float, float]:
        """The fit without the carriers, rows without the behavior in random order, their mean support, and how
        far above it that of rows with the behavior is."""
        weights = self.rest.weights(carriers, behavior)
        shows = np.zeros(len(self.texts), dtype=bool)
        shows[self.rest.having(behavior)] = True
        free = np.setdiff1d(np.arange(len(self.texts)), carriers)
        without = np.random.default_rng(self.seed).permutation(free[~shows[free]])[:_COMPARED]
        having = free[shows[free]]
        having = having[spread(len(having), _COMPARED)]
        if len(without) == 0 or len(having) == 0:
            return weights, without, 0.0, 1.0
        level = float(np.mean(self.rest.predictors.take(without) @ weights))
        return weights, without, level, max(float(np.mean(self.rest.predictors.take(having) @ weights)) - level, 1e-3)

    def measure(
        self,
        parts: tuple[Part, ...],
        surfaces: tuple[str, ...],
        laws: tuple[Law, ...],
        behavior: int,
        carriers: Int64,
    ) -> dict[str, float]:
        """`insertion`: the mean change of the support in rows without the behavior when the pattern is put in;
        `deletion`: the mean change in carriers when it is taken out; `bare`: the support of the pattern's text
        alone, above that of rows without the behavior. All in units of the distance between the mean support of
        rows with and without the behavior, from a fit without the carriers."""
        weights, without, level, distance = self._scale(carriers, behavior)
        if len(without) == 0:
            return {"insertion": 0.0, "deletion": 0.0, "bare": 0.0}
        d, rng = self.rest.predictors.vectors.shape[1], np.random.default_rng(self.seed)
        at = without[:_INSERTIONS].tolist()
        plain = [window(self.texts[i]) for i in at]
        held = [self.texts[i] for i in carriers[spread(len(carriers), _DELETIONS)].tolist()]
        cut = [delete(text, parts) for text in held]
        put = [insert(text, surfaces, laws, rng) for text in plain]
        found = self.encoder.encode([" ".join(surfaces), *plain, *put, *held, *cut]).astype(np.float64) @ weights[:d]
        a, b, c = 1 + len(plain), 1 + 2 * len(plain), 1 + 2 * len(plain) + len(held)
        bare = float(found[0] + weights[-1]) - level
        return {
            "insertion": float(np.mean(found[a:b] - found[1:a])) / distance,
            "deletion": float(np.mean(found[c:] - found[b:c])) / distance if held else 0.0,
            "bare": bare / distance,
        }
