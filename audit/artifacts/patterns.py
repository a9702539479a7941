"""Input patterns, taken from the raw prompt before any normalising, and where they stand.

Words and word n-grams to `max_words` words, and the families of `audit.patterns`, counted over shards
of rows: what is in memory follows `max_patterns`; streams of (row, pattern) pairs lie in unnamed files of the
run directory meanwhile. Of patterns with the same rows one stands for all: the longest phrase, and a word or
phrase before capitals, slots and characters. Words always stay.

Files: `patterns/table.parquet`; `patterns/rows.npy` and `patterns/starts.npy`, the rows of each pattern;
`patterns/held.npy` and `patterns/row_starts.npy`, the patterns of each row. With a tagger those of `artifacts.tags`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from audit import patterns as families_of
from audit.artifacts import tags
from audit.patterns import index, streams
from audit.patterns.family import Row
from audit.rundir import Context, RunDir, read_array, write_array, write_frame
from audit.schema import Int32, Int64, NoProgress, Patterns, Progress

_SHARD_ROWS = 20_000


class Texts:
    """Rows of prompts in memory."""

    folder: Path | None = None

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[list[Row]]:
        for start in range(0, len(self.texts), _SHARD_ROWS):
            yield [Row(text) for text in self.texts[start : start + _SHARD_ROWS]]


class RunRows:
    """Rows of a run, read from its shards."""

    def __init__(self, run: RunDir) -> None:
        self.paths = run.shards("examples")
        self.folder: Path | None = run.path
        self.rows = sum(int(pl.scan_parquet(path).select(pl.len()).collect().item()) for path in self.paths)

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[list[Row]]:
        held: list[Row] = []
        for path in self.paths:
            table = pl.read_parquet(path, columns=["prompt", "turns"])
            prompts, turns = table["prompt"].fill_null("").to_list(), table["turns"].to_list()
            for prompt, listed in zip(prompts, turns, strict=True):
                said = tuple((t["role"] or "", t["text"] or "") for t in listed or ())
                held.append(Row(prompt, said))
            if len(held) >= _SHARD_ROWS:
                yield held
                held = []
        if held:
            yield held


def count(
    corpus: streams.Corpus, min_support: int, max_words: int, max_patterns: int, progress: Progress
) -> index.Index:
    """The patterns of a corpus with at least `min_support` rows, at most `max_patterns` of them."""
    counted = streams.count_words(corpus, min_support, max_words, max_patterns, progress.advance)
    families = families_of.prepared(streams.word_counts(counted[0]))
    counted += streams.count_families(corpus, families, min_support, progress.advance)
    made = index.build(counted, len(corpus), min_support, max_patterns, corpus.folder)
    if made.left_out:
        progress.note(
            f"{made.left_out:,} patterns left out for want of room (max_patterns is {max_patterns:,}); "
            f"the rarest of them stands in {made.rarest_left_out or min_support:,} rows"
        )
    return made


def table_of(made: index.Index) -> pl.DataFrame:
    """The table of an index's patterns: pattern, text, kind, count."""
    return pl.DataFrame(
        {
            "pattern": np.arange(len(made.texts), dtype=np.int32),
            "text": made.texts,
            "kind": made.kinds,
            "count": made.count,
        },
        schema={"pattern": pl.Int32, "text": pl.String, "kind": pl.String, "count": pl.Int64},
    )


def patterns_of(table: pl.DataFrame, rows: Int32, starts: Int64, held: Int32, row_starts: Int64) -> Patterns:
    """Patterns over two indexes, which are not copied; the ones of both matrices are one array."""
    shape = (len(row_starts) - 1, len(starts) - 1)
    ones = np.ones(len(rows), dtype=np.float32)
    by_row = sparse.csr_matrix((ones, held, row_starts), shape=shape)
    by_pattern = sparse.csc_matrix((ones, rows, starts), shape=shape)
    for matrix in (by_row, by_pattern):
        matrix.has_canonical_format = True  # else the first product looks through all of it
    return Patterns(table, by_row, by_pattern)


def extract(
    texts: Sequence[str], min_support: int, max_words: int, max_patterns: int, progress: Progress | None = None
) -> Patterns:
    """All patterns of these texts with at least `min_support` rows, at most `max_patterns`: room is shared evenly
    between kinds, and within one between octaves of the row count, the rarest first."""
    made = count(Texts(texts), min_support, max_words, max_patterns, progress or NoProgress())
    return patterns_of(table_of(made), made.rows, made.starts, made.held, made.row_starts)


def build(ctx: Context, unit: str) -> list[Path]:
    """Extracts the patterns of a run."""
    corpus, mining = RunRows(ctx.run), ctx.config.mining
    ctx.progress.start("patterns", 2 * len(corpus), "rows")
    made = count(corpus, mining.min_support, mining.max_words, mining.max_patterns, ctx.progress)
    folder = ctx.run / "patterns"
    write_frame(folder / "table.parquet", table_of(made))
    arrays: dict[str, NDArray[Any]] = {
        "rows": made.rows,
        "starts": made.starts,
        "held": made.held,
        "row_starts": made.row_starts,
    }
    for name, array in arrays.items():
        write_array(folder / f"{name}.npy", array)
    written = [folder / "table.parquet", *(folder / f"{name}.npy" for name in arrays)]
    if mining.tagger:
        texts = ([row.prompt for row in rows] for rows in corpus)
        written += tags.build(folder, mining.tagger, texts, len(corpus), ctx.progress, ctx.config.model.lock)
    return written


def load(run: RunDir) -> Patterns:
    """The patterns of a run; the indexes are memory-mapped."""
    folder = run / "patterns"
    rows, starts, held, row_starts = (
        read_array(folder / f"{name}.npy") for name in ("rows", "starts", "held", "row_starts")
    )
    return patterns_of(pl.read_parquet(folder / "table.parquet"), rows, starts, held, row_starts)
