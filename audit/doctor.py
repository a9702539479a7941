"""Is this installation sound? Device, model and its hash, versions, and the traps that are known to bite.

Every check says what it found and, where that is wrong, what to do.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from audit import __version__
from audit.config import Config
from audit.errors import TunevetError
from audit.manifest import library_versions

OK, WARN, BAD = "ok", "warning", "bad"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was looked at."""

    name: str
    status: str  # ok | warning | bad
    text: str


def examine(config: Config) -> list[Fact]:
    """Looks at everything; raises nothing of its own, for a broken installation is what it is for."""
    return [
        Fact("tunevet", OK, f"{__version__} on Python {platform.python_version()}, {platform.system()}"),
        *_shadowed(),
        *_device(config),
        _model(config),
        *_language_model(config),
        *_prefect(),
        _versions(),
    ]


def _shadowed() -> list[Fact]:
    """`audit` and `flows` are common names: another package of that name earlier on the path would be
    imported instead of ours."""
    home = Path(__file__).resolve().parent.parent
    facts = []
    for name in ("audit", "flows"):
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found is None:
            facts.append(Fact(f"import {name}", BAD, f"the package {name} cannot be imported; install tunevet again"))
        elif found.parent != home:
            text = f"{found} shadows {home / name}; rename it, or run from another folder"
            facts.append(Fact(f"import {name}", BAD, text))
        else:
            facts.append(Fact(f"import {name}", OK, str(found)))
    for name in ("audit", "flows"):
        here = Path.cwd() / name
        if here.is_dir() and here.resolve() != (home / name).resolve():
            facts.append(
                Fact(f"folder {name}", WARN, f"{here} would shadow ours under `python -m`; use the command `tunevet`")
            )
    return facts


def _device(config: Config) -> list[Fact]:
    try:
        devices: Any = importlib.import_module("audit.models.device")
        device = devices.pick(config.model.device)
    except (ImportError, OSError) as error:
        return [Fact("device", BAD, f"torch cannot be imported: {error}; install tunevet again")]
    except TunevetError as error:
        return [Fact("device", BAD, str(error))]
    fast = devices.has_fast_bfloat16(device)
    precision = "bfloat16 in hardware" if fast else "no bfloat16 in hardware: float32 is used, 2 to 4 times slower"
    return [Fact("device", OK, devices.describe(device)), Fact("precision", OK, precision)]


def _model(config: Config) -> Fact:
    try:
        weights: Any = importlib.import_module("audit.models.weights")
        files = weights.resolve(config.model.name, config.model.lock)
    except TunevetError as error:
        return Fact("model", BAD, str(error))
    hashed = next((h for n, h in sorted(files.hashes.items()) if n.endswith(".safetensors")), "")
    detail = f"SHA-256 {hashed} verified" if config.model.name == "minilm" else f"SHA-256 {hashed}"
    return Fact("model", OK, f"{files.name}: {detail}" if hashed else f"{files.name}: fetched when it is first used")


def _language_model(config: Config) -> list[Fact]:
    """The language model of the proof, where one is named."""
    probe = config.probe
    if not probe.language_model:
        return []
    try:
        language: Any = importlib.import_module("audit.models.language")
        files = language.find(probe.language_model, probe.language_model_tuning, config.model.lock)
    except TunevetError as error:
        return [Fact("language model", BAD, str(error))]
    hashed = sum(name.endswith(".safetensors") for name in files.hashes)
    held = f"{hashed} files of weights hashed" if files.hashes else "fetched when it is first used"
    return [Fact("language model", OK, f"{files.name}: {held}; tuned by {probe.language_model_tuning}")]


def _prefect() -> list[Fact]:
    """prefect 3.8.8 fails to import its server with fastapi 0.155 and newer; with SQLAlchemy 2.1 its scheduler
    fails on each insert."""
    try:
        prefect, fastapi, sqlalchemy = (metadata.version(name) for name in ("prefect", "fastapi", "sqlalchemy"))
    except metadata.PackageNotFoundError as error:
        return [Fact("prefect", WARN, f"{error.name} is not installed; scans run with --engine local")]
    facts = [Fact("prefect", OK, f"{prefect} with fastapi {fastapi} and SQLAlchemy {sqlalchemy}")]
    if _release(fastapi) >= (0, 155):
        remedy = "pip install 'fastapi<0.155', or scan with --engine local"
        facts = [Fact("prefect", BAD, f"prefect {prefect} cannot start its server with fastapi {fastapi}: {remedy}")]
    if _release(sqlalchemy) >= (2, 1):
        text = f"a Prefect server with SQLAlchemy {sqlalchemy} fires no schedule: pip install 'sqlalchemy<2.1'"
        facts.append(Fact("schedules", WARN, text))
    return facts


def _release(version: str) -> tuple[int, int]:
    """Major and minor number."""
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _versions() -> Fact:
    return Fact("libraries", OK, ", ".join(f"{name} {version}" for name, version in library_versions().items()))
