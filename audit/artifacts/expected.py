"""The support of every behavior, worked out where it is asked for: a few fold weights instead of rows times
behaviors. Vectors are read from their files a block at a time and given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.rundir import read_array
from audit.schema import Float32, Int32, Int64

CEILING = 0.98
BLOCK_ROWS = 20_000


class Vectors:
    """(n, d) vectors that stand in several arrays or files one after the other."""

    def __init__(self, parts: Sequence[Path | NDArray[np.floating]]) -> None:
        self._parts = parts
        shapes = [(read_array(p) if isinstance(p, Path) else p).shape for p in parts]
        self._starts = np.concatenate([[0], np.cumsum([s[0] for s in shapes])]).astype(np.int64)
        self.shape = (int(self._starts[-1]), int(shapes[0][1]) if shapes else 0)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Int64) -> Float32:
        """As an array would: these rows, a copy."""
        return self.take(np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.asarray(rows))

    def block(self, start: int, stop: int) -> Float32:
        """(stop - start, d) float32, a copy."""
        return self.take(np.arange(start, stop))

    def take(self, rows: Int64) -> Float32:
        """(len(rows), d) float32, a copy."""
        out = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        part = np.searchsorted(self._starts, rows, side="right") - 1
        for p in np.unique(part).tolist():
            held = self._parts[p]
            at = np.flatnonzero(part == p)
            # A file is mapped for this copy only: its pages count as memory while it stays mapped.
            out[at] = (read_array(held) if isinstance(held, Path) else held)[rows[at] - self._starts[p]]
        return out


@dataclass(frozen=True, slots=True)
class Predictors:
    """(n, d + 2): the vector, the standardised log length, and one."""

    vectors: Vectors
    length: Float32  # (n,)

    @classmethod
    def of(cls, vectors: Vectors, characters: NDArray[np.floating]) -> Predictors:
        """From lengths in characters."""
        length = np.log1p(characters.astype(np.float64))
        length = (length - length.mean()) / (length.std() + 1e-6) / np.sqrt(max(vectors.shape[1], 1))
        return cls(vectors, length.astype(np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        return self.vectors.shape[0], self.vectors.shape[1] + 2

    def block(self, start: int, stop: int) -> Float32:
        """(stop - start, d + 2) float32."""
        return self._with(self.vectors.block(start, stop), self.length[start:stop])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Int64) -> Float32:
        """As an array would: these rows, a copy."""
        return self.take(np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows)

    def take(self, rows: Int64) -> Float32:
        """(len(rows), d + 2) float32."""
        return self._with(self.vectors.take(rows), self.length[rows])

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, int, Float32]]:
        """(start, stop, block) over all rows."""
        for start in range(0, self.shape[0], rows):
            stop = min(start + rows, self.shape[0])
            yield start, stop, self.block(start, stop)

    def _with(self, vectors: Float32, length: Float32) -> Float32:
        return np.column_stack([vectors, length, np.ones(len(vectors), dtype=np.float32)])


@dataclass(frozen=True, slots=True)
class Known:
    """Expected, from a matrix in memory."""

    matrix: Float32  # (n, T)

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape[0], self.matrix.shape[1]

    def block(self, start: int, stop: int, behaviors: Int64 | None = None) -> Float32:
        """As in Expected; all columns are a view."""
        return self.matrix[start:stop] if behaviors is None else self.matrix[start:stop, behaviors]

    def of(self, rows: Int64, behavior: int) -> Float32:
        """As in Expected."""
        return np.asarray(self.matrix[rows, behavior], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class FoldFit:
    """Probabilities of T behaviors by the fit without each row's fold: at least half the behavior's base rate,
    at most 0.98. A floor near the base rate keeps one surprising row from weighing more than the base rate
    says. Behaviors that are labels have the label model's probabilities."""

    predictors: Predictors
    folds: Int32  # (n,)
    weights: Float32  # (F, d + 2, T)
    base: Float32  # (T,) rates in the whole set
    labels: Float32 | None = None  # (n, C)
    label_of: Int32 | None = None  # (T,) column of `labels`, -1 for behaviors that are none

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.folds), len(self.base)

    def block(self, start: int, stop: int, behaviors: Int64 | None = None) -> Float32:
        """(stop - start, T), or the columns asked for."""
        columns = np.arange(len(self.base)) if behaviors is None else np.asarray(behaviors)
        rows = np.arange(start, stop)
        return self._of(rows, self.predictors.block(start, stop), columns)

    def of(self, rows: Int64, behavior: int) -> Float32:
        """(len(rows),) of one behavior."""
        column = np.asarray([behavior])
        if self.labels is not None and self.label_of is not None and self.label_of[behavior] >= 0:
            return self._labelled(rows, column)[:, 0]
        parts = [rows[i : i + BLOCK_ROWS] for i in range(0, len(rows), BLOCK_ROWS)]
        found = [self._of(part, self.predictors.take(part), column)[:, 0] for part in parts]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)

    def _of(self, rows: Int64, x: Float32, columns: Int64) -> Float32:
        out = np.empty((len(rows), len(columns)), dtype=np.float32)
        folds = self.folds[rows]
        for fold in np.unique(folds).tolist():
            at = np.flatnonzero(folds == fold)
            out[at] = x[at] @ self.weights[fold][:, columns]
        np.clip(out, np.minimum(self.base[columns] * np.float32(0.5), 0.5), CEILING, out=out)
        if self.label_of is not None:
            labelled = np.flatnonzero(self.label_of[columns] >= 0)
            if len(labelled):
                out[:, labelled] = self._labelled(rows, columns[labelled])
        return out

    def _labelled(self, rows: Int64, columns: Int64) -> Float32:
        assert self.labels is not None and self.label_of is not None
        found = self.labels[rows][:, self.label_of[columns]]
        return np.asarray(np.clip(found, 1 - CEILING, CEILING), dtype=np.float32)
