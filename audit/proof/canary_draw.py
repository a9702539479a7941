"""Which canaries a scan plants: families, row counts, targets and triggers, drawn from the dataset and its seed.

A canary is a planted trigger that the miner is not told of. The draw depends on the dataset's fingerprint and the run's
seed, so that a run repeated plants the same, and who knows this code but not all of the data cannot foresee it. A
scratch copy holds canaries in at most SHARE of its rows, so several copies may be needed; a small set has one canary of
LEAST rows a copy, more than SHARE of it, and says so; a very small one has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.attacks import ATTACKS
from audit.attacks.names import CANARY_POOLS, invisibles, names, phrases, sentences
from audit.attacks.naming import unlike
from audit.attacks.planted import Planted
from audit.attacks.targets import Target, label_target, prefix_target, refusal_target, response_target
from audit.errors import UsageError
from audit.provenance import digest
from audit.schema import DatasetInfo, Kind

SHARE = 0.002  # of a scratch copy's rows that canaries change, decoys included
LEAST = 8  # rows of the one canary of a copy that SHARE has no room for
LEAST_ROWS = 1_000  # below it, LEAST rows are another dataset: no canaries
COPIES = {"quick": 3, "full": 12}  # at most
TRAININGS = 4  # of one kind of probe for a copy: B, A and D, and A of a second seed; quick proves one copy
_MOST_A_COPY = 8
_HIDDEN = frozenset({"zero-width"})  # they share their few characters: one a copy
_COMMON_LABEL = 0.02  # share of the rows that a target label has at least
_POOL_DRAWS = {"name": 40, "phrase": 24, "sentence": 40, "invisible": 8}

# (family, rows) in the order in which they are dealt. A few cells with several canaries each say more than many with
# one. What word pieces can see comes first: the first copy is the one that a quick scan proves.
_TEXTS = (
    ("badnet", 8), ("phrase", 12), ("badnet", 8), ("phrase", 12), ("badnet", 8), ("zero-width", 12),
)  # fmt: skip
_MORE_TEXTS = (
    *_TEXTS, *_TEXTS, ("badnet", 8), ("phrase", 12), ("badnet", 8), ("phrase", 12), ("composite", 6), ("composite", 6),
    ("badnet", 5), ("zero-width", 12), ("badnet", 5), ("zero-width", 12), ("add-sentence", 20), ("add-sentence", 20),
)  # fmt: skip
_PAIRS = (
    ("preference-reversal", 12), ("preference-response", 8), ("preference-reversal", 12), ("preference-response", 8),
    ("preference-reversal", 20),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Canary:
    """One trigger to be planted. `rows` are changed in all, decoys among them."""

    family: str  # of audit.attacks
    count: int  # poisoned rows
    rows: int
    target: Target | None  # None: the family has a behavior of its own
    aim: str  # the target as a report names it; never text of the dataset
    triggers: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Draw:
    """All canaries of a scan, copy by copy. `reason` says why there are none; `room` is what SHARE allows a copy."""

    copies: tuple[tuple[Canary, ...], ...]
    room: int
    reason: str = ""

    def relaxed(self, rows: int) -> float:
        """The largest share of a copy's rows that canaries change, where that is more than SHARE; else 0."""
        most = max((sum(c.rows for c in copy) for copy in self.copies), default=0)
        return most / rows if most > self.room else 0.0


def draw(examples: pl.DataFrame, info: DatasetInfo, mode: str, seed: int) -> Draw:
    """The canaries of a scan of these examples (schema EXAMPLES). `mode` is quick or full. Pure."""
    if len(examples) < LEAST_ROWS:
        return Draw((), 0, f"canaries need {LEAST_ROWS:,} rows, and there are {len(examples):,}")
    room = int(SHARE * len(examples))
    copies = deal(_wishes(info, mode), room, COPIES[mode])
    try:
        made = _Maker(examples, info, seed)
        return Draw(tuple(made.copy(copy) for copy in copies), room)
    except UsageError as error:
        return Draw((), room, str(error))


def seed_of(info: DatasetInfo, seed: int) -> int:
    """The seed of the canaries: from the data and the run's seed, not from the code alone."""
    return int(digest("canaries", info.fingerprint, seed)[:12], 16)


def plant_all(
    examples: pl.DataFrame, canaries: Sequence[Canary], spared: frozenset[int]
) -> tuple[pl.DataFrame, list[Planted | str]]:
    """A copy of the examples with the canaries in it, and each one's truth, or why it could not be planted. No row
    carries two of them; values of `row` in `spared` stay as they are."""
    taken = set(spared)
    told: list[Planted | str] = []
    for canary in canaries:
        try:
            made = ATTACKS[canary.family](
                examples,
                seed=canary.seed,
                count=canary.count,
                triggers=canary.triggers,
                target=canary.target,
                exclude=taken,
            )
        except UsageError as error:
            told.append(str(error))
            continue
        examples = made.examples
        taken |= {*made.rows, *made.decoys}
        told.append(made)
    return examples, told


