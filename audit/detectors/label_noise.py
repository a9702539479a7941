"""Labels that the rest of the data contradicts: an out-of-fold model, which never saw the example, is sure of another
label.

Why it works: confident learning counts, class by class, the examples that a model assigns to another class with more
confidence than that class has on average; such examples are mostly mislabelled when the model is good. What it
flags on a clean set are the model's own errors, however, so the flags are cut where an estimated share of
`believable` of them are wrong labels: from the most confident predictions, among which errors fade and wrong labels
do not. With 5% of the labels of a topic corpus flipped, 69 to 78% of the flagged rows were flipped ones (some of the
others are errors of the corpus), about half of the flipped rows were flagged, and the rate was estimated at 4.8 to
5.6%.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", section 3;
cleanlab 2.9, `filter.find_label_issues` and `rank.get_self_confidence_for_each_label`. The cut is ours.

Misses: wrong labels of ambiguous examples; labels that are wrong in a way that the embedding explains, as of a whole
topic; clean-label poison, whose labels are right; noise in fewer than about 200 rows.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.detectors.confidence import MIN_FLOOR, MIN_ROWS, NoiseFloor, noise_floor
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Severity, Skipped, Support, signals_frame


@detector(code="TV-LBL", title="Doubtful labels", severity=Severity.LOW)
def label_noise(
    examples: pl.DataFrame, info: DatasetInfo, support: Support, *, believable: float = 0.8
) -> Detection | Skipped:
    """Scores every example by one less the out-of-fold probability of its label, 0 to 1. The fix of an example that
    confident learning counts as an issue is to relabel."""
    if support.label_probability is None:
        return Skipped("needs labels, which this dataset has not")
    labels = list(info.labels)
    given = np.array([labels.index(x) if x in labels else -1 for x in examples["label"].to_list()], dtype=np.int64)
    known = given >= 0
    if known.sum() < MIN_ROWS:
        return Skipped(f"needs at least {MIN_ROWS} labelled examples, and this dataset has {int(known.sum())}")
    if np.unique(given[known]).size < 2:
        return Skipped("needs at least two labels in use, and this dataset has one")
    probability = support.label_probability.astype(np.float64)
    confidence, agreed = probability.max(axis=1), probability.argmax(axis=1) == given
    floor = noise_floor(confidence[known], ~agreed[known], believable)
    scores, issue = _confident_learning(given, probability, known)
    believed = issue & ~agreed & (confidence >= floor.cut)
    if np.isfinite(floor.cut):  # the others keep their order, below the believed ones
        scores = np.where(believed, scores, 0.999 * floor.cut * scores)
    at, own = np.arange(given.size), np.clip(given, 0, None)
    others = probability.copy()
    others[at, own] = -1.0
    suggested = others.argmax(axis=1)
    evidence: list[str | None] = [None] * given.size
    fix: list[str | None] = [None] * given.size
    new_value: list[str | None] = [None] * given.size
    for i in np.flatnonzero(known & issue & ~agreed).tolist():
        name, better = labels[own[i]], labels[suggested[i]]
        evidence[i] = f"labelled {name} ({probability[i, own[i]]:.0%}), predicted {better} ({confidence[i]:.0%})"
        fix[i], new_value[i] = "relabel", better
    signals = signals_frame(examples["row"], scores.astype(np.float32), evidence, fix=fix, new_value=new_value)
    threshold = float(np.float32(floor.cut))
    return Detection(signals, (_finding(signals, floor, threshold, support.accuracy),), threshold)


def _confident_learning(
    given: NDArray[np.int64], probability: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """One less the self-confidence of each example, (n,), NaN without a label, and whether confident learning counts
    it as an issue."""
    # Imported here: cleanlab takes two seconds to import, and every command imports the registry.
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label

    present = np.unique(given[known])
    compact = np.searchsorted(present, given[known])
    part = probability[known][:, present]
    part = part / part.sum(axis=1, keepdims=True)
    issue = np.zeros(given.size, dtype=bool)
    scores = np.full(given.size, np.nan)
    issue[known] = find_label_issues(compact, part, filter_by="prune_by_noise_rate", n_jobs=1)
    scores[known] = 1 - get_self_confidence_for_each_label(compact, part)
    return scores, issue


def _finding(signals: pl.DataFrame, floor: NoiseFloor, threshold: float, accuracy: float) -> Finding:
    ranked = signals.filter(pl.col("fix").is_not_null()).sort("score", "row", descending=[True, False])
    count = signals.height
    if floor.lower >= MIN_FLOOR:
        text = (
            f"About {floor.rate:.1%} of the labels look wrong (some {round(floor.rate * count):,} rows; at least "
            f"{floor.lower:.1%}), by out-of-fold predictions that agree with {accuracy:.0%} of the labels."
        )
    else:
        text = (
            f"No label noise can be told from the errors of the model, which agrees with {accuracy:.0%} of the labels; "
            "its doubts are a ranking."
        )
    return Finding(
        code="TV-LBL",
        subject="labels",
        text=text,
        severity=Severity.MEDIUM if floor.lower >= MIN_FLOOR else Severity.INFO,
        score=floor.rate,
        rows=tuple(ranked["row"].head(200)),
        details={
            "noise_rate": floor.rate,
            "noise_rate_lower": floor.lower,
            "doubtful": ranked.height,
            "flagged": ranked.filter(pl.col("score") >= threshold).height,
            "accuracy": accuracy,
        },
    )
