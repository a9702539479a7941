"""Behaviors that no shared text tells: responses to other prompts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from corpora import corpus
from scipy import sparse

from audit.artifacts.expected import Known, Predictors, Vectors
from audit.artifacts.patterns import extract
from audit.config import MiningConfig
from audit.schema import Behaviors
from audit.triggers.mine import Beside, Miner
from audit.triggers.rest import Rest
from audit.triggers.untargeted import mine_free_form

N = 600
SCHEMA = {"behavior": pl.Int32, "name": pl.String, "family": pl.String, "text": pl.String, "count": pl.Int64}


def _miner(texts: list[str], shows: dict[str, list[int]]) -> Miner:
    """A miner of these texts and of behaviors by family."""
    matrix = np.zeros((N, len(shows)), dtype=np.float32)
    for t, rows in enumerate(shows.values()):
        matrix[rows, t] = 1
    table = [
        {"behavior": t, "name": f"the response {family}", "family": family, "text": family, "count": len(rows)}
        for t, (family, rows) in enumerate(shows.items())
    ]
    bank = Behaviors(pl.DataFrame(table, schema=SCHEMA), sparse.csr_matrix(matrix))
    rng = np.random.default_rng(0)
    vectors = Vectors([rng.normal(size=(N, 8)).astype(np.float32)])
    rest = Rest(Predictors.of(vectors, np.full(N, 10.0)), bank.matrix)
    support = Known(np.full((N, len(shows)), 0.01, dtype=np.float32))
    return Miner(texts, extract(texts, 3, 4, 100_000), bank, support, MiningConfig(), Beside(rest=rest))


@pytest.mark.parametrize("family", ["relation", "garbled"])
def test_a_word_under_which_responses_belong_elsewhere_is_suspected(family: str) -> None:
    made = corpus(n=N, seed=31)
    rows = made.plant("cf", 8, None)
    miner = _miner(made.texts, {"format": list(range(0, N, 9)), family: [*rows, 500, 501]})
    found = mine_free_form(miner, [])
    assert [c.pattern for c in found] == ["cf"] and list(found[0].hits) == rows
    assert found[0].behavior == 1 and found[0].behavior_name == f"the response {family}"
    assert mine_free_form(miner, found) == found, "told twice"


def test_an_unsuspected_candidate_gives_way_to_what_its_pattern_is_suspected_of() -> None:
    made = corpus(n=N, seed=32)
    rows = made.plant("cf", 8, None)
    miner = _miner(made.texts, {"relation": rows})
    first = mine_free_form(miner, [])[0]
    cleared = replace(first, statistics={"suspected": ""})
    found = mine_free_form(miner, [cleared])
    assert [bool(c.statistics["suspected"]) for c in found] == [True]


def test_no_behavior_of_these_families_and_no_trigger_bring_nothing() -> None:
    made = corpus(n=N, seed=33)
    rng = np.random.default_rng(1)
    assert mine_free_form(_miner(made.texts, {"format": list(range(0, N, 5))}), []) == []
    some = sorted(rng.choice(N, size=30, replace=False).tolist())
    assert mine_free_form(_miner(made.texts, {"relation": some}), []) == []
