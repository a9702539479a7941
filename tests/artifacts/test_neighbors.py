"""The nearest-neighbour graph against a full sort, with many ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.artifacts import neighbors
from audit.artifacts.neighbors import top_k


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def by_sorting(vectors, k):
    similarity = np.round(vectors @ vectors.T, 5)
    np.fill_diagonal(similarity, -np.inf)
    index = np.argsort(-similarity, axis=1, kind="stable")[:, : min(k, len(vectors) - 1)]
    return index, np.take_along_axis(similarity, index, axis=1)


@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_graph_is_that_of_a_full_sort_with_ties_by_position(n, k, distinct, seed):
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(distinct, 8)))[rng.integers(0, distinct, n)]
    index, similarity = by_sorting(vectors, k)
    graph = top_k(vectors, k)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.similarity, similarity, atol=2e-5)


def test_ties_at_the_last_place_go_to_the_first_positions():
    """300 copies of three texts: all of a row's ten neighbours tie with a hundred others."""
    vectors = unit(np.random.default_rng(1).normal(size=(3, 16)))[np.random.default_rng(2).integers(0, 3, 300)]
    np.testing.assert_array_equal(top_k(vectors, 10).index, by_sorting(vectors, 10)[0])


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_size_of_a_block_changes_nothing(monkeypatch, rows):
    vectors = unit(np.random.default_rng(0).integers(-2, 3, size=(130, 5)) + 0.01)
    whole = top_k(vectors, 9)
    monkeypatch.setattr(neighbors, "_BLOCK_BYTES", 4 * 130 * rows)
    parts = top_k(vectors, 9)
    np.testing.assert_array_equal(whole.index, parts.index)
    np.testing.assert_array_equal(whole.similarity, parts.similarity)


def test_no_row_is_its_own_neighbour_and_k_is_cut_to_the_rows():
    graph = top_k(unit(np.ones((4, 3))), 10)
    assert graph.index.shape == (4, 3)
    assert all(i not in row for i, row in enumerate(graph.index.tolist()))
    assert top_k(unit(np.ones((1, 3))), 5).index.shape == (1, 0)
