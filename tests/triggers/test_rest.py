"""What the rest of a dataset expects: refits without rows, and the permutation null."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import corpus
from scipy import sparse

from audit.artifacts.expected import Known, Predictors, Vectors
from audit.artifacts.patterns import extract
from audit.artifacts.support import penalty
from audit.config import MiningConfig
from audit.stats import poisson_binomial_tail_log10
from audit.triggers.mine import Miner
from audit.triggers.null import LabelNull, strata
from audit.triggers.rest import Rest
from audit.triggers.suspicion import reason


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _predictors(rng, n=300, d=6):
    return Predictors.of(Vectors([rng.normal(size=(n, d)).astype(np.float32)]), np.full(n, 10.0))


def test_the_downdate_is_the_fit_without_the_rows(rng):
    x = _predictors(rng)
    y = (rng.random(300) < 0.3).astype(np.float32)
    left_out = np.asarray([3, 17, 200])
    keep = np.setdiff1d(np.arange(300), left_out)
    a = x.take(keep).astype(np.float64)
    wanted = np.linalg.solve(a.T @ a + penalty(8), a.T @ y[keep])
    rest = Rest(x, sparse.csr_matrix(y[:, None]))
    assert rest.weights(left_out, 0) == pytest.approx(wanted, abs=1e-6)
    assert rest.expects(left_out, 0) == pytest.approx(x.take(left_out) @ wanted, abs=1e-6)


def test_a_topic_is_expected_without_its_word_and_a_trigger_is_not(rng):
    """Rows 0-39 share a direction and the behavior; rows 40-49 have the behavior and nothing in common."""
    vectors = rng.normal(size=(400, 16)).astype(np.float32)
    vectors[:40, 0] += 8
    shows = np.zeros(400, dtype=np.float32)
    shows[:50] = 1
    rest = Rest(Predictors.of(Vectors([vectors]), np.full(400, 10.0)), sparse.csr_matrix(shows[:, None]))
    assert rest.expects(np.arange(10), 0).mean() > 0.6
    assert rest.expects(np.arange(40, 50), 0).mean() < 0.25


def test_strata_hold_rows_of_one_expected_label(rng):
    p = rng.random((1_000, 1)).astype(np.float32)
    probability = np.column_stack([p, 1 - p])
    found = strata(probability)
    for group in np.unique(found):
        assert len(np.unique(probability[found == group].argmax(axis=1))) == 1
    assert np.bincount(found).min() >= 50


def test_the_null_knows_chance_from_a_plant(rng):
    n, g = 600, 200
    patterns = sparse.csr_matrix((rng.random((n, g)) < 0.02).astype(np.float32))
    probability = np.full((n, 2), 0.5, dtype=np.float32)
    codes = rng.integers(0, 2, n).astype(np.int32)
    kinds = ["token"] * g
    null = LabelNull(patterns, kinds, codes, probability, 3, seed=0, shuffles=49)
    assert null.family_wise(-9.0, "token") == 2 / 50
    assert null.family_wise(-0.5, "token") == 1.0
    planted = poisson_binomial_tail_log10(np.full(30, 0.5), 30)
    assert null.family_wise(planted, "token") == 2 / 50 and null.family_wise(-9.0, "slot") == pytest.approx(
        1 / 50 / 0.15
    )
    again = LabelNull(patterns, kinds, codes, probability, 3, seed=0, shuffles=49)
    assert (again.minima == null.minima).all()


def _facts(**changed):
    facts = {"hits": 10, "count": 10, "rate": 0.1, "expected": 0.1, "expected_without": 0.1, "purity": 1.0}
    return {**facts, "residual_p": 1e-4, "cohesion_ratio": 1.0, **changed}


def test_suspicion_needs_all_three():
    assert "10 of its 10 rows" in (reason(_facts()) or "")
    assert reason(_facts(residual_p=0.5)) is None
    assert reason(_facts(residual_p=0.5, null_p=0.01)) is not None
    assert reason(_facts(purity=0.5)) is None
    assert reason(_facts(cohesion_ratio=6.0)) is None
    assert reason(_facts(expected_without=0.6)) is None
    clean = _facts(route="clean-label", marginal_p=1e-6, class_ratio=1.0, insertion=0.0, bare=0.3)
    assert reason(clean) is not None
    assert reason({**clean, "insertion": 0.3}) is None and reason({**clean, "bare": 1.4}) is None


def test_a_pattern_that_itself_asks_for_harm_is_no_suspect():
    """Rows that ask for harm are about one thing by definition; what must not ask is the pattern."""
    facts = {
        **{"residual_p": 1e-6, "cohesion_ratio": 9.0, "rate": 0.01, "expected": 0.0, "purity": 1.0},
        **{"hits": 20, "count": 20, "masked_auc": 0.99, "route": "no text"},
    }
    assert reason(facts) is None
    assert reason({**facts, "asked_without": 0.95})
    assert reason({**facts, "asked_without": 0.3}) is None  # its own words ask


def test_hidden_patterns_are_corrected_for_hidden_patterns_alone():
    made = corpus(n=200, QQ=0.3)
    made.plant("\u200b\u200c", 20, "QQ")
    patterns, bank = extract(made.texts, 3, 4, 100_000), made.behaviors()
    miner = Miner(made.texts, patterns, bank, Known(made.support(bank)), MiningConfig())
    miner.tested = 5_000
    assert miner._tested_like("token") == 5_000 and 0 < miner._tested_like("unicode") < 50
