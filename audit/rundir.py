"""A run directory: where everything lies, how it is written, and how a unit of work says that it is done.

All writing goes through `audit.durable`, which writes a file whole or not at all. A unit of work writes its outputs
first and its marker last; the marker holds the key of what the unit depended on and the hashes of what it wrote.
Killed at any point and started again, a run ends with the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit import durable
from audit.config import Config
from audit.durable import atomic_file, write_bytes
from audit.errors import InputError
from audit.lock import held
from audit.provenance import sha256_file
from audit.schema import DatasetInfo, Progress

__all__ = [
    "Context",
    "RunDir",
    "atomic_file",
    "read_array",
    "read_json",
    "write_array",
    "write_bytes",
    "write_frame",
    "write_json",
]


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented JSON with sorted keys; NaN becomes null."""
    text = json.dumps(_finite(value), indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file of ours."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Writes a frame as parquet atomically."""
    with atomic_file(path) as handle:
        frame.write_parquet(handle, compression="zstd", statistics=False)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array as .npy atomically (no pickle)."""
    with atomic_file(path) as handle:
        np.save(handle, array, allow_pickle=False)


def read_array(path: Path) -> NDArray[Any]:
    """Memory-maps an array of ours."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        return _finite(value.item())
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_finite(v) for v in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    return value


class RunDir:
    """Paths and loaders of one run directory. Holds no state but its path."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def verdicts(self) -> Path:
        return self.path / "verdicts.parquet"

    @property
    def triggers(self) -> Path:
        return self.path / "triggers.json"

    @property
    def findings(self) -> Path:
        return self.path / "findings.parquet"

    @property
    def report(self) -> Path:
        return self.path / "report" / "report.html"

    def marker(self, stage: str, unit: str) -> Path:
        return self.path / "done" / stage / f"{unit}.json"

    def dataset(self) -> DatasetInfo:
        """What ingest recognised. Raises InputError when this is not a run directory."""
        path = self.path / "dataset.json"
        if not path.exists():
            raise InputError(f"{self.path} is not a finished run directory: it has no dataset.json")
        return DatasetInfo.from_dict(read_json(path))

    def shards(self, folder: str) -> list[Path]:
        """The shard files of `examples` or `ledger`, in row order."""
        return [self.path / folder / f"{name}.parquet" for name in self.dataset().shards]

    def examples(self, columns: list[str] | None = None) -> pl.DataFrame:
        """All readable examples, in row order."""
        return pl.concat([pl.read_parquet(p, columns=columns) for p in self.shards("examples")])

    def ledger(self, columns: list[str] | None = None) -> pl.DataFrame:
        """All record positions, in row order."""
        return pl.concat([pl.read_parquet(p, columns=columns) for p in self.shards("ledger")])

    def outputs(self, stage: str) -> dict[str, str]:
        """Relative path -> SHA-256 of all that a stage's done units wrote."""
        folder = self.path / "done" / stage
        found: dict[str, str] = {}
        for path in sorted(folder.glob("*.json")) if folder.exists() else []:
            found.update(read_json(path)["outputs"])
        return found

    def is_done(self, stage: str, unit: str, key: str) -> bool:
        """True when this unit's marker holds this key and all of its outputs still stand."""
        path = self.marker(stage, unit)
        if not path.exists():
            return False
        marker = read_json(path)
        return marker["key"] == key and all((self.path / name).exists() for name in marker["outputs"])

    def mark_done(self, stage: str, unit: str, key: str, outputs: list[Path], **facts: Any) -> None:
        """Writes a unit's marker: its key, the hashes of its outputs, and facts such as seconds."""
        hashes = {str(p.relative_to(self.path)): sha256_file(p) for p in sorted(outputs)}
        write_json(self.marker(stage, unit), {"key": key, "outputs": hashes, **facts})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds this run directory for one process, and takes away what killed ones left half-written. Raises RunBusy
        with the holder, WriteFailed. The kernel releases the lock when the holder dies."""
        durable.make_folder(self.path, 0o700)
        with held(self.path / ".lock", str(self.path)):
            durable.sweep(self.path)
            yield


@dataclass(frozen=True, slots=True)
class Context:
    """What a unit of work is handed: its run directory, the run's settings, and whom to tell."""

    run: RunDir
    config: Config
    progress: Progress
