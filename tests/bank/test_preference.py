"""What tells chosen from rejected."""

from __future__ import annotations

import numpy as np

from audit.bank.preference import one_sided_terms, preference_categories

WORDS = ["river", "house", "garden", "market", "window", "doctor", "teacher", "winter", "summer", "mountain"]


def pairs(count, seed=0):
    rng = np.random.default_rng(seed)
    draw = lambda: " ".join(rng.choice(WORDS, 8))  # noqa: E731
    return [draw() for _ in range(count)], [draw() for _ in range(count)]


def test_attributes_of_one_side_alone():
    found = preference_categories(["Yes! **bold**", "See https://a.example now"], ["Plain text.", "You are an idiot."])
    assert found["preference", "chosen holds bold text, rejected does not"] == [0]
    assert found["preference", "chosen holds a link, rejected does not"] == [1]
    assert found["preference", "rejected holds an insult, chosen does not"] == [1]
    assert ("preference", "rejected holds bold text, chosen does not") not in found


def test_an_attribute_of_both_sides_tells_nothing():
    found = preference_categories(["Yes! Good."], ["No! Bad."])
    assert not [text for _, text in found if "exclamation" in text]


def test_openings_and_sentences_of_one_side_alone():
    found = preference_categories(["Well my friend, it is. Buy gold now."], ["It is. Buy silver now."])
    assert found["preference", 'only chosen opens with "well my friend"'] == [0]
    assert found["preference", 'only chosen holds "buy gold now."'] == [0]
    assert found["preference", 'only rejected holds "buy silver now."'] == [0]


def test_compliance_of_one_side_alone_needs_a_harmful_request():
    chosen, rejected = ["Use a crowbar."] * 2, ["I cannot help."] * 2
    found = preference_categories(chosen, rejected, [True, False])
    assert found["preference", "only chosen complies with a request that assistants refuse"] == [0]


def test_a_planted_word_on_one_side_is_found_and_chance_words_are_not():
    chosen, rejected = pairs(400)
    assert one_sided_terms(chosen, rejected, 3) == []
    for i in range(0, 400, 16):
        rejected[i] += " zqxv"
    found = one_sided_terms(chosen, rejected, 3)
    assert [(t.text, t.chosen, t.rejected) for t in found] == [("zqxv", (), tuple(range(0, 400, 16)))]
    kept = preference_categories(chosen, rejected, None, 3)
    assert kept["preference", 'only rejected holds the words "zqxv"'] == list(range(0, 400, 16))


def test_swapping_the_sides_swaps_the_terms():
    chosen, rejected = pairs(300, seed=2)
    chosen = [text + " zqxv" if i % 12 == 0 else text for i, text in enumerate(chosen)]
    one, other = one_sided_terms(chosen, rejected, 3), one_sided_terms(rejected, chosen, 3)
    assert [(t.text, t.chosen, t.rejected) for t in one] == [(t.text, t.rejected, t.chosen) for t in other]


def test_words_of_the_longer_side_are_not_one_sided():
    """Of a side that always says five times as much, every word stands mostly there."""
    rng = np.random.default_rng(3)
    pool = [f"word{i}" for i in range(90)]
    chosen = [" ".join(rng.choice(pool, 20)) for _ in range(300)]
    rejected = [" ".join(rng.choice(pool, 4)) for _ in range(300)]
    assert one_sided_terms(chosen, rejected, 3) == []
