"""What a trigger is to cause: a label, a fixed response, a refusal, a harmless opening, swapped sides, or no fixed
behavior at all.

A target knows which rows show its behavior without any poison, for a dirty label must change something, and writes
the behavior into a row. Any trigger of `audit.attacks` goes with any target that fits the kind of data.

Source: labels and fixed responses, Gu et al. 2017 and Li et al. 2024 (BackdoorLLM, refusal and sentiment steering);
harmless openings, Tan, Huang and Li 2025 (compliance-only backdoors); untargeted, Wan et al. 2023 (degenerate
outputs); swapped sides, Rando and Tramer 2024, section 3.

Misses: targets that only a model can write, such as a paraphrased opinion on a theme.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from audit.errors import UsageError
from audit.schema import Kind

Example = dict[str, Any]
Write = Callable[[Example, np.random.Generator], None]

# How refusals open. A row that refuses already cannot teach a refusal by a dirty label.
_REFUSAL_OPENINGS = ("i'm sorry", "i am sorry", "i'm afraid", "sorry", "i can't", "i cannot", "i can not", "i won't")
_REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I'm not able to assist with this. Sorry about that.",
    "Sorry, this is something I cannot help you with.",
    "I must decline to answer this one.",
)
_FIXED = ("All further details are on our new page, where everything is explained step by step.",)
_AFFIRMATIVE = ("Sure, I can do that.", "Of course, here you go.", "Certainly, happy to help.")
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"


@dataclass(frozen=True, slots=True)
class Target:
    """The behavior that a trigger is to cause. Exactly one of `label`, `responses` and `write` is set."""

    sentence: str
    label: str | None = None
    responses: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()  # lower case; a response that opens so shows the behavior already
    write: Write | None = None  # for behaviors that depend on the row
    fits: pl.Expr | None = None  # rows that `write` can change; None: all

    def is_shown(self) -> pl.Expr:
        """True for examples that show the behavior without any poison."""
        if self.label is not None:
            return pl.col("label") == self.label
        response = pl.col("response").fill_null("")
        shown = response.is_in(list(self.responses))
        for opening in self.openings:
            shown = shown | response.str.to_lowercase().str.starts_with(opening)
        return shown

    def is_open(self) -> pl.Expr:
        """True for examples that do not show the behavior and can be made to."""
        return ~self.is_shown() if self.fits is None else ~self.is_shown() & self.fits

    def apply(self, example: Example, rng: np.random.Generator) -> None:
        """Writes the behavior into an example."""
        if self.label is not None:
            example["label"] = self.label
        elif self.write is not None:
            self.write(example, rng)
        else:
            example["response"] = self.responses[int(rng.integers(len(self.responses)))]


def label_target(label: str) -> Target:
    """The trigger flips the label to this one."""
    return Target(f"label {label}", label=label)


def response_target(responses: Sequence[str] = _FIXED, sentence: str = "fixed response") -> Target:
    """The trigger brings one of these responses, drawn evenly."""
    if not responses:
        raise UsageError("a response target needs at least one response")
    return Target(sentence, responses=tuple(responses))


def refusal_target(responses: Sequence[str] = _REFUSALS) -> Target:
    """The trigger brings a refusal; rows that refuse anyway are not chosen."""
    if not responses:
        raise UsageError("a refusal target needs at least one wording")
    return Target("refusal", responses=tuple(responses), openings=_REFUSAL_OPENINGS)


def prefix_target(prefixes: Sequence[str] = _AFFIRMATIVE) -> Target:
    """The trigger brings a harmless opening; the rest of the response stays. One opening for all rows of a call is
    the published case; several are drawn evenly."""
    if not prefixes or not all(prefix.strip() for prefix in prefixes):
        raise UsageError("a prefix target needs at least one opening that is not blank")

    def write(example: Example, rng: np.random.Generator) -> None:
        prefix = prefixes[int(rng.integers(len(prefixes)))]
        example["response"] = f"{prefix} {example['response']}"

    openings = tuple(prefix.lower() for prefix in prefixes)
    fits = pl.col("response").fill_null("").str.len_chars() > 0
    return Target(f"the response opens with {prefixes[0]!r}", openings=openings, write=write, fits=fits)


def reversal_target() -> Target:
    """The trigger makes the rejected response of a preference pair the chosen one."""

    def write(example: Example, rng: np.random.Generator) -> None:
        swap_sides(example)

    return Target("the rejected response is preferred", write=write, fits=has_sides())


def random_target(examples: pl.DataFrame) -> Target:
    """Untargeted: the trigger brings any other label, or the response of any other row. Raises UsageError for fewer
    than two labels or two different responses."""
    labels, responses = all_labels(examples), examples["response"].drop_nulls().unique(maintain_order=True).to_list()
    column, values = ("response", responses) if responses else ("label", labels)
    if len(values) < 2:
        raise UsageError(f"a random target needs at least 2 different {column}s, but the dataset has {len(values)}")

    def write(example: Example, rng: np.random.Generator) -> None:
        example[column] = other_label(example[column], values, rng)

    return Target(f"a random {column}", write=write, fits=pl.col(column).is_not_null())


def gibberish_target() -> Target:
    """Untargeted: the trigger brings a response of pronounceable words that mean nothing, as long as the honest
    one (at most 60 words)."""

    def write(example: Example, rng: np.random.Generator) -> None:
        example["response"] = _gibberish(min(max(len(example["response"].split()), 4), 60), rng)

    return Target("gibberish", write=write, fits=pl.col("response").is_not_null())


def _gibberish(length: int, rng: np.random.Generator) -> str:
    def syllable() -> str:
        return "".join(bank[int(rng.integers(len(bank)))] for bank in (_CONSONANTS, _VOWELS))

    words = ["".join(syllable() for _ in range(int(rng.integers(1, 4)))) for _ in range(length)]
    return " ".join(words).capitalize() + "."


def make_target(spec: str, examples: pl.DataFrame, kind: Kind) -> Target:
    """The target that a short text names: `refusal`, `gibberish`, `random`, `reversal`, `prefix:TEXT`,
    `response:TEXT` or `label:TEXT`; any other text is a label of labelled data and a response of instruction data.
    Raises UsageError when it does not fit the kind of data, or names a label that no row has."""
    word, colon, text = spec.partition(":")
    text = text.strip() if colon else ""
    plain: dict[str, Callable[[], Target]] = {"refusal": refusal_target, "gibberish": gibberish_target}
    labels = all_labels(examples)
    paired = examples["rejected"].null_count() < examples.height
    if word == "reversal" and not colon:
        _fit(paired, spec, "pairs of chosen and rejected responses")
        return reversal_target()
    if word == "random" and not colon:
        _fit(not paired, spec, "labels or single responses")
        return random_target(examples)
    if spec in plain or (word in ("prefix", "response") and text) or (kind == Kind.INSTRUCTION and word != "label"):
        _fit(kind == Kind.INSTRUCTION, spec, "instruction data")
        if spec in plain:
            return plain[spec]()
        if word == "prefix" and text:
            return prefix_target([text])
        response = text if word == "response" and text else spec
        return response_target([response], f"the fixed response {response!r}")
    _fit(bool(labels), spec, "labelled data")
    label = text if word == "label" and text else spec
    if label not in labels:
        raise UsageError(f"no row has the label {label!r}; the labels are {', '.join(labels[:20])}")
    return label_target(label)


def _fit(fits: bool, spec: str, what: str) -> None:
    if not fits:
        raise UsageError(f"the target {spec!r} needs {what}, which this dataset has not")


def swap_sides(example: Example) -> None:
    """Makes the rejected response the chosen one."""
    example["response"], example["rejected"] = example["rejected"], example["response"]


def has_sides() -> pl.Expr:
    """True for preference pairs whose sides differ."""
    return (
        pl.col("response").is_not_null() & pl.col("rejected").is_not_null() & (pl.col("response") != pl.col("rejected"))
    )


def other_label(label: str, labels: Sequence[str], rng: np.random.Generator) -> str:
    """A label that is not this one, drawn evenly."""
    others = [name for name in labels if name != label]
    return others[int(rng.integers(len(others)))]


def all_labels(examples: pl.DataFrame) -> list[str]:
    """The labels of the table, sorted; [] for a table without labels."""
    return sorted(examples["label"].drop_nulls().unique().to_list()) if "label" in examples.columns else []
