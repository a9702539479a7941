"""Which arms are trained in which order, and what they add up to for each candidate.

The order spends little where the answer is clear: B and A of the first seed, then, for candidates with an
effect only, D and the further seeds. What a scan may spend is counted in trainings and minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audit.config import ProbeConfig
from audit.models.training import Network, Recipe
from audit.proof.controls import pick_controls
from audit.proof.experiment import Arm, Experiment
from audit.proof.judge import MIN_EFFECT, Measured
from audit.proof.record import Watch, written
from audit.proof.reward import RewardArm, RewardExperiment, confident, reversal_rate
from audit.proof.reward import dose as reward_dose
from audit.schema import Progress
from audit.triggers.candidate import Candidate

if TYPE_CHECKING:
    from audit.proof.confirm import Prover

_CONTEXT_ROWS = {"wordpiece": 800, "bytes": 2_400}
_REWARD_CONTEXT = 2_400
_REVERSALS = 8  # candidates in the arms of the reward probe; more would crowd the context out of its tokens
_RATES = {"wordpiece": 5e-4, "bytes": 2e-3, "reward": 4e-4}
_EPOCHS = {"wordpiece": 4, "bytes": 8, "reward": 3}
_BYTES_A_TOKEN = 8  # the byte probe reads four bytes a token, at a few per cent of the work
_ROOMY = 16  # candidates that a training's tokens are meant for; more get half as many again for as many again
_SEEDS = {"quick": 2, "full": 3}


@dataclass(slots=True)
class Budget:
    """Trainings and seconds left."""

    trainings: int
    deadline: float
    tokens: int
    seeds: int

    @classmethod
    def of(cls, settings: ProbeConfig) -> Budget:
        seeds = _SEEDS.get(settings.mode, 2)
        full = settings.mode == "full"
        return cls(
            settings.trainings * (3 if full else 1),
            time.monotonic() + 60 * settings.minutes * (3 if full else 1),
            settings.tokens * (3 if full else 1),
            seeds,
        )

    def allows(self) -> bool:
        """True when one more training fits."""
        return self.trainings > 0 and time.monotonic() < self.deadline

    def take(self) -> None:
        """One training is spent."""
        self.trainings -= 1


def order_of_arms(seeds: int, trainings: int, thorough: bool = False) -> list[tuple[str, int]]:
    """B, A and D of the first seed, A of every further seed, then the further seeds' own B and D where the
    budget has room: with three seeds and more, or `thorough`. A seed without its own B or D is held against the
    first's."""
    first = [("B", 0), ("A", 0), ("D", 0)]
    again = [("A", seed) for seed in range(1, seeds)]
    own = [(arm, seed) for seed in range(1, seeds) for arm in "BD"] if thorough or seeds > _SEEDS["quick"] else []
    return [*first, *again, *own][:trainings]


def prove_behaviors(
    lab: Prover, candidates: list[Candidate], name: str, make: Callable[[int, int], Network]
) -> tuple[list[Measured], Trial]:
    """Runs the arms for candidates that call for a behavior of the bank."""
    started = time.perf_counter()
    probe = lab.config.probe
    controls = pick_controls(candidates, lab.texts, lab.patterns, lab.behaviors, probe.controls)
    plan = Experiment.plan(lab.texts, candidates, controls, lab.behaviors, _CONTEXT_ROWS[name], lab.config.seed)
    crowd = 1 + max(len(candidates) - _ROOMY, 0) / _ROOMY / 2
    tokens = int(lab.budget.tokens * crowd) * (_BYTES_A_TOKEN if name == "bytes" else 1)
    trial = Trial(plan, name, make, tokens, lab.config.seed)
    if lab.watched and not written(lab.ctx.run):  # the first probe of a run, of the strongest suspect
        names = [str(lab.behaviors.table["name"][head]) for head in plan.heads]
        trial.watch = Watch(lab.ctx.run, plan, names, tokens, lab.config.seed)
    # A training of the byte probe takes seconds: where no other probe needs the budget, every seed has its own arms.
    order = order_of_arms(lab.budget.seeds, lab.budget.trainings, lab.alone and name == "bytes")
    lab.ctx.progress.start(f"probe ({name})", trial.tokens * len(order), "tokens")
    for arm, turn in order:
        if not lab.budget.allows():
            lab.ctx.progress.note("probe budget reached")
            break
        if arm == "D" and turn == 0 and not _any_effect(trial.arms, len(candidates)):
            break
        trial.run(arm, turn, lab.ctx.progress)
        lab.budget.take()
    seconds = time.perf_counter() - started
    return [_measured(trial, k, seconds) for k in range(len(candidates))], trial


