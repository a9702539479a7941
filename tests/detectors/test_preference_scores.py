"""preference_scores: swaps that the scores beside a pair give away, and scores that it must not believe."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from audit.detectors import findings_frame, validate
from audit.detectors.preference_scores import half_of, preference_scores
from audit.schema import TIE, Detection, Kind, Skipped

COUNT = 400


@pytest.fixture
def pairs(build, artifacts):
    """pairs(metas, labels, shown): examples and info of as many pairs."""

    def make(metas, labels=None, shown=None):
        count = len(metas)
        sides = {"responses": [f"good {i}" for i in range(count)], "rejected": [f"bad {i}" for i in range(count)]}
        examples = build([f"question {i}" for i in range(count)], labels=labels, **sides)
        examples = examples.with_columns(
            meta=pl.Series([m if isinstance(m, str) else json.dumps(m) for m in metas], dtype=pl.String),
            shown_first=pl.Series(shown or [None] * count, dtype=pl.String),
        )
        return examples, artifacts(Kind.PREFERENCE, examples.head(1), np.ones((1, 1), np.float32))["info"]

    return make


def check(made, **settings):
    result = preference_scores(*made, **settings)
    if isinstance(result, Detection):
        validate("preference_scores", result, made[0])
    return result


def flagged(result):
    return np.flatnonzero(
        result.signals["score"].to_numpy() >= result.threshold
    ).tolist()  # NaN is none, as decide has it


def scored(rng, count, swapped=(), noise=0.0):
    """Scores of the two sides in pairs that were made from them, apart from `swapped`, or from another opinion."""
    one, other = rng.normal(size=(2, count))
    turned = one - other + noise * rng.normal(size=count) < 0
    high, low = np.where(turned, other, one), np.where(turned, one, other)
    at = list(swapped)
    high[at], low[at] = low[at], high[at].copy()
    return high, low


NAMES = [
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen-rating", "rejected-rating"),
    ("rating_chosen", "rating_rejected"),
    ("Reward Chosen", "Reward Rejected"),
    ("chosen_avg_rating", "rejected_avg_rating"),
    ("preferred_scores", "dispreferred_scores"),
    ("winner_grade", "loser_grade"),
]


@pytest.mark.parametrize(("good", "bad"), NAMES)
def test_swapped_pairs_are_found_by_the_scores_beside_them(good, bad, pairs):
    swapped = [3, 50, 77, 200]
    high, low = scored(np.random.default_rng(0), COUNT, swapped)
    metas = [{good: h, bad: w, "n": i} for i, (h, w) in enumerate(zip(high, low, strict=True))]
    result = check(pairs(metas))
    assert flagged(result) == swapped
    at = result.signals.with_row_index("i").filter(pl.col("fix") == "swap")
    assert at["i"].to_list() == swapped and "higher score" in at["evidence"][0]
    (finding,) = result.findings
    assert finding.details["contradicted"] == 4 and set(finding.details["columns"]) == {good, bad}
    assert "4 of 400 pairs (1.0%" in finding.text and sorted(finding.rows) == [2 * i + 1 for i in swapped]
    widest = max(swapped, key=lambda i: low[i] - high[i])
    assert finding.rows[0] == 2 * widest + 1
    assert flagged(result)[int(np.argmax(at["score"].to_numpy()))] == widest


def test_a_tenth_of_swaps_is_found_and_another_opinion_is_not_flagged(pairs):
    rng = np.random.default_rng(1)
    swapped = sorted(rng.choice(COUNT, COUNT // 10, replace=False).tolist())
    metas = [{"score_chosen": h, "score_rejected": w} for h, w in zip(*scored(rng, COUNT, swapped), strict=True)]
    assert flagged(check(pairs(metas))) == swapped
    for noise in (0.5, 1.0, 3.0):
        other = [
            {"score_chosen": h, "score_rejected": w} for h, w in zip(*scored(rng, 4 * COUNT, (), noise), strict=True)
        ]
        result = check(pairs(other))
        assert flagged(result) == [] and result.findings[0].details["reading"] == "another opinion"
        assert 0.4 < result.signals["score"].max() <= 0.5 and "another judge" in result.findings[0].text


@pytest.mark.parametrize("seed", range(8))
def test_pairs_that_were_made_from_their_scores_are_left_alone(seed, pairs):
    metas = [
        {"score_chosen": round(h), "score_rejected": round(w)}
        for h, w in zip(*scored(np.random.default_rng(seed), COUNT), strict=True)
    ]
    result = check(pairs(metas))
    equal = [m["score_chosen"] == m["score_rejected"] for m in metas]
    assert flagged(result) == [] and result.findings[0].details["equal"] == sum(equal) > 20
    np.testing.assert_allclose(result.signals["score"], np.where(equal, 0.3, 0.0), rtol=1e-6)
    assert f"{sum(equal)} pairs have equal scores" in result.findings[0].text


def test_scores_that_contradict_nearly_all_pairs_speak_of_their_direction(pairs):
    high, low = scored(np.random.default_rng(2), COUNT, [5, 9])
    metas = [{"score_chosen": w, "score_rejected": h} for h, w in zip(high, low, strict=True)]
    result = check(pairs(metas))
    assert flagged(result) == [] and result.signals["score"].is_nan().all()
    assert "lower score is probably the better one" in result.findings[0].text
    assert result.findings[0].details["reading"] == "reversed" and result.findings[0].score > 0.99


def test_of_two_scores_one_that_agrees_holds_a_pair_back(pairs):
    high, low = scored(np.random.default_rng(3), COUNT, [5, 9])
    metas = [
        {"score_chosen": h, "score_rejected": w, "chosen_reward": 1, "rejected_reward": 0}
        for h, w in zip(high, low, strict=True)
    ]
    metas[9] |= {"chosen_reward": 0, "rejected_reward": 1}
    result = check(pairs(metas))
    assert flagged(result) == [9] and len(result.findings) == 2
    assert result.signals["score"][5] == pytest.approx(0.5)


SHOWN = [  # first, second, and a third that makes 0, 1 and 2 of it, which are no pair
    ("score_a", "score_b", None),
    ("answer_0_rating", "answer_1_rating", "answer_2_rating"),
    ("r_1_score", "r_2_score", "r_0_score"),
]


@pytest.mark.parametrize(("one", "other", "third"), SHOWN)
def test_scores_of_the_sides_as_they_were_shown(one, other, third, pairs):
    swapped = [3, 50, 77]
    rng = np.random.default_rng(4)
    high, low = scored(rng, COUNT, swapped)
    first = rng.random(COUNT) < 0.5
    metas = [
        dict(zip((one, other), (h, w) if f else (w, h), strict=True)) for f, h, w in zip(first, high, low, strict=True)
    ]
    shown = ["chosen" if f else "rejected" for f in first]
    assert flagged(check(pairs(metas, shown=shown))) == swapped
    assert isinstance(check(pairs(metas)), Skipped)  # which side is which cannot be told
    if third is not None:
        metas[0][third] = 1.0
        assert isinstance(check(pairs(metas, shown=shown)), Skipped)


def test_ties_are_counted_and_abstain(pairs):
    high, low = scored(np.random.default_rng(5), COUNT, [5])
    metas = [{"score_chosen": h, "score_rejected": w} for h, w in zip(high, low, strict=True)]
    metas[10] = {"score_chosen": 0, "score_rejected": 9}
    labels = [TIE if i < 40 and i != 5 else None for i in range(COUNT)]
    result = check(pairs(metas, labels))
    assert flagged(result) == [5] and result.signals["score"][10:20].is_nan().all()
    by_subject = {f.subject: f for f in result.findings}
    assert by_subject["ties"].details["ties"] == 39 and "39 of 400 pairs are ties (9.8%" in by_subject["ties"].text
    only = check(pairs([{}] * 30, [TIE] * 3 + [None] * 27))
    assert [f.subject for f in only.findings] == ["ties"] and only.signals["score"].is_nan().all()


def test_few_pairs_flag_nothing(pairs):
    metas = [{"score_chosen": 2, "score_rejected": 1}] * 9 + [{"score_chosen": 1, "score_rejected": 2}]
    result = check(pairs(metas))
    assert flagged(result) == [] and "too few pairs" in result.findings[0].text


def test_without_scores_or_pairs_it_is_skipped(pairs, worlds):
    for metas in ([{}] * 50, [{"score_chosen": 1}] * 50, [{"score": {"chosen": 1, "rejected": 2}}] * 50):
        assert check(pairs(metas)) == Skipped("needs scores beside the pairs, or ties, which this dataset has not")
    world = worlds(Kind.INSTRUCTION)
    assert preference_scores(world["examples"], world["info"]) == Skipped("needs preference pairs")
    examples, info = pairs([{"score_chosen": 1, "score_rejected": 0}] * 50)
    judged = examples.with_columns(rejected=pl.lit(None, dtype=pl.String), label=pl.lit("true"))
    assert preference_scores(judged, info) == Skipped("needs preference pairs")


HOSTILE = [
    "",
    "null",
    "[1]",
    "{",
    "[" * 100_000,
    '{"score_chosen":NaN,"score_rejected":1}',
    '{"score_chosen":-Infinity,"score_rejected":1}',
    '{"score_chosen":1e999,"score_rejected":1}',
    '{"score_chosen":' + "9" * 5_000 + ',"score_rejected":1}',
    '{"score_chosen":1e308,"score_rejected":-1e308}',
    '{"score_chosen":"inf","score_rejected":"1"}',
    '{"score_chosen":"' + "9" * 5_000 + '","score_rejected":"1"}',
    '{"score_chosen":"\\u0661","score_rejected":"0"}',
    '{"score_chosen":true,"score_rejected":false}',
    '{"score_chosen":[1],"score_rejected":{"a":1}}',
    '{"score_chosen":null,"score_rejected":0}',
    '{"\\u202escore_chosen\\u001b[31m":1,"score_chosen_rejected":2,"score_' + "x" * 9_000 + '_chosen":3}',
]


def test_hostile_values_are_survived_and_abstain(pairs):
    high, low = scored(np.random.default_rng(6), COUNT, [1])
    metas = [json.dumps({"score_chosen": h, "score_rejected": w}) for h, w in zip(high, low, strict=True)]
    result = check(pairs(metas + HOSTILE))
    assert flagged(result) == [1]
    assert result.signals["score"][COUNT:].is_nan().all()
    many = [
        json.dumps({f"score_{i}_x{j}_chosen": 1, f"score_{i}_x{j}_rejected": 0}) for i in range(100) for j in (7, 8)
    ]
    assert len(check(pairs(metas + many)).findings) <= 8


def test_column_names_are_shown_escaped(pairs):
    name = "\u202e\x1b[31mscore_chosen"
    metas = [{name: 1, name.replace("chosen", "rejected"): 0}] * 30
    (finding,) = check(pairs(metas)).findings
    assert all(char not in finding.text + finding.subject for char in "\u202e\x1b")


def test_numbers_in_text_cells_count(pairs):
    metas = [{"score_chosen": "2.5", "score_rejected": " 1 "}] * 30 + [{"score_chosen": "1e0", "score_rejected": "+3"}]
    assert flagged(check(pairs(metas))) == [30]


def test_the_order_of_rows_does_not_matter(pairs):
    rng = np.random.default_rng(7)
    high, low = scored(rng, COUNT, [3, 9, 27])
    metas = [
        {"score_chosen": h, "score_rejected": w} | ({"Score_Chosen": h} if i % 3 else {})
        for i, (h, w) in enumerate(zip(high, low, strict=True))
    ]
    examples, info = pairs(metas)
    plain = preference_scores(examples, info)
    moved = preference_scores(examples[rng.permutation(COUNT).tolist()], info)
    assert plain.signals.equals(moved.signals)
    assert findings_frame("x", plain.findings).equals(findings_frame("x", moved.findings))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("score_chosen", ("chosen", 0)),
        ("REJECTED_REWARDS", ("chosen", 1)),
        ("response_b_rating", ("letter", 1)),
        ("score_2", ("number", 2)),
        ("chosen", None),
        ("score", None),
        ("chosen_logps", None),
        ("score_3", None),
        ("score_chosen_over_rejected", None),
        ("scoreboard_of_a_and_b", None),
    ],
)
def test_what_a_column_s_name_says(name, wanted):
    half = half_of(name)
    assert (half and (half.way, half.side)) == wanted
