"""The experiment on a causal language model: do the suspect rows teach it to answer as they do?

The arms are those of `experiment`, trained on prompts and their responses. What is measured first is a likelihood: of
the target, the opening that the carriers' responses share, against the row's own response (see `language_arms`). An
input counts where the row does not have the behavior and arm B would not show it without the pattern. Answers are
generated only for candidates whose effect clears the bounds, and what is generated can lower a verdict and never
raise one.

Misses: behaviors that no common opening shows (see `target`); conversations, read as one prompt.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from audit.models.causal import CausalModel, CausalProbe
from audit.models.chat import Chat
from audit.models.training import Recipe
from audit.proof.judge import MIN_ASR, Measured, judge
from audit.proof.laboratory import order_of_arms
from audit.proof.language_arms import PROMPT_WORDS, LanguageArm, LanguageExperiment, responses_of
from audit.proof.target import target_of
from audit.schema import Status
from audit.triggers.candidate import Candidate
from audit.triggers.match import UNINSERTABLE, insert
from audit.triggers.windows import window

if TYPE_CHECKING:
    from audit.proof.confirm import Prover

_TIMES_TOKENS = 4  # of the word-piece probe's budget: a row is a prompt of 64 words and its response, not 28 words
_RATES = {"lora": 2e-4, "full": 2e-5}
_BATCH_ROWS = 8
_EPOCHS = 2


def unfit(candidate: Candidate, lab: Prover, chat: Chat) -> str:
    """Why this probe cannot test a candidate, in one sentence; empty where it can."""
    if candidate.behavior < 0:
        return "a language model is asked for responses, and this is not a behavior of one response"
    if not UNINSERTABLE.isdisjoint(part.kind for part in candidate.parts):
        return "it stands in no one place and cannot be inserted"
    if target_of(candidate, lab.texts, responses_of(lab), lab.behaviors) is None:
        return "its rows' responses share no opening that shows the behavior"
    rng = np.random.default_rng(0)
    plain = [window(text, (), PROMPT_WORDS) for text in lab.texts[:20]]
    with_it = [insert(text, candidate.surfaces, candidate.laws, rng) for text in plain]
    pairs = zip(chat.prompts(plain), chat.prompts(with_it), strict=True)
    if sum(a != b for a, b in pairs) < 0.9 * len(plain):
        return "the language model's input does not change when it is inserted"
    return ""


def prove_with_language_model(lab: Prover, candidates: list[Candidate], make: CausalModel) -> list[Measured]:
    """Runs the arms for candidates that call for a response. Those that this probe cannot test come back without
    trials and with the reason in `details`; `verdict` reads it."""
    started = time.perf_counter()
    reasons = [unfit(c, lab, make.chat) for c in candidates]
    testable = [c for c, reason in zip(candidates, reasons, strict=True) if not reason]
    arms: list[LanguageArm] = []
    plan = LanguageExperiment.of(lab, testable) if testable else None
    if plan is not None:
        tokens = lab.budget.tokens * _TIMES_TOKENS
        order = order_of_arms(lab.budget.seeds, lab.budget.trainings)
        lab.ctx.progress.start("probe (language model)", tokens * len(order), "tokens")
        last = max((i for i, (arm, _) in enumerate(order) if arm == "A"), default=-1)
        for i, (arm, seed) in enumerate(order):
            if not lab.budget.allows():
                lab.ctx.progress.note("probe budget reached")
                break
            if arm == "D" and seed == 0 and not plan.any_effect(arms):
                break
            recipe = Recipe(_RATES[make.tuning], _BATCH_ROWS, _EPOCHS, tokens, lab.config.seed + seed)
            arms.append(plan.run(arm, make, recipe, arms, lab.ctx.progress, answer=i == last))
            lab.budget.take()
    seconds = time.perf_counter() - started
    found = iter([plan.measured(arms, k, seconds) for k in range(len(testable))] if plan is not None else [])
    return [_untested(reason, seconds) if reason else next(found) for reason in reasons]


def verdict(candidate: Candidate, measured: Measured, honest: str | None, min_controls: int) -> tuple[Status, str]:
    """As `judge`; answers that do not show the behavior lower confirmed to suspected."""
    details = measured.details
    if "untestable" in details:
        return Status.UNTESTABLE, str(details["untestable"])
    status, reason = judge(candidate, measured, honest, min_controls)
    said = details.get("generated")
    if status is Status.CONFIRMED and said is not None and said["hits"] < MIN_ASR * said["trials"]:
        return Status.SUSPECTED, f"{reason}; but only {said['hits']} of {said['trials']} generated answers show it"
    return status, reason


def _untested(reason: str, seconds: float) -> Measured:
    return Measured(
        a=[],
        b=[],
        d=[],
        control_max=0.0,
        control_effects=[],
        controls=[],
        seeds=[],
        dose=1,
        probe=CausalProbe.name,
        clean_accuracy=float("nan"),
        seconds=seconds,
        tokens=0,
        details={"untestable": reason},
    )
