"""The encoder's batch plan, and the fields that each kind of dataset has embedded."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from audit.artifacts.embeddings import fields
from audit.models.encoder import plan_batches


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(1, 400))
def test_every_position_stands_in_one_batch_within_the_budget(lengths, budget):
    batches = plan_batches(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = max(lengths[i] for i in batch) * len(batch)
        assert batch and (padded <= budget or len(batch) == 1)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_batches_are_as_full_as_the_budget_allows(lengths):
    batches = plan_batches(lengths, 100)
    flat = [i for batch in batches for i in batch]
    assert [lengths[i] for i in flat] == sorted(lengths)
    for batch, following in pairwise(batches):
        assert lengths[following[0]] * (len(batch) + 1) > 100


def test_fields_of_each_kind():
    assert fields("classification") == ("prompt",)
    assert fields("instruction") == ("prompt", "response")
    assert fields("preference") == ("prompt", "response", "rejected")
    assert fields("preference", has_rejected=False) == ("prompt", "response")
