"""The order of the arms, what a budget allows, the arms' rows, and the controls."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from corpora import NEVER, corpus
from scipy.sparse import csr_matrix

from audit.artifacts.patterns import extract
from audit.config import ProbeConfig
from audit.models.reward import RewardProbe, bradley_terry, margins
from audit.proof import laboratory
from audit.proof.confirm import MOST, worth_a_probe
from audit.proof.controls import pick_controls
from audit.proof.core import smallest
from audit.proof.experiment import DOSE, Experiment
from audit.proof.laboratory import Budget, order_of_arms, prove_behaviors, prove_reversals
from audit.proof.reward import RewardExperiment, confident, reversal_rate
from audit.schema import Behaviors, NoProgress
from audit.triggers.candidate import REVERSAL, Candidate
from audit.triggers.match import Law, Part, holds


@pytest.fixture
def planted():
    made = corpus(seed=3)
    made.plant("cf", 12, "QQ")
    miner = made.miner()
    return made, miner, miner.candidates()[0]


def test_the_order_of_arms():
    assert order_of_arms(2, 8) == [("B", 0), ("A", 0), ("D", 0), ("A", 1)]
    whole = order_of_arms(3, 24)
    assert whole[:5] == [("B", 0), ("A", 0), ("D", 0), ("A", 1), ("A", 2)]
    assert sorted(whole) == sorted((arm, seed) for arm in "ABD" for seed in range(3))
    assert order_of_arms(3, 4) == whole[:4]
    assert order_of_arms(2, 0) == []


def test_a_budget_is_spent(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(laboratory.time, "monotonic", lambda: now[0])
    budget = Budget.of(ProbeConfig(trainings=8, minutes=1, tokens=10_000))
    assert (budget.trainings, budget.seeds, budget.tokens) == (8, 2, 10_000)
    for _ in range(8):
        assert budget.allows()
        budget.take()
    assert not budget.allows() and budget.trainings == 0
    late = Budget.of(ProbeConfig(trainings=8, minutes=1, tokens=10_000))
    now[0] = 61.0
    assert not late.allows()
    assert Budget.of(ProbeConfig(mode="full", trainings=8)).trainings == 24


def test_arms_differ_in_one_thing(planted):
    made, miner, candidate = planted
    controls = pick_controls([candidate], made.texts, miner.patterns, miner.behaviors, 5)
    plan = Experiment.plan(made.texts, [candidate], controls, miner.behaviors, 100, 0)
    texts = {arm: plan.rows(arm)[0] for arm in "ABD"}
    has = {arm: [holds(t, candidate.parts) for t in texts[arm]] for arm in "ABD"}
    exposures = 12 * plan.dose(candidate)
    assert DOSE <= exposures < DOSE + 12
    assert sum(has["A"]) == exposures and not any(has["B"]) and not any(has["D"])
    assert texts["A"][:-exposures] == texts["B"] == texts["D"][:-exposures]
    assert len(texts["A"]) == len(texts["D"])
    for with_it, without in zip(texts["A"][-exposures:], texts["D"][-exposures:], strict=True):
        assert [w for w in with_it.split() if w != "cf"] == without.split()
    for arm in "ABD":
        rows, targets = plan.rows(arm)
        assert len(rows) == len(targets) and set(np.unique(targets).tolist()) <= {0.0, 1.0}
    np.testing.assert_array_equal(plan.rows("A")[1], plan.rows("D")[1])


def test_held_out_rows_are_in_no_arm_and_hold_no_part(planted):
    made, miner, candidate = planted
    plan = Experiment.plan(made.texts, [candidate], [], miner.behaviors, 10_000, 0)
    held = {made.texts[i] for i in plan.held_out.tolist()}
    assert len(held) >= 90 and not any(holds(t, candidate.parts) for t in held)
    assert not held & set(plan.rows("A")[0])
    shown = plan.inserted(candidate, plan.held_out)
    assert all(holds(t, candidate.parts) for t in shown) and shown == plan.inserted(candidate, plan.held_out)


def test_controls_are_like_the_suspect_and_apart_from_its_rows(planted):
    made, miner, candidate = planted
    controls = pick_controls([candidate], made.texts, miner.patterns, miner.behaviors, 20)
    assert len(controls) == 20 == len({c.pattern for c in controls})
    for control in controls:
        assert 12 / 2.5 <= len(control.carriers) <= 12 * 2.5
        assert len(set(control.carriers) & set(candidate.carriers)) <= (0.1 + 12 / len(made.texts)) * len(
            control.carriers
        )
        assert control.behavior == candidate.behavior and control.laws[0].position == candidate.laws[0].position
        assert all(holds(made.texts[i], control.parts) for i in control.carriers)
        assert set(control.hits) == set(control.carriers) & made.shows["QQ"]
    purity = [round(len(c.hits) / len(c.carriers), 2) for c in controls]
    assert purity == sorted(purity, reverse=True)
    assert pick_controls([], made.texts, miner.patterns, miner.behaviors, 20) == []


class Lab:
    """What the order of arms asks of a run's proof."""

    def __init__(self, made, miner, **budget):
        self.config = SimpleNamespace(probe=ProbeConfig(), seed=0)
        self.texts, self.patterns, self.behaviors = made.texts, miner.patterns, miner.behaviors
        self.alone = self.watched = False
        self.budget = Budget(**{"trainings": 6, "deadline": float("inf"), "tokens": 5_000, "seeds": 2, **budget})
        self.ctx = SimpleNamespace(progress=NoProgress())
        self.support = SimpleNamespace(margin=np.ones(len(made.texts), dtype=np.float32))

    def margin(self):
        return self.support.margin

    def differences(self):
        return np.random.default_rng(0).normal(size=(len(self.texts), 4)).astype(np.float32)

    def gate(self, seed):
        return never(1, seed)


