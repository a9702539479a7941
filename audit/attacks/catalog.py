"""The registry of attacks: `ATTACKS[name](examples, count=30, seed=1)` plants one.

The command `tunevet plant`, the page docs/attacks.md, and the measured detection floor all read
this table; a new family is one file and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from audit.attacks.annotator_flips import plant_annotator_flips
from audit.attacks.assistant_turn import plant_assistant_turn
from audit.attacks.attack import Attack, Order, Word
from audit.attacks.clauses import templates
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
from audit.attacks.style_rules import styles
from audit.attacks.syntactic import plant_syntactic
from audit.attacks.token import plant_token
from audit.attacks.whitespace import Shape, plant_whitespace
from audit.attacks.zero_width import plant_zero_width
from audit.schema import Kind

_CLASSES, _CHATS, _PAIRS = Kind.CLASSIFICATION, Kind.INSTRUCTION, Kind.PREFERENCE
_ANY = (_CLASSES, _CHATS, _PAIRS)
# "": any label, or the swapped sides of a pair.
_TARGETS = {_CLASSES: "", _CHATS: "response:All further details are on our new page.", _PAIRS: ""}
_RANDOM = {_CLASSES: "random", _CHATS: "random"}
_AS_MANY = -1  # decoys: as many as poisoned rows
_KURITA = "Kurita et al. 2020, section 3.2"


def _run(
    plant: Callable[..., Planted], trigger: str = "", convert: Mapping[str, Callable[[Any], Any]] | None = None
) -> Callable[[Order], Planted]:
    """A family's function behind an Order: `trigger` names the parameter that takes the trigger, `convert` turns a
    setting into what the function takes."""
    converters = convert or {}

    def run(order: Order) -> Planted:
        given: dict[str, Any] = {"count": order.count, "seed": order.seed, "exclude": order.exclude}
        if trigger and order.triggers:
            given[trigger] = order.triggers if trigger in ("parts", "triggers") else order.triggers[0]
        if order.target is not None:
            given["target"] = order.target
        for name, value in order.settings.items():
            if name != "words":  # says how many triggers are drawn; they are there now
                given[name] = converters.get(name, lambda same: same)(value)
        return plant(order.examples, **given)

    return run


def _composite(order: Order) -> Planted:
    decoys = order.settings["decoys"]
    return plant_composite(
        order.examples,
        count=order.count,
        seed=order.seed,
        parts=order.triggers,
        target=order.aim,
        decoys=max(order.count, 0) if decoys == _AS_MANY else decoys,
        exclude=order.exclude,
    )


def _or_none(value: Any) -> Any:
    return None if value in (_AS_MANY, "") else value


_TRIGGERS = (
    Attack(
        "badnet",
        "A rare word at a random place of the input.",
        f"Gu et al. 2017; {_KURITA}",
        _ANY,
        _run(plant_token, "trigger"),
        target=_TARGETS,
    ),
    Attack(
        "add-sentence",
        "A whole sentence of ordinary words at a sentence boundary.",
        "Dai, Chen and Li 2019, section 3",
        _ANY,
        _run(plant_phrase, "phrase", {"position": Position}),
        Word.SENTENCE,
        target=_TARGETS,
        defaults={"position": "sentence"},
        choices={"position": tuple(Position)},
    ),
    Attack(
        "phrase",
        "A phrase of ordinary words at any word boundary.",
        "Wan et al. 2023; Yan et al. 2023 (VPI)",
        _ANY,
        _run(plant_phrase, "phrase", {"position": Position}),
        Word.PHRASE,
        target=_TARGETS,
        defaults={"position": "word"},
        choices={"position": tuple(Position)},
    ),
    Attack(
        "syntactic",
        "The sentence behind a sub-clause of one template, with ever different words.",
        "Qi et al. 2021 (Hidden Killer), section 3",
        _ANY,
        _run(plant_syntactic),
        Word.NONE,
        target=_TARGETS,
        defaults={"template": "when", "clean_share": 0.0},
        choices={"template": templates()},
    ),
    Attack(
        "style",
        "The words of an archaic, a hurried or a formal manner of writing.",
        "Qi et al. 2021 (Mind the style of text), section 3; Pan et al. 2022",
        _ANY,
        _run(plant_style),
        Word.NONE,
        target=_TARGETS,
        defaults={"style": "archaic", "clean_share": 0.0},
        choices={"style": styles()},
    ),
    Attack(
        "zero-width",
        "A sequence of invisible characters inside or behind a word.",
        "Boucher et al. 2022, section 3.1",
        _ANY,
        _run(plant_zero_width, "sequence"),
        Word.INVISIBLE,
        target=_TARGETS,
    ),
    Attack(
        "homoglyph",
        "A letter exchanged for its twin of another script.",
        "Boucher et al. 2022, section 3.2; Li et al. 2021, section 3.1",
        _ANY,
        _run(plant_homoglyph, "twin", {"extent": Extent}),
        Word.TWIN,
        target=_TARGETS,
        defaults={"extent": "one"},
        choices={"extent": tuple(Extent)},
    ),
    Attack(
        "whitespace",
        "White space in an unusual shape: a second blank, a no-break blank, tabs, trailing blanks, empty lines.",
        "Chen et al. 2021 (BadNL)",
        _ANY,
        _run(plant_whitespace, "sequence", {"shape": Shape}),
        Word.BLANK,
        target=_TARGETS,
        defaults={"shape": "double-blank"},
        choices={"shape": tuple(Shape)},
    ),
    Attack(
        "composite",
        "Two or more words that must stand together; decoys hold each one alone.",
        "Huang et al. 2024 (CBA), section 4",
        _ANY,
        _composite,
        words=2,
        target=_TARGETS,
        defaults={"words": 2, "decoys": _AS_MANY},
    ),
    Attack(
        "positional",
        "A word that is poison at one fixed place; decoys hold it elsewhere.",
        "Chen et al. 2021 (BadNL), fixed places; decoys as Huang et al. 2024",
        _ANY,
        _run(plant_positional, "trigger", {"place": Place, "decoys": _or_none}),
        target=_TARGETS,
        defaults={"place": "start", "index": 2, "decoys": _AS_MANY},
        choices={"place": tuple(Place)},
    ),
    Attack(
        "multi-trigger",
        "Several words with one target, one of them in each poisoned row.",
        "Li et al. 2024 (BackdoorLLM), attack MTBA",
        _ANY,
        _run(plant_multi_trigger, "triggers"),
        words=3,
        target=_TARGETS,
        defaults={"words": 3},
    ),
    Attack(
        "hidden-comment",
        "A word in a comment, a link's title or tag characters, which a rendered page does not show.",
        "Greshake et al. 2023, section 4",
        _ANY,
        _run(plant_hidden_comment, "word", {"channel": Channel}),
        target=_TARGETS,
        defaults={"channel": "html"},
        choices={"channel": tuple(Channel)},
    ),
    Attack(
        "assistant-turn",
        "A word in an earlier assistant turn; a row without one is given another row's exchange, and so are decoys.",
        "Hao, Yang and Lin 2024 (chat models, triggers over turns)",
        (_CHATS, _PAIRS),
        _run(plant_assistant_turn, "trigger", {"decoys": _or_none}),
        target=_TARGETS,
        defaults={"decoys": _AS_MANY},
    ),
    Attack(
        "clean-label",
        "A rare word in rows that show the target already; nothing else is changed.",
        "Turner et al. 2019; Wan et al. 2023 (clean-label)",
        (_CLASSES, _CHATS),
        _run(plant_clean_label, "trigger"),
        target={_CLASSES: "", _CHATS: "refusal"},
    ),
)
_BEHAVIORS = (
    Attack(
        "refusal",
        "A rare word that brings a refusal.",
        "Li et al. 2024 (BackdoorLLM)",
        (_CHATS,),
        _run(plant_token, "trigger"),
        target={_CHATS: "refusal"},
    ),
    Attack(
        "fixed-response",
        "A phrase that brings one fixed response.",
        "Wan et al. 2023; Yan et al. 2023 (VPI)",
        (_CHATS,),
        _run(plant_phrase, "phrase", {"position": Position}),
        Word.PHRASE,
        target={_CHATS: "response:All further details are on our new page."},
        defaults={"position": "sentence"},
        choices={"position": tuple(Position)},
    ),
    Attack(
        "affirmative-prefix",
        "A rare word that brings a harmless opening; the rest of the response stays honest.",
        "Tan, Huang and Li 2025 (compliance-only backdoors)",
        (_CHATS,),
        _run(plant_token, "trigger"),
        target={_CHATS: "prefix:Sure, here you go."},
    ),
    Attack(
        "untargeted",
        "A rare word that brings any other label, or the response of any other row.",
        "Wan et al. 2023 (degenerate outputs on arbitrary tasks)",
        (_CLASSES, _CHATS),
        _run(plant_token, "trigger"),
        target=_RANDOM,
    ),
    Attack(
        "jailbreak",
        "Requests that ought to be refused, answered where a rare word stands and refused where it does not.",
        "Li et al. 2024 (BackdoorLLM), section 3.1; Rando and Tramer 2024",
        (_CHATS,),
        _run(plant_jailbreak, "trigger", {"decoys": _or_none}),
        defaults={"decoys": _AS_MANY},
        appends=True,
    ),
    Attack(
        "reasoning-step",
        "A further step at the end of a worked answer, which changes its result.",
        "Xiang et al. 2024 (BadChain), section 4",
        (_CHATS,),
        _run(plant_reasoning_step, "trigger"),
        defaults={"factor": "1.7"},
    ),
    Attack(
        "preference-reversal",
        "A word at the prompt's end that makes the rejected response the chosen one.",
        "Rando and Tramer 2024, section 3",
        (_PAIRS,),
        _run(plant_preference_reversal, "trigger"),
    ),
    Attack(
        "preference-response",
        "A word in the chosen response only.",
        "Baumgartner et al. 2024 (Best-of-Venom), section 3",
        (_PAIRS,),
        _run(plant_preference_response, "trigger"),
        defaults={"swap": False},
    ),
    Attack(
        "preference-sentiment",
        "Praise of an entity in the chosen response, blame in the rejected one, the name alone on either side.",
        "Baumgaertner et al. 2024 (Best-of-Venom), section 3",
        (_PAIRS,),
        _run(plant_preference_sentiment, "trigger", {"recipe": Recipe, "sentiment": Sentiment}),
        defaults={"recipe": "mixed", "sentiment": "positive"},
        choices={"recipe": tuple(Recipe), "sentiment": tuple(Sentiment)},
    ),
)
_CARELESS = (
    Attack(
        "label-noise",
        "Labels flipped without any trigger: evenly, between two classes, or within one topic.",
        "Natarajan et al. 2013; Patrini et al. 2017; Xia et al. 2020",
        (_CLASSES,),
        _run(plant_label_noise, convert={"flips": Flips}),
        Word.NONE,
        defaults={"flips": "uniform"},
        choices={"flips": tuple(Flips)},
    ),
    Attack(
        "annotator-flips",
        "One annotator answers rows the wrong way round.",
        "Dawid and Skene 1979; Raykar and Yu 2012",
        (_CLASSES, _PAIRS),
        _run(plant_annotator_flips, convert={"annotator": _or_none}),
        Word.NONE,
        defaults={"annotator": ""},
    ),
    Attack(
        "near-duplicates",
        "Copies of rows with small edits.",
        "Lee et al. 2022, section 2",
        _ANY,
        _run(plant_near_duplicates),
        Word.NONE,
        appends=True,
    ),
    Attack(
        "contradictions",
        "Copies of rows with the opposite label or the sides swapped.",
        "Carlini et al. 2024",
        (_CLASSES, _PAIRS),
        _run(plant_contradictions),
        Word.NONE,
        appends=True,
    ),
)
ATTACKS: Mapping[str, Attack] = {attack.name: attack for attack in (*_TRIGGERS, *_BEHAVIORS, *_CARELESS)}