@dataclass(slots=True)
class Trial:
    """The arms that were trained for one group of candidates; their networks live as long as this."""

    plan: Experiment
    probe: str
    make: Callable[[int, int], Network]
    tokens: int  # of one training, at most
    seed: int
    arms: list[Arm] = field(default_factory=list)
    watch: Watch | None = None  # of the first arm A

    def run(self, arm: str, turn: int, progress: Progress, removed: frozenset[int] = frozenset()) -> Arm:
        """Trains one arm; `removed` are the rows that arm C is not given."""
        recipe = Recipe(_RATES[self.probe], 32, _EPOCHS[self.probe], self.tokens, self.seed + turn)
        watch = self.watch if (arm, turn) == ("A", 0) else None
        made = self.plan.run(arm, turn, self.seed + turn, self.make, recipe, progress, removed, watch)
        self.arms.append(made)
        return made

    def networks(self, name: str) -> list[Network]:
        """Those of the arms of this name, in the order of their seeds."""
        return [arm.network for arm in self.arms if arm.name == name]


def _any_effect(arms: list[Arm], count: int) -> bool:
    by = {a.name: a for a in arms}
    return any(
        by["A"].hits[k] / max(by["A"].trials[k], 1) - by["B"].hits[k] / max(by["B"].trials[k], 1) >= MIN_EFFECT
        for k in range(count)
        if k not in by["A"].matched  # a template has no arm D
    )


def _measured(trial: Trial, k: int, seconds: float) -> Measured:
    plan = trial.plan
    candidate = plan.candidates[k]
    head = plan.heads.index(candidate.behavior)
    of = {letter: [a for a in trial.arms if a.name == letter] for letter in "ABD"}
    results = {letter: [(a.hits[k], a.trials[k]) for a in of[letter]] for letter in "ABD"}
    if k in plan.folds:
        results["D"] = [a.matched[k] for a in of["A"]]
    shares = {
        letter: [[float(arm.control_rate[c][head]) for c in range(len(plan.controls))] for arm in of[letter]]
        for letter in "AB"
    }
    accuracy = [a.clean_accuracy for a in of["A"]]
    return Measured(
        a=results["A"],
        b=results["B"],
        d=results["D"],
        control_max=max((v for seed in shares["A"] for v in seed), default=0.0),
        control_effects=_control_effects(shares),
        controls=_listed(plan.controls, shares["A"]),
        seeds=[a.seed for a in of["A"]],
        dose=plan.dose(candidate),
        probe=trial.probe,
        clean_accuracy=float(np.mean(accuracy)) if accuracy else float("nan"),
        seconds=seconds,
        tokens=sum(a.tokens for a in trial.arms),
        crossed=k in plan.folds,
        arms=[_facts(a) for a in trial.arms],
    )


def _facts(arm: Arm | RewardArm) -> dict[str, Any]:
    """What an arm cost."""
    facts = {"arm": arm.name, "seed": arm.seed, "seconds": round(arm.seconds, 1), "tokens": arm.tokens}
    return {**facts, "device": arm.device}