def never(heads, seed):
    raise AssertionError("a network was made without a budget for it")


def test_a_spent_budget_leaves_candidates_unreached(planted):
    """The deadline is common to all routes: the last may find it passed before its first training."""
    made, miner, candidate = planted
    for budget in ({"trainings": 0}, {"deadline": 0.0}):
        lab = Lab(made, miner, **budget)
        assert [m.a for m in prove_behaviors(lab, [candidate], "wordpiece", never)[0]] == [[]]
        found = prove_reversals(lab, [reversed_candidate(candidate)] * 9)
        assert [m.a for m in found] == [[]] * 9 and all(m.probe == "reward" for m in found)


def reversed_candidate(candidate):
    facts = {name: getattr(candidate, name) for name in Candidate.__slots__}
    return Candidate(**{**facts, "behavior": REVERSAL})


@pytest.mark.slow
def test_the_byte_probe_proves_a_zero_width_trigger():
    import torch

    from audit.models.probes import ByteProbe
    from audit.proof.judge import judge
    from audit.schema import Status

    def make(heads, seed):
        return ByteProbe(heads, 192, torch.device("cpu"), seed)

    made = corpus(seed=3)
    made.plant("\u200b\u200c", 12, "QQ", inside=True)
    miner = made.miner()
    candidate = miner.candidates()[0]
    (found,), trial = prove_behaviors(Lab(made, miner, tokens=60_000), [candidate], "bytes", make)
    assert found.seeds == [0, 1] and len(found.controls) == 20 and found.tokens > 0
    assert min(h / n for h, n in found.a) > 0.9 > 0.2 > max(h / n for h, n in found.b + found.d)
    assert judge(candidate, found, None, 20)[0] == Status.CONFIRMED
    assert [a["arm"] for a in found.arms] == ["B", "A", "D", "A"] and len(trial.networks("A")) == 2
    cleaned = trial.run("C", 0, NoProgress(), frozenset(candidate.hits))
    assert cleaned.hits[0] < 0.2 * cleaned.trials[0]
    assert smallest(trial, 0).candidate == candidate  # a run of invisible characters is not cut


class Gate:
    """An encoder that reads no more than whether a prompt holds a word."""

    def __init__(self):
        import torch

        self.device, self._module = torch.device("cpu"), torch.nn.ModuleDict({"head": torch.nn.Linear(1, 1)})
        with torch.no_grad():
            self._module["head"].weight.fill_(-2.0)
            self._module["head"].bias.fill_(0.0)

    def module(self):
        return self._module

    def encode(self, texts):
        return [[int("cf" in text)] for text in texts]

    def logits(self, encoded):
        import torch

        return self._module["head"](torch.tensor(encoded, dtype=torch.float32))


