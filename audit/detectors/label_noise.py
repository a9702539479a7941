"""Labels that the rest of the data contradicts: out-of-fold models, which never saw the example, are sure of another
label.

Why it works: six views of an example (a logistic model, a kernel ridge and the nearest neighbours in the embedding, a
ridge and naive Bayes on its words, naive Bayes on its letters) err on different rows, so what they contradict together
is mostly wrong. They are combined by maximum likelihood beside a rate of wrong labels, and each row is scored by the
probability that its own label is wrong; where one label is mostly mistaken for one other, or where wrong labels crowd
in a part of the embedding, doubt moves there. What is doubted on a clean set are the models' own errors, however. So
rows are flagged only when the most confident predictions, among which errors fade and wrong labels do not, contradict
at least one label in a hundred beyond doubt; and then down to where an estimated share of `believable` of them are
wrong labels. Near copies under different labels are not judged and not listened to: planted copies of an honest row
would outvote it. A person is asked about them (`near_duplicates`).

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", section 3, and
cleanlab 2.9 `filter.find_label_issues`, which counts the rows that carry a fix; Natarajan et al. 2013 and Patrini et
al. 2017 for the fitted rate; Wolpert 1992, "Stacked Generalization". The pairs, the regions and the cut are ours.

Misses: wrong labels of ambiguous examples; labels that are wrong in a way that the embedding or a word explains, as of
a whole topic or of a trigger; clean-label poison, whose labels are right; noise in fewer than about 200 rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.detectors.confidence import MIN_FLOOR, MIN_ROWS, noise_floor
from audit.detectors.label_posterior import Posterior, label_posterior
from audit.detectors.label_views import label_views
from audit.registry import detector
from audit.schema import (
    DatasetInfo,
    Detection,
    Finding,
    Float32,
    Neighbors,
    Severity,
    Skipped,
    Support,
    signals_frame,
)
from audit.stats import sigmoid

_DIGITS = 6  # of a score: the last bits change with the number of threads


@detector(code="TV-LBL", title="Doubtful labels", severity=Severity.LOW, version=3)
def label_noise(
    examples: pl.DataFrame,
    info: DatasetInfo,
    embeddings: Float32,
    neighbors: Neighbors,
    support: Support,
    *,
    believable: float = 0.8,
) -> Detection | Skipped:
    """Scores every example by the probability that its label is wrong, 0 to 1. The fix of an example that confident
    learning counts as an issue, or that is flagged, is to relabel."""
    if support.label_probability is None:
        return Skipped("needs labels, which this dataset has not")
    labels = list(info.labels)
    place = {label: i for i, label in enumerate(labels)}
    given = np.array([place.get(x, -1) for x in examples["label"].to_list()], dtype=np.int64)
    if support.disputed is not None:
        given[support.disputed >= 0] = -1
    known = int((given >= 0).sum())
    if known < MIN_ROWS:
        return Skipped(f"needs at least {MIN_ROWS} labelled examples, and this dataset has {known}")
    present = np.unique(given[given >= 0])
    if present.size < 2:
        return Skipped("needs at least two labels in use, and this dataset has one")
    rows = _labelled_by_row(examples, given)
    codes = np.searchsorted(present, given[rows])
    base = support.label_probability[np.ix_(rows, present)].astype(np.float64)
    base /= base.sum(axis=1, keepdims=True)
    texts = examples["prompt"].fill_null("").gather(rows).to_list()
    vectors, folds = embeddings[rows], support.folds[rows]
    views = label_views(texts, vectors, _among(neighbors, rows), codes, folds, base)
    found = label_posterior(views, codes, vectors, folds)
    doubt = _doubt(found, codes, believable)
    names = [labels[i] for i in present.tolist()]
    signals = _signals(examples["row"].gather(rows), found, doubt, codes, names)
    rest = examples.filter(pl.Series(given < 0))["row"]
    signals = pl.concat([signals, signals_frame(rest, [float("nan")] * len(rest))]).sort("row")
    return Detection(signals, (_finding(signals, doubt),), doubt.threshold)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What is made of the posterior."""

    score: Float32  # (n,) probability that the label is wrong
    doubtful: NDArray[np.bool_]  # (n,) counted by confident learning, or flagged
    threshold: float  # least score that is flagged; inf: none
    rate: float  # share of wrong labels
    lower: float  # of which the most confident predictions make sure
    agreed: float  # share of the labels that the views together predict


