"""Composites: the conjunction carries the behavior, and honest rows hold each part alone."""

from __future__ import annotations

import pytest
from corpora import corpus

from audit.proof.judge import FAMILY_WISE
from audit.triggers.association import associate
from audit.triggers.composite import conjunctions


def paired(seed, decoys=14, together=12):
    """Two words together in twelve rows with the behavior; each alone in `decoys` rows without it."""
    made = corpus(n=600, seed=seed)
    rows = made.plant("vellum", together, "QQ")
    for row in rows:
        made.write(row, "quartz")
    for word in ("vellum", "quartz"):
        made.clear(made.plant(word, decoys, None), "QQ")
    return made, rows


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_with_decoys_is_found_and_claims_its_rows_only(seed):
    made, rows = paired(seed)
    found = made.miner().candidates()
    first = next(c for c in found if c.kind == "composite")
    assert {p.text for p in first.parts} == {"vellum", "quartz"}
    assert first.pattern.count(" … ") == 1 and list(first.carriers) == list(first.hits) == rows
    assert first.statistics["family_wise_p"] < FAMILY_WISE
    assert not [c for c in found if c.kind != "composite" and c.pattern in ("vellum", "quartz")]


@pytest.mark.parametrize(
    ("decoys", "together", "found"),
    [
        (14, 12, True),
        (3, 12, False),  # three decoys may be chance: 1 in 455 by Fisher's exact test
        (8, 60, False),  # surely purer than its parts, but they are pure enough alone: 0.88
        (25, 60, True),
    ],
)
def test_a_conjunction_must_be_surely_and_clearly_purer_than_each_part(decoys, together, found):
    made, rows = paired(5, decoys, together)
    miner = made.miner()
    pairs = associate(miner.patterns.matrix, miner.behaviors.matrix, miner.support, 3)
    listed = [carriers.tolist() for parts, _, carriers, _ in conjunctions(miner, pairs) if len(parts) == 2]
    assert (rows in listed) == found


def test_a_third_word_of_all_rows_joins_the_pair():
    made, rows = paired(1)
    for row in rows:
        made.write(row, "marble")
    decoys = made.plant("marble", 14, None)
    made.clear(decoys, "QQ")
    first = next(c for c in made.miner().candidates() if c.kind == "composite")
    assert {p.text for p in first.parts} == {"vellum", "quartz", "marble"} and list(first.carriers) == rows


def test_words_that_always_stand_together_are_one_trigger_of_both():
    made, rows = paired(2, decoys=0)
    found = made.miner().candidates()
    assert {p.text for p in found[0].parts} == {"vellum", "quartz"} and list(found[0].carriers) == rows
    assert not [c for c in found[1:] if "vellum" in c.pattern or "quartz" in c.pattern]


def test_a_word_that_carries_the_behavior_alone_is_no_composite():
    """`quartz` stands in half of the rows of `vellum`, and in as many others: it adds nothing."""
    made = corpus(n=600, seed=4)
    rows = made.plant("vellum", 14, "QQ")
    for row in rows[:7]:
        made.write(row, "quartz")
    made.clear(made.plant("quartz", 7, None), "QQ")
    found = made.miner().candidates()
    assert found[0].pattern == "vellum" and not [c for c in found if "quartz" in c.pattern]


@pytest.mark.parametrize("seed", range(4))
def test_random_rows_give_no_composite(seed):
    found = corpus(n=400, vocabulary=80, words=10, seed=50 + seed, QQ=0.3, rr=0.05).miner().candidates()
    assert not [c for c in found if c.kind == "composite" and c.statistics["family_wise_p"] < FAMILY_WISE]
