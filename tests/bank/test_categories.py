"""Counting categories, and labels that are not the expected ones."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.bank.categories import FAMILIES, QUOTING, collect, describe
from audit.bank.labels import label_categories, unexpected_labels

KEY = st.tuples(st.sampled_from(["opening", "closing"]), st.sampled_from("abcde"))


@given(st.lists(st.lists(KEY, max_size=6), max_size=20), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_collect_counts_rows_as_a_plain_dictionary_does(rows, least):
    plain = defaultdict(list)
    for i, keys in enumerate(rows):
        for key in dict.fromkeys(keys):
            plain[key].append(i)
    assert collect(lambda i: rows[i], len(rows), least) == {k: v for k, v in plain.items() if len(v) >= least}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_makes_a_sentence(family):
    name = describe(family, "holds {braces} and more " + "x" * 200)
    assert "{braces}" in name and len(name) < 150


def test_quoting_families_are_those_of_words_that_responses_hold():
    assert frozenset({"response", "sentence", "opening", "closing", "link"}) == QUOTING


def test_labels_are_categories():
    assert label_categories(["b", None, "a", "b"]) == {("label", "b"): [0, 3], ("label", "a"): [2]}


def test_unexpected_labels_are_as_frequent_as_expected_where_labels_are_honest():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet([2.0, 1.0, 1.0], 20_000).astype(np.float32)
    labels = np.asarray([rng.choice(3, p=p / p.sum()) for p in probability.astype(np.float64)], dtype=np.int32)
    unexpected, expected = unexpected_labels(labels, probability)
    assert abs(unexpected.mean() - expected.mean()) < 0.01
    wrong, _ = unexpected_labels((probability.argmax(axis=1) + 1).astype(np.int32) % 3, probability)
    assert wrong.all()


def test_rows_without_a_label_are_never_unexpected():
    unexpected, expected = unexpected_labels(np.array([-1, 1], dtype=np.int32), np.eye(2, dtype=np.float32))
    assert unexpected.tolist() == [False, False] and expected.tolist() == [0.0, 0.0]
