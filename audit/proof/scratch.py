"""Scratch copies of a run: the same rows with some left out, changed or added, mined anew.

What is mined again after a removal, and canaries, are never mixed with the run itself: they live in a folder of their
own, made for one question and deleted once it is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import polars as pl

from audit import durable
from audit.artifacts import behaviors, embeddings, neighbors, patterns, support
from audit.models.encoder import Encoder
from audit.rundir import Context, RunDir, write_array, write_frame, write_json
from audit.schema import Float32, Int64, NoProgress, Skipped
from audit.triggers import mining
from audit.triggers.candidate import Candidate

_SHARD = "all"


@contextmanager
def scratch_run(ctx: Context, name: str, examples: pl.DataFrame, encoder: Encoder) -> Iterator[Context]:
    """A run directory inside the run's own that holds these examples (schema EXAMPLES; `row` says which row of the run
    each one was, or is a number the run has not) and their embeddings; deleted on leaving. Texts that stand in the
    run under the same `row` are not embedded again."""
    folder = ctx.run / "scratch" / name
    durable.remove_tree(folder)
    run, info = RunDir(folder), ctx.run.dataset()
    try:
        write_frame(folder / "examples" / f"{_SHARD}.parquet", examples)
        copy = replace(info, shards=(_SHARD,), rows=len(examples), readable=len(examples))
        write_json(folder / "dataset.json", copy.to_dict())
        _embed(ctx, run, examples, encoder)
        yield Context(run, ctx.config, ctx.progress)
    finally:
        durable.remove_tree(folder)
        durable.remove_empty(folder.parent)


def mined(scratch: Context) -> list[Candidate]:
    """All that mining reads is built in the scratch run, then it is mined; positions are those of its examples."""
    for builder in (neighbors, behaviors, patterns, support):
        builder.build(scratch, "all")
    mining.build(scratch, "all")
    return mining.load(scratch.run / "triggers" / "candidates.json")


def _embed(ctx: Context, run: RunDir, examples: pl.DataFrame, encoder: Encoder) -> None:
    info = ctx.run.dataset()
    names = embeddings.fields(info.kind, info.shape != "kto")
    before = ctx.run.examples(["row", *names])
    place = {row: i for i, row in enumerate(before["row"].to_list())}
    at = np.asarray([place.get(row, -1) for row in examples["row"].to_list()], dtype=np.int64)
    for name in names:
        old, new = before[name].fill_null("").to_list(), examples[name].fill_null("").to_list()
        changed = [i for i, text in enumerate(new) if at[i] < 0 or old[at[i]] != text]
        stored = embeddings.load(ctx.run, name)
        assert not isinstance(stored, Skipped)  # a field that the dataset has
        vectors = _rows(stored, at)
        if changed:
            vectors[changed] = encoder.encode([new[i] for i in changed], NoProgress(), embeddings.SHARE[name])
        write_array(run / "embeddings" / f"{name}-{_SHARD}.npy", vectors)


def _rows(stored: Float32, at: Int64) -> Float32:
    out = np.zeros((len(at), stored.shape[1]), dtype=np.float32)
    out[at >= 0] = stored[at[at >= 0]]
    return out
