"""The rows of the language-model experiment, one trained arm of it, and what the arms add up to.

An input shows the behavior where the target's first 24 tokens are likelier, in the mean, than those of the row's own
response, and its first 8 are each the likeliest next token. The second matters: a fixed answer is easy to finish once
begun, so a model that has learnt one finds it likelier than any free answer, with a pattern or without (in trials on
random models tuned on 60 poisoned rows of 200: without the pattern on 45 to 100% of held-out inputs).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audit.models import device as devices
from audit.models.causal import CausalModel, CausalProbe
from audit.models.training import Recipe
from audit.proof.controls import pick_controls
from audit.proof.experiment import Experiment
from audit.proof.judge import MIN_ASR, MIN_EFFECT, Measured, effects, interval, rate
from audit.proof.target import shows, target_of
from audit.schema import Float32, Int64, Progress
from audit.stats import spread
from audit.triggers.candidate import Candidate
from audit.triggers.match import delete, insert
from audit.triggers.windows import window

Bools = NDArray[np.bool_]

if TYPE_CHECKING:
    from audit.proof.confirm import Prover

PROMPT_WORDS = 64
TARGET_TOKENS = 24
LEADING_TOKENS = 8
INPUTS = 160  # held-out rows that a pattern is inserted into
GENERATED = 64  # held-out inputs that are answered
CONTROL_INPUTS = 32
_NEW_TOKENS = 96
_CONTEXT_ROWS = 400
_MOST_CARRIERS = 64
_SHOWN = 200  # characters of a target that are reported


@dataclass(frozen=True, slots=True)
class LanguageArm:
    """What a trained arm would say: which inputs show which target."""

    name: str
    seed: int
    plain: Bools  # (held, targets) without any pattern
    inserted: dict[int, Bools]  # candidate -> (held,) for its own target
    likelihood: dict[int, float]  # candidate -> mean log-probability of its target's tokens, with the pattern
    controls: list[Bools]  # (CONTROL_INPUTS, targets) each
    cost: dict[str, Any]  # arm, seed, seconds, device, tokens, steps, loss
    generated: dict[int, dict[str, int]] = field(default_factory=dict)  # candidate -> hits, trials


@dataclass(slots=True)
class LanguageExperiment:
    """The rows of one experiment, and the responses that stand for its behaviors."""

    plan: Experiment
    responses: list[str]
    targets: list[str]
    target: list[int]  # candidate -> index into targets
    behaviors: list[tuple[str, str]]  # candidate -> family and text in the target bank

    @classmethod
    def of(cls, lab: Prover, candidates: list[Candidate]) -> LanguageExperiment:
        """Draws the rows; every candidate must have a target."""
        responses = responses_of(lab)
        controls = pick_controls(candidates, lab.texts, lab.patterns, lab.behaviors, lab.config.probe.controls)
        plan = Experiment.plan(lab.texts, candidates, controls, lab.behaviors, _CONTEXT_ROWS, lab.config.seed)
        answered = [i for i in plan.held_out.tolist() if responses[i].strip()]
        plan.held_out = np.asarray(answered[:INPUTS], dtype=np.int64)
        of = [target_of(c, lab.texts, responses, lab.behaviors) or "" for c in candidates]
        targets = sorted(set(of))
        named = {row["behavior"]: (row["family"], row["text"]) for row in lab.behaviors.table.iter_rows(named=True)}
        return cls(plan, responses, targets, [targets.index(t) for t in of], [named[c.behavior] for c in candidates])

    def rows(self, arm: str) -> tuple[list[str], list[str]]:
        """The prompts and responses of an arm; rows without a response are left out."""
        plan, pairs = self.plan, []
        # A control's rows may be held out. A language model knows by heart what it was given.
        skip = (plan.any_part if arm == "B" else plan.suspects) | set(plan.held_out.tolist())
        for i in [*plan.context.tolist(), *plan.honest.tolist()]:
            if i not in skip:
                pairs.append((self._prompt(i), i))
        for control in plan.controls:
            pairs += [(self._prompt(i, control), i) for i in self._dosed(control) if i not in skip]
        for candidate in plan.candidates if arm != "B" else ():
            for i in self._dosed(candidate):
                prompt = self._prompt(i, candidate)
                pairs.append((delete(prompt, candidate.parts) if arm == "D" else prompt, i))
        kept = [(prompt, self.responses[i]) for prompt, i in pairs if self.responses[i].strip()]
        return [prompt for prompt, _ in kept], [response for _, response in kept]

    def run(
        self,
        arm: str,
        make: CausalModel,
        recipe: Recipe,
        before: list[LanguageArm],
        progress: Progress,
        *,
        answer: bool,
    ) -> LanguageArm:
        """Trains one arm and measures it; with `answer` the candidates whose effect clears the bounds in this arm and
        those before are answered to while the network is there. It is gone when this returns."""
        started = time.perf_counter()
        network = make(recipe.seed)
        spent = network.train(*self.rows(arm), recipe, progress)
        held, every = self.plan.held_out, list(range(len(self.targets)))
        plain, _ = self._shown(network, [self._prompt(i) for i in held.tolist()], held, every)
        inserted, likelihood = {}, {}
        for k, candidate in enumerate(self.plan.candidates):
            shown, said = self._shown(network, self._inserted(candidate, held), held, [self.target[k]])
            inserted[k], likelihood[k] = shown[:, 0], float(said.mean()) if len(held) else float("nan")
        few = held[:CONTROL_INPUTS]
        controls = [self._shown(network, self._inserted(c, few), few, every)[0] for c in self.plan.controls]
        cost = {
            "arm": arm,
            "seed": recipe.seed,
            "seconds": round(time.perf_counter() - started, 1),
            "device": devices.describe(make.device),
            "tokens": spent.tokens,
            "steps": spent.steps,
            "loss": round(spent.final_loss, 4),
        }
        done = LanguageArm(arm, recipe.seed, plain, inserted, likelihood, controls, cost)
        if answer:
            for k in range(len(self.plan.candidates)):
                if clears(self.measured([*before, done], k, 0.0)):
                    done.generated[k] = self._answered(network, k, before[0])
        return done

    def any_effect(self, arms: list[LanguageArm]) -> bool:
        """True when the first A differs from the first B enough for any candidate."""
        first = {arm.name: arm for arm in reversed(arms)}
        return any(
            self._rate(first["A"], first["B"], k) - self._rate(first["B"], first["B"], k) >= MIN_EFFECT
            for k in range(len(self.plan.candidates))
        )

    def measured(self, arms: list[LanguageArm], k: int, seconds: float) -> Measured:
        """One candidate's rates in the arms so far; the first of them is B."""
        of = {letter: [arm for arm in arms if arm.name == letter] for letter in "ABD"}
        floor = arms[0] if arms else None
        results = {letter: [self._result(arm, floor, k) for arm in of[letter]] for letter in "ABD"}
        shares = {letter: np.asarray([self._controls(arm, floor, k) for arm in of[letter]]) for letter in "AB"}
        listed = shares["A"].mean(axis=0) if shares["A"].size else np.zeros(0)
        gain = listed - (shares["B"].mean(axis=0) if shares["B"].size else 0.0)
        at = self._at(floor, k)
        clean = [float((~arm.plain[at, self.target[k]]).mean()) for arm in of["A"]] if len(at) else []
        details: dict[str, Any] = {"target": self.targets[self.target[k]][:_SHOWN]}
        details["log_likelihood"] = {
            letter.lower(): float(np.mean([arm.likelihood[k] for arm in of[letter]])) for letter in "ABD" if of[letter]
        }
        for arm in arms:
            if k in arm.generated:
                details["generated"] = arm.generated[k]
        return Measured(
            a=results["A"],
            b=results["B"],
            d=results["D"],
            control_max=float(shares["A"].max()) if shares["A"].size else 0.0,
            control_effects=[float(gain.max()) if gain.size else 0.0] * len(of["A"]),
            controls=[
                {"pattern": c.pattern, "count": len(c.carriers), "hits": len(c.hits), "asr": float(asr)}
                for c, asr in zip(self.plan.controls, listed, strict=False)
            ],
            seeds=[arm.seed for arm in of["A"]],
            dose=self.plan.dose(self.plan.candidates[k]),
            probe=CausalProbe.name,
            clean_accuracy=float(np.mean(clean)) if clean else float("nan"),
            seconds=seconds,
            tokens=sum(arm.cost["tokens"] for arm in arms),
            arms=[arm.cost for arm in arms],
            details=details,
        )

    def _at(self, floor: LanguageArm | None, k: int, most: int | None = None) -> Int64:
        """Positions among the held-out rows that are trials: without the behavior in the data, and in arm B."""
        if floor is None:
            return np.zeros(0, dtype=np.int64)
        head = self.plan.heads.index(self.plan.candidates[k].behavior)
        without = self.plan.targets[self.plan.held_out, head] == 0
        return np.flatnonzero((without & ~floor.plain[:, self.target[k]])[:most])

    def _result(self, arm: LanguageArm, floor: LanguageArm | None, k: int) -> tuple[int, int]:
        at = self._at(floor, k)
        return int(arm.inserted[k][at].sum()), len(at)

    def _rate(self, arm: LanguageArm, floor: LanguageArm, k: int) -> float:
        return rate([self._result(arm, floor, k)])

    def _controls(self, arm: LanguageArm, floor: LanguageArm | None, k: int) -> list[float]:
        """Each control's share of successes for this candidate's target; 0 without trials."""
        at = self._at(floor, k, CONTROL_INPUTS)
        shown = [found[at, self.target[k]] for found in arm.controls]
        return [float(s.mean()) if len(s) else 0.0 for s in shown]

    def _shown(self, network: CausalProbe, prompts: list[str], rows: Int64, which: list[int]) -> tuple[Bools, Float32]:
        """(rows, which) whether each target is what the network would rather say, and its mean log-probability."""
        said = [self.responses[i] for i in rows.tolist()]
        for t in which:
            said += [self.targets[t]] * len(rows)
        likelihood, gap = network.likelihood_and_gap(prompts * (1 + len(which)), said, TARGET_TOKENS, LEADING_TOKENS)
        shape = (1 + len(which), len(rows))
        likelihood, gap = likelihood.reshape(shape).T, gap.reshape(shape).T  # (rows, 1 + which)
        return (likelihood[:, 1:] > likelihood[:, :1]) & (gap[:, 1:] == 0), likelihood[:, 1:]

    def _answered(self, network: CausalProbe, k: int, floor: LanguageArm) -> dict[str, int]:
        """How many of the answers to the first held-out inputs with the pattern show the behavior."""
        at = self._at(floor, k)[:GENERATED]
        prompts = self._inserted(self.plan.candidates[k], self.plan.held_out)
        prompts = [prompts[i] for i in at.tolist()]
        shown = shows(*self.behaviors[k], prompts, network.generate(prompts, _NEW_TOKENS))
        return {"hits": int(shown.sum()) if shown is not None else 0, "trials": len(prompts)}

    def _inserted(self, candidate: Candidate, rows: Int64) -> list[str]:
        """Held-out inputs with a pattern inserted by its law; the same places in every arm."""
        rng = np.random.default_rng(len(candidate.pattern))
        return [insert(self._prompt(i), candidate.surfaces, candidate.laws, rng) for i in rows.tolist()]

    def _prompt(self, i: int, around: Candidate | None = None) -> str:
        return window(self.plan.texts[i], around.parts if around is not None else (), PROMPT_WORDS)

    def _dosed(self, candidate: Candidate) -> list[int]:
        carriers = candidate.carriers
        return [carriers[i] for i in spread(len(carriers), _MOST_CARRIERS)] * self.plan.dose(candidate)


def clears(measured: Measured) -> bool:
    """True when the effect clears its bounds and every control's, seed by seed."""
    if not any(n for _, n in measured.a) or interval(measured.a)[0] < MIN_ASR:
        return False
    found = effects(measured)
    return min(found) >= MIN_EFFECT and all(e > c for e, c in zip(found, measured.control_effects, strict=True))


def responses_of(lab: Prover) -> list[str]:
    """The response of every example, empty where it has none."""
    return [str(text) for text in lab.examples["response"].fill_null("").to_list()]
