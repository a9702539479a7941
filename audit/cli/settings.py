"""Options of the command line laid over a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audit import config as configuration
from audit.config import Config
from audit.errors import UsageError
from audit.job import load_settings, located
from audit.models.lock import NAME as LOCK


def settings(config_path: Path | None, options: dict[str, Any]) -> Config:
    """The file's settings with every option that was given (is not None) in its place; keys are dotted.
    A source on disk becomes an absolute path. Without a file, a models lock in this folder is in force. Raises
    ConfigError, UsageError, InputError."""
    values = (load_settings(config_path) if config_path else Config()).model_dump()
    for key, value in options.items():
        if value is None:
            continue
        table = values
        *path, last = key.split(".")
        for part in path:
            table = table[part]
        table[last] = {**table[last], **value} if isinstance(value, dict) else value
    if config_path is None and not values["model"]["lock"] and Path(LOCK).is_file():
        values["model"]["lock"] = str(Path(LOCK).absolute())
    config = configuration.build(values)
    if not config.source:
        raise UsageError('name what to scan: tunevet scan SOURCE, or source = "..." in the configuration file')
    return config.model_copy(update={"source": located(config.source)})


def mapping(pairs: list[str] | None) -> dict[str, str] | None:
    """--map role=column, repeated. Raises UsageError."""
    found: dict[str, str] = {}
    for pair in pairs or []:
        role, equals, column = pair.partition("=")
        if not (equals and role and column):
            raise UsageError(f"--map {pair!r} is not of the form role=column, such as --map label=sentiment")
        found[role.strip()] = column
    return found or None
