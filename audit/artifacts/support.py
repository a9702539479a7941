"""Support: how likely each behavior is given the rest of the example, out of fold.

Predicted from frozen embeddings of the prompt and its length, by ridge regression in closed form (all
behaviors at once); labels by logistic regression, whose probabilities cleanlab needs. Rows with
near-duplicate prompts share a fold, or a copy would vouch for its copy; rows that contradict a near copy of theirs
(`audit.bank.conflicts`) are left out of every fit that judges labels or preferences, or copies would vote. Source and
annotator are never predictors: an attacker may own one. For preference pairs: the margin, the log-odds that the
chosen side wins (`audit.artifacts.margins`); for single judged responses (KTO): the probability of each judgement,
from the response. The ridge's sums are added up over blocks of rows, and what is stored is each fold's weights:
probabilities are worked out where they are asked for.

Files: `support/weights.npy` (F, d + 2, T), `support/base.npy` (T,), `support/length.npy` (n,),
`support/folds.npy`, `support/label_probability.npy` (n, C) and `support/label_of.npy` (T,),
`support/margin.npy`, `support/disputed.npy` (n,) group of contradicting near copies, `support/accuracy.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.linear_model import LogisticRegression

from audit.artifacts import behaviors as target_bank
from audit.artifacts import embeddings, neighbors
from audit.artifacts.expected import FoldFit, Predictors, Vectors
from audit.artifacts.margins import Pairs, margins, sample_of
from audit.bank import conflicts
from audit.bank.refusal import harmful_requests
from audit.rundir import Context, RunDir, read_array, read_json, write_array, write_json
from audit.schema import Behaviors, DatasetInfo, Float32, Int32, Kind, Neighbors, Skipped, Support
from audit.stats import sigmoid
from audit.views import ordered as ordered_pairs

_RIDGE = 10.0  # per unit-norm row; a tenth and ten times as much rank planted triggers alike
_NEAR_DUPLICATE = 0.97


def grouped_folds(
    graph: Neighbors | None, n: int, folds: int, seed: int, prompts: Sequence[str] | pl.Series | None = None
) -> Int32:
    """(n,) fold of each row; rows joined by a chain of near-duplicates, or with equal prompts, share one.
    Groups are dealt in a seeded order, so that folds are nearly equal in size."""
    first, second = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    if graph is not None:
        near = graph.similarity >= _NEAR_DUPLICATE
        first.append(np.repeat(np.arange(n), near.sum(axis=1)))
        second.append(graph.index[near].astype(np.int64))
    if prompts is not None:
        equal = pl.DataFrame({"prompt": pl.Series(prompts, dtype=pl.String).fill_null("")}).with_row_index("i")
        first.append(np.arange(n))
        second.append(equal.select(pl.col("i").min().over("prompt"))["i"].to_numpy().astype(np.int64))
    rows, columns = np.concatenate(first), np.concatenate(second)
    links = sparse.csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(n, n))
    _, group = connected_components(links, directed=False)
    order = np.random.default_rng(seed).permutation(int(group.max()) + 1 if n else 0)
    return np.asarray(order[group] % max(folds, 1), dtype=np.int32)


def design(vectors: Float32, lengths: Float32) -> Float32:
    """(n, d + 2) predictors in memory: the embedding, the standardised log length, and one."""
    return Predictors.of(Vectors([vectors]), lengths)[:]


def fold_weights(x: Predictors, y: sparse.csr_matrix, folds: Int32) -> Float32:
    """(F, d + 2, T) ridge weights for 0/1 columns, each fold's by the rows of the others."""
    count, size = int(folds.max()) + 1 if len(folds) else 0, x.shape[1]
    gram = np.zeros((count, size, size))
    moment = np.zeros((count, size, y.shape[1]))
    for start, stop, block in x.blocks():
        targets = y[start:stop]
        for fold in np.unique(folds[start:stop]):
            held = np.flatnonzero(folds[start:stop] == fold)
            gram[fold] += block[held].T @ block[held]
            moment[fold] += np.asarray(targets[held].T @ block[held]).T
    gram_of_all, moment_of_all, shrink = gram.sum(axis=0), moment.sum(axis=0), penalty(size)
    out = np.zeros(moment.shape, dtype=np.float32)
    for fold in range(count):
        out[fold] = np.linalg.solve(gram_of_all - gram[fold] + shrink, moment_of_all - moment[fold])
    return out


def penalty(size: int) -> Float32:
    """(size, size) ridge penalty; the mean, the last predictor, is hardly shrunk."""
    out = _RIDGE * np.eye(size, dtype=np.float32)
    out[-1, -1] = 1e-3
    return out


