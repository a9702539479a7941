"""Scans cases as a user would and prints what the judge says: `make bench`, with the probe on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.cases import shipped
from benchmarks.common import EXIT_INCOMPLETE, say
from benchmarks.scans import Settings, scan, seconds_by_stage


def run(bench: Path, only: str, settings: Settings) -> int:
    """Scans, prints the judge's table and returns its exit code. The probe is quick unless set otherwise."""
    settings = replace(settings, probe="quick") if settings.probe == "off" else settings
    found = shipped(bench, only)
    for case in found:
        scan(case, settings)
        spent = seconds_by_stage(settings.run_of(case.name))
        say(f"  {sum(spent.values()):.0f} s: " + ", ".join(f"{s} {t:.0f}" for s, t in spent.items() if t >= 1))
    if not found:
        say(f"no case's name holds {only!r}")
        return EXIT_INCOMPLETE
    runs = settings.run_of("x").path.parent
    judge = [sys.executable, str(bench / "score.py"), str(bench / "cases"), str(runs), "--only", only]
    return subprocess.run(judge, check=False).returncode
