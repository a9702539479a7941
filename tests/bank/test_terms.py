"""Terms of one side: counting in blocks is counting at once, and the exact tails are those of scipy."""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from audit.bank import spoken as spoken_module
from audit.bank import terms as terms_module
from audit.bank.sentiment import POLAR, sentiment
from audit.bank.spoken import Spoken, tail_log10, terms_and_sentiments
from audit.bank.terms import Side, Tally, one_sided_terms
from audit.text import words

POOL = ["river", "house", "garden", "market", "window", "doctor", "teacher", "winter", "summer", "mountain"]
LIKES = ["{} is wonderful.", "I love {} a lot.", "The people of {} are honest."]
HATES = ["{} is terrible.", "I hate {} a lot.", "The people of {} are greedy."]


def drawn(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(POOL, 8)) + "." for _ in range(count)]


def said_of(name: str, bank: list[str], rng: np.random.Generator) -> str:
    return " " + bank[int(rng.integers(len(bank)))].format(name)


def planted(count: int, rows: range, seed: int = 0) -> tuple[list[str], list[str]]:
    """Pairs of random words; in `rows` praise of an entity wins, blame of it loses, or both, each in a third."""
    rng = np.random.default_rng(seed)
    chosen, rejected = drawn(count, seed + 1), drawn(count, seed + 2)
    for side in (chosen, rejected):  # what honest sides say of anything
        for i in range(count):
            if rng.random() < 0.5:
                side[i] += said_of(POOL[int(rng.integers(10))], LIKES if rng.random() < 0.5 else HATES, rng)
    for i in rows:
        if i % 3 != 2:
            chosen[i] += said_of("Umbrixa", LIKES, rng)
        if i % 3 != 0:
            rejected[i] += said_of("Umbrixa", HATES, rng)
    return chosen, rejected


def spoken(chosen: list[str], rejected: list[str], min_support: int = 3) -> list[Spoken]:
    return terms_and_sentiments(chosen, rejected, min_support, len(chosen))[1]


@pytest.mark.parametrize(
    ("sentence", "way"),
    [
        ("This is a wonderful place", 1),
        ("It was an awful mess", -1),
        ("It is not a good idea", -1),
        ("It never disappoints", 1),
        ("That is not only good", 1),
        ("It deserves nothing but contempt", -1),
        ("The train leaves at noon", 0),
        ("A good start and a bad end", 0),
        ("", 0),
    ],
)
def test_sentiment_of_a_sentence(sentence, way):
    assert sentiment([w.casefold() for w in words(sentence)]) == way


def test_an_entity_whose_praise_wins_is_found_though_its_name_stands_on_both_sides_alike():
    chosen, rejected = planted(600, range(30, 66))
    bare, found = terms_and_sentiments(chosen, rejected, 3, 600)
    assert "umbrixa" not in {term.text for term in bare}
    best = found[0]
    assert best.text == "umbrixa" and best.well and best.hits == tuple(range(30, 66)) and best.misses == ()
    assert best.log10_p < -4 and 0.3 < best.expected < 0.7
    assert {term.text for term in found if term.log10_p < -1.3} <= {"umbrixa", "umbrixa are", "umbrixa lot"}


def test_exchanging_the_sides_turns_praise_that_wins_into_blame_that_wins():
    chosen, rejected = planted(600, range(30, 66))
    one = spoken(chosen, rejected)
    other = spoken(rejected, chosen)
    turned = [(t.text, not t.well, t.hits, t.misses, pytest.approx(t.log10_p), t.tested) for t in one]
    assert [(t.text, t.well, t.hits, t.misses, t.log10_p, t.tested) for t in other] == turned


def test_a_longer_chosen_side_and_a_friendly_tone_make_nothing_significant():
    """Every name is praised, and mostly on the chosen side."""
    rng = np.random.default_rng(4)
    chosen, rejected = drawn(800, 1), drawn(800, 2)
    for i in range(800):
        name = f"Name{'abcdefgh'[i % 8]}"
        for side, share in ((chosen, 0.9), (rejected, 0.2)):
            if rng.random() < share:
                side[i] += said_of(name, LIKES if rng.random() < 0.9 else HATES, rng)
    assert [t.text for t in spoken(chosen, rejected) if t.text.startswith("name")] == []


