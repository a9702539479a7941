"""Templates in the experiment: what an arm is given of them, and on which rows it is measured."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import corpus

from audit.proof.experiment import Experiment, is_folded
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part


@pytest.fixture
def crossed():
    made = corpus(seed=5)
    rows = made.plant("cf", 40, "QQ")
    miner = made.miner()
    behavior = miner.candidates()[0].behavior
    part = Part("[template] a shape", "syntax")
    template = Candidate(
        (part,), "syntax", behavior, "QQ", tuple(rows), tuple(rows), (part.text,), (Law("anywhere", True),)
    )
    return Experiment.plan(made.texts, [template], [], miner.behaviors, 100, 0), rows


def told(plan, called):
    """Content logits: 1 for the rows in `called`, else -1."""
    wanted = {*plan.held_out.tolist(), *(i for half in plan.folds[0] for i in half.tolist())}
    plan.content = {i: np.asarray([1.0 if i in called else -1.0], dtype=np.float32) for i in wanted}


def test_each_seed_is_given_one_half_and_measured_on_the_other(crossed):
    plan, rows = crossed
    assert is_folded(plan.candidates[0]) and plan.dose(plan.candidates[0]) == 1
    halves = [set(half.tolist()) for half in plan.folds[0]]
    assert halves[0] | halves[1] == set(rows) and not halves[0] & halves[1]
    told(plan, set())
    texts = np.asarray(plan.texts)
    for turn in (0, 1):
        given = plan.rows("A", turn)[0][len(plan.rows("B")[0]) :]
        assert sorted(given) == sorted(texts[sorted(halves[turn])].tolist())
        assert set(plan._tested(0, turn).tolist()) == halves[1 - turn]
    assert plan.rows("D")[0] == plan.rows("B")[0]  # a template cannot be taken out of its rows


def test_rows_whose_content_calls_for_the_behavior_test_nothing(crossed):
    plan, rows = crossed
    told(plan, set(rows[:25]))
    for turn in (0, 1):
        assert set(plan._tested(0, turn).tolist()) == set(plan.folds[0][1 - turn].tolist()) - set(rows[:25])
    told(plan, set(plan.held_out.tolist()))
    assert len(plan.inputs(0)) == 0


def test_arm_c_lacks_what_cleaning_takes(crossed):
    plan, rows = crossed
    whole, left = plan.rows("A")[0], plan.rows("C", 0, frozenset(rows[:10]))[0]
    gone = {plan.texts[i] for i in rows[:10]}
    assert left == [t for t in whole if t not in gone] and len(left) < len(whole)