def label_probabilities(
    x: Predictors, codes: Int32, folds: Int32, classes: int, seed: int, heard: NDArray[np.bool_] | None = None
) -> Float32:
    """(n, classes) rows sum to 1, by multinomial logistic regression without each row's fold, of the rows `heard` (n,)
    alone; all where it is None."""
    out = np.full((x.shape[0], classes), 1.0 / classes, dtype=np.float32)
    models: dict[int, LogisticRegression] = {}
    for fold in np.unique(folds).tolist():
        train = sample_of(np.flatnonzero((folds != fold) & (True if heard is None else heard)), seed)
        if len(np.unique(codes[train])) > 1:
            models[fold] = LogisticRegression(C=10.0, max_iter=200).fit(x.take(train), codes[train])
    for start, stop, block in x.blocks():
        for fold, model in models.items():
            held = np.flatnonzero(folds[start:stop] == fold)
            if len(held) == 0:
                continue
            found = np.full((len(held), classes), 1e-6, dtype=np.float32)
            found[:, model.classes_] = model.predict_proba(block[held])
            out[start + held] = found / found.sum(axis=1, keepdims=True)
    return out


def preference_model(differences: Float32, seed: int) -> LogisticRegression:
    """A logistic regression without intercept of (n, m) chosen minus rejected, each pair seen both ways round; of more
    than 20,000 rows it is fitted to a sample. Less regularised than those of `margins`: it starts reward probes."""
    x = differences[sample_of(np.arange(len(differences)), seed)]
    model = LogisticRegression(C=3.0, fit_intercept=False, max_iter=200)
    return model.fit(np.concatenate([x, -x]), np.repeat([1, 0], len(x)))


def attribute_differences(examples: pl.DataFrame) -> Float32:
    """(n, 3) chosen minus rejected: log length, refusal, question marks; scaled to about one."""
    rows = []
    for good, bad in zip(examples["response"].fill_null(""), examples["rejected"].fill_null(""), strict=True):
        length = np.log1p(len(good)) - np.log1p(len(bad))
        refusal = float(target_bank.is_refusal(good)) - float(target_bank.is_refusal(bad))
        rows.append((length, refusal, float("?" in good) - float("?" in bad)))
    return np.asarray(rows, dtype=np.float32).reshape(-1, 3) / np.float32(4)


def side_differences(run: RunDir) -> Float32:
    """(n, d + 3) chosen minus rejected of a run's pairs: embeddings, then `attribute_differences`. Of single judged
    responses (KTO): the response minus the mean of all, turned around where it was judged bad."""
    chosen, rejected = (embeddings.load(run, field) for field in ("response", "rejected"))
    assert not isinstance(chosen, Skipped)
    extra = attribute_differences(run.examples(["response", "rejected"]))
    if not isinstance(rejected, Skipped):
        return np.column_stack([chosen - rejected, extra]).astype(np.float32)
    stated = np.column_stack([chosen, extra])
    good = run.examples(["label"])["label"].eq_missing("true").to_numpy()
    return np.asarray((stated - stated.mean(axis=0)) * np.where(good, 1, -1)[:, None], dtype=np.float32)


def decided_margin(support: Support, labels: pl.Series, info: DatasetInfo) -> Float32 | None:
    """(n,) out-of-fold log-odds that what a person decided is right: that the chosen side wins, or (KTO) that the
    judgement is the given one. 0 for ties. None where nobody decided anything."""
    if support.margin is not None:
        return np.asarray(support.margin)
    if info.shape != "kto" or support.label_probability is None:
        return None
    codes = label_codes(pl.DataFrame({"label": labels}), info.labels)
    given = np.clip(support.label_probability[np.arange(len(codes)), codes].astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(given / (1 - given)), dtype=np.float32)


def fit(x: Predictors, bank: Behaviors, folds: Int32) -> FoldFit:
    """The support of every behavior of the bank."""
    base = np.asarray(bank.matrix.mean(axis=0)).ravel().astype(np.float32)
    return FoldFit(x, folds, fold_weights(x, bank.matrix, folds), base)


def vectors(run: RunDir, field: str) -> Vectors | None:
    """The embeddings of a field, on disk; None where the dataset has no such field."""
    info = run.dataset()
    if field not in embeddings.fields(info.kind, info.shape != "kto"):
        return None
    return Vectors([run / "embeddings" / f"{field}-{shard}.npy" for shard in info.shards])


