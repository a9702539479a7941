"""What a record says of how data came about: the code, the libraries, the settings, the models, the checks.

Nothing of it depends on where the run directory or the input stands: of a setting that is an absolute path only the
last part is kept. Equal inputs, settings and versions give equal facts.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from audit import __version__, registry
from audit.config import Config
from audit.manifest import checks, library_versions
from audit.rundir import RunDir, read_json
from audit.schema import DatasetInfo


def created() -> str:
    """Now, UTC, to the second; SOURCE_DATE_EPOCH overrules the clock. The one field that differs from run to run."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, Any]:
    """The code and what it ran on: `tool` with the digest of its source files, `python` and `libraries`."""
    return {
        "tool": {"name": "tunevet", "version": __version__, "code_sha256": code_sha256()},
        "python": {"version": platform.python_version(), "implementation": sys.implementation.name},
        "libraries": library_versions(),
    }


@cache
def code_sha256() -> str:
    """SHA-256 over the paths and bytes of this package's source files, in order."""
    root, state = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".j2", ".js", ".css") and p.is_file()):
        name, content = path.relative_to(root).as_posix().encode(), path.read_bytes()
        state.update(len(name).to_bytes(8, "big") + name + len(content).to_bytes(8, "big") + content)
    return state.hexdigest()


def settings(config: Config) -> dict[str, Any]:
    """All settings: `text` as TOML and its `sha256`. Of absolute paths the last part alone."""
    text = Config.model_validate(_without_folders(config.model_dump())).to_toml()
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}


def _without_folders(value: Any) -> Any:
    if isinstance(value, str):
        return PurePath(value).name or value if value.startswith(("/", "~")) else value
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    return type(value)(map(_without_folders, value)) if isinstance(value, (list, tuple)) else value


def of_run(run: RunDir, config: Config, info: DatasetInfo) -> dict[str, Any]:
    """The part of a manifest that a run says: dataset, inputs, config, seeds, models, device, batch_plan and checks."""
    used = models(run)
    ran = checks(run, config)
    return {
        "dataset": {n: getattr(info, n) for n in ("name", "kind", "shape", "fingerprint", "rows", "readable")},
        "inputs": [
            {"path": f.path, "format": f.format, "compression": f.compression, "size_bytes": f.size_bytes}
            | {"sha256": f.sha256, "records": f.records, "layout": f.layout}
            for f in info.files
        ],
        "config": settings(config),
        "seeds": {"run": config.seed},
        "models": used,
        "device": used.get("embedding", {}).get("device") or config.model.device,
        "batch_plan": {
            "rows_per_shard": config.ingest.shard_rows,
            "tokens_per_batch": config.model.tokens_per_batch,
            "tokens_per_text": config.model.max_tokens,
        },
        "checks": {"run": ran["run"], "not_run": _not_run(ran, config)},
    }


def models(run: RunDir) -> dict[str, Any]:
    """Role -> name, revision and SHA-256 of each file of the models that a run loaded."""
    found: dict[str, Any] = read_json(run / "models.json") if (run / "models.json").exists() else {}
    tagger = run / "patterns" / "tagger.json"
    if tagger.exists():
        found["tagger"] = read_json(tagger)
    kept: dict[str, Any] = _without_folders(found)
    return kept


def _not_run(ran: dict[str, Any], config: Config) -> dict[str, str]:
    """Check or stage -> why it did not run."""
    found = dict.fromkeys(ran["off"], "switched off in the settings")
    found |= {name: f"skipped: {why}" for name, why in ran["skipped"].items()}
    found |= {name: f"failed: {why}" for name, why in ran["failed"].items()}
    told = {*found, *ran["run"]}
    found |= {name: "the run has no result of it" for name in registry.detectors() if name not in told}
    if config.probe.mode == "off":
        found["proof"] = "switched off in the settings: probe.mode is off"
    if config.canaries == "off":
        found["canaries"] = "switched off in the settings"
    return dict(sorted(found.items()))
