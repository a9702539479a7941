"""Killed at any step and run again: the same bytes, and at most one unit twice. Without torch and Prefect."""

from __future__ import annotations

import pytest
from crash_points import SIGNALS
from crash_scenarios import apply_of, killed, scan_of

SAMPLE = 15


def _all(servers, scenario, folder, cases, judge_all, what="kill points survived"):
    judge_all(servers, folder, cases, lambda server, place, case: killed(server, scenario, place, *case), what)


@pytest.fixture
def judge_all():
    from crash_scenarios import all_of

    return all_of


def _points(scenario, signals=SIGNALS):
    return [(point, how) for how in signals for point in scenario.points()]


def test_a_scan_survives_kills_spread_over_its_steps(servers, tmp_path, judge_all):
    """The sample for every day; the whole is under the marker `crash`."""
    scenario = scan_of(servers[0], tmp_path / "scan", "csv")
    points = _points(scenario)
    assert len(points) > 300
    _all(servers, scenario, tmp_path, points[3 :: len(points) // (SAMPLE - 3)][: SAMPLE - 3], judge_all)
    applied = apply_of(servers[0], tmp_path / "apply", over=False)
    points = _points(applied)
    _all(servers, applied, tmp_path, [points[len(points) // 4], points[-5], points[-2]], judge_all)


@pytest.mark.crash
@pytest.mark.parametrize("how", SIGNALS)
def test_a_scan_survives_a_kill_at_every_step(servers, tmp_path, judge_all, how):
    scenario = scan_of(servers[0], tmp_path / "scan", "csv")
    _all(servers, scenario, tmp_path, _points(scenario, (how,)), judge_all)


@pytest.mark.crash
@pytest.mark.parametrize("source", ["folder", "parquet"])
def test_a_scan_of_many_files_and_of_a_columnar_one_survives(servers, tmp_path, judge_all, source):
    """Every fifth point: the steps are those of the scan above, of more files."""
    scenario = scan_of(servers[0], tmp_path / "scan", source)
    _all(servers, scenario, tmp_path, _points(scenario)[2::5], judge_all)


@pytest.mark.crash
@pytest.mark.parametrize(
    ("over", "source"), [(False, "csv"), (True, "csv"), (False, "folder")], ids=["new", "over", "folder"]
)
def test_applying_decisions_survives_a_kill_at_every_step(servers, tmp_path, judge_all, over, source):
    """What was moved into place by a process that died is taken back, so the same command is not refused."""
    scenario = apply_of(servers[0], tmp_path / "apply", over, source)
    _all(servers, scenario, tmp_path, _points(scenario), judge_all)
