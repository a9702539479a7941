"""Clean corpora that share no row: honest data by source, half and family of tasks, for counting false triggers.

They are cut from the clean cases, and from the poisoned ones without their poisoned rows. Every prompt goes to the
first corpus of its kind that has it, so the corpora of one kind are disjoint in their texts. Where the data names no
source, families of tasks are found as clusters of the embeddings: such corpora are more alike in themselves than a
random half, and so the harder test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.cluster import KMeans

from audit.config import ModelConfig
from benchmarks import vectors
from benchmarks.cases import Case, examples_of, shipped
from benchmarks.common import WORK

MIN_ROWS = 500
_FAMILY_ROWS = 1_700  # about so many rows a family
_HALF_ROWS = 7_000  # from so many rows on a classification set is cut into quarters instead of halves
_NO_TASKS = ("classification", "preference")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Honest rows of one kind; `examples` has schema EXAMPLES."""

    name: str
    kind: str  # classification | instruction | preference
    examples: pl.DataFrame


def kind_of(examples: pl.DataFrame) -> str:
    """The kind of an examples table."""
    if examples["rejected"].null_count() < len(examples):
        return "preference"
    return "instruction" if examples["response"].null_count() < len(examples) else "classification"


def clean_rows(case: Case, work: Path = WORK) -> pl.DataFrame:
    """The rows of a case without its poison."""
    return examples_of(case, work).filter(~pl.col("row").is_in(sorted(case.poisoned)))


def disjoint(bench: Path, work: Path = WORK, seed: int = 0) -> list[Corpus]:
    """All corpora, clean cases first, so that a text that several cases hold counts for a clean one."""
    found = sorted(shipped(bench), key=lambda c: (c.truth["kind"] != "clean", c.name))
    seen: dict[str, set[str]] = {}
    out: list[Corpus] = []
    for case in found:
        rows = clean_rows(case, work)
        kind = kind_of(rows)
        held = seen.setdefault(kind, set())
        rows = rows.filter(~pl.col("prompt").is_in(list(held)))
        held |= set(rows["prompt"].to_list())
        parts = _halves(rows, seed) if kind in _NO_TASKS else _families(rows, work, seed)
        out += [Corpus(f"{case.name}-{name}", kind, part) for name, part in parts if len(part) >= MIN_ROWS]
    return out


def _halves(rows: pl.DataFrame, seed: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """Two halves, or four quarters, drawn at random; one prompt's rows stay together."""
    prompts = rows["prompt"].unique(maintain_order=True).to_list()
    order = np.random.default_rng(seed).permutation(len(prompts))
    parts = 4 if len(rows) >= _HALF_ROWS else 2 if len(rows) >= 2 * MIN_ROWS else 1
    place = {prompts[at]: i % parts for i, at in enumerate(order.tolist())}
    part_of = pl.Series([place[p] for p in rows["prompt"].to_list()], dtype=pl.Int64)
    for part in range(parts):
        yield (
            "whole" if parts == 1 else f"{'half' if parts == 2 else 'quarter'}-{part + 1}",
            rows.filter(part_of == part),
        )


def _families(rows: pl.DataFrame, work: Path, seed: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """Families of tasks: clusters of the prompts' embeddings."""
    count = max(round(len(rows) / _FAMILY_ROWS), 1)
    if count == 1 or len(rows) < MIN_ROWS:
        yield "whole", rows
        return
    array = embedded(rows["prompt"].to_list(), work)
    family = KMeans(count, n_init=2, random_state=seed).fit_predict(array)
    for part in range(count):
        yield f"family-{part + 1}", rows.filter(pl.Series(family == part))


def embedded(texts: list[str], work: Path) -> np.ndarray:
    """(n, d) embeddings of texts through the store."""
    from audit.models.encoder import Encoder

    with vectors.cached(work / "vectors"):
        return np.asarray(Encoder(ModelConfig()).encode(texts))
