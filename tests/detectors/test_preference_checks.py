"""The check of preference pairs against their out-of-fold margins: preference_flip."""

from __future__ import annotations

import numpy as np
import polars as pl

from audit.detectors.preference_flip import preference_flip
from audit.schema import TIE, Kind


def pairs(build, artifacts, annotators, margin):
    count = len(margin)
    sides = {"responses": [f"good {i}" for i in range(count)], "rejected": [f"bad {i}" for i in range(count)]}
    examples = build([f"question {i}" for i in range(count)], annotators=annotators, **sides)
    return artifacts(Kind.PREFERENCE, examples, np.ones((count, 1), np.float32), margin=margin.astype(np.float32))


def test_preference_flip_ranks_and_flags_nothing(build, artifacts):
    margin = np.concatenate([-np.linspace(8, 1, 50), np.linspace(1, 8, 150)])
    made = pairs(build, artifacts, [None] * 200, margin)
    found = preference_flip(made["examples"], made["info"], made["support"])
    scores = found.signals["score"].to_numpy()
    assert (np.diff(scores) <= 0).all() and scores[0] > 0.9 > 0.1 > scores[-1] and found.threshold == float("inf")
    assert found.signals["fix"].to_list() == ["swap"] * 50 + [None] * 150
    details = found.findings[0].details
    assert 0.1 < details["noise_rate_lower"] <= details["noise_rate"] <= details["noise_rate_upper"] < 0.4
    tied = made["examples"].with_columns(label=pl.when(pl.col("row") < 100).then(pl.lit(TIE)))
    abstains = preference_flip(tied, made["info"], made["support"]).signals
    assert abstains["score"].is_nan().sum() == 50 and abstains["fix"].is_not_null().sum() == 0
