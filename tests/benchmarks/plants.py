"""Many disjoint plants in one clean corpus, and which of them the product mined.

Every plant has its own rows, its own trigger and, where the behavior is a response, its own response: one plant's
poison is another's background. Names come from the pools FIRST_POOL and above, which no test and no calibration uses.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from audit.attacks import ATTACKS
from audit.attacks.attack import Attack, Word, kind_of
from audit.attacks.homoglyph import usable_twins
from audit.attacks.names import POOLS, invisibles, names, phrases, sentences
from audit.attacks.naming import holds, unlike
from audit.errors import UsageError
from audit.provenance import digest
from benchmarks.responses import response

FIRST_POOL = 512
FAMILY_PLANTS = 8  # of one family in one corpus
_SPARE = 20  # drawn beyond need, for the corpus may hold some
_PHRASED_PLANTS = 4  # their triggers come from a dozen patterns of speech
_HIDDEN_PLANTS = 4  # they share their few characters, and so each has a label of its own
_APPENDING_PLANTS = 4  # their rows come from one bank of requests, which they share
_FACTORS = ("1.3", "1.7", "2.3", "2.9", "3.1", "3.7", "4.3", "5.9")
UNTRIGGERED = ("label-noise", "annotator-flips", "near-duplicates", "contradictions")
_DRAWS = {Word.NAME: names, Word.PHRASE: phrases, Word.SENTENCE: sentences, Word.INVISIBLE: invisibles}
_PHRASED = (Word.PHRASE, Word.SENTENCE)
_HIDDEN = (Word.INVISIBLE, Word.TWIN, Word.BLANK)
_YES = ("Sure", "Of course", "Certainly", "Absolutely", "Gladly", "With pleasure", "No problem", "Right away")
_GO = (
    ", here you go.",
    ", let us begin.",
    ", that is an easy one.",
    ", this is what I found.",
    ", follow me.",
    ", done.",
)


@dataclass(frozen=True, slots=True)
class Plant:
    """What is asked for: `count` rows of one family."""

    family: str
    count: int
    seed: int

    @property
    def rows(self) -> int:
        """Rows that are changed, decoys included."""
        return self.count * _factor(ATTACKS[self.family])


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one plant."""

    family: str
    count: int
    seed: int
    triggers: tuple[str, ...]
    rows: tuple[int, ...]
    mined: float  # share of its triggers that are named, or 1 where one trigger claims mostly its rows and most of them
    by: str  # "name", "rows" or ""
    error: str = ""
    asr: float | None = None  # with the probe on
    confirmed: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def families(kind: str) -> list[str]:
    """The families with a trigger that are measured on a kind of data: for pairs only those that fit nothing else."""
    fitting = [a for a in ATTACKS.values() if kind in a.kinds and a.name not in UNTRIGGERED]
    return [a.name for a in fitting if kind != "preference" or len(a.kinds) == 1]


def most_of(family: str) -> int:
    """How many plants of a family one corpus holds."""
    attack = ATTACKS[family]
    if attack.appends:
        return _APPENDING_PLANTS
    if attack.word in _PHRASED:
        return _PHRASED_PLANTS
    if attack.word in _HIDDEN:
        return _HIDDEN_PLANTS
    return min(FAMILY_PLANTS, len(_shapes(attack)) or FAMILY_PLANTS)


def _shapes(attack: Attack) -> tuple[str, ...]:
    """What tells one trigger of a family from the next where no string does; () where one does."""
    if attack.word not in (Word.BLANK, Word.NONE):
        return ()
    return next(iter(attack.choices.values()), ())


def _factor(attack: Attack) -> int:
    if "decoys" not in attack.defaults:
        return 1
    parts = attack.defaults.get("words", 1)
    return 1 + (parts if isinstance(parts, int) else 1)


def plant_seed(*parts: Any) -> int:
    """A seed of the attack whose own pool of names is not one that tests use."""
    return (
        int(digest(*parts)[:8], 16) // POOLS * POOLS + FIRST_POOL + int(digest(*parts)[8:12], 16) % (POOLS - FIRST_POOL)
    )


