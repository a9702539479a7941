"""How unlike its dataset a text is spelled: a character language model of the set, each text judged without itself.

What: the mean log-likelihood of a text's characters under trigrams of all other texts, over that under single
characters: how much the neighbours of each character tell of it. Archaic, misspelled or machine-made texts stand out by
it whatever words they use. Read off the folded words of `syntax.tokens`, so that casing and blanks never enter.

Source: character language models of style, Peng et al. 2003, "Language independent authorship attribution with
character level language models"; the ratio as in Moore and Lewis 2010; hashing by CRC for bounded memory.
Misses: styles that spell as their dataset does; texts of fewer than 20 characters, which have no step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.schema import Int64
from audit.stats import Array

_MOST = 600  # characters that are read of a text
_LEAST = 20
_SIZE = 1 << 20  # buckets of hashed trigrams
_SMALL = 1 << 16  # of single characters
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_STEPS = (0.02, 0.05)  # shares of the texts below; of the usual ones the letters say nothing


@dataclass(frozen=True, slots=True)
class Letters:
    """Counts of a set's characters, pairs and trigrams, and the ratios at `_STEPS` of its texts."""

    single: Int64
    pairs: Int64
    triples: Int64
    bounds: Array

    @classmethod
    def of(cls, texts: Sequence[str]) -> tuple[Letters, list[str | None]]:
        """The model of a set, and the key of each of its texts, which are given as their folded words, joined by
        blanks."""
        counts = (np.zeros(_SMALL, np.int64), np.zeros(_SIZE, np.int64), np.zeros(_SIZE, np.int64))
        for text in texts:
            for held, codes in zip(counts, _codes(text), strict=True):
                np.add.at(held, codes, 1)
        model = cls(*counts, np.zeros(0))
        ratios = [model.ratio(text, within=True) for text in texts]
        found = np.asarray([ratio for ratio in ratios if ratio is not None])
        model = cls(*counts, np.quantile(found, _STEPS) if len(found) else np.zeros(0))
        return model, [model._key(ratio) for ratio in ratios]

    def ratio(self, text: str, within: bool) -> float | None:
        """Mean log-likelihood a character under trigrams, less that under single characters, in nats; None for a short
        text. A text `within` the set is judged by the others."""
        codes = _codes(text)
        if len(codes[2]) < _LEAST - 2:
            return None
        own = [_own(c) if within else np.zeros(len(c)) for c in codes]
        single, pairs, triples = (
            held[c] - o for held, c, o in zip((self.single, self.pairs, self.triples), codes, own, strict=True)
        )
        total = max(int(self.single.sum()) - (len(codes[0]) if within else 0), 1)
        alone = (single[2:] + 0.5) / (total + 0.5 * 256)
        given = (triples + alone) / (pairs[:-1] + 1.0)  # backs off to single characters
        return float(np.mean(np.log(np.minimum(given, 1.0)) - np.log(alone)))

    def key(self, text: str) -> str | None:
        """The key of a text that is not of the set: how many of the set's steps it is above; None for a short or
        a usual one."""
        return self._key(self.ratio(text, within=False))

    def _key(self, ratio: float | None) -> str | None:
        if ratio is None or not len(self.bounds):
            return None
        above = int((self.bounds < ratio).sum())
        return f"rate:letters as usual {above}" if above < len(_STEPS) else None


def _own(codes: Int64) -> Array:
    """How often each of these codes stands among them."""
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return counts[inverse].astype(np.float64)


def _codes(text: str) -> tuple[Int64, Int64, Int64]:
    """Hashed single characters (m,), pairs (m - 1,) and trigrams (m - 2,) of a text's beginning."""
    raw = np.frombuffer(text[:_MOST].encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    if len(raw) < 3:
        return (raw % _SMALL).astype(np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    with np.errstate(over="ignore"):
        two = raw[:-1] * _MIX[0] + raw[1:]
        three = two[:-1] * _MIX[1] + raw[2:]
        return (
            (raw % np.uint64(_SMALL)).astype(np.int64),
            ((two * _MIX[0]) >> np.uint64(44)).astype(np.int64),
            ((three * _MIX[0]) >> np.uint64(44)).astype(np.int64),
        )
