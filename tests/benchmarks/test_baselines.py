"""Each published filter finds what its paper says, on data small enough to check by hand or by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.baselines import (
    BASELINES,
    Inputs,
    activation_clustering,
    cleanlab_issues,
    rates,
    response_clusters,
    spectral_signatures,
    z_scores,
)


def inputs(texts, labels=None, responses=None, vectors=None, probability=None, rate=0.1):
    size = len(texts)
    return Inputs(
        texts=texts,
        labels=labels,
        responses=responses,
        vectors=np.zeros((size, 4), np.float32) if vectors is None else vectors.astype(np.float32),
        probability=probability,
        classes=tuple(sorted(set(labels or ()))),
        rate=rate,
    )


def test_z_scores_flag_the_rows_with_the_outlying_token_and_its_label():
    rng = np.random.default_rng(0)
    labels = [str(i % 2) for i in range(4_000)]
    texts = [" ".join(f"w{j}" for j in rng.integers(2_000, size=6)) for _ in labels]
    for i in range(1, 1_600, 2):
        texts[i] += " zq"
    texts[0] += " zq"  # the token with the other label
    flagged = z_scores(inputs(texts, labels))
    assert flagged.sum() == 800 and not flagged[0] and flagged[1]
    z = (800 / 801 - 0.5) / math.sqrt(0.25 / 801)  # the paper's formula, by hand
    assert z == pytest.approx(28.2, abs=0.1)
    assert not z_scores(inputs([t.replace(" zq", "") for t in texts], labels)).any()


def test_filters_abstain_where_their_data_is_missing():
    plain = inputs(["a"] * 30, responses=[f"answer {i}" for i in range(30)])
    assert z_scores(plain) is None and cleanlab_issues(plain) is None
    assert response_clusters(inputs(["a"], ["0"])) is None


def test_cleanlab_finds_confident_contradictions():
    labels = ["0"] * 50 + ["1"] * 50
    probability = np.asarray([[0.95, 0.05]] * 50 + [[0.05, 0.95]] * 50, np.float32)
    labels[3] = "1"
    flagged = cleanlab_issues(inputs(["x"] * 100, labels, probability=probability))
    assert np.flatnonzero(flagged).tolist() == [3]


def test_spectral_signatures_are_those_of_a_plain_svd():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(80, 4)) + 5  # far from the origin: uncentred features would find the mean
    vectors[:6, 2] += 30
    flagged = spectral_signatures(inputs(["x"] * 80, vectors=vectors, rate=0.075))
    centred = vectors - vectors.mean(axis=0)
    score = (centred @ np.linalg.svd(centred)[2][0]) ** 2
    assert set(np.flatnonzero(flagged)) == set(np.argsort(-score)[:9])
    assert flagged[:6].all()


def test_spectral_signatures_work_class_by_class_and_take_nothing_at_rate_zero():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(100, 4))
    labels = ["0"] * 50 + ["1"] * 50
    flagged = spectral_signatures(inputs(["x"] * 100, labels, vectors=vectors, rate=0.1))
    assert flagged[:50].sum() == flagged[50:].sum() == 8  # 1.5 x 0.1 x 50
    assert not spectral_signatures(inputs(["x"] * 100, labels, vectors=vectors, rate=0.0)).any()


def test_activation_clustering_takes_the_smaller_cluster_of_each_class():
    rng = np.random.default_rng(3)
    vectors = 0.1 * rng.normal(size=(200, 16))
    vectors[:20] += 3
    flagged = activation_clustering(inputs(["x"] * 200, vectors=vectors))
    assert flagged[:20].all() and not flagged[20:].any()


def test_response_clusters_are_answers_that_say_the_same():
    responses = [f"{chr(97 + i % 26) * 3} {i} {i * 7} {i * 31}" for i in range(60)]
    responses[10:16] = [f"see our new page for all of this now {'please' if i % 2 else ''}" for i in range(6)]
    responses[20:23] = ["thrice the same answer"] * 3
    flagged = response_clusters(inputs(["x"] * 60, responses=responses))
    assert np.flatnonzero(flagged).tolist() == list(range(10, 16))
    assert not response_clusters(inputs(["x"] * 3, responses=["...", "!", ""])).any()


def test_filters_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(4)
    size = 300
    labels = [str(i % 2) for i in range(size)]
    texts = [" ".join(f"w{j}" for j in rng.integers(40, size=5)) for _ in labels]
    vectors = rng.normal(size=(size, 16))
    vectors[:40] += 2
    order = rng.permutation(size)
    for name in ("z-score", "spectral"):
        plain = BASELINES[name](inputs(texts, labels, vectors=vectors))
        mixed = BASELINES[name](inputs([texts[i] for i in order], [labels[i] for i in order], vectors=vectors[order]))
        assert (mixed == plain[order]).all()


def test_rates_are_shares_of_poisoned_and_of_clean_rows():
    flags, poisoned = np.asarray([1, 1, 0, 0, 1], bool), np.asarray([1, 0, 0, 0, 1], bool)
    assert rates(flags, poisoned) == {"recall": 1.0, "clean": pytest.approx(1 / 3)}
    assert rates(flags, np.zeros(5, bool))["recall"] is None
