"""A bill of materials of cleaned data: the data, the input, the models that looked at it and the software.

CycloneDX 1.6 as JSON (an "ML-BOM": components of type data and machine-learning-model). Written by these lines rather
than by cyclonedx-python-lib: that library has no model card and brings five packages along, and what is needed of the
format here is one page. The serial number is derived from the content, so equal inputs give equal bytes.
Source: CycloneDX 1.6 (ECMA-424), JSON form.
Misses: licences, which are the publisher's to say.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

_HASH = re.compile(r"[0-9a-f]{64}")
_SPACE = uuid.UUID("6f1c2a52-8d0f-5b0e-9d0c-2f6d6d5c7a10")  # names serial numbers of this project


def render(facts: Mapping[str, Any]) -> bytes:
    """The bill for the parsed value of a manifest, which need not be whole yet: name, created, tool, dataset, files,
    inputs, models, python and libraries are read."""
    bom = build(facts)
    seed = json.dumps({**bom, "metadata": {**bom["metadata"], "timestamp": ""}}, sort_keys=True)
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(_SPACE, hashlib.sha256(seed.encode()).hexdigest())}"
    return json.dumps(bom, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def build(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The bill without its serial number."""
    outputs = [_data(f"data/{at}", file, "cleaned data") for at, file in enumerate(facts["files"])]
    inputs = [_data(f"input/{at}", file, "input") for at, file in enumerate(facts["inputs"])]
    models = [_model(role, model) for role, model in sorted(facts["models"].items())]
    libraries = list(_libraries(facts))
    whole = {
        "type": "data",
        "bom-ref": "dataset",
        "name": facts["dataset"]["name"] or "dataset",
        "description": f"{facts['dataset']['kind']} dataset, audited and cleaned",
        "data": [{"type": "dataset", "name": facts["dataset"]["name"] or "dataset"}],
    }
    tool = facts["tool"]
    application = {"type": "application", "bom-ref": "tunevet", "name": tool["name"], "version": tool["version"]}
    application["hashes"] = [_hash(tool["code_sha256"])]
    refs = [c["bom-ref"] for c in [*inputs, *models, application]]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": facts["created"], "tools": {"components": [application]}, "component": whole},
        "components": [*outputs, *inputs, *models, *libraries],
        "dependencies": [
            {"ref": "dataset", "dependsOn": [c["bom-ref"] for c in outputs]},
            *({"ref": c["bom-ref"], "dependsOn": refs} for c in outputs),
            {"ref": "tunevet", "dependsOn": [c["bom-ref"] for c in libraries]},
        ],
    }


def _data(ref: str, file: Mapping[str, Any], role: str) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": ref,
        "name": file["path"],
        "hashes": [_hash(file["sha256"])],
        "data": [{"type": "dataset", "name": file["path"]}],
        "properties": [
            {"name": "tunevet:role", "value": file.get("role", role)},
            {"name": "tunevet:size_bytes", "value": str(file["size_bytes"])},
        ],
    }


def _model(role: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """A model with its files as components of their own, each with its hash."""
    files = {name: value for name, value in (model.get("sha256") or {}).items() if _HASH.fullmatch(str(value))}
    found: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model/{role}",
        "name": str(model.get("name") or role),
        "modelCard": {"properties": [{"name": "tunevet:role", "value": role}]},
        "components": [
            {"type": "file", "bom-ref": f"model/{role}/{name}", "name": name, "hashes": [_hash(value)]}
            for name, value in sorted(files.items())
        ],
    }
    if model.get("revision"):
        found["version"] = str(model["revision"])
        if re.fullmatch(r"[\w.-]+/[\w.-]+", found["name"]):
            found["purl"] = f"pkg:huggingface/{found['name']}@{found['version']}"
    return found


def _libraries(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    python = facts["python"]
    yield {"type": "platform", "bom-ref": "python", "name": python["implementation"], "version": python["version"]}
    for name, version in sorted(facts["libraries"].items()):
        purl = f"pkg:pypi/{quote(name)}@{quote(version, safe='.-_')}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _hash(value: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": value}
