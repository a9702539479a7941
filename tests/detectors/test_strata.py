"""Exact comparisons within strata, against enumeration, scipy and simulation."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, norm

from audit.detectors.strata import (
    Tally,
    contradiction_tail,
    design_effects,
    overlap,
    reliability,
    strata,
    tail,
    tally,
    weights,
    widened,
)


@given(st.integers(1, 60), st.data())
def test_overlap_is_the_hypergeometric_law(total, data):
    marked, drawn = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    least, mass = overlap(total, marked, drawn)
    expected = hypergeom(total, marked, drawn).pmf(np.arange(least, least + len(mass)))
    np.testing.assert_allclose(mass, expected, atol=1e-12)
    log_odds = data.draw(st.floats(-3, 3))
    _, mass = overlap(total, marked, drawn, log_odds)
    # Fisher's noncentral law by its definition: scipy's own has ended the process on some of these.
    ways = [comb(marked, k) * comb(total - marked, drawn - k) for k in range(least, least + len(mass))]
    weight = np.array([np.log(w) + k * log_odds for k, w in enumerate(ways)])
    law = np.exp(weight - weight.max())
    np.testing.assert_allclose(mass, law / law.sum(), atol=1e-9)


def test_the_tail_over_strata_agrees_with_enumeration():
    """Two strata, all ways of dealing out the contradicted decisions counted by hand."""
    counted = Tally(np.array([[3, 2], [4, 3]]), np.array([[2, 2], [1, 1]]))
    weight = np.array([1, 3])
    first = [len({0, 1, 2} & set(c)) for c in combinations(range(7), 3)]
    second = [len({0, 1} & set(c)) for c in combinations(range(5), 3)]
    sums = [a + 3 * b for a in first for b in second]
    assert contradiction_tail(counted, 0, weight) == pytest.approx(np.mean(np.array(sums) >= 2 + 3 * 2))
    assert contradiction_tail(counted, 0, np.array([0, 0])) == 1.0


def test_a_long_sum_keeps_its_tail():
    """The way by Fourier transform, for sums with many values, against a plain hypergeometric law."""
    parts = [(overlap(40_000, 20_000, 10_000), 1), (overlap(9, 0, 3), 5)]
    assert tail(parts, 5_150) == pytest.approx(hypergeom(40_000, 20_000, 10_000).sf(5_149), rel=1e-6)
    many = [(overlap(4_000, 2_000, 1_000), 2)] * 20
    mean, deviation = 20 * 2 * 500, np.sqrt(20 * 4 * 1_000 * 0.25 * 3_000 / 3_999)
    assert tail(many, mean + 300) == pytest.approx(norm.sf(299 / deviation), rel=0.02)


def test_under_the_null_the_tail_is_no_smaller_than_chance():
    rng = np.random.default_rng(0)
    certainty = np.abs(rng.normal(0, 2, 600))
    stratum = strata(certainty)
    against = rng.random(600) < 1 / (1 + np.exp(certainty))
    small = 0
    for _ in range(400):
        counted = tally(rng.permutation(np.arange(600) % 6).astype(np.int32), stratum, against, 6)
        small += contradiction_tail(counted, 0, weights(counted)) < 0.05
    assert small / 400 < 0.08  # 0.05 and three standard errors


def test_certain_contradictions_weigh_more_and_find_what_a_plain_count_does_not():
    rng, found = np.random.default_rng(1), []
    who = (np.arange(3_000) % 6).astype(np.int32)
    for _ in range(40):
        certainty = np.abs(rng.normal(0, 2, 3_000))
        against = rng.random(3_000) < 1 / (1 + np.exp(certainty))
        against ^= (who == 0) & (rng.random(3_000) < 0.08)
        counted = tally(who, strata(certainty), against, 6)
        weight = weights(counted)
        assert weight.max() == 12 and weight[:5].max() < weight[-5:].min()
        found.append([contradiction_tail(counted, 0, w) < 0.001 for w in (weight, np.ones_like(weight))])
    weighted, plain = np.sum(found, axis=0)
    assert weighted > 1.5 * plain and weighted > 20


@given(st.lists(st.floats(0, 10), min_size=1, max_size=300), st.randoms(use_true_random=False))
def test_strata_are_of_equal_certainty_and_ignore_the_order(values, random):
    certainty = np.array(values)
    stratum = strata(certainty)
    for value in set(values):
        assert len(set(stratum[certainty == value].tolist())) == 1
    order = np.array(random.sample(range(len(values)), len(values)))
    assert strata(certainty[order]).tolist() == stratum[order].tolist()
    assert (np.diff(stratum[np.argsort(certainty, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("answers", [2, 5])
@pytest.mark.parametrize("right", [0.2, 0.5, 0.8, 0.95])
def test_the_coin_is_found_and_its_interval_covers(right, answers):
    rng = np.random.default_rng(0)
    others = np.array([0.4, 0.2, 0.05])
    chance = right * others + (1 - right) * (1 - others / (answers - 1))
    covered, best = 0, []
    for _ in range(200):
        rows = np.array([60, 60, 60])
        coin = reliability(rows, rng.binomial(rows, chance), others, answers, 1.0)
        assert coin.low <= coin.best <= coin.high
        covered += coin.low <= right <= coin.high
        best.append(coin.best)
    assert covered >= 180 and np.mean(best) == pytest.approx(right, abs=0.03)


def test_what_cannot_tell_says_so():
    blind = reliability(np.array([50]), np.array([25]), np.array([0.5]), 2, 1.0)
    assert (blind.low, blind.high) == (0.0, 1.0)
    wide = reliability(np.array([50]), np.array([10]), np.array([0.1]), 2, 4.0)
    slim = reliability(np.array([50]), np.array([10]), np.array([0.1]), 2, 1.0)
    assert wide.best == slim.best and wide.high - wide.low > slim.high - slim.low


def test_design_effects_are_one_alone_and_the_size_of_equal_clusters():
    rng = np.random.default_rng(0)
    values = rng.normal(size=4_000)
    who = np.repeat(np.array([0, 1], dtype=np.int32), 2_000)
    alone = design_effects(who, np.arange(4_000, dtype=np.int32), values, 2)
    np.testing.assert_allclose(alone, 1.0)
    copied = np.repeat(rng.normal(size=400), 10)
    clusters = np.repeat(np.arange(400, dtype=np.int32), 10)
    np.testing.assert_allclose(design_effects(who, clusters, copied, 2), 10.0, rtol=0.05)
    shifted = design_effects(who, clusters, copied + 7.0, 2)
    np.testing.assert_allclose(shifted, design_effects(who, clusters, copied, 2))
    assert widened(1e-6, 1.0) == 1e-6 and widened(0.7, 3.0) == 0.7
    assert widened(norm.sf(4.0), 4.0) == pytest.approx(norm.sf(2.0))


def test_taking_annotators_out_leaves_the_rest():
    counted = Tally(np.array([[10, 5], [20, 5], [8, 8]]), np.array([[5, 5], [1, 0], [2, 2]]))
    rest = counted.without({0})
    assert rest.rows.tolist() == [[0, 0], [20, 5], [8, 8]] and counted.rows[0].tolist() == [10, 5]
    np.testing.assert_allclose(rest.others(1), [2.5 / 9, 2.5 / 9])
    np.testing.assert_allclose(counted.others(1), [7.5 / 19, 7.5 / 14])
