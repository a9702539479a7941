"""One table of stages runs everything. A unit of work is (stage, unit): a shard, a detector, or "all".

A unit's key is the digest of its stage, version, settings and the hashes of all that it reads. Same key:
skipped. Changed setting: that stage and what depends on it are redone, nothing else. Stages are named by
"module:function" and imported when they run, so that ingest, decide and clean need no torch.
"""

from __future__ import annotations

import importlib
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit import config as configuration
from audit import durable, registry
from audit.config import Config
from audit.errors import TunevetError, UnitFailed, UsageError
from audit.provenance import digest
from audit.rundir import Context, RunDir, write_bytes, write_json
from audit.schema import NoProgress, Progress
from audit.stages import BY_NAME, STAGES, Stage, language_model, tagger
from audit.text import safe_text

__all__ = [
    "BY_NAME",
    "STAGES",
    "Stage",
    "UnitResult",
    "execute",
    "execute_local",
    "is_finished",
    "prepare",
    "run_unit",
    "units",
]

_MOST = 4_000  # characters of what a check failed with


@dataclass(frozen=True, slots=True)
class UnitResult:
    """How a unit ended: done, skipped (its key stood already), or failed."""

    stage: str
    unit: str
    status: str
    seconds: float
    error: str = ""


def prepare(run_path: Path | str, config: Config) -> RunDir:
    """Makes a run directory and stores the settings in it. Raises ConfigError, InputError, UntrustedModel."""
    registry.check_settings(config.detectors, config.skip)
    tagger(config)  # a missing one should end the scan before it begins
    language_model(config)
    run = RunDir(run_path)
    write_bytes(run.config, config.to_toml().encode())
    return run


def units(run_dir: str, stage: str) -> tuple[str, ...]:
    """The units of a stage, known once the stages before it are done."""
    run = RunDir(run_dir)
    return BY_NAME[stage].units(run, configuration.load(run.config))


def run_unit(run_dir: str, stage: str, unit: str, progress: Progress | None = None) -> UnitResult:
    """Runs one unit unless its key stands. Strings in, a small record out, so that any runner can call
    it. Raises TunevetError; a bug in a required stage becomes UnitFailed, in a check a failed result."""
    row = BY_NAME.get(stage)
    if row is None:
        raise UsageError(f"no stage {stage}; there are {', '.join(BY_NAME)}")
    run = RunDir(run_dir)
    config = configuration.load(run.config)
    key = _key(row, run, config, unit)
    failure = run / "failed" / f"{stage}-{unit}.json"
    if run.is_done(stage, unit, key):
        return UnitResult(stage, unit, "skipped", 0.0)
    durable.remove(run.marker(stage, unit))
    durable.remove(failure)
    module, _, function = row.target.partition(":")
    started = time.perf_counter()
    _reset_peak()
    try:
        outputs = getattr(importlib.import_module(module), function)(
            Context(run, config, progress or NoProgress()), unit
        )
    except TunevetError:
        raise
    except Exception as error:
        if row.required:
            raise UnitFailed(stage, unit, error) from error
        seconds = time.perf_counter() - started
        message = safe_text(f"{type(error).__name__}: {error}", _MOST)
        write_json(failure, {"stage": stage, "unit": unit, "error": message})
        return UnitResult(stage, unit, "failed", seconds, message)
    seconds = time.perf_counter() - started
    run.mark_done(stage, unit, key, outputs, seconds=round(seconds, 3), peak_bytes=_peak_bytes())
    return UnitResult(stage, unit, "done", seconds)


def _key(row: Stage, run: RunDir, config: Config, unit: str) -> str:
    reads = {name: run.outputs(name) for name in row.reads}
    return digest(row.name, row.version, unit, row.settings(config, unit), reads)


def is_finished(run_dir: str) -> bool:
    """True when every unit's key stands, so that `execute` would run none. Raises as `units` does."""
    run = RunDir(run_dir)
    config = configuration.load(run.config)
    for row in STAGES:
        if any(not run.is_done(row.name, unit, _key(row, run, config, unit)) for unit in row.units(run, config)):
            return False
    return True


Call = Callable[[str, str, str], UnitResult]


def execute(run_dir: str, call: Call) -> list[UnitResult]:
    """Runs every unit in order through `call`, then forgets units that the settings no longer name."""
    results: list[UnitResult] = []
    for stage in STAGES:
        wanted = units(run_dir, stage.name)
        _forget(RunDir(run_dir), stage.name, wanted)
        results += [call(run_dir, stage.name, unit) for unit in wanted]
    return results


def execute_local(run_dir: str, progress: Progress | None = None) -> list[UnitResult]:
    """All units in this process, one after another, without Prefect."""
    return execute(run_dir, lambda path, stage, unit: run_unit(path, stage, unit, progress))


def _forget(run: RunDir, stage: str, wanted: tuple[str, ...]) -> None:
    folder = run / "done" / stage
    for marker in folder.glob("*.json") if folder.exists() else []:
        if marker.stem not in wanted:
            durable.remove(marker)
    for failure in (run / "failed").glob(f"{stage}-*.json"):
        if failure.stem.removeprefix(f"{stage}-") not in wanted:
            durable.remove(failure)


def _reset_peak() -> None:
    """Asks the kernel to start counting this process's peak memory anew (Linux; elsewhere no effect)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_bytes() -> int:
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
