"""Behaviors of labelled rows: the label, and a label that the rest of the row does not predict.

The second is what untargeted poison teaches: under the trigger the label is any but the right one, so that no
single label is the target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from audit.bank.categories import Sets
from audit.schema import Float32, Int32
from audit.stats import Array


def label_categories(labels: Sequence[str | None]) -> Sets:
    """One category a label; rows without a label have none."""
    found: Sets = defaultdict(list)
    for i, label in enumerate(labels):
        if label is not None:
            found["label", label].append(i)
    return dict(found)


def unexpected_labels(labels: Int32, probability: Float32) -> tuple[np.ndarray, Array]:
    """Which rows have another label than the most probable one, and how probable that was beforehand.

    `labels` (n,) column of `probability` or -1 for none; `probability` (n, C), rows sum to 1, out of fold.
    Returns a (n,) boolean array and its (n,) expectation: 1 - max_c p, 0 for rows without a label, so that
    `mean(unexpected - expected)` is 0 where the probabilities are calibrated and labels are honest.
    """
    known = labels >= 0
    unexpected = known & (probability.argmax(axis=1) != labels)
    expected = np.where(known, 1.0 - probability.max(axis=1).astype(np.float64), 0.0)
    return unexpected, expected
