"""One audit from its settings to its manifest, whoever runs the units: the command line, the Python API and
the scheduled flow all go through `audit_run`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from audit import config as configuration
from audit import durable, pipeline, registry
from audit import outcome as outcomes
from audit.config import Config
from audit.errors import InputError, NothingScanned, TunevetError, UsageError, WriteFailed
from audit.manifest import write_manifest
from audit.models.lock import NAME as LOCK
from audit.outcome import Outcome
from audit.pipeline import Call, UnitResult
from audit.provenance import digest
from audit.rundir import RunDir
from audit.schema import NoProgress, Progress
from audit.sources.hub import hint, is_hub_id
from audit.text import safe_text


class Listener(Progress, Protocol):
    """A Progress that is also told of units as they begin and end."""

    def unit_started(self, stage: str, unit: str) -> None: ...

    def unit_ended(self, result: UnitResult) -> None: ...


class Silent(NoProgress):
    """The Listener that says nothing."""

    def unit_started(self, stage: str, unit: str) -> None: ...

    def unit_ended(self, result: UnitResult) -> None: ...


class Engine(Protocol):
    """Who runs the units of a prepared run directory. Raises what the units raise."""

    name: str

    def run(self, run_dir: str, listener: Listener) -> list[UnitResult]: ...

    def close(self) -> None: ...


class LocalEngine:
    """All units in this process, one after another."""

    name = "local"

    def run(self, run_dir: str, listener: Listener) -> list[UnitResult]:
        return pipeline.execute(run_dir, told(listener, lambda path, s, u: pipeline.run_unit(path, s, u, listener)))

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that came to its end, whole or not."""

    run: RunDir
    config: Config
    outcome: Outcome
    results: tuple[UnitResult, ...]

    @property
    def redone(self) -> int:
        """How many units ran, rather than standing already."""
        return sum(result.status != "skipped" for result in self.results)


def told(listener: Listener, call: Call) -> Call:
    """`call`, with the listener told before and after."""

    def run(run_dir: str, stage: str, unit: str) -> UnitResult:
        listener.unit_started(stage, unit)
        result = call(run_dir, stage, unit)
        listener.unit_ended(result)
        return result

    return run


def audit_run(
    run: RunDir, config: Config, engine: Engine, listener: Listener, prepared: Callable[[], None] = lambda: None
) -> Finished:
    """Runs every unit, holding the run directory, and writes the manifest, also when the run stops early.
    `prepared` is called once the directory is held, before the first unit (the API writes its input there).
    Raises RunBusy, UsageError, NothingScanned, UnitFailed, WriteFailed and what else stops a run."""
    registry.check_settings(config.detectors, config.skip)
    refuse_foreign(run)
    made = not run.path.exists()
    with run.lock():
        started = datetime.now(UTC)
        prepared()
        pipeline.prepare(run.path, config)
        durable.remove(run.manifest)
        try:
            results = engine.run(str(run.path), listener)
        except (TunevetError, KeyboardInterrupt) as error:
            if made and isinstance(error, UsageError) and not (run / "done").exists():
                durable.remove_tree(run.path)  # nothing was read: leave no trace of a request that cannot be met
            else:
                _stopped(run, config, engine, started, error)
            raise
        outcome = outcomes.read(run, config)
        finished = Finished(run, config, outcome, tuple(results))
        write_manifest(run, config, outcome, started, engine=engine.name, redone=finished.redone)
    if outcome.rows and not outcome.readable:
        raise NothingScanned(f"not one of {outcome.rows:,} rows could be read")
    return finished


def _stopped(run: RunDir, config: Config, engine: Engine, started: datetime, error: BaseException) -> None:
    sentence = safe_text(str(error) or type(error).__name__, 500)
    with contextlib.suppress(WriteFailed):
        outcome = outcomes.read(run, config, sentence)
        write_manifest(run, config, outcome, started, engine=engine.name, redone=0, error=sentence)


def refuse_foreign(run: RunDir) -> None:
    """Raises UsageError for a path that is a file, or a folder with files of another kind in it."""
    if run.path.exists() and not run.path.is_dir():
        raise UsageError(f"{run.path} is a file, but a run directory is a folder; choose another -o")
    if run.path.is_dir():
        names = {path.name for path in run.path.iterdir()} - {".lock", "input"}
        strange = {name for name in names if not durable.is_temporary(name)}
        if strange and not run.config.exists():  # asked last: another scan may write it at this moment, before all else
            raise UsageError(f"{run.path} is neither empty nor a run directory; choose another -o")


def default_run_path(config: Config, name: str, runs: Path = Path("runs")) -> Path:
    """runs/NAME/TIME-DIGEST: UTC time, and the first 8 digits of the settings' digest."""
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:60] or "dataset"
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return runs / plain / f"{time}-{digest(config.model_dump())[:8]}"


def dataset_name(config: Config) -> str:
    """What the dataset is called: as configured, else after its file or folder."""
    if config.name:
        return config.name
    path = Path(config.source.partition("@")[0].rstrip("/"))
    stem = path.name.split(".")[0] or path.name
    return f"{path.parent.name}-{stem}" if stem in ("data", "train", "dataset") and path.parent.name else stem


def names_hub(config: Config) -> bool:
    """True when the source or the model is on the Hugging Face hub, so that a network is needed."""
    return is_hub_id(config.source) or is_hub_id(config.model.name)


def load_settings(path: Path) -> Config:
    """A configuration file, with a relative `source` and models lock taken from the file's own folder, where a
    `models.lock` is in force without being named. Raises ConfigError."""
    config = configuration.load(path)
    lock = path.resolve().parent / (config.model.lock or LOCK)
    if config.model.lock or lock.is_file():
        config = config.model_copy(update={"model": config.model.model_copy(update={"lock": str(lock)})})
    beside = path.resolve().parent / config.source
    if config.source and not Path(config.source).is_absolute() and (beside.exists() or is_glob(config.source)):
        config = config.model_copy(update={"source": str(beside)})
    return config


def is_glob(source: str) -> bool:
    """True when a source holds wildcards."""
    return any(char in source for char in "*?[")


def located(source: str) -> str:
    """A source as it is stored: absolute for files, folders and globs; a hub id as it is. Raises InputError
    for what is neither."""
    path = Path(source).expanduser()
    if path.exists() or is_glob(source):
        return str(path.absolute())
    if not is_hub_id(source):
        raise InputError(f"{source} does not exist{hint(source)}")
    return source
