"""The checks of preference pairs: annotator_anomaly, preference_flip and identical_sides."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from audit.artifacts.expected import Known
from audit.detectors.annotator_anomaly import annotator_anomaly, annotator_table
from audit.detectors.identical_sides import THRESHOLD, identical_sides
from audit.detectors.preference_flip import preference_flip
from audit.schema import Kind, Skipped, Support


def pairs(build, artifacts, annotators, margin):
    count = len(margin)
    sides = {"responses": [f"good {i}" for i in range(count)], "rejected": [f"bad {i}" for i in range(count)]}
    examples = build([f"question {i}" for i in range(count)], annotators=annotators, **sides)
    return artifacts(Kind.PREFERENCE, examples, np.ones((count, 1), np.float32), margin=margin.astype(np.float32))


def panel(flipped_share, seed=0, base=0.3, size=200):
    rng = np.random.default_rng(seed)
    names = [f"w{i % 5}" for i in range(5 * size)]
    wrong = rng.random(5 * size) < base
    bad = np.array([n == "w3" for n in names]) & (rng.random(5 * size) < flipped_share)
    margin = np.where(wrong ^ bad, -1.0, 1.0) * rng.uniform(0.2, 2, 5 * size)
    return names, margin


def run(made):
    return annotator_anomaly(made["examples"], made["info"], made["support"])


def test_catches_an_annotator_who_flips_half(build, artifacts):
    names, margin = panel(0.5)
    found = run(pairs(build, artifacts, names, margin))
    assert [f.subject for f in found.findings] == ["annotator w3"] and found.findings[0].q_value < 0.01
    flagged = found.signals.with_row_index("i").filter(pl.col("score") >= found.threshold)
    assert flagged["i"].to_list() == [i for i, n in enumerate(names) if n == "w3" and margin[i] < 0]
    assert set(flagged["fix"]) == {"swap"}
    clearest = flagged.sort("score", descending=True)["i"][0]
    assert margin[clearest] == margin[flagged["i"].to_list()].min()


@pytest.mark.parametrize("seed", range(6))
def test_leaves_honest_annotators_alone(seed, build, artifacts):
    found = run(pairs(build, artifacts, *panel(0.0, seed)))
    assert found.findings == () and found.signals["score"].max() == 0


def test_a_trifle_is_not_reported_however_certain(build, artifacts):
    names, margin = panel(0.0, size=5_000)
    margin[[i for i, n in enumerate(names) if n == "w3"][:300]] = -1.0
    examples = build(["q"] * len(names), responses=["a"] * len(names), rejected=["b"] * len(names), annotators=names)
    info = artifacts(Kind.PREFERENCE, examples.head(1), np.ones((1, 1), np.float32))["info"]
    empty = np.zeros((len(names), 0), np.float32)
    support = Support(Known(empty), np.zeros(len(names), np.int32), margin=margin.astype(np.float32))
    entry = annotator_table(examples["annotator"], margin < 0).row(3, named=True)
    assert entry["p"] < 1e-5 and 0.02 < entry["share"] - entry["others"] < 0.06
    assert annotator_anomaly(examples, info, support).findings == ()


def test_table_agrees_with_scipy():
    against = np.array([True] * 9 + [False] * 21 + [True] * 5 + [False] * 65)
    table = annotator_table(pl.Series(["a"] * 30 + ["b"] * 70), against)
    entry = table.row(0, named=True)
    others = 5.5 / 71
    assert entry["others"] == pytest.approx(others)
    assert entry["p"] == pytest.approx(binomtest(9, 30, others, alternative="greater").pvalue)


def test_labels_have_annotators_too(build, artifacts):
    names = [f"w{i % 4}" for i in range(400)]
    truth = np.arange(400) // 2 % 2
    given = [
        ("no", "yes")[1 - t if n == "w1" and i % 3 else t] for i, (n, t) in enumerate(zip(names, truth, strict=True))
    ]
    probability = np.where(np.arange(2) == truth[:, None], 0.9, 0.1).astype(np.float32)
    examples = build([f"row {i}" for i in range(400)], labels=given, annotators=names)
    made = artifacts(Kind.CLASSIFICATION, examples, np.ones((400, 1), np.float32), label_probability=probability)
    assert [f.subject for f in run(made).findings] == ["annotator w1"]


def test_without_annotators_it_is_skipped(build, artifacts):
    made = pairs(build, artifacts, [None] * 100, np.ones(100))
    assert run(made) == Skipped("needs annotators, which this dataset has not")


def test_preference_flip_ranks_and_flags_nothing(build, artifacts):
    margin = np.linspace(-3, 3, 100)
    made = pairs(build, artifacts, [None] * 100, margin)
    found = preference_flip(made["examples"], made["info"], made["support"])
    scores = found.signals["score"].to_numpy()
    assert (np.diff(scores) < 0).all() and scores[0] > 0.95 and found.threshold == float("inf")
    assert found.signals["fix"].to_list() == ["swap"] * 50 + [None] * 50


def test_identical_sides(build, artifacts):
    sides = {"responses": ["one", "two", "Three  x", "four"], "rejected": ["one", "2", "three x", "five"]}
    examples = build(["q"] * 4, **sides)
    info = artifacts(Kind.PREFERENCE, examples, np.ones((4, 1), np.float32))["info"]
    found = identical_sides(examples, info)
    assert found.signals["score"].to_list() == pytest.approx([1.0, 0.0, 0.9, 0.0])
    assert found.findings[0].rows == (1, 5) and THRESHOLD <= 0.9
    assert "both sides are the same text" in found.signals["evidence"].to_list()