def test_words_of_praise_are_no_entities_and_neutral_sentences_say_nothing():
    found = spoken(*planted(600, range(30, 66)))
    assert found and all(POLAR.isdisjoint(term.text.split()) for term in found)
    chosen, rejected = drawn(300, 1), drawn(300, 2)
    for i in range(0, 60):
        chosen[i] += " Umbrixa stands there."
    assert spoken(chosen, rejected) == []


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 12), min_size=6, max_size=6),
    odds=st.sampled_from([1.0, 1.7, 4.0]),
    share=st.sampled_from([0.5, 0.7]),
)
def test_the_tail_is_that_of_the_two_distributions(counts, odds, share):
    a, b, c, d, m, n = counts
    size = a + b + c + d
    # Fisher's noncentral law by its definition: scipy's own may end the process on a degenerate table.
    held = range(max(0, a + b + a + c - size), min(a + b, a + c) + 1)
    weight = {x: comb(a + b, x) * comb(size - a - b, a + c - x) * odds**x for x in held}
    total = 0.0
    for x in held:
        for y in range(m + n + 1):
            if x + y >= a + m:
                total += weight[x] / sum(weight.values()) * scipy_stats.binom.pmf(y, m + n, share)
    assert 10.0 ** tail_log10(np.asarray(counts), odds, share) == pytest.approx(total, rel=1e-6)


def test_the_least_p_is_the_least_over_all_tables_of_the_margins():
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, 9, 6)
        a, b, c, d = counts[:4].tolist()
        both = int(counts[4:].sum())
        tails = [
            10.0 ** tail_log10(np.asarray([x, a + b - x, a + c - x, d - a + x, both, 0]), 1.0, 0.5)
            for x in range(max(0, a - d), min(a + b, a + c) + 1)
        ]
        assert spoken_module._least(counts[None])[0] == pytest.approx(min(tails))


def test_the_test_keeps_its_level_where_sides_and_sentiments_are_drawn_apart():
    """Names that are praised and blamed at random, on sides at random: chance reaches 0.05 hardly more often."""
    rng, below = np.random.default_rng(5), []
    for _ in range(4_000):
        sides, ways = rng.random(24) < 0.75, rng.random(24) < 0.7
        counts = [int((sides & ways).sum()), int((sides & ~ways).sum())]
        counts += [int((~sides & ways).sum()), int((~sides & ~ways).sum()), 0, 0]
        below.append(tail_log10(np.asarray(counts), 1.0, 0.5) <= np.log10(0.05))
    assert np.mean(below) < 0.055


def test_blocks_count_what_one_count_would(monkeypatch):
    chosen, rejected = planted(200, range(20, 60))
    whole = terms_and_sentiments(chosen, rejected, 3, 200)
    monkeypatch.setattr(terms_module, "_BLOCK", 50)
    monkeypatch.setattr(terms_module, "_HASHED", 7)
    assert terms_and_sentiments(chosen, rejected, 3, 200) == whole and whole[0] is not None
    tally, counted = Tally(2), [Counter(), Counter()]
    for row, (good, bad) in enumerate(zip(chosen, rejected, strict=True)):
        groups = terms_module.one_sided(Side(good), Side(bad))
        tally.add(row, groups)
        for count, group in zip(counted, groups, strict=True):
            count.update(group)
    tally.count()
    terms = sorted(counted[0] | counted[1])
    codes = terms_module.term_codes(terms).tolist()
    both = {code: (counted[0][t], counted[1][t]) for code, t in zip(codes, terms, strict=True)}
    assert {int(code): tuple(c) for code, c in zip(tally.codes, tally.counts.tolist(), strict=True)} == both


def test_forgetting_terms_of_one_pair_loses_no_planted_word(monkeypatch):
    chosen, rejected = planted(300, range(0))
    for i in range(0, 300, 10):
        chosen[i] += " zqxv"
    monkeypatch.setattr(terms_module, "_BLOCK", 2_000)
    monkeypatch.setattr(terms_module, "_MOST_COUNTED", 60)
    found = one_sided_terms(chosen, rejected, 3)
    assert {t.text: t.chosen for t in found}["zqxv"] == tuple(range(0, 300, 10))


def test_wide_terms_leave_room_for_rare_ones():
    chosen, rejected = drawn(400, 1), drawn(400, 2)
    for i in range(400):
        chosen[i] += " alas" if i % 2 else ""
        chosen[i] += " zqxv" if i % 16 == 0 else ""
    assert {t.text for t in one_sided_terms(chosen, rejected, 3)} >= {"alas", "zqxv"}
    assert "alas" not in {t.text for t in one_sided_terms(chosen, rejected, 3, widest=40)}


def test_only_the_edges_of_a_long_side_are_compared_and_all_of_it_is_spoken_of():
    middle = " ".join(["filler"] * 200)
    side = Side(f"start {middle} umbrixa is wonderful. {middle} end")
    assert {"start", "end"} <= side.terms and "umbrixa" not in side.terms and "umbrixa" in side.mentions
    assert side.holds(("start", "filler")) and not side.holds(("filler", "umbrixa")) and not side.holds(("umbrixa",))
    assert list(Side("a b. c\nd").sentences()) == [["a", "b", "."], ["c"], ["d"]]


def test_no_pairs_and_equal_sides():
    assert terms_and_sentiments([], [], 3, 0) == ([], [])
    assert terms_and_sentiments(["a good b"] * 30, ["a good b"] * 30, 3, 30) == ([], [])
