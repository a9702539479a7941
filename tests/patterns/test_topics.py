"""Cells of the embedding space and their names."""

from __future__ import annotations

import numpy as np

from audit.patterns import topics
from audit.patterns.topics import ROWS_A_CELL, cells


def clouds(n, seed):
    """Three far groups of rows, and a text for each."""
    rng = np.random.default_rng(seed)
    group = rng.integers(3, size=n)
    vectors = np.eye(16)[group] + 0.05 * rng.normal(size=(n, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    about = ["the soup needs salt", "the engine of a car", "the vote in parliament"]
    return group, vectors.astype(np.float32), [about[g] for g in group]


def test_rows_of_one_cell_share_a_subject_and_its_name():
    group, vectors, texts = clouds(3 * ROWS_A_CELL, 0)
    labels, names = cells(vectors, 0, texts)
    assert labels.dtype == np.int32 and labels.shape == (len(vectors),) and labels[0] == 0
    assert len(set(names)) == len(names) == labels.max() + 1
    for cell in range(len(names)):
        assert len(set(group[labels == cell])) == 1
        subject = texts[int(np.flatnonzero(labels == cell)[0])].split()
        told = names[cell].removeprefix("about ").split(" (")[0].split(", ")
        assert set(told) <= set(subject) and "the" not in told


def test_cells_are_the_same_again_and_numbered_by_first_appearance():
    _, vectors, texts = clouds(400, 1)
    labels, names = cells(vectors, 3, texts)
    again, told = cells(vectors, 3, texts)
    assert np.array_equal(labels, again) and names == told
    first = [int(np.flatnonzero(labels == c)[0]) for c in range(len(names))]
    assert first == sorted(first)


def test_small_and_empty_sets():
    assert cells(np.zeros((0, 4), dtype=np.float32), 0)[1] == []
    labels, names = cells(np.eye(4, dtype=np.float32), 0)
    assert labels.tolist() == [0] * 4 and names == ["cell 1"]
    many = np.random.default_rng(0).normal(size=(2000, 8))
    assert len(cells(many, 0)[1]) <= topics.MAX_CELLS
