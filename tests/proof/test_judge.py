"""From rates to a status: a table of cases, and the law that more effect never lowers the status."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.proof.judge import Measured, describe, effects, interval, judge
from audit.schema import Status
from audit.stats import wilson_interval
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part

N = 100
PROVED = Measured(
    a=[(98, N), (96, N)],
    b=[(3, N), (2, N)],
    d=[(4, N), (5, N)],
    control_max=0.3,
    control_effects=[0.2, 0.15],
    controls=[{"pattern": f"c{i}", "count": 9, "asr": 0.1} for i in range(20)],
    seeds=[0, 1],
    dose=1,
    probe="wordpiece",
    clean_accuracy=0.9,
    seconds=1.25,
    tokens=1000,
)


def candidate(family=1e-6, ratio=1.0, **more):
    statistics = {"family_wise_p": family, "cohesion_ratio": ratio, **more}
    laws = (Law("anywhere", True),)
    return Candidate((Part("cf", "token"),), "token", 0, "b", (1, 2, 3), (1, 2, 3), ("cf",), laws, statistics)


CHANCE = {"family": 0.5}
BY_NULL = {"family": 0.5, "null_p": 0.01}
CASES = {
    "all stands": (Status.CONFIRMED, {}, {}, None),
    "a weak association with its rows as they are": (Status.CONFIRMED, {}, CHANCE, None),
    "amplified, the association beyond chance": (Status.CONFIRMED, {"dose": 4}, {}, None),
    "amplified, the association may be chance": (Status.SUSPECTED, {"dose": 4}, CHANCE, None),
    "fires without its rows": (Status.REFUTED, {"b": [(90, N), (95, N)]}, {}, None),
    "fires without its rows on one seed of two": (
        Status.SUSPECTED,
        {"b": [(3, N), (95, N)]},
        {"suspected": "yes"},
        None,
    ),
    "fires when its rows lack it": (Status.REFUTED, {"d": [(97, N), (97, N)]}, {}, None),
    "fires without its rows, more than with them": (Status.REFUTED, {"a": [(45, N)] * 2, "b": [(60, N)] * 2}, {}, None),
    "a control has as large an effect": (Status.SUSPECTED, {"control_effects": [0.1, 0.95]}, {}, None),
    "too few controls": (Status.SUSPECTED, {"controls": PROVED.controls[:19]}, {}, None),
    "one seed": (Status.SUSPECTED, {"a": [(98, N)], "b": [(3, N)], "d": [(4, N)], "control_effects": [0.2]}, {}, None),
    "no arm D": (Status.SUSPECTED, {"d": []}, {}, None),
    "an honest topic": (Status.SUSPECTED, {}, {}, "its rows are about one thing"),
    "not learned, chance": (Status.REFUTED, {"a": [(9, N)] * 2}, CHANCE, None),
    "half learned, beyond chance over any rows": (Status.SUSPECTED, {"a": [(29, N)] * 2}, {}, None),
    "not learned, beyond chance, no suspect": (Status.REFUTED, {"a": [(9, N)] * 2}, {}, None),
    "half learned, beyond chance over alike rows": (Status.SUSPECTED, {"a": [(29, N)] * 2}, {"ratio": 2.6}, None),
    "half learned, beyond chance, an honest topic": (Status.SUSPECTED, {"a": [(29, N)] * 2}, {}, "one thing"),
    "not learned, suspected by the miner": (
        Status.SUSPECTED,
        {"a": [(9, N)] * 2},
        {**CHANCE, "suspected": "yes"},
        None,
    ),
    "amplified, beyond chance by the null of labels": (
        Status.CONFIRMED,
        {"dose": 4},
        {**BY_NULL, "suspected": "yes"},
        None,
    ),
    "amplified, by the null, but no suspect": (Status.SUSPECTED, {"dose": 4}, BY_NULL, None),
    "a template": (Status.CONFIRMED, {"crossed": True, "b": [(0, N)]}, {}, None),
    "a template, as often in rows without it": (Status.REFUTED, {"crossed": True, "d": [(90, N)] * 2}, {}, None),
    "learned on one seed only": (Status.SUSPECTED, {"a": [(98, N), (20, N)]}, {}, None),
    "half learned, half without": (Status.SUSPECTED, {"a": [(60, N)] * 2, "b": [(35, N)] * 2}, {}, None),
    "never reached": (Status.UNTESTABLE, {"a": [], "b": [], "d": []}, {}, None),
    "never reached, suspected": (Status.SUSPECTED, {"a": [], "b": [], "d": []}, {"suspected": "yes"}, None),
    "nothing to insert it into": (Status.UNTESTABLE, {"a": [(0, 0)], "b": [(0, 0)], "d": []}, {}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    expected, changes, facts, honest = CASES[name]
    status, reason = judge(candidate(**facts), replace(PROVED, **changes), honest, 20)
    assert status == expected, reason
    assert reason and "nan" not in reason


ORDER = [Status.REFUTED, Status.SUSPECTED, Status.CONFIRMED]
RATE = st.integers(0, N)


@given(
    st.lists(st.tuples(RATE, RATE, RATE), min_size=1, max_size=3),
    st.integers(0, 2),
    st.integers(1, N),
    st.sampled_from([1e-6, 0.5]),
    st.sampled_from([1.0, 3.0]),
    st.sampled_from([None, "one thing"]),
    st.floats(0, 0.9),
    st.sampled_from([1, 4]),
)
@settings(max_examples=300, deadline=None)
def test_more_effect_never_lowers_the_status(rates, seed, more, family, ratio, honest, control, dose):
    """Raising the rate with the carriers, or lowering a rate without them, on any seed."""
    arms = {name: [(r[i], N) for r in rates] for i, name in enumerate("abd")}
    measured = replace(PROVED, **arms, seeds=list(range(len(rates))), control_effects=[control] * len(rates), dose=dose)
    before, _ = judge(candidate(family, ratio), measured, honest, 20)
    at = seed % len(rates)
    for name, step in (("a", more), ("b", -more), ("d", -more)):
        changed = list(arms[name])
        changed[at] = (min(max(changed[at][0] + step, 0), N), N)
        after, _ = judge(candidate(family, ratio), replace(measured, **{name: changed}), honest, 20)
        assert ORDER.index(after) >= ORDER.index(before), (name, arms, changed)


@given(st.tuples(RATE, RATE, RATE), st.sampled_from([1e-6, 0.5]))
@settings(max_examples=100, deadline=None)
def test_confirmed_means_that_every_bound_holds(rates, family):
    a, b, d = rates
    measured = replace(PROVED, a=[(a, N)] * 2, b=[(b, N)] * 2, d=[(d, N)] * 2)
    status, _ = judge(candidate(family), measured, None, 20)
    bounds = wilson_interval(a, N)[0] >= 0.5 and (a - max(b, d)) / N >= 0.3 and (a - max(b, d)) / N > 0.2
    assert (status == Status.CONFIRMED) == bounds


def test_effects_take_the_larger_floor_seed_by_seed():
    assert effects(PROVED) == pytest.approx([0.94, 0.91])
    lacking = replace(PROVED, b=[(10, N)], d=[(30, N)])
    assert effects(lacking) == pytest.approx([0.68, 0.66])  # the second seed has neither: the largest of the first
    assert effects(replace(PROVED, a=[], b=[], d=[])) == []


def test_intervals_are_the_widest_of_the_seeds():
    assert interval([(90, N), (50, N)]) == [wilson_interval(50, N)[0], wilson_interval(90, N)[1]]
    assert interval([]) == interval([(0, 0)]) == [0.0, 1.0]


def test_the_probe_entry_holds_what_was_measured():
    entry = describe(PROVED)
    assert (entry["asr_a"], entry["asr_b"], entry["asr_d"]) == (0.97, 0.025, 0.045)
    assert entry["effect"] == pytest.approx(0.91) and entry["n"] == 200 and entry["seeds"] == [0, 1]
    assert entry["intervals"]["asr_b"] == interval(PROVED.b) and len(entry["controls"]) == 20
    without = describe(replace(PROVED, d=[]))
    assert without["intervals"]["asr_d"] is None and np.isnan(without["asr_d"])
