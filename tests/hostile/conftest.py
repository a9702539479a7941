from __future__ import annotations

from hostile import runner


def pytest_terminal_summary(terminalreporter) -> None:
    if runner.COUNTS["files"]:
        terminalreporter.write_line(f"hostile files: {runner.counts()}")
