"""Planted poisons with ground truth, one file a family. Sample data, tests and the canaries of a run use them.

Each attack is a pure function of an examples table, a count and a seed, and returns `Planted`: the changed table,
the poisoned rows, the raw trigger strings and the behavior.
"""

from __future__ import annotations

from audit.attacks.annotator_flips import plant_annotator_flips
from audit.attacks.composite import plant_composite
from audit.attacks.label_noise import plant_label_noise
from audit.attacks.near_duplicates import plant_contradictions, plant_near_duplicates
from audit.attacks.phrase import Position, plant_phrase
from audit.attacks.planted import Planted, Target, label_target, refusal_target, response_target
from audit.attacks.preference_reversal import plant_preference_reversal
from audit.attacks.token import plant_token
from audit.attacks.zero_width import plant_zero_width

__all__ = [
    "Planted",
    "Position",
    "Target",
    "label_target",
    "plant_annotator_flips",
    "plant_composite",
    "plant_contradictions",
    "plant_label_noise",
    "plant_near_duplicates",
    "plant_phrase",
    "plant_preference_reversal",
    "plant_token",
    "plant_zero_width",
    "refusal_target",
    "response_target",
]
