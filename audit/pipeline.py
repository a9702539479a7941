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
from typing import Any

from audit import config as configuration
from audit import registry
from audit.config import Config
from audit.errors import TunevetError, UnitFailed, UsageError
from audit.provenance import digest, sha256_file
from audit.rundir import Context, RunDir, write_bytes, write_json
from audit.schema import NoProgress, Progress

ALL = ("all",)


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of the table. `settings` names what of the configuration this stage depends on."""

    name: str
    title: str
    version: int
    target: str  # "module:function", called with (Context, unit), returns the paths it wrote
    reads: tuple[str, ...]
    settings: Callable[[Config, str], Any]
    units: Callable[[RunDir, Config], tuple[str, ...]] = lambda run, config: ALL
    tags: tuple[str, ...] = ()
    required: bool = True  # a failed unit ends the run; else it is recorded and the run is incomplete


@dataclass(frozen=True, slots=True)
class UnitResult:
    """How a unit ended: done, skipped (its key stood already), or failed."""

    stage: str
    unit: str
    status: str
    seconds: float
    error: str = ""


def _ingest_settings(config: Config, unit: str) -> Any:
    from audit.sources import fingerprint

    return [config.ingest.model_dump(), config.source, config.name, fingerprint(config)]


def _decisions(config: Config) -> list[str]:
    """The hashes of the files of earlier reviews. Raises UsageError where one cannot be read."""
    try:
        return [sha256_file(Path(path)) for path in config.review.decisions]
    except OSError as error:
        raise UsageError(f"the decisions in {error.filename} cannot be read: {error.strerror}") from None


def _detector_settings(config: Config, unit: str) -> Any:
    return [config.detectors.get(unit, {}), registry.detectors()[unit].version]


def _detector_units(run: RunDir, config: Config) -> tuple[str, ...]:
    return _checks(config, after_proof=False)


def _probe_detector_units(run: RunDir, config: Config) -> tuple[str, ...]:
    return _checks(config, after_proof=True)


def _checks(config: Config, after_proof: bool) -> tuple[str, ...]:
    found = registry.detectors()
    return tuple(name for name in found if name not in config.skip and found[name].needs_proof == after_proof)


def _shard_units(run: RunDir, config: Config) -> tuple[str, ...]:
    return run.dataset().shards


def _patterns_settings(config: Config, unit: str) -> Any:
    mining = config.mining
    return [mining.min_support, mining.max_words, mining.max_patterns, *_tagger(config).values()]


def _tagger(config: Config) -> dict[str, str]:
    """What the tags depend on; empty without a tagger. Raises InputError, UntrustedModel."""
    if not config.mining.tagger:
        return {}
    from audit.models import tagger

    return tagger.identity(config.mining.tagger)


def _language_model(config: Config) -> dict[str, str]:
    """What a proof with a language model depends on; empty without one. Raises InputError, UntrustedModel."""
    if config.probe.mode == "off" or not config.probe.language_model:
        return {}
    from audit.models import language

    return language.identity(config.probe.language_model, config.probe.language_model_tuning)


def _canaries_settings(config: Config, unit: str) -> Any:
    if config.canaries == "off":
        return ["off", config.probe.mode]
    settings = [config.mining.model_dump(), config.probe.model_dump(), config.model.model_dump(), config.seed]
    return [config.canaries, *settings, *_tagger(config).values(), *_language_model(config).values()]


STAGES: tuple[Stage, ...] = (
    Stage("ingest", "Reading rows", 2, "audit.sources:ingest", (), _ingest_settings, tags=("io",)),
    Stage(
        "embeddings",
        "Embedding examples",
        1,
        "audit.artifacts.embeddings:build",
        ("ingest",),
        lambda c, u: c.model.model_dump(exclude={"neighbors"}),
        units=_shard_units,
        tags=("gpu",),
    ),
    Stage(
        "neighbors",
        "Nearest neighbours",
        1,
        "audit.artifacts.neighbors:build",
        ("ingest", "embeddings"),
        lambda c, u: c.model.neighbors,
    ),
    Stage(
        "behaviors",
        "Behaviors",
        4,
        "audit.artifacts.behaviors:build",
        ("ingest", "embeddings"),
        lambda c, u: c.mining.min_support,
    ),
    Stage(
        "patterns",
        "Patterns",
        3,
        "audit.artifacts.patterns:build",
        ("ingest",),
        _patterns_settings,
    ),
    Stage(
        "support",
        "Expected behavior",
        3,
        "audit.artifacts.support:build",
        ("ingest", "embeddings", "neighbors", "behaviors"),
        lambda c, u: [c.mining.folds, c.seed],
    ),
    Stage(
        "detect",
        "Detectors",
        1,
        "audit.detectors:run",
        ("ingest", "embeddings", "neighbors", "behaviors", "patterns", "support"),
        _detector_settings,
        units=_detector_units,
        required=False,
    ),
    Stage(
        "mine",
        "Mining triggers",
        4,
        "audit.triggers.mining:build",
        ("ingest", "embeddings", "neighbors", "behaviors", "patterns", "support"),
        lambda c, u: [c.mining.model_dump(), c.model.model_dump(), c.seed],
        tags=("gpu",),
    ),
    Stage(
        "confirm",
        "Proving triggers",
        4,
        "audit.proof.confirm:build",
        ("ingest", "embeddings", "behaviors", "patterns", "support", "mine"),
        lambda c, u: [c.probe.model_dump(), c.model.model_dump(), c.seed, *_language_model(c).values()],
        tags=("gpu",),
    ),
    Stage(
        "examine",
        "Detectors on probe",
        1,
        "audit.detectors:run",
        ("ingest", "confirm"),
        _detector_settings,
        units=_probe_detector_units,
        required=False,
    ),
    Stage(
        "canaries",
        "Canaries",
        2,
        "audit.proof.canaries:build",
        ("ingest", "embeddings", "behaviors", "patterns", "support", "mine", "confirm"),
        _canaries_settings,
        tags=("gpu",),
        required=False,
    ),
    Stage(
        "decide",
        "Verdicts",
        3,
        "audit.decide:build",
        ("ingest", "support", "detect", "confirm", "examine"),
        lambda c, u: [c.review.budget, list(c.skip), _decisions(c)],
    ),
    Stage(
        "clean",
        "Cleaned dataset",
        1,
        "audit.remedies.clean:build",
        ("ingest", "decide"),
        lambda c, u: c.review.undecided,
        tags=("io",),
    ),
    Stage(
        "report",
        "Report",
        1,
        "audit.report:build",
        ("ingest", "embeddings", "neighbors", "detect", "examine", "canaries", "decide", "clean"),
        lambda c, u: [c.model_dump()],
    ),
)

BY_NAME = {stage.name: stage for stage in STAGES}


def prepare(run_path: Path | str, config: Config) -> RunDir:
    """Makes a run directory and stores the settings in it. Raises ConfigError, InputError, UntrustedModel."""
    registry.check_settings(config.detectors, config.skip)
    _tagger(config)  # a missing one should end the scan before it begins
    _language_model(config)
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
    run.marker(stage, unit).unlink(missing_ok=True)
    failure.unlink(missing_ok=True)
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
        message = f"{type(error).__name__}: {error}"
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
            marker.unlink()
    for failure in (run / "failed").glob(f"{stage}-*.json"):
        if failure.stem.removeprefix(f"{stage}-") not in wanted:
            failure.unlink()


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
