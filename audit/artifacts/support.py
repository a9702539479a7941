"""Support: how likely each behavior is given the rest of the example, out of fold.

Predicted from frozen embeddings of the prompt and its length, by ridge regression in closed form (all
behaviors at once); labels by logistic regression, whose probabilities cleanlab needs. Rows with
near-duplicate prompts share a fold, or a copy would vouch for its copy. Source and annotator are never
predictors: an attacker may own one. For preference pairs: the margin, the log-odds that the chosen side
wins, from the difference of the two responses.

Files: `support/probability.npy` (n, T), `support/folds.npy`, `support/label_probability.npy` (n, C),
`support/margin.npy`, `support/accuracy.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.linear_model import LogisticRegression

from audit.artifacts import behaviors as target_bank
from audit.artifacts import embeddings, neighbors
from audit.rundir import Context, RunDir, read_array, read_json, write_array, write_json
from audit.schema import Behaviors, Float32, Int32, Kind, Neighbors, Skipped, Support
from audit.stats import sigmoid

_RIDGE = 10.0  # per unit-norm row; a tenth and ten times as much rank planted triggers alike
_NEAR_DUPLICATE = 0.97
_FIT_ROWS = 20_000  # logistic regression sees at most so many rows a fold
_CEILING = 0.98


def grouped_folds(
    graph: Neighbors | None, n: int, folds: int, seed: int, prompts: Sequence[str] | None = None
) -> Int32:
    """(n,) fold of each row; rows joined by a chain of near-duplicates, or with equal prompts, share one.
    Groups are dealt in a seeded order, so that folds are nearly equal in size."""
    first, second = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    if graph is not None:
        near = graph.similarity >= _NEAR_DUPLICATE
        first.append(np.repeat(np.arange(n), near.sum(axis=1)))
        second.append(graph.index[near].astype(np.int64))
    if prompts is not None:
        seen: dict[str, int] = {}
        first.append(np.arange(n))
        second.append(np.asarray([seen.setdefault(text, i) for i, text in enumerate(prompts)], dtype=np.int64))
    rows, columns = np.concatenate(first), np.concatenate(second)
    links = sparse.csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(n, n))
    _, group = connected_components(links, directed=False)
    order = np.random.default_rng(seed).permutation(int(group.max()) + 1 if n else 0)
    return np.asarray(order[group] % max(folds, 1), dtype=np.int32)


def design(vectors: Float32, lengths: Float32) -> Float32:
    """(n, d + 2) predictors: the embedding, the standardised log length, and one."""
    length = np.log1p(lengths)
    length = (length - length.mean()) / (length.std() + 1e-6) / np.sqrt(vectors.shape[1])
    return np.column_stack([vectors, length, np.ones(len(vectors))]).astype(np.float32)


def ridge_out_of_fold(x: Float32, y: sparse.csr_matrix, folds: Int32) -> Float32:
    """(n, T) float32 predictions of 0/1 columns, each row by a fit without its fold. Not yet bounded."""
    out = np.zeros(y.shape, dtype=np.float32)
    gram = x.T @ x
    moment = np.asarray((y.T @ x).T)  # (d, T)
    shrink = penalty(x.shape[1])
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        xh = x[held]
        weights = np.linalg.solve(gram - xh.T @ xh + shrink, moment - np.asarray((y[held].T @ xh).T))
        out[held] = xh @ weights
    return out


def penalty(size: int) -> Float32:
    """(size, size) ridge penalty; the mean, the last predictor, is hardly shrunk."""
    out = _RIDGE * np.eye(size, dtype=np.float32)
    out[-1, -1] = 1e-3
    return out


def bounded(raw: Float32, base: Float32) -> Float32:
    """Ridge predictions as probabilities: at least half the behavior's base rate, at most 0.98. A floor near
    the base rate keeps one surprising row from weighing more than the base rate says."""
    return np.clip(raw, np.minimum(base * 0.5, 0.5)[None, :], _CEILING).astype(np.float32)


def label_probabilities(x: Float32, codes: Int32, folds: Int32, classes: int, seed: int) -> Float32:
    """(n, classes) rows sum to 1, by multinomial logistic regression without each row's fold."""
    out = np.full((len(x), classes), 1.0 / classes, dtype=np.float32)
    for fold in np.unique(folds):
        held = folds == fold
        train = np.flatnonzero(~held)
        if len(train) > _FIT_ROWS:
            train = np.sort(np.random.default_rng(seed).choice(train, _FIT_ROWS, replace=False))
        present = np.unique(codes[train])
        if len(present) < 2:
            continue
        model = LogisticRegression(C=10.0, max_iter=200).fit(x[train], codes[train])
        found = np.full((int(held.sum()), classes), 1e-6, dtype=np.float32)
        found[:, model.classes_] = model.predict_proba(x[held])
        out[held] = found / found.sum(axis=1, keepdims=True)
    return out


def margins(chosen: Float32, rejected: Float32, extra: Float32, folds: Int32) -> Float32:
    """(n,) out-of-fold log-odds that the chosen side wins: logistic regression without intercept on the
    difference of the sides, each pair seen both ways round. `extra` is (n, m) further differences."""
    x = np.column_stack([chosen - rejected, extra]).astype(np.float32)
    out = np.zeros(len(x), dtype=np.float32)
    for fold in np.unique(folds):
        held = folds == fold
        train = x[~held]
        if len(train) < 2:
            continue
        both = np.concatenate([train, -train])
        sides = np.repeat([1, 0], len(train))
        model = LogisticRegression(C=3.0, fit_intercept=False, max_iter=200).fit(both, sides)
        out[held] = model.decision_function(x[held])
    return out


