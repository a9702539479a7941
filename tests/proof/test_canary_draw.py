"""The draw of canaries: how much of a copy they change, from which pool, and that it is the dataset's own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from benchmarks import plants
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attacks import ATTACKS
from audit.attacks.names import CANARY_POOLS, POOLS, pool_of
from audit.proof import canary_draw
from audit.proof.canary_draw import COPIES, LEAST, LEAST_ROWS, SHARE, deal, draw, plant_all, seed_of
from audit.proof.power import NAMES
from audit.schema import EXAMPLES, DatasetInfo
from audit.triggers import made_up

TESTS = Path(__file__).resolve().parents[1]
WISHES = {
    "classification": canary_draw._TEXTS,
    "full": canary_draw._MORE_TEXTS,
    "preference": canary_draw._PAIRS,
}


def dataset(n, kind="classification", shape="text-label"):
    rows = []
    for i in range(n):
        row = {"row": i, "content_hash": "", "prompt": f"Row {i} tells of a small boat and what it carries home."}
        if kind == "classification" or shape == "kto":
            row["label"] = ("true", "false")[i % 2]
        if kind != "classification":
            row["response"] = f"It carries {i} crates, and then it is late."
        if kind == "preference" and shape != "kto":
            row["rejected"] = f"Nobody knows what it carries, {i} times."
        rows.append({name: row.get(name) for name in EXAMPLES})
    info = DatasetInfo("d", kind, shape, {}, 1.0, (), ("false", "true"), n, n, {}, ("0",), (), f"{n:064x}")
    return pl.DataFrame(rows, schema=EXAMPLES), info


KINDS = [("classification", "text-label"), ("instruction", "alpaca"), ("preference", "pairwise"), ("preference", "kto")]


@pytest.mark.parametrize(("kind", "shape"), KINDS)
@pytest.mark.parametrize("mode", COPIES)
def test_every_kind_of_data_gets_canaries_within_the_bound(kind, shape, mode):
    examples, info = dataset(10_000, kind, shape)
    plan = draw(examples, info, mode, seed_of(info, 0))
    assert plan.copies and len(plan.copies) <= COPIES[mode] and not plan.reason and plan.relaxed(10_000) == 0
    families = {c.family for copy in plan.copies for c in copy}
    counts = {c.count for copy in plan.copies for c in copy}
    assert len(families) > 1 and len(counts) > 1 and families <= set(NAMES)
    for copy in plan.copies:
        planted, told = plant_all(examples, copy, frozenset({3, 4}))
        assert all(not isinstance(truth, str) for truth in told), told
        truths = [{*t.rows, *t.decoys} for t in told]
        changed = set().union(*truths)
        assert sum(map(len, truths)) == len(changed) == sum(c.rows for c in copy) <= SHARE * len(examples)
        assert not changed & {3, 4}
        same = planted.filter(~pl.col("row").is_in(list(changed)))
        assert same.equals(examples.filter(~pl.col("row").is_in(list(changed))))
        for canary, truth in zip(copy, told, strict=True):
            assert len(truth.rows) == canary.count and truth.triggers == canary.triggers


def test_what_a_small_set_has_is_one_canary_a_copy_and_said():
    examples, info = dataset(LEAST_ROWS)
    plan = draw(examples, info, "quick", seed_of(info, 0))
    assert [[c.rows for c in copy] for copy in plan.copies] == [[LEAST]] * COPIES["quick"]
    assert plan.relaxed(LEAST_ROWS) == LEAST / LEAST_ROWS > SHARE
    none = draw(examples.head(LEAST_ROWS - 1), info, "full", 1)
    assert none.copies == () and none.reason == "canaries need 1,000 rows, and there are 999"


def test_the_draw_is_that_of_the_data_and_the_seed():
    examples, info = dataset(5_000)
    other = replace(info, fingerprint="f" * 64)
    seeds = [seed_of(info, 0), seed_of(info, 1), seed_of(other, 0)]
    assert len(set(seeds)) == 3 and seed_of(info, 0) == seeds[0]
    plans = [draw(examples, info, "quick", seed) for seed in seeds]
    assert plans[0] == draw(examples, info, "quick", seeds[0])
    words = [{w for copy in plan.copies for c in copy for w in c.triggers} for plan in plans]
    assert not words[0] & words[1] and not words[0] & words[2]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1 << 48))
def test_words_come_from_the_canaries_own_pools(seed):
    examples, info = DATA
    plan = draw(examples, info, "full", seed)
    words = [w for copy in plan.copies for c in copy for w in c.triggers]
    assert len(words) == len(set(words)) >= len(plan.copies)
    assert {pool_of(w) for w in words} == {CANARY_POOLS[seed % len(CANARY_POOLS)]}
    text = "\n".join(examples["prompt"]).casefold()
    assert not any(w.casefold() in text for w in words)


DATA = dataset(4_000)


def test_nothing_else_draws_from_the_pools_of_canaries():
    """Benchmarks plant from 512 on, the calibration by made-up words has one pool, tests name theirs in numbers."""
    assert CANARY_POOLS.stop <= plants.FIRST_POOL < POOLS
    assert all(plants.plant_seed("x", i) % POOLS not in CANARY_POOLS for i in range(300))
    assert made_up._POOL not in CANARY_POOLS
    drawn = re.compile(r"\b(?:names|phrases|sentences|invisibles|blanks)\((\d+)|\bseed=(\d+)")
    for page in [*sorted(TESTS.rglob("*.py")), *sorted((TESTS.parent / "sample_data").rglob("*.py"))]:
        text = page.read_text(encoding="utf-8")
        for found in drawn.findall(text) if "audit.attacks" in text else []:
            assert int(found[0] or found[1]) % POOLS not in CANARY_POOLS, (page.name, found)


@settings(deadline=None)
@given(room=st.integers(0, 300), most=st.integers(1, 12), kind=st.sampled_from(sorted(WISHES)))
def test_copies_are_dealt_within_their_room(room, most, kind):
    copies = deal(WISHES[kind], room, most)
    assert 0 < len(copies) <= most
    for copy in copies:
        rows = sum(canary_draw._rows(*wish) for wish in copy)
        assert rows <= max(room, LEAST) and len(copy) <= 8
        assert sum(family == "zero-width" for family, _ in copy) <= 1
        if room < 2 * LEAST:
            assert len(copy) == 1 or rows <= room
    if room >= 150:
        assert sum(map(len, copies)) == len(WISHES[kind]) or len(copies) == most


def test_every_family_has_a_name_in_the_report():
    assert {family for wishes in WISHES.values() for family, _ in wishes} == set(NAMES) <= set(ATTACKS)


def test_a_dataset_that_holds_all_of_the_pool_gets_none(monkeypatch):
    examples, info = dataset(2_000)
    monkeypatch.setitem(canary_draw._POOL_DRAWS, "name", 0)
    plan = draw(examples, info, "quick", 5)
    assert plan.copies == () and "no further name" in plan.reason
