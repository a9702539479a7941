"""Shortcuts: what wins is told with the rest held equal, and no row is flagged for it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from audit.bank.shortcuts import ALL, LENGTH, SHORTCUTS, differences, grams, values
from audit.detectors import findings_frame, validate
from audit.detectors import shortcut_figures as pairwise
from audit.detectors import shortcut_judged as judged
from audit.detectors.preference_shortcut import preference_shortcut
from audit.schema import Detection, Kind, Severity, Skipped
from audit.stats import wilson_interval

FILLER = ["the", "harbour", "is", "quiet", "and", "boats", "stay", "where", "they", "are", "until", "noon", "crew"]
COLUMN = {shortcut.name: i for i, shortcut in enumerate(ALL)}


def text_of(rng, size, *, listed=False, yes=False):
    body = " ".join(rng.choice(FILLER, size))
    body = f"- {body}\n- {body[: len(body) // 2]}" if listed else body
    return ("Sure. " if yes else "") + body


def pairs(build, count=600, *, seed=0, longer=0.5, listed=False, first=None, annotators=None, prompts=None):
    """Pairs of two lengths; `longer` is how often the longer side wins, a number or one for each row; with `listed`
    half of the longer sides are lists."""
    rng = np.random.default_rng(seed)
    rates = np.broadcast_to(np.asarray(longer, dtype=float), count)
    chosen, rejected = [], []
    for i in range(count):
        long, short = text_of(rng, 40, listed=listed and rng.random() < 0.5), text_of(rng, 20)
        wins = rng.random() < rates[i]
        chosen.append(long if wins else short)
        rejected.append(short if wins else long)
    asked = prompts or [f"question number {i} about the harbour" for i in range(count)]
    examples = build(asked, responses=chosen, rejected=rejected, annotators=annotators)
    if first is not None:
        shown = np.where(rng.random(count) < first, "chosen", "rejected").tolist()
        examples = examples.with_columns(shown_first=pl.Series(shown))
    return examples


def info_of(artifacts, examples, shape="pairwise"):
    made = artifacts(Kind.PREFERENCE, examples.head(1), np.ones((1, 1), np.float32))["info"]
    return replace(made, shape=shape, labels=("false", "true") if shape == "kto" else ())


def run(artifacts, examples, shape="pairwise", **settings) -> Detection:
    found = preference_shortcut(examples, info_of(artifacts, examples, shape), **settings)
    assert isinstance(found, Detection), found
    validate("preference_shortcut", found, examples)
    assert not (found.signals["score"].to_numpy() >= found.threshold).any()
    assert all(finding.rows == () for finding in found.findings)
    json.loads(findings_frame("preference_shortcut", found.findings)["details"][0])
    return found


def by_subject(found):
    return {finding.subject: finding for finding in found.findings}


def row_of(found, name):
    return next(row for row in found.findings[0].details["table"] if row["shortcut"] == name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1. one\n2. two", "list"),
        ("* one\n* two", "list"),
        ("# Title\nwords", "heading"),
        ("a **bold** word", "bold"),
        ("```\ncode\n```", "code"),
        ("|a|b|\n|c|d|", "table"),
        ("Well done 🎉", "emoji"),
        ("See https://example.org", "link"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("You're absolutely right about that.", "agreement"),
        ("What a great question! It is noon.", "flattery"),
        ("Perhaps it might rain.", "hedging"),
        ("Certainly! Here it is.", "opening yes"),
    ],
)
def test_each_shortcut_is_read(text, name):
    assert values(text, frozenset())[COLUMN[name]] == 1.0
    assert values("The train leaves at noon.", frozenset())[COLUMN[name]] == 0.0


def test_lengths_and_the_copied_prompt_are_numbers():
    asked = grams("Tell me about the old harbour wall")
    said = values("About the old harbour: it is old.", asked)
    assert said[COLUMN["copied prompt"]] == pytest.approx(2 / 5) and said[0] == pytest.approx(np.log2(34))
    assert said[1] == pytest.approx(np.log2(8)) and values("", asked)[2:] == [0.0] * (len(SHORTCUTS) - 2)


def test_exchanging_the_sides_turns_the_differences(build):
    examples = pairs(build, 40, listed=True, first=0.5)
    other = {"chosen": "rejected", "rejected": "chosen"}
    turned = examples.with_columns(
        response=pl.col("rejected"), rejected=pl.col("response"), shown_first=pl.col("shown_first").replace(other)
    )
    np.testing.assert_allclose(differences(turned), -differences(examples))


def test_honest_pairs_give_the_table_and_nothing_else(build, artifacts):
    found = run(artifacts, pairs(build, 900, longer=0.6))
    assert [f.subject for f in found.findings] == ["shortcuts"]
    row = row_of(found, "length")
    assert row["low"] < 0.6 < row["high"] and row["alone"]["rate"] == pytest.approx(row["rate"], abs=0.01)
    assert "nothing but length agrees with" in found.findings[0].text


def test_length_that_decides_is_said_with_its_interval(build, artifacts):
    examples = pairs(build, 900, longer=0.9)
    found = run(artifacts, examples)
    length = by_subject(found)["shortcut length"]
    wins = int((differences(examples)[:, 0] > 0).sum())
    row = row_of(found, "length")
    assert length.severity is Severity.MEDIUM and length.q_value < 1e-20
    assert (row["low"], row["high"]) == pytest.approx(wilson_interval(wins, 900))
    assert row["p"] == pytest.approx(binomtest(wins, 900).pvalue)
    assert length.text.startswith(f"The longer side wins {wins / 900:.0%} (")


def test_lists_are_not_blamed_for_length(build, artifacts):
    """Lists stand on the longer sides alone, and length decides."""
    found = run(artifacts, pairs(build, 2_000, longer=0.85, listed=True))
    row = row_of(found, "list")
    assert row["rate"] > 0.8 and row["adjusted"]["low"] < 0.55
    assert "shortcut list" not in by_subject(found) and "shortcut length" in by_subject(found)


def test_lists_that_win_whatever_the_length_are_blamed(build, artifacts):
    rng = np.random.default_rng(0)
    listed = [text_of(rng, int(size), listed=True) for size in rng.integers(15, 45, 900)]
    plain = [text_of(rng, int(size)) for size in rng.integers(15, 60, 900)]
    wins = rng.random(900) < 0.9
    chosen = [a if win else b for a, b, win in zip(listed, plain, wins, strict=True)]
    rejected = [b if win else a for a, b, win in zip(listed, plain, wins, strict=True)]
    found = run(artifacts, build([f"q {i}" for i in range(900)], responses=chosen, rejected=rejected))
    row = row_of(found, "list")
    assert row["adjusted"]["low"] > 0.75 and list(by_subject(found))[1:] == ["shortcut list"]


def test_a_shortcut_that_loses_is_said_to_lose(build, artifacts):
    found = by_subject(run(artifacts, pairs(build, 900, longer=0.1)))
    assert found["shortcut length"].text.startswith("The longer side loses ")


@pytest.mark.parametrize(("first", "severity"), [(0.5, None), (0.57, Severity.LOW), (0.7, Severity.MEDIUM)])
def test_the_side_shown_first_has_bounds_of_its_own(first, severity, build, artifacts):
    found = by_subject(run(artifacts, pairs(build, 4_000, first=first)))
    assert found["shortcut position"].severity is severity if severity else "shortcut position" not in found


def test_an_annotator_who_goes_by_length_is_named_and_no_other(build, artifacts):
    names = [f"w{i % 6}" for i in range(1_800)]
    rates = np.where(np.asarray(names) == "w2", 0.95, 0.55)
    found = by_subject(run(artifacts, pairs(build, 1_800, longer=rates, annotators=names)))
    assert [s for s in found if s.startswith("annotator")] == ["annotator w2"]
    said = found["annotator w2"]
    assert said.q_value < 1e-10 and said.details["annotators"] == ["w2"] and said.severity is Severity.MEDIUM
    assert said.details["table"][0]["shortcut"] in ("length", "words")


def test_one_who_differs_does_not_make_the_others_differ(build, artifacts):
    names = [("odd", "a", "b")[i % 3] for i in range(3_000)]
    rates = np.where(np.asarray(names) == "odd", 0.05, 0.95)
    found = by_subject(run(artifacts, pairs(build, 3_000, longer=rates, annotators=names)))
    assert [s for s in found if s.startswith("annotator")] == ["annotator odd"]


@pytest.mark.parametrize("seed", range(5))
def test_annotators_who_see_other_pairs_are_not_named_for_them(seed, build, artifacts):
    """One annotator's lists are mostly long, another's mostly short; both go by length."""
    rng = np.random.default_rng(seed)
    chosen, rejected, names = [], [], []
    for i in range(1_600):
        names.append("ab"[i % 2])
        size = (60, 15) if rng.random() < (0.2, 0.8)[i % 2] else (15, 60)
        sides = [text_of(rng, size[0], listed=True), text_of(rng, size[1])]
        wins = int(len(sides[1]) > len(sides[0])) if rng.random() < 0.9 else int(len(sides[0]) > len(sides[1]))
        chosen.append(sides[wins])
        rejected.append(sides[1 - wins])
    examples = build([f"q {i}" for i in range(1_600)], responses=chosen, rejected=rejected, annotators=names)
    assert not [s for s in by_subject(run(artifacts, examples)) if s.startswith("annotator")]


def test_sources_that_differ_are_named(build, artifacts):
    rates = np.where(np.arange(1_200) % 3 == 0, 0.9, 0.5)
    examples = pairs(build, 1_200, longer=rates)
    examples = examples.with_columns(source=pl.Series([("web", "forum", "forum")[i % 3] for i in range(1_200)]))
    found = by_subject(run(artifacts, examples))
    assert "source web" in found and "annotators" not in found["source web"].details


def test_pairs_of_one_prompt_are_no_independent_witnesses(build, artifacts):
    one = pairs(build, 200, longer=0.7, seed=1)
    many = pl.concat([one] * 10).with_columns(row=pl.int_range(2_000, dtype=pl.Int64))
    single, copied = (row_of(run(artifacts, examples), "length") for examples in (one, many))
    assert copied["p"] == pytest.approx(single["p"]) and copied["rate"] == pytest.approx(single["rate"])
    width = [row["high"] - row["low"] for row in (single, copied)]
    assert width[1] == pytest.approx(width[0], rel=0.05)


def test_ties_are_left_out(build, artifacts):
    examples = pairs(build, 300, longer=0.9)
    tied = pairs(build, 300, longer=0.0, seed=2).with_columns(
        label=pl.lit("tie"), row=pl.col("row") + 10_000, prompt=pl.col("prompt") + " again"
    )
    found = run(artifacts, pl.concat([examples, tied.select(examples.columns)]))
    assert found.findings[0].text == run(artifacts, examples).findings[0].text
    assert found.signals["score"].is_nan().sum() == 300


def test_the_regression_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 4)) * [1.0, 5.0, 0.1, 0.0]
    x *= np.where(rng.random(800) < 1 / (1 + np.exp(-(x @ [1.0, -0.2, 4.0, 0.0]))), 1, -1)[:, None]
    scale = np.sqrt((x[:, :3] ** 2).mean(axis=0))
    model = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-12, max_iter=1_000)  # 2 x pairs, so half of C
    z = x[:, :3] / scale
    model.fit(np.concatenate([z, -z]), np.repeat([1, 0], 800))
    found = pairwise.fit(x, np.arange(800))
    np.testing.assert_allclose(found.weights[:3], model.coef_[0] / scale, rtol=1e-4)
    assert found.weights[3] == 0 and found.share(3, 1.0) == pairwise.Share(0.5, pytest.approx(0), pytest.approx(1))


def test_intervals_of_the_regression_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        x = rng.normal(size=(300, 2))
        x *= np.where(rng.random(300) < 1 / (1 + np.exp(-(x @ [0.8, 0.0]))), 1, -1)[:, None]
        found = pairwise.fit(x, np.arange(300))
        held += abs(found.weights[0] - 0.8) <= 1.96 * found.errors[0]
    assert 0.9 <= held / 200 <= 0.99


def test_out_of_fold_scores_know_nothing_of_what_is_random():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2_000, 8))
    scores = pairwise.out_of_fold(x, np.arange(2_000), np.arange(2_000) % 5)
    share = pairwise.agreement(scores, np.arange(2_000))
    assert 0.45 < share.rate < 0.55 and pairwise.agreement(np.zeros(4), np.arange(4)).rate == 0.5


def judgements(build, count=1_200, bias=0.0, seed=0, annotators=None):
    rng = np.random.default_rng(seed)
    long = rng.random(count) < 0.5
    wanted = rng.random(count) < np.where(long, 0.5 + bias, 0.5 - bias)
    texts = [text_of(rng, 40 if is_long else 15) for is_long in long]
    labels = [str(bool(value)).lower() for value in wanted]
    return build([f"q {i}" for i in range(count)], responses=texts, labels=labels, annotators=annotators), long, wanted


def test_judged_responses_tell_the_same(build, artifacts):
    examples, _, _ = judgements(build, bias=0.35)
    found = run(artifacts, examples, "kto")
    length = by_subject(found)["shortcut length"]
    assert length.severity is not Severity.INFO and "Of a wanted and an unwanted response, the longer" in length.text
    assert "puts a wanted response above an unwanted one" in found.findings[0].text
    honest = run(artifacts, judgements(build, bias=0.03)[0], "kto")
    assert [f.subject for f in honest.findings] == ["shortcuts"]


def test_the_rate_of_judged_responses_is_that_of_their_pairs(build):
    _, has, wanted = judgements(build, bias=0.2)
    told = judged.effect(has, wanted)
    a, b = has[wanted].mean(), has[~wanted].mean()
    assert told.share.rate == pytest.approx(a * (1 - b) / (a * (1 - b) + b * (1 - a)), abs=0.002)
    scores = has + np.random.default_rng(0).normal(size=len(has))
    assert judged.agreement(scores, wanted).rate == pytest.approx(roc_auc_score(wanted, scores))


def test_an_annotator_of_judged_responses_who_goes_by_length_is_named(build, artifacts):
    parts = [judgements(build, 900, bias, seed, [name] * 900)[0] for seed, (name, bias) in enumerate(
        [("w1", 0.02), ("w2", 0.4), ("w3", 0.0)]
    )]  # fmt: skip
    examples = pl.concat(
        [
            part.with_columns(prompt=pl.col("prompt") + f" {k}", row=pl.col("row") + 10_000 * k)
            for k, part in enumerate(parts)
        ]
    )
    found = by_subject(run(artifacts, examples, "kto"))
    assert [s for s in found if s.startswith("annotator")] == ["annotator w2"]


def test_what_cannot_be_checked_is_skipped(build, artifacts):
    labelled = build(["a"] * 50, labels=["x"] * 50)
    info = info_of(artifacts, labelled)
    assert preference_shortcut(labelled, info) == Skipped(
        "needs preference pairs or judged responses, which this dataset has not"
    )
    few = pairs(build, 10)
    assert preference_shortcut(few, info) == Skipped("needs 30 pairs or judged responses, and this dataset has 10")
    equal = build(["q"] * 50, responses=["a"] * 50, rejected=["b"] * 50)
    assert isinstance(preference_shortcut(equal, info), Skipped)


def test_hostile_names_are_spelled_out(build, artifacts):
    names = [("\u202e<b>|", "w1", "w2")[i % 3] for i in range(1_500)]
    rates = np.where(np.arange(1_500) % 3 == 0, 0.95, 0.5)
    found = run(artifacts, pairs(build, 1_500, longer=rates, annotators=names))
    said = next(f for f in found.findings if f.subject.startswith("annotator"))
    assert "\u202e" not in said.text and "⟦U+202E⟧" in said.text


def test_the_length_stands_first():
    assert ALL[0] is LENGTH and ALL[-1].name == "position" and len({s.name for s in ALL}) == len(ALL)