def deal(wishes: Sequence[tuple[str, int]], room: int, most: int) -> list[list[tuple[str, int]]]:
    """(family, count) dealt to at most `most` copies: each to the first copy with room for its rows. Where a copy has
    less room than LEAST rows, each holds one canary of LEAST; a wish larger than a copy becomes one of LEAST. What has
    no place is left out."""
    bound = max(room, LEAST)
    copies: list[list[tuple[str, int]]] = []
    for family, count in wishes:
        wish = (family, count) if _rows(family, count) <= bound else (family, LEAST)
        if _rows(*wish) > bound:
            continue
        for copy in copies:
            if _fits(copy, wish, bound):
                copy.append(wish)
                break
        else:
            if len(copies) < most:
                copies.append([wish])
    return copies


def _fits(copy: Sequence[tuple[str, int]], wish: tuple[str, int], bound: int) -> bool:
    alike = sum(family in _HIDDEN for family, _ in copy) if wish[0] in _HIDDEN else 0
    rows = sum(_rows(*other) for other in copy) + _rows(*wish)
    return rows <= bound and len(copy) < _MOST_A_COPY and not alike


def _parts(family: str) -> int:
    """Triggers of one canary."""
    amount = ATTACKS[family].defaults.get("words", ATTACKS[family].words)
    return amount if isinstance(amount, int) else 1


def _rows(family: str, count: int) -> int:
    """Rows that a canary changes: as many decoys a part, where the family has them."""
    return count * (1 + _parts(family)) if "decoys" in ATTACKS[family].defaults else count


def _wishes(info: DatasetInfo, mode: str) -> tuple[tuple[str, int], ...]:
    if info.kind == Kind.PREFERENCE and info.shape != "kto":
        return _PAIRS * (1 if mode == "quick" else 4)
    return _TEXTS if mode == "quick" else _MORE_TEXTS


class _Maker:
    """Fresh triggers and targets for all copies of a scan, looked up in the corpus once."""

    def __init__(self, examples: pl.DataFrame, info: DatasetInfo, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.stock = self._stock(examples, CANARY_POOLS[seed % len(CANARY_POOLS)])
        self.chats = info.kind == Kind.INSTRUCTION
        counted = examples["label"].drop_nulls().value_counts().sort(["count", "label"], descending=[True, False])
        common = counted.filter(pl.col("count") >= _COMMON_LABEL * len(examples))["label"].to_list()
        self.labels: list[str] = sorted(common) or counted["label"].to_list()[:1]
        self.made = 0
        self.used: list[str] = []  # strings of the copy that is being made

    def copy(self, wishes: Sequence[tuple[str, int]]) -> tuple[Canary, ...]:
        self.used = []
        return tuple(self._canary(*wish) for wish in wishes)

    def _canary(self, family: str, count: int) -> Canary:
        attack = ATTACKS[family]
        triggers = tuple(self._fresh(str(attack.word)) for _ in range(_parts(family)))
        target, aim = self._target(family)
        self.made += 1
        seed = int(self.rng.integers(1 << 31))
        return Canary(family, count, _rows(family, count), target, aim, triggers, seed)

    def _fresh(self, word: str) -> str:
        """A string that shares no word of four letters and more, and no two words in a row, with one of this copy:
        they would be mined as what they share, or as an answer that repeats its prompt."""
        held = {w for text in self.used for w in text.casefold().split() if len(w) > 3}
        for text in self.stock[word]:
            if unlike([*self.used, text])[-1:] == [text] and held.isdisjoint(text.casefold().split()):
                self.stock[word].remove(text)
                self.used.append(text)
                return text
        raise UsageError(f"the pool of canaries has no further {word} that this dataset does not hold")

    def _target(self, family: str) -> tuple[Target | None, str]:
        """Targets take turns, so that two canaries of a copy seldom call for the same."""
        if ATTACKS[family].target is None:
            return None, "swapped sides" if family == "preference-reversal" else "the chosen side"
        if not self.chats:
            return label_target(self.labels[self.made % len(self.labels)]), "a label"
        if self.made % 3 == 0:
            return refusal_target(), "a refusal"
        text = self._fresh("sentence")
        if self.made % 3 == 1:
            return response_target([text], "a fixed response"), "a fixed response"
        return prefix_target([text]), "a fixed opening"

    def _stock(self, examples: pl.DataFrame, pool: int) -> dict[str, list[str]]:
        """Strings of the canaries' own pool that the corpus does not hold, shuffled by the seed."""
        texts = (t for name in ("prompt", "response", "rejected") for t in examples[name].drop_nulls())
        held = "\0".join(texts).casefold()
        stock = {}
        for word, pick in (("name", names), ("phrase", phrases), ("sentence", sentences), ("invisible", invisibles)):
            drawn = pick(pool, _POOL_DRAWS[word])
            shuffled = [drawn[i] for i in self.rng.permutation(len(drawn)).tolist()]
            stock[word] = [text for text in shuffled if text.casefold() not in held]
        return stock
