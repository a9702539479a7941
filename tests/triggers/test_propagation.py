"""Propagation: no row's score knows its own behavior, and shares are shares."""

from __future__ import annotations

import numpy as np
import pytest
from manners import behind_a_clause, manners, plant

from audit.triggers import propagation, template_space
from audit.triggers.propagation import Propagation, Rows


@pytest.fixture(scope="module")
def planted():
    made = plant(manners(500, 1), 60, behind_a_clause, 2)
    return made, template_space.build(made.texts, 0), made.support().folds


def rows_of(made):
    return Rows(made.label.astype(float), np.clip(made.likely, 0.02, 0.98))


def test_no_round_s_score_depends_on_the_rows_of_its_fold(planted):
    made, space, folds = planted
    fitted = Propagation(space, folds)
    before = fitted.scores(rows_of(made))
    made.label[folds == 2] = 1 - made.label[folds == 2]
    after = fitted.scores(rows_of(made))
    made.label[folds == 2] = 1 - made.label[folds == 2]
    assert len(before) == propagation.ROUNDS
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[folds == 2], other[folds == 2])
        assert not np.array_equal(one[folds != 2], other[folds != 2])


def test_poison_that_keeps_its_label_is_recalled_with_the_rest(planted):
    made, space, folds = planted
    score = Propagation(space, folds).scores(rows_of(made))[-1]
    clean = np.sort(score[~made.poisoned])[::-1][int(0.01 * len(score))]
    expected = made.poisoned & (made.likely > 0.5)
    assert (score[expected] > clean).mean() > 0.9 and (score[made.poisoned & ~expected] > clean).mean() > 0.9


def test_shares_find_the_planted_mixture():
    rng = np.random.default_rng(0)
    poison = np.repeat([True, False], [2000, 18000])
    support = rng.uniform(0.1, 0.9, 20000)
    shown = np.where(poison, 1.0, rng.random(20000) < support)
    score = rng.normal(np.where(poison, 2.0, 0.0), 1.0)
    rows = Rows(shown, support)
    share = rows.share(score)
    ordered = share[np.argsort(score)]
    assert (np.diff(ordered) >= 0).all() and share.min() >= 0 and share.max() <= 1
    posterior = rows.posterior(share)
    assert (posterior[shown == 0] == 0).all()
    assert posterior.sum() == pytest.approx(2000, rel=0.15)
    sure = posterior > 0.5
    assert (~poison[sure]).mean() == pytest.approx((1 - posterior[sure]).mean(), abs=0.05)


def test_fewer_than_three_folds_are_refused(planted):
    with pytest.raises(ValueError, match="at least 3 folds, has 2"):
        Propagation(planted[1], planted[2] % 2)


def test_further_rows_are_projected_as_the_space_s_own(planted):
    made, space, _ = planted
    found = template_space.project(made.texts[:40], space)
    cosine = (found * space.reduced[:40]).sum(axis=1) / np.linalg.norm(found, axis=1)
    assert (cosine / np.linalg.norm(space.reduced[:40], axis=1) > 0.98).all()  # a row counts in its own letters' model
