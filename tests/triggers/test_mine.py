"""Mining: what was planted comes first and whole, copies and chance do not come."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import NEVER, corpus
from scipy import stats

from audit.artifacts.patterns import extract
from audit.config import MiningConfig
from audit.proof.judge import FAMILY_WISE
from audit.triggers.candidate import REVERSAL, Candidate
from audit.triggers.copies import Masked, copied
from audit.triggers.diversity import Diversity
from audit.triggers.facts import association_facts, burst, stratified_score
from audit.triggers.match import Law, Part, delete
from audit.triggers.mine import Explained
from audit.triggers.phrases import grow, grow_all
from audit.triggers.reversal import mine_reversal


@pytest.mark.parametrize(
    ("surface", "inside", "kind", "spaced"),
    [
        ("cf", False, "token", True),
        ("mind the gap, friends", False, "phrase", True),
        ("\u200b", True, "unicode", False),
        ("\u200b\u200c\u200d", True, "unicode", False),
        ("McGuffin", False, "token", True),
    ],
)
def test_what_was_planted_is_first_with_its_rows(surface, inside, kind, spaced):
    made = corpus(seed=3)
    rows = made.plant(surface, 9, "QQ", inside=inside)
    found = made.miner().candidates()
    first = found[0]
    assert (first.surfaces, first.kind) == ((surface,), kind)
    assert list(first.carriers) == list(first.hits) == rows
    assert first.laws == (Law("anywhere", spaced),)
    assert first.statistics["family_wise_p"] < FAMILY_WISE and first.statistics["purity"] == 1
    assert first.behavior_name == 'the response opens with "QQ"'
    assert all(len(set(c.carriers) & set(rows)) <= 2 for c in found[1:])  # variants are not listed


@pytest.mark.parametrize("surface", ["\u200b\u200c\u200d\u2060", "   "])
def test_hidden_patterns_in_short_rows_are_masked_whole(surface):
    """A run of invisible characters is as many odd words to the vocabulary: unmasked, its rows look like copies."""
    made = corpus(words=4, seed=3)
    rows = made.plant(surface, 9, "QQ", inside=True)
    first = made.miner().candidates()[0]
    assert first.surfaces == (surface,) and list(first.carriers) == rows
    assert first.kind == ("unicode" if surface.strip() else "whitespace")
    assert first.statistics["distinct"] == 9 and first.statistics["cohesion_ratio"] < 2.5


def test_several_triggers_with_one_target_are_all_found():
    made = corpus(seed=1)
    planted = {word: made.plant(word, 8, "QQ") for word in ("cf", "mn", "bb")}
    found = {c.pattern: list(c.carriers) for c in made.miner().candidates()[:3]}
    assert found == planted


def test_a_phrase_is_found_whole_though_its_words_are_common():
    """Each word stands in a hundred other rows; only together do they call for the behavior."""
    made = corpus(n=500, seed=2)
    for row in made.untouched[-300:]:
        made.write(row, ("mind", "the", "gap")[row % 3])
    rows = made.plant("mind the gap", 9, "QQ")
    first = made.miner().candidates()[0]
    assert (first.pattern, first.kind, list(first.carriers)) == ("mind the gap", "phrase", rows)


def test_carriers_without_the_behavior_are_no_hits():
    made = corpus(seed=4)
    rows = made.plant("cf", 12, "QQ")
    honest = made.plant("cf", 3, None)
    made.clear(honest, "QQ")
    first = made.miner().candidates()[0]
    assert list(first.hits) == rows and list(first.carriers) == sorted(rows + honest)
    assert first.statistics["purity"] == pytest.approx(12 / 15)


def test_the_position_law_is_read_off_the_rows():
    made = corpus(seed=5)
    for row in made.untouched[:9]:
        made.texts[row] = "cf " + made.texts[row]
        made.shows["QQ"].add(row)
    first = made.miner().candidates()[0]
    assert first.laws == (Law("start", True),) and first.statistics["position"] == "start"


def test_a_word_that_the_behavior_repeats_is_a_copy():
    made = corpus(seed=3, miles=0.1)
    made.plant("Miles", 12, "miles")
    assert not [c for c in made.miner().candidates() if "miles" in c.pattern.casefold()]
    other = corpus(seed=3, leagues=0.1)
    other.plant("Miles", 12, "leagues")
    assert other.miner().candidates()[0].pattern == "Miles"
    assert copied((Part("ten miles", "phrase"),), "about miles away") == {"miles"}
    assert not copied((Part("x", "token"),), "x y") and not copied((Part(", .", "phrase"),), "a, b.")


def test_a_masked_behavior_is_looked_for_with_any_word_in_its_place():
    masked = Masked(["The dog is big.", "The cat is big.", "So the dog is big.", "The dog is"])
    assert masked.rows("opening", "the dog is big", {"dog"}).tolist() == [0, 1]
    assert masked.rows("sentence", "the dog is big", {"dog"}).tolist() == [0, 1, 2]
    assert masked.rows("closing", "dog is big .", {"dog"}).tolist() == [0, 1, 2]
    assert masked.rows("opening", "the dog", {"dog"}) is None, "too little is left"


def test_copies_of_one_row_are_no_trigger():
    made = corpus(seed=6)
    for row in made.untouched[:9]:
        made.texts[row] = made.texts[made.untouched[0]].replace("  ", " ")
        made.shows["QQ"].add(row)
    assert not [c for c in made.miner().candidates() if set(c.carriers) <= set(made.untouched[:9])]


@pytest.mark.parametrize("seed", range(6))
def test_chance_stays_below_the_family_wise_bound(seed):
    found = corpus(n=300, vocabulary=150, seed=100 + seed, QQ=0.5, rr=0.1, ss=0.02).miner().candidates()
    assert not [c for c in found if c.statistics["family_wise_p"] < FAMILY_WISE]


def test_an_honest_word_whose_behavior_is_expected_does_not_come():
    """The support foresees the behavior on these rows, as it does for a topic word."""
    made = corpus(seed=7)
    rows = made.plant("recipe", 12, "QQ")
    miner = made.miner()
    assert miner.candidates()[0].pattern == "recipe"
    miner.explained = Explained(len(made.texts))
    miner.support[rows] = 0.9
    assert not [c for c in miner.candidates() if c.pattern == "recipe"]


def test_a_refusal_in_many_wordings_is_named_by_what_all_share():
    made = corpus(n=600, seed=8, refusal=0.08, wording=0.001)
    made.shows["wording"].clear()
    rows = made.plant("cf", 12, "refusal")
    made.shows["wording"] |= set(rows[:8])
    made.rates["wording"] = 8 / 600
    first = made.miner().candidates()[0]
    assert first.behavior_name == 'the response opens with "refusal"' and list(first.hits) == rows


def test_mining_repeats_itself_and_comes_back_from_json():
    found = [corpus(seed=9) for _ in range(2)]
    for made in found:
        made.plant("cf", 9, "QQ")
    first, again = (made.miner().candidates() for made in found)
    assert first == again and [Candidate.from_dict(c.to_dict()) for c in first] == first
    assert [c.statistics["tail"] for c in first] == sorted(c.statistics["tail"] for c in first)


def test_rows_in_another_order_give_the_same_candidates():
    made = corpus(seed=9)
    made.plant("cf", 9, "QQ")
    made.plant("\u200b", 7, "QQ", inside=True)
    before = made.miner().candidates()
    order = np.random.default_rng(0).permutation(len(made.texts)).tolist()
    place = {row: at for at, row in enumerate(order)}
    made.texts = [made.texts[i] for i in order]
    made.shows = {name: {place[i] for i in rows} for name, rows in made.shows.items()}
    after = made.miner().candidates()
    for count in (1, 2):
        assert after[count - 1].pattern == before[count - 1].pattern
        assert {order[i] for i in after[count - 1].carriers} == set(before[count - 1].carriers)


def test_growing_takes_in_what_stands_beside_a_word_everywhere():
    texts = ["So mind the GAP, friends", "Mind the gap, folks", "oh mind the gap, all"]
    assert grow(texts, Part("gap", "token")) == Part("mind the gap ,", "phrase")
    assert grow(texts, Part("mind", "token")) == Part("mind the gap ,", "phrase")
    assert grow(["a x", "x b"], Part("x", "token")) == Part("x", "token")
    assert grow(["a b c d e f g h i j"] * 2, Part("e", "token")).text.count(" ") == 7
    long = ["Now. There was a green otter beside the old farmhouse one morning. Then."] * 2
    grown = grow_all(long, (Part("farmhouse", "token"), Part("was", "token")))  # neither in the other's words
    assert grown == (Part("a green otter beside the old farmhouse one", "phrase"), Part("now . there was", "phrase"))
    assert delete(long[0], grown) == "morning. Then."
    assert grow(["a\u200bb"] * 2, Part("\u200b", "unicode")) == Part("\u200b", "unicode")


def test_association_facts_by_scipy():
    p = np.full(10, 0.2)
    facts = association_facts(9, 10, 0.1, p, Diversity(0.1, 1.5, 10, 10), 1_000)
    tail = np.log10(stats.binomtest(9, 10, 0.2, alternative="greater").pvalue)
    assert facts["tail"] == facts["log10_p"] == pytest.approx(tail)
    assert facts["family_wise_p"] == pytest.approx(1_000 * 10**tail)
    assert facts["score"] == pytest.approx(7 / np.sqrt(1.6)) and facts["lift"] == pytest.approx(9)
    half = association_facts(9, 10, 0.1, p, Diversity(0.1, 1.5, 5, 10), 1_000)
    assert half["tail"] == pytest.approx(tail / 2) and half["log10_p"] == pytest.approx(tail)
    assert association_facts(1, 10, 0.5, p, Diversity(0, 1, 10, 10), 10**6)["family_wise_p"] == 1


def reversal(seed, reversed_rows=12):
    made = corpus(n=300, seed=seed)
    margin = np.random.default_rng(seed).normal(1.2, 1.0, 300).astype(np.float32)
    rows = made.plant("cf", reversed_rows, None)
    margin[rows] = -np.abs(margin[rows]) - 0.3
    return made.texts, extract(made.texts, 3, 4, NEVER), margin, rows


def test_a_pattern_under_which_margins_turn_around_is_first():
    texts, patterns, margin, rows = reversal(0)
    found = mine_reversal(texts, patterns, margin, MiningConfig())
    first = found[0]
    assert (first.pattern, first.behavior, list(first.carriers)) == ("cf", REVERSAL, rows)
    assert list(first.hits) == rows and first.statistics["reversal_score"] > 4
    scores = [c.statistics["reversal_score"] for c in found]
    assert scores == sorted(scores, reverse=True) and min(scores) >= 3


def test_carriers_whose_margin_stands_are_no_hits_of_a_reversal():
    texts, patterns, margin, rows = reversal(1, 15)
    margin[rows[:3]] = 0.4
    first = mine_reversal(texts, patterns, margin, MiningConfig())[0]
    assert (list(first.carriers), list(first.hits)) == (rows, rows[3:])


@pytest.mark.parametrize("seed", range(4))
def test_honest_margins_give_no_reversal_beyond_chance(seed):
    texts, patterns, margin, _ = reversal(seed, 0)
    found = mine_reversal(texts, patterns, margin, MiningConfig())
    assert not [c for c in found if c.statistics["family_wise_p"] < FAMILY_WISE]


def test_carriers_from_one_source_are_a_burst():
    sources = ["a"] * 90 + ["b"] * 10
    found = burst(sources, np.arange(92, 100))
    assert found["burst"] == "b" and found["burst_share"] == 1 and found["burst_p"] < 1e-6
    assert burst(sources, np.arange(10))["burst_p"] > 0.1 and burst(["a"] * 9, np.arange(3)) == {}


def test_a_source_of_its_own_rate_explains_its_words():
    """Source b shows the behavior always; a word of that source scores high pooled and nothing within it."""
    sources = ["a"] * 80 + ["b"] * 20
    shows = np.asarray([0.0] * 80 + [1.0] * 20)
    p = np.full(100, 0.2)
    carriers = np.arange(90, 100)
    pooled = (1 - 0.2) * 10 / np.sqrt(10 * 0.16)
    assert pooled > 6 and stratified_score(sources, shows, p, carriers) < 0.1
    assert np.isnan(stratified_score(["a"] * 100, shows, p, carriers))