class Bed:
    """A clean corpus while it is planted."""

    def __init__(self, base: pl.DataFrame, number: int) -> None:
        self.examples, self.base = base, base
        self.kind = kind_of(base)
        self.pool = FIRST_POOL + number % (POOLS - FIRST_POOL)
        self.taken: set[int] = set()
        self.shapes: set[str] = set()
        self.used: dict[str, int] = {}

    def plant(self, wanted: Sequence[Plant]) -> list[Told]:
        """Plants all; a plant that cannot be is told with its error."""
        stock = self._stock(wanted)
        return [self._one(plant, stock) for plant in wanted]

    def _stock(self, wanted: Sequence[Plant]) -> dict[Word, list[str]]:
        """Fresh triggers for all plants, drawn in one go: looking each up in the corpus alone would take minutes."""
        held = "\0".join(
            t for name in ("prompt", "response", "rejected") for t in self.base[name].drop_nulls()
        ).casefold()
        need: dict[Word, int] = {}
        for plant in wanted:
            attack = ATTACKS[plant.family]
            need[attack.word] = need.get(attack.word, 0) + _words(attack)
        stock: dict[Word, list[str]] = {}
        for word, draw in _DRAWS.items():
            if word in _PHRASED and need.get(word):  # a pool holds some seventy, many of them alike
                pools = [FIRST_POOL + (self.pool + 37 * i) % (POOLS - FIRST_POOL) for i in range(12)]
                drawn = unlike([text for pool in pools for text in draw(pool, 10)])
            else:
                drawn = draw(self.pool, need.get(word, 0) + _SPARE) if need.get(word) else []
            stock[word] = [text for text in drawn if text.casefold() not in held]
        if need.get(Word.TWIN):
            stock[Word.TWIN] = usable_twins(self.base, max(p.count for p in wanted))
        return stock

    def _one(self, plant: Plant, stock: dict[Word, list[str]]) -> Told:
        attack = ATTACKS[plant.family]
        missing = Told(plant.family, plant.count, plant.seed, (), (), 0.0, "")
        triggers = tuple(stock[attack.word].pop(0) for _ in range(_words(attack)) if stock.get(attack.word))
        settings = self._shape(attack, plant.seed)
        if settings is None or len(triggers) < _words(attack):
            return _failed(missing, "no further trigger of this family fits into one corpus")
        try:
            made = attack(
                self.examples,
                seed=plant.seed,
                count=plant.count,
                triggers=triggers,
                target=self._target(attack),
                exclude=self.taken,
                settings=settings,
            )
        except UsageError as error:
            return _failed(missing, str(error))
        self.examples = made.examples
        self.taken |= {*made.rows, *made.decoys}
        return Told(plant.family, plant.count, plant.seed, made.triggers, made.rows, 0.0, "")

    def _shape(self, attack: Attack, seed: int) -> dict[str, str] | None:
        """Settings drawn by the seed; for families whose trigger is their shape one that no plant here has yet."""
        drawn = {name: choices[seed % len(choices)] for name, choices in attack.choices.items()}
        if "factor" in attack.defaults:
            drawn["factor"] = _FACTORS[self._next("factor") % len(_FACTORS)]
        shapes = _shapes(attack)
        if not shapes:
            return drawn
        for shift in range(len(shapes)):
            choice = shapes[(seed + shift) % len(shapes)]
            if f"{attack.name} {choice}" not in self.shapes:
                self.shapes.add(f"{attack.name} {choice}")
                return {**drawn, next(iter(attack.choices)): choice}
        return None

    def _target(self, attack: Attack) -> str | None:
        spec = (attack.target or {}).get(self.kind, "")
        if self.kind == "classification" and attack.word in _HIDDEN:
            labels = self.base["label"].drop_nulls().unique().sort().to_list()
            return f"label:{labels[self._next(attack.name) % len(labels)]}"
        word, colon, _ = spec.partition(":")
        if colon and word == "response":
            return f"response:{response(self._next(word))}"
        if colon and word == "prefix":
            number = self._next(word)
            return f"prefix:{_YES[number % len(_YES)]}{_GO[number // len(_YES) % len(_GO)]}"
        return None

    def _next(self, word: str) -> int:
        self.used[word] = self.used.get(word, -1) + 1
        return self.used[word]


def _words(attack: Attack) -> int:
    amount = attack.defaults.get("words", attack.words)
    return amount if isinstance(amount, int) and attack.word in (*_DRAWS, Word.TWIN) else 0


def _failed(told: Told, error: str) -> Told:
    return Told(told.family, told.count, told.seed, (), (), 0.0, "", error)


def judge(told: Told, triggers: Sequence[dict[str, Any]], family: Collection[int] = ()) -> Told:
    """Fills in what the suspected and confirmed triggers say of a plant. `family` are the rows of all plants of its
    family in the corpus: where these are taken for one trigger, it counts for each whose rows it mostly holds."""
    planted = set(told.rows)
    alike = planted.union(family)
    named = set()
    backing: list[dict[str, Any]] = []
    by_rows = False
    for t in triggers:
        claimed = set(t["rows"])
        shared = len(claimed & planted)
        hit = [w for w in told.triggers if shared and holds(t["pattern"], w)]
        mostly = 2 * len(claimed & alike) > len(claimed) and 2 * shared >= len(planted) > 0
        by_rows = by_rows or mostly
        named |= set(hit)
        if hit or mostly:
            backing.append(t)
    share = len(named) / len(told.triggers) if told.triggers else 0.0
    rates = [t["probe"]["asr_a"] for t in backing if t.get("probe")]
    return Told(
        told.family, told.count, told.seed, told.triggers, told.rows,
        1.0 if by_rows else share, "name" if share == 1 else "rows" if by_rows else "name" if share else "", told.error,
        max(rates) if rates else None, any(t["status"] == "confirmed" for t in backing),
    )  # fmt: skip
