"""The table of stages: what each is called, what it reads, which settings it depends on and which units it has.

`audit.pipeline` runs it. Targets are named and not imported, so that the table costs nothing to load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit import registry
from audit.config import Config
from audit.errors import UsageError
from audit.provenance import sha256_file
from audit.rundir import RunDir

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
    return [mining.min_support, mining.max_words, mining.max_patterns, *tagger(config).values()]


def tagger(config: Config) -> dict[str, str]:
    """What the tags depend on; empty without a tagger. Raises InputError, UntrustedModel."""
    if not config.mining.tagger:
        return {}
    from audit.models import tagger as taggers

    return taggers.identity(config.mining.tagger, config.model.lock)


def language_model(config: Config) -> dict[str, str]:
    """What a proof with a language model depends on; empty without one. Raises InputError, UntrustedModel."""
    if config.probe.mode == "off" or not config.probe.language_model:
        return {}
    from audit.models import language

    probe = config.probe
    return language.identity(probe.language_model, probe.language_model_tuning, config.model.lock)


def _canaries_settings(config: Config, unit: str) -> Any:
    if config.canaries == "off":
        return ["off", config.probe.mode]
    settings = [config.mining.model_dump(), config.probe.model_dump(), config.model.facts(), config.seed]
    return [config.canaries, *settings, *tagger(config).values(), *language_model(config).values()]


def _embeddings_settings(config: Config, unit: str) -> Any:
    from audit.models.plan import batch_plan

    return [config.model.model_dump(exclude={"neighbors", "lock", "device"}), batch_plan(config.model)]


def _provenance_settings(config: Config, unit: str) -> Any:
    from audit.attest.build import depends_on

    return depends_on(config)


STAGES: tuple[Stage, ...] = (
    Stage("ingest", "Reading rows", 3, "audit.sources:ingest", (), _ingest_settings, tags=("io",)),
    Stage(
        "embeddings",
        "Embedding examples",
        1,
        "audit.artifacts.embeddings:build",
        ("ingest",),
        _embeddings_settings,
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
        4,
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
        lambda c, u: [c.mining.model_dump(), c.model.facts(), c.seed],
        tags=("gpu",),
    ),
    Stage(
        "confirm",
        "Proving triggers",
        4,
        "audit.proof.confirm:build",
        ("ingest", "embeddings", "behaviors", "patterns", "support", "mine"),
        lambda c, u: [c.probe.model_dump(), c.model.facts(), c.seed, *language_model(c).values()],
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
        4,
        "audit.decide:build",
        ("ingest", "support", "detect", "confirm", "examine"),
        lambda c, u: [c.review.model_dump(include={"budget", "undecided"}), list(c.skip), _decisions(c)],
    ),
    Stage(
        "clean",
        "Cleaned dataset",
        2,
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
    Stage(
        "provenance",
        "Provenance",
        1,
        "audit.attest.build:build",
        ("ingest", "embeddings", "detect", "confirm", "examine", "canaries", "decide", "clean"),
        _provenance_settings,
        tags=("io",),
    ),
)

BY_NAME = {stage.name: stage for stage in STAGES}
