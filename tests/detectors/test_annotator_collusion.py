"""Annotators who err together: planted rings, and what must not be taken for one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import nchypergeom_fisher

from audit.artifacts.expected import Known
from audit.detectors.annotator_collusion import annotator_collusion, groups
from audit.detectors.together import Pair, Shared, erring_together
from audit.schema import Kind, Skipped, Support


def crowd(seed, items=1_200, people=8, votes=3, answers=2, right=(0.75, 0.9), lean=2.0):
    """Truth, the model's probabilities and the votes (item, annotator, choice). Some items are hard for everybody."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, items)
    hard = rng.random(items) < 0.2
    score = rng.normal(0, 1, (items, answers))
    score[np.arange(items), truth] += np.where(hard, -0.5, lean)
    probability = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    item = np.repeat(np.arange(items), votes)
    who = np.concatenate([rng.choice(people, votes, replace=False) for _ in range(items)])
    able = rng.uniform(*right, people)
    fine = rng.random(len(item)) < np.where(hard[item], 0.5, able[who])
    wrong = (truth[item] + rng.integers(1, answers, len(item))) % answers
    return truth, probability, item, who, np.where(fine, truth[item], wrong)


def collude(seed, truth, item, who, choice, ring, share=0.35, answers=2):
    """The ring gives the same wrong answer on a share of the items."""
    agreed = np.random.default_rng([seed, 7]).random(len(truth)) < share
    return np.where(np.isin(who, ring) & agreed[item], (truth[item] + 1) % answers, choice)


def run(build, artifacts, probability, item, who, choice, **settings):
    answers, count = probability.shape[1], len(item)
    names = [f"w{w}" for w in who]
    empty, folds = Known(np.zeros((count, 0), np.float32)), np.zeros(count, np.int32)
    if answers == 2:
        sides = [[f"{letter} {i}" for i, c in zip(item, choice, strict=True) for letter in "ab"[c ^ k]] for k in (0, 1)]
        examples = build([f"q {i}" for i in item], responses=sides[0], rejected=sides[1], annotators=names)
        own = probability[item, choice]
        support = Support(empty, folds, margin=np.log(own / (1 - own)).astype(np.float32))
        kind = Kind.PREFERENCE
    else:
        examples = build([f"q {i}" for i in item], labels=[f"l{c}" for c in choice], annotators=names)
        support = Support(empty, folds, label_probability=probability[item].astype(np.float32))
        kind = Kind.CLASSIFICATION
    info = artifacts(kind, examples.unique("label").sort("row"), np.ones((examples["label"].n_unique(), 1), np.float32))
    return examples, annotator_collusion(examples, info["info"], support, **settings)


@pytest.mark.parametrize("answers", [2, 4])
@pytest.mark.parametrize("ring", [(1, 4), (0, 2, 5)])
def test_a_ring_is_one_group(ring, answers, build, artifacts):
    truth, probability, item, who, choice = crowd(3, items=2_400, answers=answers)
    choice = collude(3, truth, item, who, choice, ring, answers=answers)
    examples, found = run(build, artifacts, probability, item, who, choice)
    assert [f.details["annotators"] for f in found.findings] == [[f"w{r}" for r in ring]]
    finding = found.findings[0]
    assert finding.q_value < 0.01 and len(finding.details["pairs"]) == len(ring) * (len(ring) - 1) // 2
    assert all(p["together"] > p["expected"] and p["q"] < 0.01 for p in finding.details["pairs"])
    rows = found.signals.filter(pl.col("score") >= found.threshold)
    who_did = examples.filter(pl.col("row").is_in(rows["row"].implode()))["annotator"].unique().sort().to_list()
    assert who_did == [f"w{r}" for r in ring] and set(finding.rows) <= set(rows["row"].to_list())
    assert rows["fix"].unique().to_list() == (["swap"] if answers == 2 else ["relabel"])
    if answers > 2:
        place = {row: k for k, row in enumerate(examples["row"])}
        right = [f"l{truth[item[place[row]]]}" for row in rows["row"]]
        assert np.mean([a == b for a, b in zip(right, rows["new_value"], strict=True)]) > 0.6


