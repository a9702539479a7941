"""Embeddings of texts, kept between runs: by far the dearest part of a scan, and the same for the same text.

`cached(folder)` puts a store before `Encoder.encode` for as long as it is entered; a run's own stages then write
what they always write. A vector is found by the text's SHA-256, the model's hashes, the device's arithmetic, the
token limit and the share of it that is used. In reduced precision the same text differs in the last bits from one
batch to another (cosine above 0.9999); the stored vector is the one of the first batch that held it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from audit.models.encoder import Encoder
from audit.provenance import digest
from audit.rundir import read_array, write_array
from audit.schema import Float32, Progress

_PLAIN = Encoder.encode


class VectorStore:
    """An append-only store of vectors under one folder; several processes may add to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place: dict[bytes, tuple[Path, int]] = {}
        self.parts: set[str] = set()
        self._number = itertools.count()

    def refresh(self) -> None:
        """Learns of the parts that stand on disk. The names are written last, so a part with names is whole."""
        for path in sorted(self.folder.glob("*.names.npy")):
            if path.name not in self.parts:
                self.parts.add(path.name)
                vectors = path.with_name(path.name.replace(".names.", ".vectors."))
                for row, name in enumerate(read_array(path)):
                    self.place.setdefault(name.tobytes(), (vectors, row))

    def get(self, names: list[bytes]) -> Float32:
        """(len(names), d) float32. Raises KeyError for a name that is not there."""
        by_part: dict[Path, list[tuple[int, int]]] = {}
        for at, name in enumerate(names):
            path, row = self.place[name]
            by_part.setdefault(path, []).append((at, row))
        out: Float32 | None = None
        for path, pairs in by_part.items():
            array = read_array(path)
            if out is None:
                out = np.zeros((len(names), array.shape[1]), dtype=np.float32)
            at, rows = np.asarray(pairs).T
            out[at] = array[rows]
        assert out is not None
        return out

    def put(self, names: list[bytes], vectors: Float32) -> None:
        """Adds a part."""
        stem = f"{os.getpid()}-{next(self._number)}-{hashlib.sha256(names[0]).hexdigest()[:8]}"
        write_array(self.folder / f"{stem}.vectors.npy", vectors)
        write_array(self.folder / f"{stem}.names.npy", np.frombuffer(b"".join(names), np.uint8).reshape(-1, 20))
        self.refresh()


def name_of(text: str) -> bytes:
    """20 bytes that name a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:20]


@contextmanager
def cached(folder: Path) -> Iterator[dict[str, int]]:
    """Encodes through a store in `folder`. Yields counts of texts found and made."""
    stores: dict[str, VectorStore] = {}
    counts = {"found": 0, "made": 0}

    def encode(self: Encoder, texts: list[str], progress: Progress | None = None, share: float = 1.0) -> Float32:
        if not texts:
            return _PLAIN(self, texts, progress, share)
        weights = next(self.model.parameters()).dtype
        key = digest(self.files.hashes, self.files.name, self.max_tokens, share, str(self.device), str(weights))[:16]
        store = stores.setdefault(key, VectorStore(folder / key))
        store.refresh()
        unique = list(dict.fromkeys(texts))
        names = dict(zip(unique, map(name_of, unique), strict=True))
        missing = [text for text in unique if names[text] not in store.place]
        counts["found"] += len(unique) - len(missing)
        counts["made"] += len(missing)
        if missing:
            store.put([names[t] for t in missing], _PLAIN(self, missing, progress, share))
        return store.get([names[t] for t in texts])

    with mock.patch.object(Encoder, "encode", encode):
        yield counts
