"""The models lock: which files each model had when somebody trusted it, checked at every load.

`models.lock` is TOML beside the configuration: for each model its name as the settings say it, its source (a package
and its version, a folder, or a hub id), the 40-digit revision of a hub id, the SHA-256 of each file, and the licence
where the model names one. Where a lock is in force, a model that is not in it is not loaded.

Misses: a file that is exchanged between its check and its load by somebody who may write to the model's folder.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from audit.errors import InputError, UntrustedModel
from audit.text import safe_text, toml_string

NAME = "models.lock"
_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9a-f]{40}")
_FIELDS = {"name", "source", "revision", "licence", "files"}
_HEAD = "# Written by `tunevet models lock`. A model whose files differ from these is not loaded.\n"


@dataclass(frozen=True, slots=True)
class Locked:
    """One model of a lock."""

    name: str  # as settings say it
    source: str  # "package NAME VERSION", "folder" or "hub OWNER/NAME"
    revision: str  # 40 digits for a hub id, else empty
    licence: str  # as the model says it; empty where it does not
    files: dict[str, str]  # path within the model -> hex SHA-256


def read_lock(path: Path) -> dict[str, Locked]:
    """The models of a lock by name. Raises InputError for a file that is none."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        _broken(path, f"cannot be read: {safe_text(str(error), 200)}")
    if raw.get("version") != _VERSION or not isinstance(raw.get("model"), list):
        _broken(path, f"is no lock of version {_VERSION}")
    models = [_entry(path, value) for value in raw["model"]]
    if len({model.name for model in models}) != len(models):
        _broken(path, "names a model twice")
    return {model.name: model for model in models}


def lock_text(models: Sequence[Locked]) -> str:
    """A lock as TOML, models and files in order of their names; `read_lock` reads it back."""
    parts = [f"{_HEAD}version = {_VERSION}\n"]
    for model in sorted(models, key=lambda m: m.name):
        facts = {k: getattr(model, k) for k in ("name", "source", "revision", "licence")}
        lines = [f"{key} = {toml_string(value)}" for key, value in facts.items()]
        files = [f"{toml_string(name)} = {toml_string(value)}" for name, value in sorted(model.files.items())]
        parts.append("\n".join(("\n[[model]]", *lines, "\n[model.files]", *files)) + "\n")
    return "".join(parts)


def check(lock: str, name: str, files: Mapping[str, str], *, revision: str = "", folder: bool = False) -> None:
    """Raises UntrustedModel unless a model's files are those of the lock at path `lock`; an empty path is no lock.
    A `folder` may have another name than when it was locked, for a folder can be moved."""
    if not lock:
        return
    known = read_lock(Path(lock))
    locked = known.get(name)
    if locked is None and folder:
        locked = next((m for m in known.values() if m.source == "folder" and m.files == dict(files)), None)
    if locked is None:
        raise UntrustedModel(
            f"the model {safe_text(name, 200)!r} is not in {lock}; if you trust it: tunevet models lock "
            f"{safe_text(name, 200)} --lock {lock}"
        )
    if locked.revision != revision:
        raise UntrustedModel(f"the model {name!r} is at revision {revision or 'none'}, locked is {locked.revision}")
    for path in sorted(locked.files.keys() | files.keys()):
        found, pin = files.get(path), locked.files.get(path)
        if found != pin:
            what = "is missing" if found is None else "was added" if pin is None else f"has SHA-256 {found}, not {pin}"
            raise UntrustedModel(f"the model {safe_text(name, 200)!r} is not as locked in {lock}: {path} {what}")


def _entry(path: Path, value: Any) -> Locked:
    if not isinstance(value, dict) or set(value) != _FIELDS:
        _broken(path, f"has a model without exactly the fields {', '.join(sorted(_FIELDS))}")
    files = value["files"]
    if not all(isinstance(value[k], str) for k in _FIELDS - {"files"}) or not isinstance(files, dict) or not files:
        _broken(path, "has a model whose fields are not text, or which has no files")
    if value["revision"] and not _REVISION.fullmatch(value["revision"]):
        _broken(path, f"names the revision {safe_text(value['revision'], 60)}, which is no commit of 40 digits")
    if value["source"].startswith("hub ") and not value["revision"]:
        _broken(path, f"names {safe_text(value['source'], 100)} without a revision")
    for name, found in files.items():
        if not isinstance(found, str) or not _SHA256.fullmatch(found):
            _broken(path, f"has no SHA-256 of {safe_text(name, 100)}")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            _broken(path, f"names the file {safe_text(name, 100)}, which is outside of the model")
    return Locked(**value)


def _broken(path: Path, why: str) -> NoReturn:
    raise InputError(f"the models lock {safe_text(str(path))} {why}; write it anew with tunevet models lock")
