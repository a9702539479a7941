"""Hashes: of files, of records, of whatever a unit of work depended on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read once in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def digest(*parts: Any) -> str:
    """Hex SHA-256 of JSON-able values; equal values give equal digests on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def content_hash(*fields: str | None) -> str:
    """Identity of a row across runs: 32 hex digits over its length-prefixed fields, null unlike empty."""
    state = hashlib.sha256()
    for value in fields:
        if value is None:
            state.update(b"\x00")
            continue
        raw = value.encode("utf-8", "surrogatepass")
        state.update(b"\x01" + len(raw).to_bytes(8, "big") + raw)
    return state.hexdigest()[:32]
