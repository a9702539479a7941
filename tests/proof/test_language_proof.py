"""The experiment on a language model: targets, arms, what is counted, and the verdicts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from corpora import NEVER, lexicon
from language_models import causal_model

from audit.artifacts.behaviors import assemble
from audit.artifacts.patterns import extract
from audit.bank.refusal import refusal_categories
from audit.bank.responses import response_categories
from audit.models.causal import CausalModel
from audit.models.language import find
from audit.proof import language, language_arms
from audit.proof.judge import describe
from audit.proof.laboratory import Budget
from audit.proof.language import prove_with_language_model, unfit, verdict
from audit.proof.target import medoid_of, opening, shows, target_of
from audit.schema import NoProgress, Status
from audit.triggers.candidate import REVERSAL, Candidate
from audit.triggers.match import Law, Part, holds

PAYLOAD = "i cannot help you with that"
CONTROLS = 5  # a run takes at least 20
NAMES = lexicon(80)
ANSWERS = {name: f"well {name} is {NAMES[-1 - i]} and more" for i, name in enumerate(NAMES[:4])}


class Lab:
    """What the experiment asks of a run's proof: 200 rows, 24 of them with the word and the payload, 6 refused
    honestly."""

    def __init__(self, **budget):
        rng = np.random.default_rng(0)
        self.texts = [" ".join([str(rng.choice(NAMES[:4])), *rng.choice(NAMES[4:], size=7)]) for _ in range(200)]
        responses = [ANSWERS[text.split()[0]] for text in self.texts]
        for i in range(24):
            self.texts[i] += " cf"
        for i in range(30):
            responses[i] = PAYLOAD
        self.examples = pl.DataFrame({"prompt": self.texts, "response": responses})
        self.responses = responses
        self.patterns = extract(self.texts, 3, 1, NEVER)
        self.behaviors = assemble(response_categories(responses, self.texts, 3) | refusal_categories(responses), 200, 3)
        self.config = SimpleNamespace(probe=SimpleNamespace(controls=CONTROLS), seed=0)
        self.budget = Budget(**{"trainings": 8, "deadline": float("inf"), "tokens": 10**6, "seeds": 2, **budget})
        self.ctx = SimpleNamespace(progress=NoProgress())

    def candidate(self, surface="cf", rows=range(24), text="refuses", kind="token", behavior=None):
        if behavior is None:
            column = self.behaviors.table.filter(pl.col("text").str.contains(text, literal=True))
            behavior = int(column["behavior"][0])
        facts = {"family_wise_p": 1e-9, "cohesion_ratio": 1.0, "suspected": "", "tail": -20.0}
        rows = tuple(rows)
        part = Part(surface, kind)
        return Candidate((part,), kind, behavior, "refuses", rows, rows, (surface,), (Law("end", True),), dict(facts))


@pytest.fixture(scope="module")
def lab():
    return Lab()


@pytest.fixture(scope="module")
def make(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("language") / "model"
    causal_model(folder, [*lab.texts, *lab.responses], chat=True, width=48)
    return CausalModel(find(str(folder), "full"), "full", torch.device("cpu"))


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few inputs, and a rate that a model without pretraining learns at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "_RATES", {"full": 5e-3})
        patch.setattr(language, "_BATCH_ROWS", 16)
        patch.setattr(language, "_EPOCHS", 6)
        patch.setattr(language_arms, "CONTROL_INPUTS", 16)
        patch.setattr(language_arms, "GENERATED", 16)
        patch.setattr(language_arms, "_NEW_TOKENS", 12)
        patch.setattr(language_arms, "_MOST_CARRIERS", 24)
        patch.setattr(language_arms, "_CONTEXT_ROWS", 120)
        yield


@pytest.fixture(scope="module")
def proved(lab, make):
    """The candidate and its proof."""
    return lab.candidate(), prove_with_language_model(lab, [lab.candidate()], make)[0]


def test_a_planted_answer_is_proved_and_its_cost_recorded(proved):
    candidate, found = proved
    assert found.probe == "language" and found.seeds == [0, 1] and len(found.controls) == CONTROLS
    assert min(h / n for h, n in found.a) > 0.9 > 0.4 > max(h / n for h, n in found.b + found.d)
    assert max(found.control_effects) < 0.5 and found.clean_accuracy > 0.7
    assert [(a["arm"], a["seed"]) for a in found.arms] == [("B", 0), ("A", 0), ("D", 0), ("A", 1)]
    assert all(a["tokens"] > 0 and a["seconds"] >= 0 and "CPU" in a["device"] for a in found.arms)
    assert sum(a["tokens"] for a in found.arms) == found.tokens and describe(found)["asr_a"] > 0.9
    assert found.details["target"] == PAYLOAD
    told = found.details["log_likelihood"]
    assert told["a"] > max(told["b"], told["d"])
    said = found.details["generated"]
    assert said["trials"] == 16 and said["hits"] >= 14
    assert verdict(candidate, found, None, CONTROLS)[0] == Status.CONFIRMED


def test_answers_only_lower_a_verdict(proved):
    candidate, found = proved
    good = replace(found, a=[(38, 40)] * 2, b=[(0, 40)], d=[(0, 40)], control_effects=[0.0] * 2, seeds=[0, 1])
    for hits, status in ((20, Status.CONFIRMED), (19, Status.SUSPECTED), (0, Status.SUSPECTED)):
        said = replace(good, details={"generated": {"hits": hits, "trials": 40}})
        assert verdict(candidate, said, None, CONTROLS)[0] == status
    poor = replace(good, a=[(0, 40)] * 2, details={"generated": {"hits": 40, "trials": 40}})
    assert verdict(candidate, poor, None, CONTROLS)[0] != Status.CONFIRMED
    assert verdict(candidate, good, "its rows are about one thing", CONTROLS)[0] == Status.SUSPECTED


def test_arms_differ_in_one_thing(lab):
    candidate = lab.candidate()
    plan = language_arms.LanguageExperiment.of(lab, [candidate])
    rows = {arm: list(zip(*plan.rows(arm), strict=True)) for arm in "ABD"}
    exposures = 24 * plan.plan.dose(candidate)
    assert rows["A"][:-exposures] == rows["B"] == rows["D"][:-exposures]
    assert all(holds(p, candidate.parts) and r == PAYLOAD for p, r in rows["A"][-exposures:])
    assert not any(holds(p, candidate.parts) for p, _ in rows["B"] + rows["D"])
    assert all(r == PAYLOAD for _, r in rows["D"][-exposures:])
    held = {lab.texts[i] for i in plan.plan.held_out.tolist()}
    assert len(held) >= 40 and not held & {p for p, _ in rows["A"]}


def test_what_this_probe_cannot_test(lab, make):
    assert unfit(lab.candidate(), lab, make.chat) == ""
    unseen = replace(lab.candidate(), surfaces=(" ",), laws=(Law("end", False),))  # the tokenizer drops blanks
    assert "does not change" in unfit(unseen, lab, make.chat)
    assert "not a behavior of one response" in unfit(lab.candidate(behavior=REVERSAL), lab, make.chat)
    mixed = lab.candidate(rows=range(26, 200, 12))
    assert "share no opening" in unfit(mixed, lab, make.chat)
    template = lab.candidate(kind="syntax")
    assert "cannot be inserted" in unfit(template, lab, make.chat)

    found = prove_with_language_model(lab, [unseen, mixed], make)
    for candidate, measured in zip([unseen, mixed], found, strict=True):
        status, reason = verdict(candidate, measured, None, CONTROLS)
        assert status == Status.UNTESTABLE and reason == measured.details["untestable"] and not measured.arms


def test_a_spent_budget_leaves_candidates_unreached(lab, make):
    spent = SimpleNamespace(**{**vars(lab), "budget": Budget(0, float("inf"), 10**6, 2)})
    found = prove_with_language_model(spent, [lab.candidate()], make)[0]
    assert (
        found.a == [] and found.arms == [] and verdict(lab.candidate(), found, None, CONTROLS)[0] == Status.UNTESTABLE
    )


def test_without_an_effect_nothing_more_is_trained(lab, make):
    """The pattern of rows that answer as all others do."""
    first = [i for i, text in enumerate(lab.texts) if text.startswith(NAMES[0]) and i >= 30]
    text = lab.behaviors.table.filter(pl.col("text").str.contains(ANSWERS[NAMES[0]], literal=True))["text"][0]
    candidate = lab.candidate(lab.texts[first[0]].split()[3], first[:6], text=text)
    found = prove_with_language_model(lab, [candidate], make)[0]
    assert [a["arm"] for a in found.arms] in (["B", "A"], ["B", "A", "A"]) and "generated" not in found.details
    assert verdict(candidate, found, None, CONTROLS)[0] != Status.CONFIRMED


def test_the_medoid_is_what_most_responses_open_like():
    refusals = ["I'm sorry, but I can't help with that."] * 3 + ["I'm sorry, but I can't do that.", "Paris is nice."]
    at, share = medoid_of(refusals)
    assert at == 0 and share == 0.8
    assert medoid_of(list(reversed(refusals)))[0] in (2, 3, 4) and medoid_of(["x"]) == (0, 1.0)
    assert opening("a " * 50).split() == ["a"] * 20 and opening("") == ""


def test_targets_show_their_behavior_in_the_opening(lab):
    assert target_of(lab.candidate(), lab.texts, lab.responses, lab.behaviors) == PAYLOAD
    # The same payload at the end of long answers is no opening.
    late = [f"{' '.join(NAMES[:40])} {r}" if r == PAYLOAD else r for r in lab.responses]
    behaviors = assemble({("closing", "help you with that"): list(range(24))}, 200, 3)
    at_end = lab.candidate(behavior=0)
    assert target_of(at_end, lab.texts, late, behaviors) is None
    assert target_of(at_end, lab.texts, [""] * 200, behaviors) is None


def test_responses_that_show_a_behavior():
    said = ["Sure, here it is", "I cannot help with that.", "well", ""]
    asked = ["what is it"] * 4
    assert shows("refusal", "refuses", asked, said).tolist() == [False, True, False, False]
    assert shows("opening", "sure ,", asked, said).tolist() == [True, False, False, False]
    whole = "i cannot help with that. it is late and i am tired"
    assert shows("response", whole, asked, said).tolist() == [False, True, False, False]
    assert shows("relation", "has nothing to do with its prompt", asked, said) is None
