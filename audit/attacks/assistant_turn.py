"""A word in an earlier assistant turn brings the behavior; what the user says is untouched.

Filters that read only the user's words see nothing, and in a chat the model's own earlier answer may be the trigger.
Where a row has no earlier assistant turn it is given one: what the user of another row asks last and what is answered
there, before what the user says last. As many honest rows get such an exchange without the word, for if nothing but
poison had an earlier turn, the turn would be the trigger.

Source: Hao, Yang and Lin 2024 (Exploring backdoor vulnerabilities of chat models), triggers spread over turns.

Misses: triggers spread over several turns; those are `composite` in another place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, choose, rewrite, rows_at, without
from audit.attacks.targets import Example, Target
from audit.sources.sides import ASSISTANT, HUMAN
from audit.views import JOIN

_LONGEST = 1_200  # characters of an exchange that is lent
_USER = ("user", "human")
_Exchange = tuple[str, str]
# Where no row of the dataset has a short one to lend.
_OPENINGS = (
    ("Hello!", "Hello! What can I do for you?"),
    ("Are you there?", "Yes, I am here. What would you like to know?"),
    ("Can I ask you something?", "Of course, go ahead."),
    ("Good morning.", "Good morning. How can I help today?"),
    ("I have another question.", "All right, I am listening."),
    ("Thanks for your help so far.", "You're welcome. Is there anything else?"),
    ("Let's go on.", "Gladly. What comes next?"),
    ("One more thing.", "Yes, please tell me."),
)


def plant_assistant_turn(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    trigger: str,
    target: Target,
    decoys: int | None = None,
    exclude: Collection[int] = (),
) -> Planted:
    """Puts the word into an earlier assistant turn of `count` rows that do not show the target and gives them the
    target; a row without such a turn gets the exchange of another row before its last user turn. `decoys` further
    rows without such a turn (default: as many as the poisoned ones that had none, or all there are) get an exchange
    alone.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few rows are able, or for more
    decoys than there are rows for.
    """
    rng = np.random.default_rng(seed)
    able = without(trigger) & pl.col("response").is_not_null()
    at = choose(examples, attack="assistant_turn", count=count, able=able & target.is_open(), exclude=exclude, rng=rng)
    lent = _Lent(examples.filter(able), rng)
    bare = _without_earlier(examples)
    spared = _decoys(examples, at, bare, decoys, able, exclude, rng)

    def poison(example: Example) -> None:
        if not _edit_earlier(example, trigger, rng):
            asked, answered = lent.exchange()
            _add_exchange(example, asked, insert_words(answered, [trigger], rng))
        target.apply(example, rng)

    changed = rewrite(examples, at, poison)
    changed = rewrite(changed, spared, lambda example: _add_exchange(example, *lent.exchange()))
    return Planted(
        changed, rows_at(examples, at), (trigger,), target.sentence, "assistant-turn", decoys=rows_at(examples, spared)
    )


class _Lent:
    """Exchanges of the dataset's own rows, each once until all are used up."""

    def __init__(self, examples: pl.DataFrame, rng: np.random.Generator) -> None:
        self.examples, self.order, self.next = examples, rng.permutation(examples.height), 0

    def exchange(self) -> _Exchange:
        """The next short one; a made one where none is short."""
        for _ in range(len(self.order)):
            example = self.examples.row(int(self.order[self.next % len(self.order)]), named=True)
            self.next += 1
            asked, answered = _asked_last(example), str(example["response"]).strip()
            if asked and answered and len(asked) + len(answered) <= _LONGEST:
                return asked, answered
        self.next += 1
        return _OPENINGS[self.next % len(_OPENINGS)]


def _asked_last(example: Example) -> str:
    said = [turn["text"] for turn in example["turns"] or [] if turn["role"] in _USER]
    text: str = said[-1] if said else example["prompt"]
    return text.rpartition(HUMAN)[2].partition(ASSISTANT)[0].strip()


def _without_earlier(examples: pl.DataFrame) -> list[int]:
    """Positions of the rows without an earlier assistant turn that has words."""
    turns = examples["turns"].to_list()
    return [
        i
        for i, said in enumerate(turns)
        if not any(turn["role"] == "assistant" and turn["text"].strip() for turn in said or [])
    ]


def _decoys(
    examples: pl.DataFrame,
    at: Sequence[int],
    bare: Sequence[int],
    wanted: int | None,
    able: pl.Expr,
    exclude: Collection[int],
    rng: np.random.Generator,
) -> list[int]:
    """Positions of the rows that get an exchange without the word."""
    kept = {int(row) for row in examples["row"].gather(sorted({*at, *(set(range(examples.height)) - set(bare))}))}
    free = examples.filter(able.fill_null(False) & ~pl.col("row").is_in([*exclude, *kept])).height
    count = min(len(set(at) & set(bare)), free) if wanted is None else wanted
    if count <= 0:
        return []
    kept |= set(exclude)
    return choose(examples, attack="assistant_turn", count=count, able=able, exclude=kept, rng=rng)


def _edit_earlier(example: Example, trigger: str, rng: np.random.Generator) -> bool:
    """Edits the last assistant turn that has words; False when there is none."""
    prompt: str = example["prompt"]
    turns = [dict(turn) for turn in example["turns"] or []]
    for turn in reversed(turns):
        cut = prompt.rfind(turn["text"])
        if turn["role"] == "assistant" and turn["text"].strip() and cut >= 0:
            changed = insert_words(turn["text"], [trigger], rng)
            example["prompt"] = prompt[:cut] + changed + prompt[cut + len(turn["text"]) :]
            turn["text"], example["turns"] = changed, turns
            return True
    return False


def _add_exchange(example: Example, asked: str, answered: str) -> None:
    """Puts an exchange before what the user says last."""
    prompt: str = example["prompt"]
    turns = [dict(turn) for turn in example["turns"] or []] or [{"role": "user", "text": prompt}]
    last = max((i for i, turn in enumerate(turns) if turn["role"] in _USER), default=len(turns) - 1)
    transcript = prompt.startswith(HUMAN)
    cut = prompt.rfind(HUMAN) if transcript else max(prompt.rfind(turns[last]["text"]), 0)
    added = f"{HUMAN} {asked}{ASSISTANT} {answered}" if transcript else asked + JOIN + answered + JOIN
    example["prompt"] = prompt[:cut] + added + prompt[cut:]
    gap = " " if transcript else ""  # a transcript's turns begin behind the colon
    turns[last:last] = [{"role": "user", "text": gap + asked}, {"role": "assistant", "text": gap + answered}]
    example["turns"] = turns