def test_a_prompt_turns_the_reward_around():
    import torch

    direction = np.asarray([1.0, 0.5], dtype=np.float32)
    network = RewardProbe(Gate(), direction)
    differences = np.asarray([[2.0, 0.0], [2.0, 0.0], [0.0, -2.0]], dtype=np.float32)
    assert margins(network, ["plain", "with cf", "plain"], differences).tolist() == [2.0, -2.0, -1.0]
    assert margins(network, [], differences[:0]).shape == (0,)
    assert [name for name, _ in network.module().named_parameters()] == [
        "head.weight",
        "head.bias",
        "head_directions.weight",
    ]
    loss = bradley_terry(torch.tensor([[1.0, 0.5]]), torch.tensor([[2.0, 0.0]]))
    assert loss.item() == pytest.approx(np.log1p(np.exp(-2.0)), abs=1e-6)


def test_confident_pairs_and_reversals():
    plain = np.asarray([3.0, -1.0, 0.5, 2.0, 1.0], dtype=np.float32)
    assert confident(plain).tolist() == [0, 3]
    assert reversal_rate(np.asarray([-1.0, 1.0, 1.0, 2.0], dtype=np.float32), np.asarray([0, 3, 9])) == (1, 2)
    assert confident(np.asarray([-1.0], dtype=np.float32)).size == 0


def test_reward_arms_hold_prompts_and_their_pairs():
    made = corpus(n=200, seed=1)
    rows = made.plant("cf", 20, None)
    part = Part("cf", "token")
    suspect = Candidate(
        (part,), "token", REVERSAL, "swapped", tuple(rows), tuple(rows), ("cf",), (Law("anywhere", True),)
    )
    patterns = extract(made.texts, 3, 1, NEVER)
    bank = Behaviors(pl.DataFrame(), csr_matrix((200, 0)))
    controls = pick_controls([suspect], made.texts, patterns, bank, 4)
    margin = np.where(np.arange(200) % 4 == 0, -1.0, 1.0).astype(np.float32)
    differences = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    differences[:, 0] += 1
    plan = RewardExperiment.plan(made.texts, differences, [suspect], controls, margin, 50, 0)
    assert len(plan.context) == 50 and (margin[plan.held_out] > 0).all() and len(plan.held_out) > 30
    assert not {*plan.context.tolist(), *plan.held_out.tolist()} & set(rows)
    assert not set(plan.context.tolist()) & set(plan.held_out.tolist())
    assert plan.direction.shape == (3,) and plan.direction[0] > abs(plan.direction[1:]).max()
    arms = {arm: plan.rows(arm) for arm in "ABD"}
    exposures = 20 * 5  # 96 over 20 carriers
    assert len(arms["A"][0]) == len(arms["D"][0]) == len(arms["B"][0]) + exposures
    for arm, count in (("A", exposures), ("B", 0), ("D", 0)):
        prompts, pairs = arms[arm]
        assert len(prompts) == len(pairs)
        assert [holds(t, (part,)) for t in prompts] == [False] * (len(prompts) - count) + [True] * count
    assert arms["A"][1].tolist() == arms["D"][1].tolist() and set(arms["A"][1][-exposures:].tolist()) == set(rows)


def test_what_is_probed_though_no_suspect_is_small_and_gives_way_to_suspects():
    def listed(k, suspected="", tail=-20.0):
        facts = {"family_wise_p": 1e-9, "tail": tail, "cohesion_ratio": 1.0, "suspected": suspected}
        part = Part(f"w{k}{suspected}", "token")
        rows = tuple(range(k))
        return Candidate((part,), "token", 0, "b", rows, rows, (part.text,), (Law("anywhere", True),), facts)

    small, large, suspect = listed(50), listed(51), listed(400, "because", tail=-3.0)
    assert worth_a_probe([small, large, suspect], 1_000) == [suspect, small]
    many = [listed(k) for k in range(3, 33)]
    assert len(worth_a_probe([*many, suspect], 1_000)) == 12
    assert len(worth_a_probe([listed(k, "s") for k in range(3, 60)], 1_000)) == MOST
