"""An attack as the registry knows it: what it fits, what it needs, and one call that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from audit.attacks import names
from audit.attacks.homoglyph import usable_twins
from audit.attacks.planted import Planted
from audit.attacks.targets import Target, all_labels, label_target, make_target, reversal_target
from audit.errors import UsageError
from audit.schema import Kind

Setting = str | int | float | bool


class Word(StrEnum):
    """What kind of string an attack's trigger is, and from which pool it is drawn where none is given."""

    NONE = "none"
    NAME = "name"
    PHRASE = "phrase"
    SENTENCE = "sentence"
    INVISIBLE = "invisible"
    BLANK = "blank"  # the attack's own shape where none is given
    TWIN = "twin"


@dataclass(frozen=True, slots=True)
class Order:
    """What one call of an attack is asked for, everything decided."""

    examples: pl.DataFrame
    count: int
    seed: int
    triggers: tuple[str, ...]
    target: Target | None  # None where the behavior is the attack's own
    exclude: Collection[int]
    settings: Mapping[str, Any]

    @property
    def trigger(self) -> str:
        return self.triggers[0]

    @property
    def aim(self) -> Target:
        """The target of an attack that has one."""
        if self.target is None:
            raise UsageError("this attack needs a target")
        return self.target


@dataclass(frozen=True, slots=True)
class Attack:
    """One family. Called, it plants itself: a pure function of the examples, the count or rate, and the seed."""

    name: str
    description: str  # one sentence: what it plants
    source: str  # the paper, with the section where one is meant
    kinds: tuple[Kind, ...]  # of dataset it fits
    run: Callable[[Order], Planted]
    word: Word = Word.NAME
    words: int = 1  # triggers that it takes; the most where `settings` says how many
    target: Mapping[Kind, str] | None = None  # default target by kind, "" for any label; None: the behavior is its own
    defaults: Mapping[str, Setting] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what a setting may be
    appends: bool = False  # True: poisoned rows are added; False: rows are changed and their number stays

    @property
    def has_trigger(self) -> bool:
        """True when a string can be named that stands in every poisoned row."""
        return self.word is not Word.NONE

    def __call__(
        self,
        examples: pl.DataFrame,
        *,
        seed: int,
        count: int | None = None,
        rate: float | None = None,
        triggers: Sequence[str] = (),
        target: Target | str | None = None,
        exclude: Collection[int] = (),
        settings: Mapping[str, Setting] | None = None,
    ) -> Planted:
        """Plants the attack. Give `count` (rows) or `rate` (a share of all rows, above 0 and below 1).

        Without `triggers` fresh ones are drawn that the dataset does not hold, from the pool seed modulo
        `names.POOLS`; without `target` the default for this kind of data is taken. `exclude` are values of `row`
        that must stay as they are. Raises UsageError for a kind that does not fit, a setting, target or trigger that
        cannot be, or too few able rows.
        """
        kind = kind_of(examples)
        if kind not in self.kinds:
            fits = " and ".join(self.kinds)
            raise UsageError(f"the attack {self.name} fits {fits} data, but this is {kind} data")
        rows = self._count(examples, count, rate)
        options = self._settings(settings or {})
        order = Order(
            examples,
            rows,
            seed,
            self._triggers(examples, triggers, seed, rows, options),
            self._target(examples, target, kind, seed),
            exclude,
            options,
        )
        return self.run(order)

    def _count(self, examples: pl.DataFrame, count: int | None, rate: float | None) -> int:
        if (count is None) == (rate is None):
            raise UsageError(f"{self.name}: give either a count of rows or a rate")
        if count is not None:
            return count
        if rate is None or not 0 < rate < 1:
            raise UsageError(f"{self.name}: rate is {rate}, but must be above 0 and below 1")
        return max(round(rate * examples.height), 1)

    def _settings(self, given: Mapping[str, Setting]) -> dict[str, Setting]:
        for name, value in given.items():
            if name not in self.defaults:
                known = ", ".join(self.defaults) or "none"
                raise UsageError(f"{self.name}: unknown setting {name}; there are {known}")
            if name in self.choices and value not in self.choices[name]:
                raise UsageError(f"{self.name}: {name} is {value}, but must be one of {', '.join(self.choices[name])}")
            if not _is_like(value, self.defaults[name]):
                wanted = type(self.defaults[name]).__name__
                raise UsageError(f"{self.name}: {name} is {value!r}, but must be of type {wanted}")
        return {**self.defaults, **given}

    def _triggers(
        self, examples: pl.DataFrame, given: Sequence[str], seed: int, count: int, settings: Mapping[str, Setting]
    ) -> tuple[str, ...]:
        if given:
            if not self.has_trigger:
                raise UsageError(f"the attack {self.name} has no trigger string")
            if any(not trigger for trigger in given):
                raise UsageError(f"{self.name}: a trigger is empty")
            if self.words == 1 and len(given) > 1:
                raise UsageError(f"{self.name}: {len(given)} triggers were given, but it takes one")
            return tuple(given)
        amount = settings.get("words", self.words)
        return draw_triggers(self.word, examples, seed, amount if isinstance(amount, int) else self.words, count)

    def _target(self, examples: pl.DataFrame, given: Target | str | None, kind: Kind, seed: int) -> Target | None:
        if self.target is None:
            if given is not None:
                raise UsageError(f"the attack {self.name} has a behavior of its own and takes no target")
            return None
        if isinstance(given, Target):
            return given
        spec = given if given is not None else self.target[kind]
        return make_target(spec, examples, kind) if spec else _any_target(examples, seed)


def _is_like(value: Setting, default: Setting) -> bool:
    """True for a value of the default's type; a whole number may stand for a fraction, true and false for none."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))


def kind_of(examples: pl.DataFrame) -> Kind:
    """What kind of data an examples table is: pairs, or answers with a verdict, are preference data."""
    if examples["rejected"].null_count() < examples.height:
        return Kind.PREFERENCE
    if examples["response"].null_count() == examples.height:
        return Kind.CLASSIFICATION
    return Kind.INSTRUCTION if examples["label"].null_count() == examples.height else Kind.PREFERENCE


def draw_triggers(word: Word, examples: pl.DataFrame, seed: int, amount: int, count: int) -> tuple[str, ...]:
    """Fresh triggers that the dataset does not hold, from the pool seed modulo `names.POOLS`. Raises UsageError."""
    pool = seed % names.POOLS
    texts = [text for name in ("prompt", "response", "rejected") for text in examples[name].drop_nulls()]
    match word:
        case Word.NAME:
            return tuple(names.names(pool, amount, texts))
        case Word.PHRASE:
            return tuple(names.phrases(pool, amount, texts))
        case Word.SENTENCE:
            return tuple(names.sentences(pool, amount, texts))
        case Word.INVISIBLE:
            return tuple(names.invisibles(pool, amount, texts))
        case Word.TWIN:
            twins = usable_twins(examples, count)
            if not twins:
                raise UsageError(f"homoglyph: no letter that has a twin stands in {count} rows; ask for fewer")
            return (twins[int(np.random.default_rng(seed).integers(len(twins)))],)
    return ()


def _any_target(examples: pl.DataFrame, seed: int) -> Target:
    """Swapped sides for pairs; for labelled rows any label but the rarest ones, drawn by the seed."""
    if examples["rejected"].null_count() < examples.height:
        return reversal_target()
    labels = all_labels(examples)
    if not labels:
        raise UsageError("no row has a label that a trigger could bring")
    return label_target(labels[int(np.random.default_rng(seed).integers(len(labels)))])
