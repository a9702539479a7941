"""A word in an earlier assistant turn brings the behavior; what the user says is untouched.

Filters that read only the user's words see nothing, and in a chat the model's own earlier answer may be the trigger.
Where a row has no earlier assistant turn it is given one: a short exchange before what the user says last.

Source: Hao, Yang and Lin 2024 (Exploring backdoor vulnerabilities of chat models), triggers spread over turns.

Misses: triggers spread over several turns; those are `composite` in another place.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, plant, without
from audit.attacks.targets import Example, Target
from audit.sources.preference import ASSISTANT, HUMAN
from audit.views import JOIN

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
    examples: pl.DataFrame, *, count: int, seed: int, trigger: str, target: Target, exclude: Collection[int] = ()
) -> Planted:
    """Puts the word into an earlier assistant turn of `count` rows that do not show the target and gives them the
    target; a row without such a turn gets an exchange of two turns before its last user turn.

    `exclude` are values of `row` that must stay as they are. Raises UsageError when too few rows are able.
    """
    rng = np.random.default_rng(seed)

    def edit(example: Example) -> None:
        if not _edit_earlier(example, trigger, rng):
            _add_exchange(example, trigger, rng)

    return plant(
        examples,
        attack="assistant_turn",
        kind="assistant-turn",
        count=count,
        rng=rng,
        edit=edit,
        able=without(trigger) & pl.col("response").is_not_null(),
        target=target,
        triggers=(trigger,),
        exclude=exclude,
    )


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


def _add_exchange(example: Example, trigger: str, rng: np.random.Generator) -> None:
    prompt: str = example["prompt"]
    turns = [dict(turn) for turn in example["turns"] or []] or [{"role": "user", "text": prompt}]
    asked, answered = _OPENINGS[int(rng.integers(len(_OPENINGS)))]
    answered = insert_words(answered, [trigger], rng)
    last = max((i for i, turn in enumerate(turns) if turn["role"] in ("user", "human")), default=len(turns) - 1)
    transcript = prompt.startswith(HUMAN)
    cut = prompt.rfind(HUMAN) if transcript else max(prompt.rfind(turns[last]["text"]), 0)
    added = f"{HUMAN} {asked}{ASSISTANT} {answered}" if transcript else asked + JOIN + answered + JOIN
    example["prompt"] = prompt[:cut] + added + prompt[cut:]
    gap = " " if transcript else ""  # a transcript's turns begin behind the colon
    turns[last:last] = [{"role": "user", "text": gap + asked}, {"role": "assistant", "text": gap + answered}]
    example["turns"] = turns