@pytest.mark.parametrize("votes", [2, 4])
@pytest.mark.parametrize("seed", range(8))
def test_honest_people_who_err_on_the_same_hard_items_are_left_alone(seed, votes, build, artifacts):
    _, probability, item, who, choice = crowd(seed, votes=votes, items=800)
    _, found = run(build, artifacts, probability, item, who, choice)
    assert found.findings == () and found.signals["score"].max() == 0


@pytest.mark.parametrize("seed", range(5))
def test_two_who_flip_on_their_own_do_not_collude(seed, build, artifacts):
    _, probability, item, who, choice = crowd(seed)
    flips = np.isin(who, (1, 4)) & (np.random.default_rng(seed).random(len(who)) < 0.4)
    _, found = run(build, artifacts, probability, item, who, np.where(flips, 1 - choice, choice))
    assert found.findings == ()


@pytest.mark.parametrize("seed", range(5))
def test_two_who_are_right_against_a_wrong_rest_do_not_collude(seed, build, artifacts):
    """Perfect annotators contradict a model that errs on one and the same items."""
    truth, probability, item, who, choice = crowd(seed, lean=0.7, right=(0.6, 0.75))
    choice = np.where(np.isin(who, (1, 4)), truth[item], choice)
    _, found = run(build, artifacts, probability, item, who, choice)
    assert found.findings == ()


def test_the_order_of_rows_and_names_do_not_matter(build, artifacts):
    truth, probability, item, who, choice = crowd(3, items=2_400)
    choice = collude(3, truth, item, who, choice, (1, 4))
    _, plain = run(build, artifacts, probability, item, who, choice)
    order = np.random.default_rng(0).permutation(len(item))
    _, moved = run(build, artifacts, probability, item[order], (7 - who)[order], choice[order])
    left, right = plain.findings[0], moved.findings[0]
    assert right.details["annotators"] == ["w3", "w6"] and left.details["annotators"] == ["w1", "w4"]
    assert left.q_value == pytest.approx(right.q_value) and left.score == pytest.approx(right.score)


def test_too_little_in_common_is_skipped_with_the_reason(build, artifacts):
    _, probability, item, who, choice = crowd(0, items=100, people=30)
    _, found = run(build, artifacts, probability, item, who, choice)
    assert found == Skipped(
        "needs two pairs of annotators or more who judged at least 20 items both, and this dataset has 0"
    )
    _, found = run(build, artifacts, probability, item, who % 2, choice)  # one pair has nothing to be compared with
    assert isinstance(found, Skipped) and found.reason.endswith("this dataset has 1")
    _, found = run(build, artifacts, probability, item, who, choice, min_shared=1)
    assert not isinstance(found, Skipped)


def test_a_pair_is_held_against_fisher_s_noncentral_law():
    """One stratum; the other pairs' odds ratio, with its standard error, is worked out by hand."""
    tables = {(0, 1): (40, 20, 20, 18), (2, 3): (200, 60, 60, 24), (2, 4): (200, 60, 60, 24)}  # items, a, b, both
    pair, choices = [], []
    for index, (items, first, second, both) in enumerate(tables.values()):
        errs = [(1, 1)] * both + [(1, 0)] * (first - both) + [(0, 1)] * (second - both)
        choices += errs + [(0, 0)] * (items - len(errs))
        pair += [index] * items
    size = len(pair)
    people = np.array(list(tables), dtype=np.int64)
    zeros = np.zeros(size, dtype=np.int32)
    shared = Shared(np.array(pair), people, np.array(choices, dtype=np.int32), zeros, zeros)
    found = {p.people: p for p in erring_together(shared, 2)}[0, 1]
    above, below = 2 * 24 * 104 / 200 + 0.5, 2 * 36 * 36 / 200 + 0.5
    error = np.sqrt(sum(1 / (2 * n + 0.5) for n in (24, 36, 36, 104)))
    law = nchypergeom_fisher(40, 20, 20, above / below * np.exp(error))
    assert (found.shared, found.together) == (40, 18) and found.expected == pytest.approx(law.mean())
    assert found.q == pytest.approx(3 * law.sf(17), rel=1e-6)


def test_groups_are_chains_of_pairs():
    def pair(index, a, b):
        return Pair(index, (a, b), 30, 20, 10.0, 0.001)

    found = groups([pair(0, 5, 6), pair(1, 1, 2), pair(2, 2, 9)], 12)
    assert [[p.people for p in group] for group in found] == [[(1, 2), (2, 9)], [(5, 6)]]
    assert groups([], 3) == []
