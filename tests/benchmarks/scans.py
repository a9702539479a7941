"""Runs cases through the product and asks the judge what came of it. A finished run stands until the code changes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from audit import api
from audit.errors import TunevetError
from audit.job import Silent
from audit.pipeline import UnitResult
from audit.provenance import digest, sha256_file
from audit.rundir import RunDir, read_json
from benchmarks import vectors
from benchmarks.cases import Case
from benchmarks.common import WORK, code_digest, commit, kept, say, stamp, store


@dataclass(frozen=True, slots=True)
class Settings:
    """How a part of the harness is run."""

    probe: Literal["off", "quick", "full"] = "off"
    keep: bool = False  # take finished runs of other code as they are
    work: Path = WORK
    canaries: Literal["off", "quick", "full"] = "off"

    def run_of(self, name: str) -> RunDir:
        return RunDir(self.work / f"probe-{self.probe}" / name)


class _Told(Silent):
    """Says which unit failed; the rest is silence."""

    def unit_ended(self, result: UnitResult) -> None:
        if result.status == "failed":
            say(f"  {result.stage}/{result.unit} failed: {result.error}")


def scan(case: Case, settings: Settings) -> dict[str, Any]:
    """Scans a case, unless its run stands, and says with what code, in how many seconds and with what error."""
    run = settings.run_of(case.name)
    path = run.path.with_name(f"{case.name}.scan.json")
    asked = () if settings.canaries == "off" else (settings.canaries,)
    key = digest(code_digest(), sha256_file(case.data), settings.probe, *asked)
    found = kept(path, key, settings.keep)
    if found is not None and not found["error"]:
        return found
    shutil.rmtree(run.path, ignore_errors=True)
    say(f"{case.name}: scanning, probe {settings.probe}")
    started, error = time.perf_counter(), ""
    with vectors.cached(settings.work / "vectors") as counts:
        try:
            probe, canaries = settings.probe, settings.canaries
            api.scan(case.data, out=run.path, probe=probe, canaries=canaries, progress=_Told())
        except TunevetError as failure:
            error = str(failure)
    seconds = time.perf_counter() - started
    say(
        f"{case.name}: {error or 'done'} in {seconds:.0f} s ({counts['made']} of {sum(counts.values())} texts embedded)"
    )
    return store(path, key, {"seconds": round(seconds, 1), "error": error, "embedded": counts["made"]})


def judged(bench: Path, folder: Path, settings: Settings, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the judge says of the finished runs of the cases in a folder, by name. Cases that could not be scored are
    absent."""
    command = [sys.executable, str(bench / "score.py"), str(folder), str(settings.run_of("x").path.parent), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        say(f"the judge failed: {done.stderr.strip().splitlines()[-1:]}")
        return {}
    told = json.loads(done.stdout)
    for line in told["missing"]:
        if line.split(":")[0] in names:
            say(f"not scored: {line}")
    return {r["case"]: r for r in told["results"] if r["case"] in names}


def triggers_of(run: RunDir) -> list[dict[str, Any]]:
    """Suspected and confirmed triggers of a run, `rows` as row numbers."""
    found = read_json(run.triggers)
    return [t for t in found if t["status"] in ("suspected", "confirmed")]


def seconds_by_stage(run: RunDir) -> dict[str, float]:
    """Seconds of each stage, from the done-markers of a run."""
    out: dict[str, float] = {}
    for path in sorted((run / "done").glob("*/*.json")):
        out[path.parent.name] = out.get(path.parent.name, 0.0) + read_json(path)["seconds"]
    return out


__all__ = ["Settings", "commit", "judged", "scan", "seconds_by_stage", "stamp", "triggers_of"]
