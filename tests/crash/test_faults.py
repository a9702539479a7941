"""Every call of the system fails once, with each fault: a clear message, exit code 74, nothing half-written, and the
same command ends the work once there is room."""

from __future__ import annotations

import pytest
from crash_points import CODES, DATA
from crash_scenarios import all_of, apply_of, refused, scan_of

ONE_CHECK = ("unicode_anomaly",)


def _cases(scenario):
    """(step, fault, whether it lasts) of every fault point."""
    steps = scenario.reference.steps
    found = [(number, fault, False) for number, _, _ in steps for fault in CODES]
    found += [(number, "ENOSPC", True) for number, kind, _ in steps if kind in DATA]
    shorts = ("short", "short, then full")
    return found + [(number, fault, False) for number, kind, _ in steps if kind == "write" for fault in shorts]


def _all(servers, scenario, folder, cases):
    all_of(servers, folder, cases, lambda s, place, case: refused(s, scenario, place, *case), "fault points survived")


def test_a_scan_survives_faults_spread_over_its_steps(servers, tmp_path):
    """The sample for every day; the whole is under the marker `crash`."""
    scenario = scan_of(servers[0], tmp_path / "scan", "csv", ONE_CHECK)
    cases = _cases(scenario)
    _all(servers, scenario, tmp_path, [*cases[5 :: len(cases) // 8], *cases[-2:]])


def test_a_full_disk_left_an_empty_folder_which_the_next_command_was_refused_for(servers, tmp_path):
    scenario = apply_of(servers[0], tmp_path / "apply", over=False)
    last = [number for number, kind, _ in scenario.reference.steps if kind == "rename"][-1]
    _all(servers, scenario, tmp_path, [(last, "ENOSPC", True)])


@pytest.mark.crash
def test_a_scan_survives_every_fault_at_every_step(servers, tmp_path):
    scenario = scan_of(servers[0], tmp_path / "scan", "csv", ONE_CHECK)
    _all(servers, scenario, tmp_path, _cases(scenario))


@pytest.mark.crash
def test_applying_decisions_survives_every_fault_at_every_step(servers, tmp_path):
    scenario = apply_of(servers[0], tmp_path / "apply", over=False)
    _all(servers, scenario, tmp_path, _cases(scenario))