def build(ctx: Context, unit: str) -> list[Path]:
    """Fits the support of a run."""
    run, info = ctx.run, ctx.run.dataset()
    prompts = vectors(run, "prompt")
    assert prompts is not None
    examples = run.examples(["prompt", "response", "rejected", "label", "ranking"])
    bank = target_bank.load(run)
    graph = neighbors.load(run)
    ctx.progress.start("expected behavior", 3, "fits")
    near = None if isinstance(graph, Skipped) else graph
    disputed = conflicts.groups(examples, info.kind, info.shape, near)
    heard = disputed == conflicts.NO_GROUP
    folds = grouped_folds(near, len(examples), ctx.config.mining.folds, ctx.config.seed, examples["prompt"])
    x = Predictors.of(prompts, examples["prompt"].str.len_chars().fill_null(0).to_numpy())
    fitted = fit(x, bank, folds)
    outputs: dict[str, Any] = {"folds": folds, "weights": fitted.weights, "base": fitted.base, "length": x.length}
    outputs["disputed"] = disputed
    ctx.progress.advance(1)
    accuracy = float("nan")
    judged = _judged(run, info, x, examples)
    codes = label_codes(examples, info.labels)
    if judged is not None and len(info.labels) > 1 and (codes >= 0).all():
        outputs["label_probability"] = label_probabilities(
            judged, codes, folds, len(info.labels), ctx.config.seed, heard
        )
        outputs["label_of"] = label_columns(bank, info.labels)
        accuracy = _share(outputs["label_probability"].argmax(axis=1) == codes, heard)
    ctx.progress.advance(1)
    pairs = _pairs(run)
    if pairs is not None and len(pairs):
        outputs["margin"] = margins(pairs, folds, ctx.config.seed, heard)
        accuracy = _share(outputs["margin"] > 0, pairs.ordered & heard)
    ctx.progress.advance(1)
    paths = [run / "support" / f"{name}.npy" for name in outputs]
    for path, array in zip(paths, outputs.values(), strict=True):
        write_array(path, array)
    write_json(run / "support" / "accuracy.json", {"accuracy": accuracy, "arrays": sorted(outputs)})
    return [*paths, run / "support" / "accuracy.json"]


def _share(right: NDArray[np.bool_], rows: NDArray[np.bool_]) -> float:
    """How many of these rows are right, 0 to 1; NaN of none."""
    return float(right[rows].mean()) if rows.any() else float("nan")


def _judged(run: RunDir, info: DatasetInfo, prompts: Predictors, examples: pl.DataFrame) -> Predictors | None:
    """What a label is predicted from: the prompt, or the response that it judges. None where there is no label."""
    if info.kind == Kind.CLASSIFICATION:
        return prompts
    responses = vectors(run, "response")
    if info.shape != "kto" or responses is None:
        return None
    return Predictors.of(responses, run.examples(["response"])["response"].str.len_chars().fill_null(0).to_numpy())


def _pairs(run: RunDir) -> Pairs | None:
    """The pairs of a run; None where it has none."""
    chosen, rejected = vectors(run, "response"), vectors(run, "rejected")
    if chosen is None or rejected is None:
        return None
    examples = run.examples(["prompt", "turns", "response", "rejected", "label"])
    return Pairs(
        examples["response"].fill_null("").to_list(),
        examples["rejected"].fill_null("").to_list(),
        (chosen, rejected),
        harmful_requests(target_bank.requests_of(examples)),
        examples.select(ordered_pairs()).to_series().to_numpy(),
    )


def label_codes(examples: pl.DataFrame, labels: tuple[str, ...]) -> Int32:
    """(n,) position of each row's label in `labels`, -1 where it has none."""
    place = {label: i for i, label in enumerate(labels)}
    return np.asarray([place.get(v, -1) for v in examples["label"].to_list()], dtype=np.int32)


def label_columns(bank: Behaviors, labels: tuple[str, ...]) -> Int32:
    """(T,) position in `labels` of each behavior that is a label, -1 for the others."""
    place = {label: i for i, label in enumerate(labels)}
    rows = bank.table.select("family", "text").iter_rows()
    return np.asarray([place.get(text, -1) if family == "label" else -1 for family, text in rows], dtype=np.int32)


def load(run: RunDir) -> Support:
    """The support of a run."""
    facts = read_json(run / "support" / "accuracy.json")
    arrays = {name: read_array(run / "support" / f"{name}.npy") for name in facts["arrays"]}
    prompts = vectors(run, "prompt")
    assert prompts is not None
    expected = FoldFit(
        Predictors(prompts, arrays["length"]),
        arrays["folds"],
        arrays["weights"],
        arrays["base"],
        arrays.get("label_probability"),
        arrays.get("label_of"),
    )
    return Support(
        expected=expected,
        folds=arrays["folds"],
        label_probability=arrays.get("label_probability"),
        margin=arrays.get("margin"),
        disputed=arrays.get("disputed"),
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