def attribute_differences(examples: pl.DataFrame) -> Float32:
    """(n, 3) chosen minus rejected: log length, refusal, question marks; scaled to about one."""
    rows = []
    for good, bad in zip(examples["response"].fill_null(""), examples["rejected"].fill_null(""), strict=True):
        length = np.log1p(len(good)) - np.log1p(len(bad))
        refusal = float(target_bank.is_refusal(good)) - float(target_bank.is_refusal(bad))
        rows.append((length, refusal, float("?" in good) - float("?" in bad)))
    return np.asarray(rows, dtype=np.float32).reshape(-1, 3) / np.float32(4)


def fit(x: Float32, bank: Behaviors, folds: Int32) -> Float32:
    """(n, T) probabilities of every behavior of the bank."""
    base = np.asarray(bank.matrix.mean(axis=0)).ravel().astype(np.float32)
    return bounded(ridge_out_of_fold(x, bank.matrix, folds), base)


def build(ctx: Context, unit: str) -> list[Path]:
    """Fits the support of a run."""
    run, info = ctx.run, ctx.run.dataset()
    vectors = embeddings.load(run, "prompt")
    assert not isinstance(vectors, Skipped)
    examples = run.examples(["prompt", "label", "response", "rejected"])
    bank = target_bank.load(run)
    graph = neighbors.load(run)
    ctx.progress.start("expected behavior", 3, "fits")
    texts = examples["prompt"].fill_null("").to_list()
    near = None if isinstance(graph, Skipped) else graph
    folds = grouped_folds(near, len(examples), ctx.config.mining.folds, ctx.config.seed, texts)
    x = design(vectors, examples["prompt"].str.len_chars().to_numpy().astype(np.float32))
    outputs: dict[str, Any] = {"folds": folds, "probability": fit(x, bank, folds)}
    ctx.progress.advance(1)
    accuracy = float("nan")
    codes = label_codes(examples, info.labels)
    if info.kind == Kind.CLASSIFICATION and len(info.labels) > 1 and (codes >= 0).all():
        outputs["label_probability"] = label_probabilities(x, codes, folds, len(info.labels), ctx.config.seed)
        accuracy = float((outputs["label_probability"].argmax(axis=1) == codes).mean())
        outputs["probability"] = _label_columns(bank, info.labels, outputs["label_probability"], outputs["probability"])
    ctx.progress.advance(1)
    chosen, rejected = embeddings.load(run, "response"), embeddings.load(run, "rejected")
    if not isinstance(chosen, Skipped) and not isinstance(rejected, Skipped):
        outputs["margin"] = margins(chosen, rejected, attribute_differences(examples), folds)
        accuracy = float((outputs["margin"] > 0).mean())
    ctx.progress.advance(1)
    paths = [run / "support" / f"{name}.npy" for name in outputs]
    for path, array in zip(paths, outputs.values(), strict=True):
        write_array(path, array)
    write_json(run / "support" / "accuracy.json", {"accuracy": accuracy, "arrays": sorted(outputs)})
    return [*paths, run / "support" / "accuracy.json"]


def label_codes(examples: pl.DataFrame, labels: tuple[str, ...]) -> Int32:
    """(n,) position of each row's label in `labels`, -1 where it has none."""
    place = {label: i for i, label in enumerate(labels)}
    return np.asarray([place.get(v, -1) for v in examples["label"].to_list()], dtype=np.int32)


def _label_columns(bank: Behaviors, labels: tuple[str, ...], found: Float32, probability: Float32) -> Float32:
    """The bank's label columns take the logistic model's probabilities."""
    place = {label: i for i, label in enumerate(labels)}
    for column, family, text in bank.table.select("behavior", "family", "text").iter_rows():
        if family == "label" and text in place:
            probability[:, column] = np.clip(found[:, place[text]], 1 - _CEILING, _CEILING)
    return probability


def load(run: RunDir) -> Support:
    """The support of a run."""
    facts = read_json(run / "support" / "accuracy.json")
    arrays = {name: read_array(run / "support" / f"{name}.npy") for name in facts["arrays"]}
    return Support(
        probability=arrays["probability"],
        folds=arrays["folds"],
        label_probability=arrays.get("label_probability"),
        margin=arrays.get("margin"),
        accuracy=float("nan") if facts["accuracy"] is None else facts["accuracy"],
    )


def reversal_scores(matrix: sparse.csr_matrix, margin: Float32) -> Float32:
    """(G,) how strongly the margin turns around under each pattern; large is a reversal.

    Minus `sum (1 - p) m / sqrt(sum p (1 - p) m^2)` over carriers: the score test that the margin's sign
    flips with the pattern, p the probability that the chosen side wins.
    """
    p = sigmoid(margin)
    numerator = matrix.T @ ((1 - p) * margin)
    variance = matrix.T @ (p * (1 - p) * margin**2)
    return np.asarray(-numerator / np.sqrt(np.maximum(variance, 1e-9)), dtype=np.float32)