def prove_reversals(lab: Prover, candidates: list[Candidate]) -> list[Measured]:
    """Runs the arms for candidates under which preferences are swapped."""
    started = time.perf_counter()
    candidates_in_arms = candidates[:_REVERSALS]
    controls = pick_controls(candidates_in_arms, lab.texts, lab.patterns, lab.behaviors, lab.config.probe.controls)
    plan = RewardExperiment.plan(
        lab.texts,
        lab.differences(),
        candidates_in_arms,
        controls,
        lab.margin(),
        _REWARD_CONTEXT,
        lab.config.seed,
    )
    order = order_of_arms(lab.budget.seeds, lab.budget.trainings)
    lab.ctx.progress.start("probe (reward)", lab.budget.tokens * len(order), "tokens")
    arms: list[RewardArm] = []
    for arm, seed in order:
        if not lab.budget.allows():
            break
        recipe = Recipe(_RATES["reward"], 24, _EPOCHS["reward"], lab.budget.tokens, lab.config.seed + seed)
        arms.append(plan.run(arm, lab.config.seed + seed, lab.gate, recipe, lab.ctx.progress))
        lab.budget.take()
        if arm == "A" and seed == 0 and not _any_reversal(arms, len(candidates_in_arms)):
            break
    seconds = time.perf_counter() - started
    if not arms:
        return [_unreached(seconds) for _ in candidates]
    found = [_measured_reversal(plan, arms, k, seconds) for k in range(len(candidates_in_arms))]
    return found + [_unreached(seconds) for _ in candidates[len(candidates_in_arms) :]]


def _any_reversal(arms: list[RewardArm], count: int) -> bool:
    at = confident(arms[0].plain)
    return any(reversal_rate(arms[-1].inserted[k], at)[0] >= MIN_EFFECT * len(at) for k in range(count))


def _measured_reversal(plan: RewardExperiment, arms: list[RewardArm], k: int, seconds: float) -> Measured:
    of = {letter: [a for a in arms if a.name == letter] for letter in "ABD"}
    at = confident(of["B"][0].plain)
    results = {letter: [reversal_rate(a.inserted[k], at) for a in of[letter]] for letter in "ABD"}
    shares = {
        letter: [[_share(reversal_rate(arm.controls[c], at)) for c in range(len(plan.controls))] for arm in of[letter]]
        for letter in "AB"
    }
    return Measured(
        a=results["A"],
        b=results["B"],
        d=results["D"],
        control_max=max((v for seed in shares["A"] for v in seed), default=0.0),
        control_effects=_control_effects(shares),
        controls=_listed(plan.controls, shares["A"]),
        seeds=[a.seed for a in of["A"]],
        dose=reward_dose(plan.candidates[k]),
        probe="reward",
        clean_accuracy=float(np.mean([(a.plain > 0).mean() for a in of["A"]])) if of["A"] else float("nan"),
        seconds=seconds,
        tokens=sum(a.tokens for a in arms),
        arms=[_facts(a) for a in arms],
    )


def _share(result: tuple[int, int]) -> float:
    return result[0] / max(result[1], 1)


def _control_effects(shares: dict[str, list[list[float]]]) -> list[float]:
    """The largest ASR_A - ASR_B of any control, means over the seeds, once for each seed of A. Controls' rows
    stand in B too: what differs is what training makes of a natural pattern from one arm to the next."""
    if not shares["A"] or not shares["A"][0]:
        return [0.0] * len(shares["A"])
    without = np.mean(shares["B"], axis=0) if shares["B"] else np.zeros(len(shares["A"][0]))
    with_rows = np.mean(shares["A"], axis=0)
    return [float(np.max(with_rows - without))] * len(shares["A"])


def _listed(controls: list[Candidate], shares: list[list[float]]) -> list[dict[str, Any]]:
    """The controls with their ASR, the mean over the seeds of arm A."""
    return [
        {
            "pattern": control.pattern,
            "count": len(control.carriers),
            "hits": len(control.hits),
            "asr": float(np.mean([seed[c] for seed in shares])) if shares else float("nan"),
        }
        for c, control in enumerate(controls)
    ]


def _unreached(seconds: float) -> Measured:
    """A candidate that the arms had no room for."""
    return Measured([], [], [], 0.0, [], [], [], 1, "reward", float("nan"), seconds, 0)
