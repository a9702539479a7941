"""Examples far from all others."""

from __future__ import annotations

import numpy as np
import pytest

from audit.detectors.outliers import outliers
from audit.schema import Neighbors, Skipped


def neighbors(distance):
    count = len(distance)
    similarity = np.repeat(1 - np.asarray(distance, dtype=np.float32)[:, None], 5, axis=1)
    return Neighbors(np.zeros((count, 5), dtype=np.int32), similarity)


def flagged(build, distance):
    found = outliers(build([f"row {i}" for i in range(len(distance))]), neighbors(distance))
    return found, np.flatnonzero(found.signals["score"].to_numpy() >= found.threshold).tolist()


def test_catches_rows_far_off(build):
    distance = np.random.default_rng(0).normal(0.4, 0.05, 1_000)
    distance[[5, 17]] = [0.95, 1.1]
    found, rows = flagged(build, distance)
    assert rows == [5, 17]
    assert found.findings[0].rows == (35, 11)  # the farthest first; row numbers, not positions


@pytest.mark.parametrize("seed", range(5))
def test_leaves_smooth_tails_alone(seed, build):
    rng = np.random.default_rng(seed)
    for distance in (rng.normal(0.4, 0.08, 3_000), rng.beta(2, 5, 3_000), rng.uniform(0, 1, 3_000)):
        _, rows = flagged(build, distance)
        assert len(rows) <= 4  # about one in a thousand


def test_a_few_outliers_do_not_hide_each_other(build):
    distance = np.random.default_rng(0).normal(0.3, 0.03, 1_000)
    distance[:15] = 1.0
    assert flagged(build, distance)[1] == list(range(15))


def test_few_rows_and_equal_rows_are_skipped(build):
    assert isinstance(outliers(build(["a"] * 10), neighbors([0.1] * 10)), Skipped)
    assert isinstance(outliers(build(["a"] * 100), neighbors([0.1] * 100)), Skipped)
