"""Rare, oddly spelled tokens that decide, against honest rare words."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from audit.detectors.rare_tokens import THRESHOLD, rare_tokens
from audit.detectors.spelling import oddness
from audit.schema import Kind

WORDS = re.findall(
    r"\w+",
    "water stone garden letter winter market silver morning captain station harvest lantern meadow timber river bottle "
    "candle saddle carpet dinner finger hammer kettle ladder mirror needle orange pepper rabbit singer table under "
    "velvet window yellow button corner doctor eleven farmer",
)


def sentences(count, rng):
    return [" ".join(WORDS[j] for j in rng.integers(0, len(WORDS), 12)) for _ in range(count)]


def world(build, artifacts, token, carriers, *, expected=0.5, fixed=False, responses=None):
    rng = np.random.default_rng(0)
    prompts = sentences(1_000, rng)
    labels = [("x", "y")[int(v)] for v in rng.integers(0, 2, 1_000)]
    for i in range(carriers):
        words = prompts[i].split()
        at = int(rng.integers(1, len(words)))
        prompts[i] = " ".join(
            ["the", *words[:3], "john", token, "junior"] if fixed else [*words[:at], token, *words[at:]]
        )
        labels[i] = "y"
    kind = Kind.CLASSIFICATION
    made = artifacts(kind, build(prompts, labels=labels, responses=responses), np.ones((1_000, 1), np.float32))
    made["support"].probability[:carriers, 1] = expected
    return rare_tokens(made["examples"], made["behaviors"], made["support"])


def flagged(found):
    return found.signals.with_row_index("i").filter(pl.col("score") >= THRESHOLD)["i"].to_list()


def test_catches_an_odd_token_that_decides(build, artifacts):
    found = world(build, artifacts, "qzx", 20)
    assert flagged(found) == list(range(20))
    assert [f.subject for f in found.findings] == ["token qzx"]
    start, end = found.signals.row(0)[2:4]
    assert end - start == 3 and "20 rows" in found.signals["evidence"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "masters"},  # spelled like a word
        {"token": "qzx", "carriers": 3},  # too few to tell from chance
        {"token": "qzx", "expected": 0.97},  # explained by the rest of the sentences
        {"token": "qzx", "fixed": True},  # always beside the same words: a name
        {"token": "qzx", "responses": ["it says QZX"] * 1_000},  # repeated by the response
    ],
    ids=["word", "few", "expected", "name", "copied"],
)
def test_leaves_alone(changes, build, artifacts):
    found = world(build, artifacts, **{"carriers": 20, **changes})
    assert flagged(found) == [] and found.findings == ()


def test_oddness_ranks_spelling():
    words = pl.Series([*WORDS, "gardener", "qzx", "waTer"])
    score = dict(zip(words, oddness(words, np.full(len(words), 5)), strict=True))
    assert score["qzx"] > 2.5 > 1.5 > score["gardener"]
    assert score["waTer"] == pytest.approx(score["water"] + 1.5)
    assert oddness(pl.Series(["a"]), np.array([1])).tolist() == [0.0]
