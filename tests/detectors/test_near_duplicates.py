"""Copies, near copies and copies that contradict each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.bank.shingles import band_pairs, jaccard, shingle
from audit.detectors.near_duplicates import THRESHOLD, near_duplicates
from audit.schema import Kind, Neighbors

SENTENCE = "the keeper of the old lighthouse wrote down the name of every ship that passed in the night of the storm"


def run(build, artifacts, prompts, kind=Kind.CLASSIFICATION, shape="text-label", **columns):
    examples = build(prompts, **columns)
    vectors = np.random.default_rng(0).normal(size=(len(prompts), 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    world = artifacts(kind, examples, vectors)
    info = replace(world["info"], shape=shape)
    return near_duplicates(examples, info, world["neighbors"])


def test_copies_are_clusters_and_not_flagged(build, artifacts):
    near = SENTENCE.replace("storm", "gale")
    others = [f"row {i} says something else about number {i * i} and nothing more" for i in range(40)]
    found = run(build, artifacts, [SENTENCE, SENTENCE.upper() + "  ", near, *others])
    scores = found.signals["score"].to_list()
    assert scores[0] == scores[1] == 0.5 and 0.4 <= scores[2] < 0.5 and max(scores[3:]) == 0
    assert [f.subject.split()[0] for f in found.findings] == ["all", "cluster"]
    assert found.findings[1].rows == (1, 3, 5)
    assert found.findings[0].details == {"copies": 2, "clusters": 1}


def test_a_majority_among_conflicting_copies_decides_nothing(build, artifacts):
    """Whoever plants copies owns the majority: ten flipped ones once made the honest row the one to relabel."""
    labels = ["calm", "calm", "busy", *["calm"] * 20]
    found = run(
        build, artifacts, [SENTENCE] * 3 + [f"row {i} of {i * 7} others here" for i in range(20)], labels=labels
    )
    flagged = found.signals.filter(pl.col("score") >= THRESHOLD)
    assert flagged.select("row", "fix", "new_value").rows() == [(row, None, None) for row in (1, 3, 5)]
    assert flagged["evidence"].to_list() == ["copies disagree (busy: 1, calm: 2)"] * 3
    assert [(str(f.severity), f.rows) for f in found.findings if f.subject.startswith("conflict")] == [
        ("medium", (1, 3, 5))
    ]


def test_word_for_word_copies_are_proposed_to_be_dropped_but_for_the_first(build, artifacts):
    others = [f"row {i} says something else about number {i * i} and nothing more" for i in range(60)]
    found = run(build, artifacts, [SENTENCE, others[0], SENTENCE, *others[1:], SENTENCE])
    flagged = found.signals.filter(pl.col("score") >= THRESHOLD)
    rows = found.signals["row"].to_list()
    assert flagged.select("row", "fix").rows() == [(rows[2], "drop"), (rows[-1], "drop")]
    assert flagged["evidence"].to_list() == [f"word for word the same as row {rows[0]}"] * 2
    repeating = run(build, artifacts, [SENTENCE] * 10 + others[:20])  # a set that repeats on purpose
    assert repeating.signals["score"].max() < THRESHOLD and repeating.signals["fix"].null_count() == 30


def test_two_conflicting_copies_are_both_asked_about_and_neither_is_dropped(build, artifacts):
    found = run(build, artifacts, [SENTENCE, SENTENCE, "another row of its own here"], labels=["calm", "busy", "calm"])
    flagged = found.signals.filter(pl.col("score") >= THRESHOLD)
    assert flagged["row"].to_list() == [1, 3] and flagged["fix"].to_list() == [None] * 2


def test_two_responses_to_one_long_request_may_be_judged_differently(build, artifacts):
    """Of single judged responses only the same response contradicts itself."""
    prompts = [f"{SENTENCE} and so on {i % 3}" for i in range(6)]
    responses = ["It was calm.", "It was calm.", "No.", "Yes.", "It  was calm.", "Ask him."]
    labels = ["true", "true", "true", "false", "false", "false"]
    columns = {"responses": responses, "labels": labels}
    found = run(build, artifacts, prompts, Kind.PREFERENCE, "kto", **columns)
    flagged = found.signals.filter(pl.col("score") >= THRESHOLD)["row"].to_list()
    assert flagged == [1, 3, 9]


def test_pairs_preferred_both_ways_are_left_to_another_check(build, artifacts):
    sides = {"responses": ["good", "bad", "fine"], "rejected": ["bad", "good", "poor"]}
    found = run(build, artifacts, ["which one?"] * 2 + ["and now?"], kind=Kind.PREFERENCE, **sides)
    assert found.signals["score"].max() < THRESHOLD and found.findings == ()


@pytest.mark.parametrize(
    "other",
    [SENTENCE.replace("lighthouse", "mill").replace("ship", "cart").replace("night", "hour"), "the keeper of the old"],
)
def test_texts_that_only_share_words_are_left_alone(other, build, artifacts):
    found = run(build, artifacts, [SENTENCE, other, "something else entirely stands in this row"])
    assert found.signals["score"].to_list() == [0, 0, 0]


def test_neighbours_bring_candidates_and_nothing_more(build, artifacts):
    examples = build([SENTENCE, SENTENCE.replace("storm", "gale"), "another row of its own here"])
    info = artifacts(Kind.CLASSIFICATION, examples, np.eye(3, dtype=np.float32))["info"]
    near = Neighbors(np.array([[1], [0], [0]], dtype=np.int32), np.full((3, 1), 0.99, dtype=np.float32))
    scores = near_duplicates(examples, info, near).signals["score"].to_list()
    assert scores[0] == scores[1] > 0 and scores[2] == 0


words = st.text(alphabet="ab ", max_size=24)


def brute_jaccard(left, right):
    def grams(text):
        split = text.lower().split()
        return (
            {tuple(split[i : i + 3]) for i in range(max(len(split) - 2, 1))} if split else {("", text.strip().lower())}
        )

    one, two = grams(left), grams(right)
    return len(one & two) / len(one | two)


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=2, max_size=6))
def test_jaccard_equals_brute_force(texts):
    pairs = np.array(list(combinations(range(len(texts)), 2)))
    found = jaccard(shingle(pl.Series(texts)), pairs)
    np.testing.assert_allclose(found, [brute_jaccard(texts[a], texts[b]) for a, b in pairs])


def test_a_text_without_blanks_is_read_by_characters():
    one, two = "今天的天气很好我们去公园散步吧然后回家吃饭", "今天的天气很好我们去公园散步吧然后回家睡觉"
    found = jaccard(
        shingle(pl.Series([one, two, "完全不同的一句话没有什么关系而且更长一点"])), np.array([[0, 1], [0, 2]])
    )
    assert found[0] > 0.7 and found[1] == 0


def test_bands_find_nearly_every_close_pair():
    rng = np.random.default_rng(0)
    vocabulary = [f"w{i}" for i in range(2_000)]
    originals = [[vocabulary[i] for i in rng.integers(0, 2_000, 60)] for _ in range(200)]
    edited = [[w if rng.random() > 0.03 else "changed" for w in text] for text in originals]
    shingles = shingle(pl.Series([" ".join(t) for t in originals + edited]))
    truth = np.column_stack([np.arange(200), np.arange(200, 400)])
    close = truth[jaccard(shingles, truth) >= 0.7]
    candidates = set(map(tuple, band_pairs(shingles).tolist()))
    assert len(close) > 100
    assert sum(tuple(p) in candidates for p in close.tolist()) / len(close) >= 0.98
