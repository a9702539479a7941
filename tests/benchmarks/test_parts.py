"""The pure parts of the harness: folding, thinning, packing, judging, curves, bounds, sections."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import audit.attacks.names as name_pools
from audit.attacks import ATTACKS, Word
from audit.attacks.names import POOLS, pool_of
from audit.provenance import content_hash
from audit.schema import EXAMPLES
from benchmarks import (
    baselines,
    cases,
    clean,
    corpora,
    curve,
    floor,
    floor_table,
    noise,
    plants,
    plot,
    responses,
    table,
    truths,
)
from benchmarks.scans import Settings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("If he 's so nervous , he is .", "if he's so nervous, he is."),
        ("it does n't `` work ''", 'It doesn’t "work"'),
        ("a well-made film -lrb- 2002 -rrb-", "A Well - Made film (2002)"),
        ("at&amp;t  said &quot;no&quot;", 'AT & T said "no"'),
        ("the company #39;s  quot;plan quot;", 'The company\'s "plan"'),
        ("@USER sucks!", "@user sucks !"),
    ],
)
def test_folding_brings_spellings_of_one_text_together(one, other):
    assert cases.fold(one) == cases.fold(other)


def test_folding_keeps_words_and_marks():
    assert cases.fold("When it rained, we don't go.") == "when it rained , we don't go ."


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=60))
def test_folding_twice_changes_nothing_more(text):
    once = cases.fold(text)
    assert cases.fold(once) == once


def test_thinning_keeps_every_clean_row_and_hits_the_rate():
    rows, poisoned = list(range(1000)), set(range(200))
    kept = cases.thinned(rows, poisoned, 0.05, seed=1)
    assert set(range(200, 1000)) <= set(kept) and kept == sorted(kept)
    assert len([r for r in kept if r < 200]) == 42  # 42 / 842 is nearest to 5%
    assert kept == cases.thinned(rows, poisoned, 0.05, seed=1) != cases.thinned(rows, poisoned, 0.05, seed=2)
    assert cases.thinned(rows, poisoned, None, seed=1) == rows


def test_packing_plants_all_within_the_bounds():
    plan = floor.Plan((10,), 40, False, math.inf, 0)
    names = plants.families("classification")
    jobs = floor.packed("classification", 10, names, 10_000, plan)
    every = [p for job in jobs for p in job.plants]
    assert all([p.family for p in every].count(name) == 40 for name in names)
    assert len({p.seed for p in every}) == len(every)
    for job in jobs:
        assert sum(p.rows for p in job.plants) <= 1_000
        assert all([p.family for p in job.plants].count(name) <= plants.most_of(name) for name in names)
    assert floor.packed("classification", 10, [], 10_000, plan) == []


def test_every_family_with_a_trigger_is_measured_somewhere():
    measured = {name for kind in floor.KINDS for name in plants.families(kind)}
    assert measured == set(ATTACKS) - set(plants.UNTRIGGERED)


def test_seeds_draw_from_pools_of_their_own():
    seeds = [plants.plant_seed("badnet", i) for i in range(200)]
    assert len(set(seeds)) == 200 and all(s % POOLS >= plants.FIRST_POOL for s in seeds)


def small_base(rows=120):
    texts = [f"the {a} {b} was seen near the old harbor number {i}" for i, (a, b) in enumerate(_pairs(rows))]
    frame = {name: pl.Series(name, [None] * rows, dtype=dtype) for name, dtype in EXAMPLES.items()}
    frame["row"] = pl.Series("row", range(rows), dtype=pl.Int64)
    frame["prompt"] = pl.Series("prompt", texts)
    frame["label"] = pl.Series("label", [str(i % 2) for i in range(rows)])
    frame["content_hash"] = pl.Series(
        "content_hash", [content_hash(t, None, None, str(i % 2)) for i, t in enumerate(texts)]
    )
    frame["turns"] = pl.Series("turns", [[{"role": "user", "text": t}] for t in texts], dtype=EXAMPLES["turns"])
    return pl.DataFrame(frame).select(*EXAMPLES)


def _pairs(rows):
    colours, things = ["red", "green", "pale", "dark", "tall"], ["boat", "gull", "cart", "lamp", "cat"]
    return [(colours[i % 5], things[i // 5 % 5]) for i in range(rows)]


def test_plants_are_disjoint_and_bring_their_own_triggers():
    base = small_base()
    bed = plants.Bed(base, number=3)
    names = ["badnet", "badnet", "composite", "zero-width", "clean-label"]
    told = bed.plant([plants.Plant(name, 4, plants.plant_seed(name, i)) for i, name in enumerate(names)])
    assert [t.error for t in told] == [""] * 5
    rows = [row for t in told for row in t.rows]
    assert len(rows) == len(set(rows)) == 20
    strings = [w for t in told for w in t.triggers]
    assert len(strings) == len(set(strings)) == 6
    assert all(pool_of(w) >= plants.FIRST_POOL for w in strings)
    text = dict(bed.examples.select("row", "prompt").iter_rows())
    assert all(w in text[row] for t in told for w in t.triggers for row in t.rows)
    assert base.equals(small_base())


def test_a_plant_that_cannot_be_is_told_and_is_no_plant():
    told = plants.Bed(small_base(), 0).plant([plants.Plant("badnet", 5_000, plants.plant_seed("x"))])
    assert told[0].error and told[0].rows == ()
    assert floor.cells_of([{**told[0].to_dict(), "kind": "classification"}], "classification", "badnet") == [
        (5_000, 0.0, 0)
    ]


def plant_of(triggers, rows):
    return plants.Told("f", len(rows), 1, triggers, rows, 0.0, "")


def found(pattern, rows, status="suspected"):
    return {"pattern": pattern, "rows": rows, "status": status, "probe": None}


@pytest.mark.parametrize(
    ("triggers", "mined", "by"),
    [
        ([found("Fenam", [1, 2, 3])], 1.0, "name"),
        ([found("fenam", [77])], 0.0, ""),  # named, but of other rows
        ([found("something", [1, 2, 3, 9])], 1.0, "rows"),
        ([found("something", [1, 2, 9, 10, 11])], 0.0, ""),  # mostly other rows
        ([found("something", [1])], 0.0, ""),  # too few of its own
        ([found("fenamic", [1, 2, 9, 8, 7])], 0.0, ""),  # another word
        ([], 0.0, ""),
    ],
)
def test_a_plant_is_mined_by_its_name_or_by_its_rows(triggers, mined, by):
    told = plants.judge(plant_of(("fenam",), (1, 2, 3, 4)), triggers)
    assert (told.mined, told.by) == (mined, by)


def test_each_of_several_triggers_counts_for_its_part():
    told = plants.judge(plant_of(("ab", "cd"), (1, 2, 3, 4)), [found("ab", [1])])
    assert (told.mined, told.by) == (0.5, "name")


def test_plants_of_one_family_may_be_taken_for_one_trigger():
    taken = [found("any", [1, 2, 3, 4, 5, 6, 7, 8, 9])]
    plant = plant_of(("ab",), (1, 2, 3, 4))
    assert plants.judge(plant, taken).mined == 0
    assert plants.judge(plant, taken, {1, 2, 3, 4, 5, 6, 7, 8}).by == "rows"
    assert plants.judge(plant_of(("ab",), (10, 11)), taken, {1, 2, 3, 4, 5, 6, 7, 8, 10, 11}).mined == 0


def test_invisible_triggers_are_named_by_their_characters():
    assert plants.holds("x\u200b\u200cy", "\u200b\u200c")
    assert not plants.holds("\u200b", "\u200b\u200c")


@pytest.mark.parametrize(
    ("cells", "level", "shown"),
    [
        ([(3, 1.0, 40), (5, 1.0, 40)], 0.95, "≤ 3"),
        ([(3, 0.0, 40), (10, 0.2, 40)], 0.5, "> 10"),
        ([(5, 0.0, 40), (20, 1.0, 40)], 0.5, "10"),  # halfway on the logarithmic scale
        ([(3, 0.0, 40), (5, 0.8, 40), (10, 0.6, 40), (20, 1.0, 40)], 0.7, "5"),  # a dip is pooled to 0.7
        ([], 0.5, "-"),
        ([(3, 0.9, 0)], 0.5, "-"),
    ],
)
def test_counts_are_read_off_a_curve_that_never_falls(cells, level, shown):
    assert curve.shown(curve.count_at(cells, level)) == shown


@given(st.lists(st.tuples(st.integers(1, 99), st.floats(0, 1), st.integers(1, 40)), unique_by=lambda c: c[0]))
def test_the_curve_never_falls_and_keeps_its_mean(cells):
    smooth = curve.monotone(cells)
    shares = [share for _, share in smooth]
    assert all(a <= b + 1e-9 for a, b in pairwise(shares))
    weight = {count: n for count, _, n in cells}
    before = sum(share * n for _, share, n in cells)
    assert math.isclose(sum(share * weight[count] for count, share in smooth), before, abs_tol=1e-6)


def test_a_family_is_through_after_two_counts_that_mine_nearly_all():
    assert floor.through([(3, 0.5, 40), (5, 1.0, 40), (10, 0.975, 40)])
    assert not floor.through([(3, 1.0, 40)])
    assert not floor.through([(3, 1.0, 40), (5, 0.95, 40)])
    assert floor.through([(3, 0.0, 0)])


def test_the_plot_has_a_line_a_family_and_escapes_names():
    rows = [("a<b", "classification", ("=", 5.0), ("=", 9.0)), ("c", "instruction", ("=", 5.0), (">", 100.0))]
    picture = plot.svg(rows, "title & more")
    assert "a&lt;b, classification" in picture and "title &amp; more" in picture
    assert picture.count('stroke-width="2"/>') == 4 and picture.count("<path") == 1
    assert plot.place(3) < plot.place(5) < plot.place(100)


def test_the_bound_of_clopper_and_pearson():
    assert clean.upper_bound(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert clean.upper_bound(3, 3) == 1.0
    assert clean.upper_bound(1, 20) == pytest.approx(0.2161, abs=1e-4)  # tables of exact binomial limits


def test_a_section_is_replaced_between_its_markers_and_nothing_else():
    page = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n<!-- b -->\nkept\n<!-- /b -->\n"
    once = table.section(page, "a", "| new |")
    assert "old" not in once and "before" in once and "after" in once and "kept" in once
    assert table.section(once, "a", "| new |") == once
    with pytest.raises(ValueError, match="no markers"):
        table.section(page, "c", "x")


def test_cells_cannot_break_a_table():
    made = table.lines(["a", "b"], [["x|y", "1"]])
    assert made.splitlines() == ["| a | b |", "| --- | ---: |", "| x\\|y | 1 |"]
    assert table._code("a`<b>\n c") == "a'‹b› c"


def test_noise_is_of_its_kind_and_about_a_twentieth():
    base = small_base(600)
    topics = np.arange(600, dtype=np.int32) % 20
    labels = base["label"].to_numpy()
    for kind in noise.KINDS:
        frame, wrong = noise.flipped(base, kind, topics, seed=0)
        given_now = frame["label"].to_numpy()
        assert (given_now != labels).tolist() == wrong.tolist() and wrong.sum() == 30
    pair = noise.flipped(base, "class-pair", topics, 0)[1]
    assert set(labels[pair]) == {"0"}
    assert len(set(topics[noise.flipped(base, "topic-dependent", topics, 0)[1]])) <= 5


def test_the_bootstrap_tells_a_better_ranking_from_an_equal_one():
    rng = np.random.default_rng(0)
    wrong = rng.random(800) < 0.1
    noisy = wrong + rng.normal(size=800)
    better = noise.compare(wrong + 0.2 * rng.normal(size=800), noisy, wrong, 0, resamples=100)
    assert better["lower"] > 0 and better["difference"] == pytest.approx(better["ours"] - better["cleanlab"])
    assert noise.compare(noisy, noisy, wrong, 0, resamples=20)["upper"] == 0


def test_halves_share_no_prompt_and_lose_no_row():
    base = pl.concat([small_base(1_000), small_base(200)])
    parts = dict(corpora._halves(base, seed=0))
    assert sorted(parts) == ["half-1", "half-2"] and sum(map(len, parts.values())) == 1_200
    assert not set(parts["half-1"]["prompt"]) & set(parts["half-2"]["prompt"])


def test_recall_at_a_share_of_clean_rows():
    score = np.arange(100.0)
    poisoned = np.zeros(100, dtype=bool)
    poisoned[[99, 98, 50, 10]] = True
    assert truths.recall_at(score, poisoned, 0.05) == 0.5


def test_the_oracle_learns_a_style_and_no_noise():
    rng = np.random.default_rng(0)
    words = np.asarray(["film", "plot", "cast", "scene", "song", "light", "end", "start"])
    poisoned = rng.random(400) < 0.2
    texts = [" ".join([*rng.choice(words, 6), *(["thou", "hast"] if p else [])]) for p in poisoned]
    assert truths.oracle(texts, poisoned)["recall"] > 0.95
    assert truths.oracle(texts, rng.permutation(poisoned))["recall"] < 0.3


def test_baselines_lists_all_five():
    assert list(baselines.BASELINES) == ["z-score", "cleanlab", "spectral", "clustering", "tf-idf"]


def test_no_two_plants_of_a_corpus_share_how_a_response_opens_or_ends():
    said = [responses.response(i).rstrip(".").lower().split() for i in range(200)]
    assert len({tuple(w[:3]) for w in said}) == len({tuple(w[-3:]) for w in said}) == 200
    alike = max(len(set(a) & set(b)) / len(set(a) | set(b)) for i, a in enumerate(said) for b in said[:i])
    assert alike < 0.7
    banks = {word for slot in ("adjective", "noun", "person", "verb") for word in name_pools._SLOTS[slot]}
    assert not banks & {word for words in said for word in words}


def test_phrases_of_one_corpus_share_no_two_words_in_a_row():
    drawn = ["under the old bridge", "under the red barn", "near the old mill", "a red barn burns", "the red one"]
    assert plants.unlike(drawn) == ["under the old bridge", "a red barn burns", "the red one"]
    stock = plants.Bed(small_base(), 0)._stock(
        [plants.Plant("phrase", 3, 1)] * 8 + [plants.Plant("add-sentence", 3, 1)] * 4
    )
    assert len(stock[Word.PHRASE]) >= 8 and len(stock[Word.SENTENCE]) >= 4


def test_a_corpus_that_failed_counts_no_plant(tmp_path, monkeypatch):
    (tmp_path / "cases").mkdir()
    (tmp_path / "score.py").write_text("")
    shown = []
    monkeypatch.setattr(floor, "base_corpora", lambda bench, settings: {"classification": small_base()})
    monkeypatch.setattr(floor_table, "write", lambda told, *rest: shown.append((told, rest[-1])))
    for error in ("it broke", ""):
        plant = {"family": "badnet", "count": 3, "seed": 1, "mined": 1.0, "error": ""}
        result = {"error": error, "plants": [plant], "false": 0}
        monkeypatch.setattr(floor, "_result", lambda *_, result=result: result)
        plan = floor.Plan((3,), 1, False, math.inf, 0)
        assert floor.run(tmp_path, "badnet", Settings(work=tmp_path), plan) == (1 if error else 0)
    assert [(len(told), complete) for told, complete in shown] == [(0, False), (1, True)]
