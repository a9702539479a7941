"""Planted poisons with ground truth, one file a family; `ATTACKS` lists them all.

Each attack is a pure function of an examples table, a count and a seed, and returns `Planted`: the changed table,
the poisoned rows, the raw trigger strings and the behavior.
"""

from __future__ import annotations

from audit.attacks.annotator_flips import plant_annotator_flips
from audit.attacks.assistant_turn import plant_assistant_turn
from audit.attacks.attack import Attack, Word, draw_triggers, kind_of
from audit.attacks.catalog import ATTACKS
from audit.attacks.clean_label import plant_clean_label
from audit.attacks.composite import plant_composite
from audit.attacks.hidden_comment import Channel, plant_hidden_comment
from audit.attacks.homoglyph import Extent, plant_homoglyph
from audit.attacks.jailbreak import plant_jailbreak
from audit.attacks.label_noise import Flips, plant_label_noise
from audit.attacks.multi_trigger import plant_multi_trigger
from audit.attacks.near_duplicates import plant_contradictions, plant_near_duplicates
from audit.attacks.phrase import Position, plant_phrase
from audit.attacks.planted import Planted
from audit.attacks.positional import Place, plant_positional
from audit.attacks.preference_response import plant_preference_response
from audit.attacks.preference_reversal import plant_preference_reversal
from audit.attacks.preference_sentiment import Recipe, Sentiment, plant_preference_sentiment
from audit.attacks.reasoning_step import plant_reasoning_step
from audit.attacks.style import plant_style
from audit.attacks.syntactic import plant_syntactic
from audit.attacks.targets import (
    Target,
    gibberish_target,
    label_target,
    make_target,
    prefix_target,
    random_target,
    refusal_target,
    response_target,
    reversal_target,
)
from audit.attacks.token import plant_token
from audit.attacks.whitespace import Shape, plant_whitespace
from audit.attacks.zero_width import plant_zero_width

__all__ = [
    "ATTACKS",
    "Attack",
    "Channel",
    "Extent",
    "Flips",
    "Place",
    "Planted",
    "Position",
    "Recipe",
    "Sentiment",
    "Shape",
    "Target",
    "Word",
    "draw_triggers",
    "gibberish_target",
    "kind_of",
    "label_target",
    "make_target",
    "plant_annotator_flips",
    "plant_assistant_turn",
    "plant_clean_label",
    "plant_composite",
    "plant_contradictions",
    "plant_hidden_comment",
    "plant_homoglyph",
    "plant_jailbreak",
    "plant_label_noise",
    "plant_multi_trigger",
    "plant_near_duplicates",
    "plant_phrase",
    "plant_positional",
    "plant_preference_response",
    "plant_preference_reversal",
    "plant_preference_sentiment",
    "plant_reasoning_step",
    "plant_style",
    "plant_syntactic",
    "plant_token",
    "plant_whitespace",
    "plant_zero_width",
    "prefix_target",
    "random_target",
    "refusal_target",
    "response_target",
    "reversal_target",
]
