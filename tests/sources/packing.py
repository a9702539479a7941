"""The compressions that the readers know, as functions of bytes."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pyarrow as pa


def zst(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {"": lambda data: data, ".gz": gzip.compress, ".zst": zst}
