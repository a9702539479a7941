"""Hashes: of files, of records, of whatever a unit of work depended on."""

from __future__ import annotations

import hashlib
import json
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

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


def content_hashes(*columns: pl.Series) -> pl.Series:
    """`content_hash` of many rows at once: the i-th column (String) holds the i-th field of each row."""
    framed = reduce(add, map(_framed, columns))
    digests = [hashlib.sha256(raw).digest() for raw in framed.to_list()]
    return pl.Series(digests, dtype=pl.Binary).bin.slice(0, 16).bin.encode("hex")


def _framed(column: pl.Series) -> pl.Series:
    raw = column.cast(pl.Binary)
    sizes = raw.bin.size().fill_null(0).to_numpy()
    heads = np.ones((len(sizes), 9), dtype=np.uint8)
    heads[:, 1:] = sizes.astype(">u8").view(np.uint8).reshape(-1, 8)
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(9), len(sizes), [None, pa.py_buffer(heads)])
    return (pl.Series(packed).cast(pl.Binary) + raw).fill_null(b"\x00")
