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
    count, nulls, framed = len(columns[0]), 0, []
    for column in columns:
        if column.null_count() == count:
            nulls += 1
            continue
        framed += _framed(column.cast(pl.Binary), nulls)
        nulls = 0
    framed += [pl.repeat(b"\x00" * nulls, count, dtype=pl.Binary, eager=True)] if nulls else []
    digests = [hashlib.sha256(raw).digest() for raw in reduce(add, framed).to_list()]
    return pl.Series(digests, dtype=pl.Binary).bin.slice(0, 16).bin.encode("hex")


def _framed(raw: pl.Series, nulls: int) -> list[pl.Series]:
    """One field of each row with its length in front, and in front of that the mark of so many fields that are null."""
    sizes = raw.bin.size()
    heads = np.zeros((len(raw), nulls + 9), dtype=np.uint8)
    heads[:, nulls] = 1
    heads[:, nulls + 1 :] = sizes.fill_null(0).to_numpy().astype(">u8").view(np.uint8).reshape(-1, 8)
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(nulls + 9), len(raw), [None, pa.py_buffer(heads)])
    head = pl.Series(packed).cast(pl.Binary)
    return [head, raw] if not raw.null_count() else [(head + raw).fill_null(b"\x00" * (nulls + 1))]
