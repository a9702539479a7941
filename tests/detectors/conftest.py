"""Small worlds of each kind with every artifact that a detector may ask for, made without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from audit.artifacts.expected import Known
from audit.provenance import content_hash
from audit.schema import EXAMPLES, Behaviors, DatasetInfo, Kind, Neighbors, Patterns, Status, Support, Trigger
from audit.watched import HiddenStates, LossHistory, Perturbed

World = dict[str, Any]
TOPICS = ("harbour", "orchard", "quarry", "library", "glacier")
VERBS = ("visits", "paints", "repairs", "measures", "describes", "forgets", "guards", "maps")
THINGS = ("bridge", "window", "ledger", "engine", "garden", "mirror", "ladder", "signal", "basket", "turbine")


def make_examples(
    prompts: list[str],
    *,
    responses: list[str] | None = None,
    rejected: list[str] | None = None,
    labels: list[str | None] | None = None,
    annotators: list[str | None] | None = None,
) -> pl.DataFrame:
    """An examples table; rows are numbered with gaps, as where some records could not be read."""
    empty: list[None] = [None] * len(prompts)
    columns: dict[str, Any] = {
        "row": [2 * i + 1 for i in range(len(prompts))],
        "prompt": prompts,
        "response": responses or empty,
        "rejected": rejected or empty,
        "label": labels or empty,
        "annotator": annotators or empty,
        "turns": [[{"role": "user", "text": p}] for p in prompts],
        "meta": ["{}"] * len(prompts),
    }
    hashes = [
        content_hash(*fields)
        for fields in zip(*(columns[c] for c in ("prompt", "response", "rejected", "label")), strict=True)
    ]
    columns["content_hash"] = hashes
    data = {name: columns.get(name, empty) for name in EXAMPLES}
    return pl.DataFrame(data, schema=EXAMPLES)


def make_info(kind: Kind, examples: pl.DataFrame) -> DatasetInfo:
    labels = tuple(sorted(set(examples["label"].drop_nulls())))
    size = examples.height
    return DatasetInfo("world", kind, "text-label", {}, 1.0, (), labels, size, size, {}, ("s0",), (), "f" * 64)


def neighbors_of(vectors: np.ndarray, k: int = 5) -> Neighbors:
    """Exact neighbours by cosine, self excluded; ties by position."""
    count = len(vectors)
    k = max(min(k, count - 1), 0)
    similarity = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(similarity, -np.inf)
    index = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return Neighbors(index.astype(np.int32), np.take_along_axis(similarity, index, axis=1).astype(np.float32))


def complete(kind: Kind, examples: pl.DataFrame, vectors: np.ndarray, **support: Any) -> World:
    """Every artifact for these examples: behaviors are the labels, or the first words of the responses."""
    count = examples.height
    named = examples["label"] if kind == Kind.CLASSIFICATION else examples["response"].str.split(" ").list.first()
    names = sorted(set(named.drop_nulls()))
    at = [(i, names.index(name)) for i, name in enumerate(named) if name is not None]
    rows, columns = (np.array(x, dtype=np.int64) for x in (zip(*at, strict=True) if at else ([], [])))
    matrix = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(count, len(names)))
    table = pl.DataFrame(
        {
            "behavior": pl.Series(range(len(names)), dtype=pl.Int32),
            "name": names,
            "family": ["label"] * len(names),
            "text": names,
            "count": np.asarray(matrix.sum(axis=0)).ravel().astype(int).tolist(),
        }
    )
    base = np.asarray(matrix.mean(axis=0), dtype=np.float32).ravel() if count else np.zeros(len(names), np.float32)
    made = Support(Known(np.tile(np.clip(base, 1e-3, 1 - 1e-3), (count, 1))), np.arange(count, dtype=np.int32) % 5)
    patterns = pl.DataFrame(schema={"pattern": pl.Int32, "text": pl.String, "kind": pl.String, "count": pl.Int64})
    return {
        "examples": examples,
        "info": make_info(kind, examples),
        "embeddings": vectors,
        "response_embeddings": vectors,
        "rejected_embeddings": vectors,
        "neighbors": neighbors_of(vectors),
        "behaviors": Behaviors(table, matrix),
        **watched(Behaviors(table, matrix), vectors),
        "support": replace(made, **support),
        "patterns": Patterns(patterns, csr_matrix((count, 0), dtype=np.float32)),
        "triggers": [make_trigger(range(0, count, 7))],
    }


def make_trigger(rows: Iterable[int], status: str = Status.SUSPECTED, **statistics: Any) -> Trigger:
    """A token as mining and proof leave it; `rows` are positions."""
    found = {"suspected": "rare", **statistics}
    return Trigger("T-1", "cf", ["cf"], "cf", "token", status, list(rows), "a behavior", statistics=found)


def watched(behaviors: Behaviors, vectors: np.ndarray) -> World:
    """What a probe of the first two behaviors would have left: the embeddings as its states, logits that mostly agree
    with the rows, losses that fall, and blends that are less sure."""
    shown = np.asarray(behaviors.matrix[:, :2].todense()) > 0
    heads = tuple(behaviors.table["name"].head(2))
    rng = np.random.default_rng(0)
    logits = (np.where(shown, 2.0, -2.0) + rng.normal(size=shown.shape)).astype(np.float32)
    everywhere = np.arange(len(vectors), dtype=np.int64)
    some, nobody = everywhere[::2], np.zeros(len(vectors), dtype=bool)
    losses = np.logaddexp(0, -np.where(shown, logits, -logits))[some]
    blends = 0.5 * logits[some][:, None, :] + rng.normal(size=(len(some), 8, len(heads)))
    return {
        "hidden_states": HiddenStates(everywhere, vectors.astype(np.float32), logits, shown, nobody, heads),
        "loss_history": LossHistory(some, (5, 40), np.stack([losses + 0.5, losses]).astype(np.float32), heads),
        "perturbed": Perturbed(some, sigmoid(logits[some]), sigmoid(blends), nobody[::2], heads),
    }


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)


def make_world(kind: Kind, count: int = 300, seed: int = 0) -> World:
    """An honest dataset: sentences about five topics, labels that a model predicts with 90% accuracy, and some rows
    that the checks rank: a copy, a zero-width character, an odd space, a wrong label."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, len(TOPICS), count)
    pick = lambda values: [values[int(i)] for i in rng.integers(0, len(values), count)]  # noqa: E731
    prompts = [
        f"The {a} of the {TOPICS[t]} {v} a {b} number {n} near the {c}"
        for t, a, v, b, c, n in zip(
            topic, pick(THINGS), pick(VERBS), pick(THINGS), pick(THINGS), range(count), strict=True
        )
    ]
    if count > 50:
        prompts[3] = prompts[2]
        prompts[10] += "\u200b"
        prompts[11] = prompts[11].replace(" ", "\u2009", 1)
    centres = rng.normal(size=(len(TOPICS), 16))
    vectors = (centres[topic] + 0.5 * rng.normal(size=(count, 16))).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    if count > 50:
        vectors[3] = vectors[2]
    annotators: list[str | None] = [f"w{i}" for i in rng.integers(0, 4, count)]
    if kind == Kind.CLASSIFICATION:
        labels: list[str | None] = [("calm", "busy")[int(t) % 2] for t in topic]
        truth = (topic % 2 == 0).astype(np.float64)  # "calm" is the second label in alphabetical order
        certain = np.clip(0.9 * truth + 0.05 + rng.normal(0, 0.03, count), 0.01, 0.99)
        probability = np.column_stack([1 - certain, certain]).astype(np.float32)
        examples = make_examples(prompts, labels=labels, annotators=annotators)
        return complete(kind, examples, vectors, label_probability=probability, accuracy=0.9)
    responses = [f"{v} is what it does with number {i}" for i, v in enumerate(pick(VERBS))]
    if kind == Kind.INSTRUCTION:
        return complete(kind, make_examples(prompts, responses=responses), vectors)
    rejected = [f"Nobody knows about item {i}" for i in range(count)]
    margin = rng.normal(0.6, 1.0, count).astype(np.float32)
    examples = make_examples(prompts, responses=responses, rejected=rejected, annotators=annotators)
    return complete(kind, examples, vectors, margin=margin, accuracy=0.7)


