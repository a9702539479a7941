"""Who decided what, and what the rest says of it: the worker model behind the checks of annotators.

An *item* is what is judged: a pair of responses to a prompt whichever way round, a response to a prompt (KTO), or a
text. A *decision* is one annotator's choice for an item; the same choice entered again is no further decision. The
*rest* is the model's out-of-fold prediction for the item and the votes of everybody but the annotators in question.
Each vote weighs as much as its annotator is reliable, which EM finds together with the items' true answers. Where
nobody else judged an item, the rest is the prediction alone.

Source: Dawid and Skene 1979 (one coin for each annotator, by EM); Goh, Tkachenko and Mueller 2022 (a classifier as
one more voter).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import logsumexp

from audit.schema import DatasetInfo, Int32, Int64, Skipped, Support, signals_frame
from audit.views import ordered

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_ANNOTATORS = "needs annotators, which this dataset has not"
NO_CONSENSUS = "needs labels or preference margins to compare the annotators' decisions with"
NO_DECISIONS = "needs decisions by annotators between two answers or more, and this dataset has none"

_LEAST_OF_MODEL, _LEAST_OF_VOTES = 0.002, 0.02  # no answer's probability and no annotator's error is taken for less
_PRIOR_VOTES, _PRIOR_RIGHT = 5.0, 4.0  # what is thought of an annotator before the first shared item
_ROUNDS, _CHANGE = 200, 1e-6
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Decisions:
    """Distinct decisions, by item, annotator and choice: m decisions on J items with K answers each."""

    row: Int64  # (m,) the first row that records it
    of_row: Int32  # (n,) the decision that each example records, -1 for none; aligned with examples
    annotator: Int32  # (m,) index into `names`
    item: Int32  # (m,) 0 to J - 1
    choice: Int32  # (m,) 0 to K - 1; of a pair, 0 is the side that comes first by its code points
    prompt: Int32  # (m,) equal for items of one prompt
    names: tuple[str, ...]  # annotators, ascending
    prior: Array  # (J, K) log-probability of each answer by the model alone, out of fold

    def __len__(self) -> int:
        return len(self.row)

    @property
    def answers(self) -> int:
        """K, the number of answers that an item can be given."""
        return int(self.prior.shape[1])


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes on the items that several annotators judged, one an annotator and item. Who answers an item in two ways
    has no vote on it."""

    of: Bools  # (m,) whether a decision is a vote
    weight: Array  # (annotators,) log-odds that a vote adds to its answer, by its annotator's reliability
    score: Array  # (J, K) log-odds of each answer with all votes in, up to a constant an item


@dataclass(frozen=True, slots=True)
class Rest:
    """What the rest says of the items of some decisions."""

    answer: Int32  # (m,) the likeliest answer
    certainty: Array  # (m,) log-odds of that answer against all others together; may be negative beyond two answers
    plausible: Array  # (m,) probability of what was decided


def decisions(examples: pl.DataFrame, info: DatasetInfo, support: Support) -> Decisions | Skipped:
    """The decisions of a dataset. Ties, pairs with equal sides, and rows without an annotator or a known label are
    none. Skipped where the dataset names no annotator, or has neither labels nor margins to hold them against."""
    if examples["annotator"].null_count() == examples.height:
        return Skipped(NO_ANNOTATORS)
    if support.label_probability is not None:
        place = {label: k for k, label in enumerate(info.labels)}
        choice = pl.Series("choice", [place.get(x) for x in examples["label"].to_list()], dtype=pl.Int32)
        frame = examples.select("row", "annotator", "prompt", first=pl.col("response").hash(), second=pl.lit(0))
        return _collected(frame.with_columns(choice), np.asarray(support.label_probability, dtype=np.float64))
    if support.margin is None:
        return Skipped(NO_CONSENSUS)
    # Long texts are compared in place and grouped by their hashes: no copy of them is made.
    sides = [pl.col("response").hash(), pl.col("rejected").hash()]
    apart = ordered() & (pl.col("response") != pl.col("rejected"))
    frame = examples.select(
        *("row", "annotator", "prompt"),
        first=pl.min_horizontal(sides),
        second=pl.max_horizontal(sides),
        choice=pl.when(apart).then((pl.col("response") > pl.col("rejected")).cast(pl.Int32)),
    )
    chosen = 1 / (1 + np.exp(-np.clip(support.margin.astype(np.float64), -30, 30)))
    turned = frame["choice"].fill_null(0).to_numpy() == 1
    return _collected(
        frame, np.column_stack([np.where(turned, 1 - chosen, chosen), np.where(turned, chosen, 1 - chosen)])
    )


