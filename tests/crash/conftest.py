"""Two fork servers for the crash suite, and its last line: how many points it tried."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

from crash_runs import Server, served
from crash_scenarios import COUNTS, SERVERS


@pytest.fixture(scope="session")
def servers() -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(served()) for _ in range(SERVERS)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTS:
        terminalreporter.section("crash suite")
        for what, count in sorted(COUNTS.items()):
            if count:
                terminalreporter.line(f"{count:>6,} {what}")
