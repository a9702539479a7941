"""The target bank: what each example teaches, as categories.

Labels for classification. For responses: how they open, close and go on, word for word and with slots; refusal and
its opposite, an answer to a request that assistants refuse; reasoning steps, arithmetic and final answers; form,
tone, language and links; garbled text; length and closeness to the prompt against what the prompt's embedding
predicts. For preference pairs: what one side has and the other lacks. The families are in `audit.bank`; categories
that the same rows have are one behavior, named by the most telling of them.

Files: `behaviors/table.parquet`, `behaviors/matrix.npz` (n, T).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from audit.artifacts import embeddings
from audit.bank.anomalies import garbled_categories, length_categories, relation_categories
from audit.bank.categories import FAMILIES, RANK, Key, Sets, describe
from audit.bank.labels import label_categories
from audit.bank.language import language_categories
from audit.bank.preference import preference_categories
from audit.bank.refusal import harmful_requests, is_refusal, refusal_categories
from audit.bank.responses import response_categories
from audit.bank.steps import reasoning_categories
from audit.rundir import Context, RunDir, atomic_file, write_frame
from audit.schema import Behaviors, Float32, Kind, Skipped
from audit.views import ordered

__all__ = ["MAX_BEHAVIORS", "Vectors", "assemble", "bank", "build", "is_refusal", "load", "requests_of"]

MAX_BEHAVIORS = 4_000


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings of prompts and responses, (n, d) unit rows each, aligned with the examples."""

    prompt: Float32
    response: Float32 | None = None


def assemble(found: Sets, n: int, min_support: int) -> Behaviors:
    """Categories with enough rows as a matrix; those with equal rows are merged. At most MAX_BEHAVIORS: of each
    family its share, those with most rows first, and then of all; ties by name."""
    merged: dict[bytes, Key] = {}
    members: dict[bytes, list[int]] = {}
    for (family, text), rows in found.items():
        if not min_support <= len(rows) <= n - 1 and family != "label":
            continue
        key = np.asarray(rows, dtype=np.int32).tobytes()
        other = merged.get(key)
        if other is None or _telling(family, text) < _telling(*other):
            merged[key] = (family, text)
        members[key] = rows
    order = sorted(merged, key=lambda k: (-len(members[k]), merged[k]))
    order = _within_budget(order, merged)
    counts = np.asarray([len(members[k]) for k in order], dtype=np.int64)
    columns = np.repeat(np.arange(len(order)), counts)
    places = np.concatenate([members[k] for k in order]) if order else np.zeros(0, dtype=np.int64)
    matrix = sparse.csr_matrix((np.ones(len(places), dtype=np.float32), (places, columns)), shape=(n, len(order)))
    table = pl.DataFrame(
        {
            "behavior": np.arange(len(order), dtype=np.int32),
            "name": [describe(*merged[k]) for k in order],
            "family": [merged[k][0] for k in order],
            "text": [merged[k][1] for k in order],
            "count": counts,
        },
        schema={"behavior": pl.Int32, "name": pl.String, "family": pl.String, "text": pl.String, "count": pl.Int64},
    )
    return Behaviors(table, matrix)


def _telling(family: str, text: str) -> tuple[int, int, str]:
    """The key by which one of several names is taken, least first."""
    return RANK[family], -len(text), text


def _within_budget(order: list[bytes], merged: dict[bytes, Key]) -> list[bytes]:
    """At most MAX_BEHAVIORS of these, in their order: first each family's share, then whatever comes first."""
    if len(order) <= MAX_BEHAVIORS:
        return order
    taken: dict[str, int] = {}
    first: list[bytes] = []
    rest: list[bytes] = []
    for key in order:
        family = merged[key][0]
        taken[family] = taken.get(family, 0) + 1
        (first if taken[family] <= FAMILIES[family].share * MAX_BEHAVIORS else rest).append(key)
    kept = set((first + rest)[:MAX_BEHAVIORS])
    return [key for key in order if key in kept]


def requests_of(examples: pl.DataFrame) -> list[str]:
    """What the user asked last: the last user turn, or the whole prompt where there are no turns."""
    prompts = examples["prompt"].fill_null("")
    if "turns" not in examples.columns or examples["turns"].null_count() == len(examples):
        return prompts.to_list()
    user = pl.element().filter(pl.element().struct.field("role") == "user").struct.field("text")
    last = examples.select(pl.col("turns").list.eval(user).list.last()).to_series()
    return [prompt if turn is None else turn for turn, prompt in zip(last.to_list(), prompts.to_list(), strict=True)]


