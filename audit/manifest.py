"""manifest.json: what ran, on what, with which settings and versions, and what came of it.

Written last, also when a run stopped early, so that a run directory without one is a run that was killed.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from audit import __version__
from audit.config import Config
from audit.outcome import Outcome
from audit.provenance import digest
from audit.registry import STAGES_OF_CHECKS
from audit.rundir import RunDir, read_json, write_json

# What the figures of a run depend on.
LIBRARIES = (
    "cleanlab",
    "datasets",
    "fastapi",
    "numpy",
    "polars",
    "prefect",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


def write_manifest(
    run: RunDir, config: Config, outcome: Outcome, started: datetime, *, engine: str, redone: int, error: str = ""
) -> None:
    """Writes manifest.json. `redone` counts the units that this scan ran rather than found done. Raises
    WriteFailed."""
    finished = datetime.now(UTC)
    info = run.dataset() if (run / "dataset.json").exists() else None
    models = read_json(run / "models.json") if (run / "models.json").exists() else {}
    stages = stage_costs(run)
    write_json(
        run.manifest,
        {
            "tool": {"name": "tunevet", "version": __version__},
            "config_digest": digest(config.model_dump()),
            "source": config.source,
            "dataset": {"name": info.name, "kind": info.kind, "shape": info.shape} if info else None,
            "input": {"files": [_file(f) for f in info.files], "fingerprint": info.fingerprint} if info else None,
            "seed": config.seed,
            "device": models.get("embedding", {}).get("device", config.model.device),
            "models": models,
            "engine": engine,
            "platform": {
                "python": platform.python_version(),
                "implementation": sys.implementation.name,
                "system": platform.platform(),
            },
            "libraries": library_versions(),
            "stages": stages,
            "units_redone": redone,
            "checks": checks(run, config),
            "counts": {name: getattr(outcome, name) for name in ("rows", "keep", "review", "remove", "unreadable")},
            "outcome": outcome.to_dict(),
            "error": error,
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "wall_seconds": round((finished - started).total_seconds(), 3),
        },
    )


def stage_costs(run: RunDir) -> dict[str, dict[str, Any]]:
    """Stage -> seconds (summed over its units), peak_bytes (the largest unit's) and the units themselves,
    read off the done markers."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((run / "done").glob("*/*.json")):
        marker = read_json(path)
        row = found.setdefault(path.parent.name, {"seconds": 0.0, "peak_bytes": 0, "units": {}})
        unit = {"seconds": marker.get("seconds", 0.0), "peak_bytes": marker.get("peak_bytes", 0)}
        row["units"][path.stem] = unit
        row["seconds"] = round(row["seconds"] + unit["seconds"], 3)
        row["peak_bytes"] = max(row["peak_bytes"], unit["peak_bytes"])
    return found


def library_versions() -> dict[str, str]:
    """Name -> installed version of the libraries that the figures depend on; missing ones left out."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _file(file: Any) -> dict[str, Any]:
    record = asdict(file)
    record.pop("layout")
    return record


def checks(run: RunDir, config: Config) -> dict[str, Any]:
    """Every check by how it ended: run -> rows flagged; skipped and failed -> why; off -> those not asked for."""
    found: dict[str, Any] = {"run": {}, "skipped": {}, "failed": {}, "off": list(config.skip)}
    for path in sorted((run / "checks").glob("*.json")):
        record = read_json(path)
        if not any(run.marker(stage, path.stem).exists() for stage in STAGES_OF_CHECKS):
            continue
        ran = record["status"] == "run"
        found["run" if ran else "skipped"][record["name"]] = record["flagged"] if ran else record["reason"]
    failed = [path for stage in STAGES_OF_CHECKS for path in sorted((run / "failed").glob(f"{stage}-*.json"))]
    for path in failed:
        record = read_json(path)
        found["failed"][record["unit"]] = record["error"]
    return found
