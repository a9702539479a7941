"""Two or more parts that must stand together bring the behavior; each part alone stands in honest rows.

The decoys that hold one part keep their honest behavior, so no single word is pure and a search over single words
finds little: the attack lies in the conjunction.

Source: Huang et al. 2024 (Composite Backdoor Attacks against large language models), section 4, with its negative
samples; BackdoorLLM (Li et al. 2024), attack CTBA.

Misses: parts in different fields or turns, and parts whose order matters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, choose, edit_input, rewrite, rows_at
from audit.attacks.targets import Example, Target
from audit.errors import UsageError


def plant_composite(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    parts: Sequence[str],
    target: Target,
    decoys: int = 0,
    exclude: Collection[int] = (),
) -> Planted:
    """Puts all parts into `count` inputs and gives them the target; puts each part alone into `decoys` more inputs,
    whose behavior stays. Only rows without any part and without the target are drawn.

    `exclude` are values of `row` that must stay as they are. Raises UsageError for fewer than two parts, parts that
    hold one another, or too few rows for count + decoys * len(parts).
    """
    folded = [part.casefold() for part in parts]
    if len(parts) < 2 or any(a in b for i, a in enumerate(folded) for j, b in enumerate(folded) if i != j):
        raise UsageError(f"composite: {list(parts)} must be two or more parts, none within another")
    if decoys < 0:
        raise UsageError(f"composite: decoys is {decoys}, but cannot be negative")
    rng = np.random.default_rng(seed)
    able = target.is_open()
    for part in folded:
        able = able & ~pl.col("prompt").str.to_lowercase().str.contains(part, literal=True)
    # A count below 1 goes on as it is, so that the refusal names what was asked for.
    needed = count + decoys * len(parts) if count > 0 else count
    at = rng.permutation(choose(examples, attack="composite", count=needed, able=able, exclude=exclude, rng=rng))
    poisoned = sorted(int(i) for i in at[:count])

    def poison(example: Example) -> None:
        edit_input(example, lambda text: insert_words(text, list(parts), rng))
        target.apply(example, rng)

    changed = rewrite(examples, poisoned, poison)
    spared: list[int] = []
    for number, part in enumerate(parts):
        alone = sorted(int(i) for i in at[count + number * decoys : count + (number + 1) * decoys])
        changed = rewrite(changed, alone, _adding(part, rng))
        spared += alone
    rows = rows_at(examples, poisoned)
    return Planted(changed, rows, tuple(parts), target.sentence, "composite", decoys=rows_at(examples, spared))


def _adding(part: str, rng: np.random.Generator) -> Callable[[Example], None]:
    def add(example: Example) -> None:
        edit_input(example, lambda text: insert_words(text, [part], rng))

    return add