def bank(examples: pl.DataFrame, kind: str, min_support: int, vectors: Vectors | None = None) -> Behaviors:
    """The target bank of a dataset. `examples` needs label, response and rejected; with prompt (and turns) the
    families that compare a response with its prompt come too, and with `vectors` those that embeddings decide."""
    found: Sets = {}
    if examples["label"].null_count() < len(examples):
        found |= label_categories(examples["label"].to_list())
    if kind != Kind.CLASSIFICATION:
        responses = examples["response"].fill_null("").to_list()
        prompts = examples["prompt"].fill_null("").to_list() if "prompt" in examples.columns else None
        harmful = harmful_requests(requests_of(examples)) if prompts is not None else None
        found |= response_categories(responses, prompts, min_support)
        found |= refusal_categories(responses, harmful)
        found |= reasoning_categories(responses)
        found |= garbled_categories(responses)
        if prompts is not None:
            found |= _against_prompts(prompts, responses, vectors, asked_before(examples))
        if kind == Kind.PREFERENCE and examples["rejected"].null_count() < len(examples):
            found |= preference_categories(*decided_sides(examples), harmful, min_support)
    return assemble(found, len(examples), min_support)


def decided_sides(examples: pl.DataFrame) -> tuple[list[str], list[str]]:
    """The chosen and the rejected side of every pair; of ties, which say nothing of either, empty texts."""
    decided = ordered()
    found = [
        examples.select(pl.when(decided).then(pl.col(side)).otherwise(pl.lit(""))).to_series().fill_null("").to_list()
        for side in ("response", "rejected")
    ]
    return found[0], found[1]


def asked_before(examples: pl.DataFrame) -> NDArray[np.bool_]:
    """(n,) whether something was asked and answered before the last request: what the prompt's embedding is of says
    little of that one."""
    if "turns" not in examples.columns or examples["turns"].null_count() == len(examples):
        return np.zeros(len(examples), dtype=bool)
    user = pl.element().struct.field("role") == "user"
    return examples.select(pl.col("turns").list.eval(user).list.sum().fill_null(0) > 1).to_series().to_numpy()


def _against_prompts(
    prompts: Sequence[str], responses: Sequence[str], vectors: Vectors | None, talks: NDArray[np.bool_]
) -> Sets:
    found = language_categories(prompts, responses)
    if vectors is not None:
        found |= length_categories(prompts, responses, vectors.prompt)
        if vectors.response is not None:
            apart = relation_categories(prompts, responses, vectors.prompt, vectors.response)
            kept = {key: [row for row in rows if not talks[row]] for key, rows in apart.items()}
            found |= {key: rows for key, rows in kept.items() if rows}
    return found


def build(ctx: Context, unit: str) -> list[Path]:
    """Builds the target bank of a run."""
    kind = ctx.run.dataset().kind
    examples = ctx.run.examples(["prompt", "turns", "label", "response", "rejected"])
    ctx.progress.start("behaviors", len(examples), "rows")
    made = bank(examples, kind, ctx.config.mining.min_support, _vectors(ctx.run, kind))
    paths = [ctx.run / "behaviors" / "table.parquet", ctx.run / "behaviors" / "matrix.npz"]
    write_frame(paths[0], made.table)
    with atomic_file(paths[1]) as handle:
        sparse.save_npz(handle, made.matrix)
    ctx.progress.advance(len(examples))
    return paths


def _vectors(run: RunDir, kind: str) -> Vectors | None:
    if kind == Kind.CLASSIFICATION:
        return None
    prompt, response = embeddings.load(run, "prompt"), embeddings.load(run, "response")
    assert not isinstance(prompt, Skipped)
    return Vectors(prompt, None if isinstance(response, Skipped) else response)


def load(run: RunDir) -> Behaviors:
    """The target bank of a run."""
    return Behaviors(
        pl.read_parquet(run / "behaviors" / "table.parquet"),
        sparse.csr_matrix(sparse.load_npz(run / "behaviors" / "matrix.npz")),
    )