def _labelled_by_row(examples: pl.DataFrame, given: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the labelled examples, by their row, so that the order of the table does not matter."""
    order = examples["row"].arg_sort().to_numpy().astype(np.int64)
    return np.asarray(order[given[order] >= 0])


def _among(graph: Neighbors, rows: NDArray[np.int64]) -> Neighbors:
    """The graph of these rows alone; a neighbour outside of them becomes a first row of similarity -1, whose vote
    hardly counts."""
    place = np.full(len(graph.index), -1, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    index = place[graph.index[rows]]
    similarity = np.where(index >= 0, graph.similarity[rows], np.float32(-1))
    return Neighbors(np.maximum(index, 0).astype(np.int32), similarity)


def _doubt(found: Posterior, codes: NDArray[np.int64], believable: float) -> _Doubt:
    # Imported here: cleanlab takes two seconds to import, and every command imports the registry.
    from cleanlab.filter import find_label_issues

    best, confidence = found.probability.argmax(axis=1), found.probability.max(axis=1)
    lower = _sure_rate(confidence, best, best != codes)
    score = np.round(sigmoid(found.wrong), _DIGITS).astype(np.float32)
    threshold = float("inf")
    if lower >= MIN_FLOOR:
        ranked = np.sort(score[best != codes])[::-1].astype(np.float64)
        # Of the rows down to here, so many are wrong labels by the posterior itself.
        believed = np.flatnonzero(np.cumsum(ranked) / np.arange(1, ranked.size + 1) >= believable)
        if believed.size:
            threshold = float(np.float32(ranked[believed[-1]]))
    issue = find_label_issues(codes, found.probability, filter_by="prune_by_noise_rate", n_jobs=1)
    doubtful = (best != codes) & (issue | (score >= threshold))
    return _Doubt(score, doubtful, threshold, max(found.rate, lower), lower, float(np.mean(best == codes)))


def _sure_rate(confidence: NDArray[np.float64], best: NDArray[np.int64], against: NDArray[np.bool_]) -> float:
    """The share of wrong labels that the most confident predictions make sure of: among all, or among those of one
    label, where the wrong ones may all be."""
    sure = [noise_floor(confidence, against).lower]
    for label in np.unique(best).tolist():
        mine = best == label
        sure.append(noise_floor(confidence[mine], against[mine]).lower * float(mine.mean()))
    return max(sure)


def _signals(
    rows: pl.Series, found: Posterior, doubt: _Doubt, codes: NDArray[np.int64], names: list[str]
) -> pl.DataFrame:
    evidence: list[str | None] = [None] * len(rows)
    fix: list[str | None] = [None] * len(rows)
    new_value: list[str | None] = [None] * len(rows)
    for i in np.flatnonzero(doubt.doubtful).tolist():
        own, better = int(codes[i]), int(found.suggested[i])
        shares = found.probability[i]
        evidence[i] = f"labelled {names[own]} ({shares[own]:.0%}), predicted {names[better]} ({shares[better]:.0%})"
        fix[i], new_value[i] = "relabel", names[better]
    return signals_frame(rows, doubt.score, evidence, fix=fix, new_value=new_value)


def _finding(signals: pl.DataFrame, doubt: _Doubt) -> Finding:
    ranked = signals.filter(pl.col("fix").is_not_null()).sort("score", "row", descending=[True, False])
    count = signals.height
    sure = doubt.lower >= MIN_FLOOR
    if sure:
        text = (
            f"About {doubt.rate:.1%} of the labels look wrong (some {round(doubt.rate * count):,} rows; at least "
            f"{doubt.lower:.1%}), by out-of-fold predictions that agree with {doubt.agreed:.0%} of the labels."
        )
    else:
        text = (
            f"No label noise can be told from the errors of the model, which agrees with {doubt.agreed:.0%} of the "
            "labels; its doubts are a ranking."
        )
    return Finding(
        code="TV-LBL",
        subject="labels",
        text=text,
        severity=Severity.MEDIUM if sure else Severity.INFO,
        score=doubt.rate,
        rows=tuple(ranked["row"].head(200)),
        details={
            "noise_rate": doubt.rate,
            "noise_rate_lower": doubt.lower,
            "doubtful": ranked.height,
            "flagged": ranked.filter(pl.col("score") >= doubt.threshold).height,
            "accuracy": doubt.agreed,
        },
    )
