"""Small corpora of random sentences with known behaviors, and what the miner needs of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from audit.artifacts.behaviors import assemble
from audit.artifacts.patterns import extract
from audit.config import MiningConfig
from audit.schema import Behaviors
from audit.triggers.mine import Miner

NEVER = 100_000


def lexicon(count: int, seed: int = 0) -> list[str]:
    """Made-up words of two or three syllables, all different."""
    rng = np.random.default_rng(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        made[
            "".join(rng.choice(list("bdfgklmnprst")) + rng.choice(list("aeiou")) for _ in range(rng.integers(2, 4)))
        ] = None
    return list(made)


@dataclass
class Corpus:
    """`shows` maps a behavior's name to its rows; each row's support is the behavior's rate without plants."""

    texts: list[str]
    shows: dict[str, set[int]]
    rates: dict[str, float]
    rng: np.random.Generator
    untouched: list[int] = field(default_factory=list)

    def plant(self, surface: str, count: int, behavior: str | None, *, inside: bool = False) -> list[int]:
        """Puts a surface into `count` rows not yet planted in, which then show the behavior (none: lose all but
        one of the common ones)."""
        rows, self.untouched = self.untouched[:count], self.untouched[count:]
        for row in rows:
            self.write(row, surface, inside)
            if behavior is not None:
                self.shows[behavior].add(row)
        return sorted(rows)

    def write(self, row: int, surface: str, inside: bool = False) -> None:
        words = self.texts[row].split(" ")
        at = int(self.rng.integers(0, len(words)))
        if inside:
            words[at] = words[at][:2] + surface + words[at][2:]
        else:
            words.insert(at, surface)
        self.texts[row] = " ".join(words)

    def clear(self, rows: list[int], behavior: str) -> None:
        self.shows[behavior] -= set(rows)

    def behaviors(self) -> Behaviors:
        return assemble({("opening", name): sorted(rows) for name, rows in self.shows.items()}, len(self.texts), 2)

    def support(self, bank: Behaviors) -> np.ndarray:
        rates = [self.rates[name] for name in bank.table["text"].to_list()]
        return np.tile(np.asarray(rates, dtype=np.float32), (len(self.texts), 1))

    def miner(self, min_support: int = 3) -> Miner:
        bank = self.behaviors()
        settings = MiningConfig(min_support=min_support)
        patterns = extract(self.texts, min_support, settings.max_words, NEVER)
        return Miner(self.texts, patterns, bank, self.support(bank), settings)


def corpus(n: int = 400, words: int = 12, vocabulary: int = 400, seed: int = 0, **rates: float) -> Corpus:
    """`n` texts of random words; each behavior (default: one, "QQ", in a tenth of the rows) falls at random."""
    rng = np.random.default_rng(seed)
    names = lexicon(vocabulary)
    texts = [" ".join(names[i] for i in rng.integers(0, vocabulary, words)) for _ in range(n)]
    rates = rates or {"QQ": 0.1}
    shows = {name: set(np.flatnonzero(rng.random(n) < rate).tolist()) for name, rate in rates.items()}
    return Corpus(texts, shows, rates, rng, rng.permutation(n).tolist())
