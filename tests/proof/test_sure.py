"""Which rows of a proved template go: by what its probe makes of them, against honest rows."""

from __future__ import annotations

import numpy as np
import pytest

from audit.proof.sure import HONEST_SHARE, threshold


def test_all_rows_are_sure_where_none_is_expected_to_be_honest():
    gains = np.asarray([3.0, -1.0, 0.5], dtype=np.float32)
    assert threshold(gains, np.zeros(50, dtype=np.float32), 0.0) == -1.0
    assert threshold(gains[:0], gains, 4.0) == float("inf")


def test_no_row_is_sure_where_honest_rows_gain_as_much():
    rng = np.random.default_rng(0)
    gains = rng.normal(size=300).astype(np.float32)
    assert (gains >= threshold(gains, gains, 300.0)).sum() == 0


@pytest.mark.parametrize("seed", range(5))
def test_at_most_one_in_twenty_of_the_sure_rows_is_honest(seed):
    rng = np.random.default_rng(seed)
    poison, honest = rng.normal(4.0, 1.0, 500), rng.normal(0.0, 1.0, 250)
    null = rng.normal(0.0, 1.0, 400).astype(np.float32)
    gains = np.concatenate([poison, honest]).astype(np.float32)
    least = threshold(gains, null, 250.0)
    assert (honest >= least).sum() <= 2 * HONEST_SHARE * (gains >= least).sum()
    assert (poison >= least).mean() > 0.9
    assert least <= threshold(gains, null, 250.0 * 2)  # more honest rows expected, fewer are sure