def _collected(frame: pl.DataFrame, probability: Array) -> Decisions | Skipped:
    """Of a frame with row, annotator, prompt, first, second and choice, and (n, K) probabilities, by row."""
    first_row = pl.col("row").min()
    kept = (
        frame.with_columns(pl.col("prompt").fill_null("").hash(), at=pl.int_range(pl.len()))
        .drop_nulls(["annotator", "choice"])
        .with_columns(prompt=first_row.over("prompt"), item=first_row.over("prompt", "first", "second"))
    )
    if kept.is_empty() or probability.shape[1] < 2:
        return Skipped(NO_DECISIONS)
    dense = [pl.col(name).rank("dense").cast(pl.Int32) - 1 for name in ("item", "annotator", "prompt")]
    coded = kept.select("at", "row", "choice", *dense)
    found = (
        coded.group_by("item", "annotator", "choice")
        .agg(pl.col("row").min(), pl.col("prompt").min(), "at")
        .sort("item", "annotator", "choice")
    )
    of_row = np.full(frame.height, -1, dtype=np.int32)
    places = found.select(pl.int_range(pl.len()).alias("decision"), "at").explode("at")
    of_row[places["at"].to_numpy()] = places["decision"].to_numpy()
    heads = coded.sort("row").unique("item", keep="first", maintain_order=True).sort("item")["at"].to_numpy()
    clipped = np.clip(probability[heads], _LEAST_OF_MODEL / (probability.shape[1] - 1), 1)
    return Decisions(
        *(found["row"].to_numpy(), of_row, found["annotator"].to_numpy(), found["item"].to_numpy()),
        *(found["choice"].to_numpy(), found["prompt"].to_numpy()),
        names=tuple(kept["annotator"].unique().sort()),
        prior=np.log(clipped / clipped.sum(axis=1, keepdims=True)),
    )


def votes(made: Decisions) -> Votes:
    """Joins the votes on shared items with the model's prediction by EM. An annotator without any has the weight of
    the prior, which nothing uses."""
    people, answers = len(made.names), made.answers
    is_vote = _is_vote(made)
    items, item = np.unique(made.item[is_vote], return_inverse=True)
    who, choice, prior = made.annotator[is_vote], made.choice[is_vote], made.prior[items]
    count = np.bincount(who, minlength=people)
    right = np.full(people, _PRIOR_RIGHT / _PRIOR_VOTES)
    weight = _weight(right, answers)
    for _ in range(_ROUNDS if len(items) else 0):
        score = prior.copy()
        np.add.at(score, (item, choice), weight[who])
        believed = np.exp(score - logsumexp(score, axis=1, keepdims=True))
        agreed = np.bincount(who, weights=believed[item, choice], minlength=people)
        before, right = right, (agreed + _PRIOR_RIGHT) / (count + _PRIOR_VOTES)
        weight = _weight(right, answers)
        if np.abs(right - before).max() < _CHANGE:
            break
    score = made.prior.copy()
    np.add.at(score, (made.item[is_vote], choice), weight[who])
    return Votes(is_vote, weight, score)


def _is_vote(made: Decisions) -> Bools:
    """(m,) decisions on items that two annotators or more judged, by those who gave one answer."""
    columns = {"item": made.item, "annotator": made.annotator}
    one = pl.len().over("item", "annotator") == 1
    frame = pl.DataFrame(columns).with_columns(one=one)
    others = pl.col("one").sum().over("item") > 1
    return frame.select(pl.col("one") & others).to_series().to_numpy()


def _weight(right: Array, answers: int) -> Array:
    right = np.clip(right, _LEAST_OF_VOTES, 1 - _LEAST_OF_VOTES)
    return np.asarray(np.log(right * (answers - 1) / (1 - right)))


def rest(made: Decisions, joined: Votes, at: Int64, beside: Int64 | None = None) -> Rest:
    """What the rest says of the items of the decisions `at`, without their own annotators' votes and without those
    behind the decisions `beside` on the same items."""
    answer, certainty, plausible = np.zeros(len(at), np.int32), np.zeros(len(at)), np.zeros(len(at))
    for start in range(0, len(at), _BLOCK):
        part = slice(start, start + _BLOCK)
        score = joined.score[made.item[at[part]]]  # (b, K), a copy
        line = np.arange(len(score))
        for left_out in (at[part],) if beside is None else (at[part], beside[part]):
            own = np.where(joined.of[left_out], joined.weight[made.annotator[left_out]], 0.0)
            score[line, made.choice[left_out]] -= own
        score -= logsumexp(score, axis=1, keepdims=True)
        best = score.argmax(axis=1)
        top = score[line, best]
        answer[part], certainty[part] = best, top - np.log(np.maximum(-np.expm1(top), 1e-12))
        plausible[part] = np.exp(score[line, made.choice[at[part]]])
    return Rest(answer, certainty, plausible)


def signals(
    examples: pl.DataFrame,
    info: DatasetInfo,
    made: Decisions,
    score: Array,
    answer: Int32,
    evidence: Callable[[int], str],
) -> pl.DataFrame:
    """SIGNALS of what a check says of decisions: each row has the `score` (m,) of its decision, NaN where it records
    none. Where `answer` (m,) is 0 and more it is what should be in the decision's place: such rows carry the
    `evidence` and a fix, swap for pairs, relabel for labels."""
    of_row = made.of_row.tolist()
    hit = [d if d >= 0 and answer[d] >= 0 else None for d in of_row]
    pairs = examples["rejected"].null_count() < examples.height
    return signals_frame(
        examples["row"],
        [float("nan") if d < 0 else float(score[d]) for d in of_row],
        [None if d is None else evidence(d) for d in hit],
        fix=[None if d is None else "swap" if pairs else "relabel" for d in hit],
        new_value=[None if d is None or pairs else info.labels[answer[d]] for d in hit],
    )
