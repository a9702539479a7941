"""A copy of the project for each process that mutates it, and the last line: how many guards were caught."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mutation.runner import Copy

_ONE, _SOUND = "test_a_guard_is_missed", "test_the_named_tests_pass"


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    with Copy(tmp_path_factory.mktemp("mutation") / "project") as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    calls = [(r.nodeid, outcome) for outcome in ("passed", "failed") for r in terminalreporter.stats.get(outcome, [])]
    guards = [outcome for name, outcome in calls if f"::{_ONE}" in name]
    if guards:
        sound = all(outcome == "passed" for name, outcome in calls if f"::{_SOUND}" in name)
        note = "" if sound else "; but some of their tests fail with every guard in place"
        terminalreporter.write_line(f"{len(guards)} guards, {guards.count('passed')} caught{note}")