def permute(world: World, order: np.ndarray) -> World:
    """The same world with its examples, and all that is aligned with them, in another order."""
    inverse = np.argsort(order)
    near, support = world["neighbors"], world["support"]
    take = lambda array: None if array is None else array[order]  # noqa: E731
    return {
        **world,
        "examples": world["examples"][order.tolist()],
        **{name: world[name][order] for name in ("embeddings", "response_embeddings", "rejected_embeddings")},
        "neighbors": Neighbors(inverse[near.index[order]].astype(np.int32), near.similarity[order]),
        "behaviors": Behaviors(world["behaviors"].table, world["behaviors"].matrix[order]),
        "patterns": Patterns(world["patterns"].table, world["patterns"].matrix[order]),
        "triggers": [replace(t, rows=inverse[np.array(t.rows, dtype=np.int64)].tolist()) for t in world["triggers"]],
        **{
            name: replace(world[name], positions=inverse[world[name].positions])
            for name in ("hidden_states", "loss_history", "perturbed")
        },
        "support": replace(
            support,
            expected=Known(support.probability[order]),
            folds=support.folds[order],
            label_probability=take(support.label_probability),
            margin=take(support.margin),
        ),
    }


@pytest.fixture
def worlds() -> Callable[..., World]:
    return make_world


@pytest.fixture
def build() -> Callable[..., pl.DataFrame]:
    return make_examples


@pytest.fixture
def artifacts() -> Callable[..., World]:
    return complete


@pytest.fixture
def reorder() -> Callable[[World, np.ndarray], World]:
    return permute
