"""Annotators at odds with the rest: the worker model, the exact comparison within strata, and the check on top."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from audit.artifacts.expected import Known
from audit.detectors import left_out, workers
from audit.detectors.annotator_anomaly import annotator_anomaly, annotator_table
from audit.schema import TIE, Kind, Skipped, Support

HOSTILE = "\x1b[31m\u202e<script>alert(1)</script>" + "x" * 500


def pairs(build, artifacts, names, margin, items=None, turned=None):
    """Pairs of which the margin is known. `turned` are the rows that record the other choice of their item."""
    count = len(margin)
    items = np.arange(count) if items is None else items
    turned = np.zeros(count, dtype=bool) if turned is None else turned
    sides = [[f"good {i}", f"bad {i}"] for i in items]
    chosen, rejected = (
        [s[int(t) if first else 1 - int(t)] for s, t in zip(sides, turned, strict=True)] for first in (1, 0)
    )
    examples = build([f"question {i}" for i in items], responses=chosen, rejected=rejected, annotators=names)
    info = artifacts(Kind.PREFERENCE, examples.head(1), np.ones((1, 1), np.float32))["info"]  # neighbours take long
    folds = np.arange(count, dtype=np.int32) % 5
    support = Support(Known(np.zeros((count, 0), np.float32)), folds, margin=np.asarray(margin, dtype=np.float32))
    return {"examples": examples, "info": info, "support": support}


def panel(behave, seed=0, people=5, size=200, scale=2.0):
    """Annotators' names and margins of what they chose. The truth has the log-odds `lean`; w3 behaves otherwise."""
    rng = np.random.default_rng(seed)
    names = [f"w{i % people}" for i in range(people * size)]
    lean = np.abs(rng.normal(0, scale, people * size))
    right = rng.random(people * size) < 1 / (1 + np.exp(-lean))
    odd = np.array([n == "w3" for n in names])
    right[odd] = behave(rng, right[odd])
    return names, np.where(right, lean, -lean)


WAYS = {
    "flips half": lambda rng, right: right ^ (rng.random(len(right)) < 0.5),
    "flips all": lambda rng, right: ~right,
    "guesses": lambda rng, right: rng.random(len(right)) < 0.5,
    "takes the first side": lambda rng, right: np.arange(len(right)) % 2 == 0,
    "flips a quarter": lambda rng, right: right ^ (rng.random(len(right)) < 0.25),
}


def run(made, **settings):
    return annotator_anomaly(made["examples"], made["info"], made["support"], **settings)


def accused(found):
    return [f.subject for f in found.findings if f.subject != "all annotators"]


def table_of(found):
    return {line["annotator"]: line for line in found.findings[-1].details["table"]}


@pytest.mark.parametrize("way", WAYS)
def test_the_annotator_who_behaves_otherwise_is_reported_and_no_other(way, build, artifacts):
    names, margin = panel(WAYS[way])
    found = run(pairs(build, artifacts, names, margin))
    assert accused(found) == ["annotator w3"]
    finding = found.findings[0]
    assert finding.q_value < 0.001 and finding.details["annotators"] == ["w3"] and finding.details["left_out"] is None
    flagged = found.signals.with_row_index("i").filter(pl.col("score") >= found.threshold)
    assert flagged["i"].to_list() == [i for i, n in enumerate(names) if n == "w3" and margin[i] < 0]
    assert set(flagged["fix"]) == {"swap"} and flagged["new_value"].null_count() == flagged.height
    by_margin = flagged["score"].to_numpy()[np.argsort(margin[flagged["i"].to_list()])]
    assert (np.diff(by_margin) <= 1e-6).all() and by_margin[0] > 0.8  # the clearest first


def test_one_flipper_with_a_fifth_of_the_data_biases_nobody_else(build, artifacts):
    """What is said of the others, and of the flipper, is measured against those who are not accused."""
    names, margin = panel(WAYS["flips half"], size=1_000)
    found = run(pairs(build, artifacts, names, margin))
    honest = np.mean([m < 0 for n, m in zip(names, margin, strict=True) if n != "w3"])
    assert found.findings[0].details["others"] == pytest.approx(honest, abs=0.01)
    lines = table_of(found)
    assert lines["w3"]["low"] < 0.5 < lines["w3"]["high"] and lines["w3"]["high"] - lines["w3"]["low"] < 0.2
    assert found.findings[-1].details["table"][0] == lines["w3"]
    for name in ("w0", "w1", "w2", "w4"):
        assert lines[name]["high"] > 0.98 and lines[name]["reliability"] > 0.93


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_names_accuse_nobody(seed, build, artifacts):
    names, margin = panel(WAYS["flips half"])
    shuffled = np.random.default_rng(seed).permutation(names).tolist()
    found = run(pairs(build, artifacts, shuffled, margin))
    assert accused(found) == [] and found.signals["score"].max() == 0


@pytest.mark.parametrize("seed", range(10))
def test_honest_annotators_and_one_with_harder_items_are_left_alone(seed, build, artifacts):
    rng = np.random.default_rng(seed)
    names = [f"w{i % 5}" for i in range(2_000)]
    hard = np.array([n == "w1" for n in names])
    lean = np.abs(rng.normal(0, np.where(hard, 0.4, 3.0)))
    right = rng.random(2_000) < 1 / (1 + np.exp(-lean))
    found = run(pairs(build, artifacts, names, np.where(right, lean, -lean)))
    lines = table_of(found)
    assert lines["w1"]["share"] > lines["w0"]["share"] + 0.1  # a plain comparison of shares would accuse w1
    assert accused(found) == []


def test_a_trifle_is_not_reported_however_certain(build, artifacts):
    names, margin = panel(lambda rng, right: right & (rng.random(len(right)) > 0.04), size=5_000, scale=4.0)
    found = run(pairs(build, artifacts, names, margin))
    line = table_of(found)["w3"]
    assert line["q"] < 1e-5 and line["reliability"] < 0.97 and accused(found) == []
    assert accused(run(pairs(build, artifacts, names, margin), min_excess=0.01)) == ["annotator w3"]


def test_two_flippers_among_five_are_both_found(build, artifacts):
    names, margin = panel(WAYS["flips half"], size=400)
    rng = np.random.default_rng(5)
    second = np.array([n == "w0" for n in names]) & (rng.random(len(names)) < 0.4)
    found = run(pairs(build, artifacts, names, np.where(second, -margin, margin)))
    assert accused(found) == ["annotator w3", "annotator w0"] or accused(found) == ["annotator w0", "annotator w3"]
    assert len(set(found.findings[0].details["annotators"] + found.findings[1].details["annotators"])) == 2


def test_the_same_choice_entered_again_is_no_further_decision(build, artifacts):
    names, margin = panel(WAYS["flips half"], size=100)
    again = np.concatenate([np.arange(len(names)), np.repeat(np.flatnonzero(margin < 0)[:5], 40)])
    once = run(pairs(build, artifacts, names, margin))
    often = run(pairs(build, artifacts, [names[i] for i in again], margin[again], items=again))
    assert table_of(once) == table_of(often)
    copies = often.signals.filter(pl.col("score") > 0).height - once.signals.filter(pl.col("score") > 0).height
    assert copies == 40 * sum(names[i] == "w3" for i in np.flatnonzero(margin < 0)[:5])  # each row of it is flagged


def test_decisions_of_one_prompt_that_err_together_weigh_less(build, artifacts):
    """Twenty pairs of one prompt go wrong together: one event, not twenty."""
    rng = np.random.default_rng(0)
    names = np.array([f"w{i % 4}" for i in range(1_600)])
    wrong = rng.random(1_600) < 0.2
    own = np.flatnonzero(names == "w1")[:80]
    wrong[own] = np.repeat([True, False, True, False], 20)
    made = pairs(build, artifacts, names.tolist(), np.where(wrong, -1.0, 1.0))
    alone = table_of(run(made))["w1"]
    prompt = np.arange(1_600)
    prompt[own] = np.repeat(own[::20], 20)
    joint = {**made, "examples": made["examples"].with_columns(prompt=pl.Series([f"question {p}" for p in prompt]))}
    assert table_of(run(joint))["w1"]["q"] > 10 * alone["q"]


def test_renaming_annotators_changes_names_and_nothing_else(build, artifacts):
    names, margin = panel(WAYS["flips a quarter"])
    made = pairs(build, artifacts, names, margin)
    other = {"w0": "zz", "w1": "aa", "w2": "Ω", "w3": HOSTILE, "w4": "w3"}
    renamed = made["examples"].with_columns(pl.col("annotator").replace(other))
    plain, again = run(made), run({**made, "examples": renamed})
    assert {other[k]: {**v, "annotator": other[k]} for k, v in table_of(plain).items()} == table_of(again)
    assert plain.signals.drop("evidence").equals(again.signals.drop("evidence"))
    assert plain.findings[0].rows == again.findings[0].rows and plain.findings[0].q_value == again.findings[0].q_value


def test_hostile_names_are_spelled_out_in_sentences(build, artifacts):
    names, margin = panel(WAYS["flips half"])
    found = run(pairs(build, artifacts, [HOSTILE if n == "w3" else n for n in names], margin))
    said = [f.text for f in found.findings] + found.signals["evidence"].drop_nulls().to_list()
    assert found.findings[0].details["annotators"] == [HOSTILE]
    assert all("\x1b" not in s and "\u202e" not in s and len(s) < 500 for s in said)
    assert "⟦U+001B⟧" in said[0] and "⟦U+202E⟧" in said[0]


@pytest.mark.parametrize("kto", [True, False])
def test_labels_and_judged_responses_have_annotators_too(kto, build, artifacts):
    names = [f"w{i % 4}" for i in range(400)]
    truth = np.arange(400) // 2 % 2
    words = ("false", "true")
    given = [words[1 - t if n == "w1" and i % 3 else t] for i, (n, t) in enumerate(zip(names, truth, strict=True))]
    probability = np.where(np.arange(2) == truth[:, None], 0.9, 0.1).astype(np.float32)
    responses = [f"answer {i}" for i in range(400)] if kto else None
    examples = build([f"row {i}" for i in range(400)], labels=given, annotators=names, responses=responses)
    kind = Kind.PREFERENCE if kto else Kind.CLASSIFICATION
    made = artifacts(kind, examples, np.ones((400, 1), np.float32), label_probability=probability)
    found = run(made)
    assert accused(found) == ["annotator w1"]
    wrong = found.signals.with_row_index("i").filter(pl.col("score") >= found.threshold)
    assert wrong["i"].to_list() == [i for i, n in enumerate(names) if n == "w1" and i % 3]
    assert set(wrong["fix"]) == {"relabel"}
    assert wrong["new_value"].to_list() == [words[truth[i]] for i in wrong["i"]]


def test_many_labels(build, artifacts):
    rng = np.random.default_rng(0)
    truth, names = rng.integers(0, 6, 1_200), np.array([f"w{i % 6}" for i in range(1_200)])
    given = np.where(rng.random(1_200) < 0.1, rng.integers(0, 6, 1_200), truth)
    given = np.where((names == "w2") & (rng.random(1_200) < 0.4), (truth + rng.integers(1, 6, 1_200)) % 6, given)
    probability = np.full((1_200, 6), 0.03, dtype=np.float32)
    probability[np.arange(1_200), truth] = 0.85
    examples = build([f"row {i}" for i in range(1_200)], labels=[f"l{g}" for g in given], annotators=names.tolist())
    made = artifacts(Kind.CLASSIFICATION, examples, np.ones((1_200, 1), np.float32), label_probability=probability)
    found = run(made)
    assert accused(found) == ["annotator w2"]
    assert table_of(found)["w2"]["low"] < 0.6 < table_of(found)["w2"]["high"]


def test_ties_and_equal_sides_are_no_decisions(build, artifacts):
    names, margin = panel(WAYS["flips half"])
    made = pairs(build, artifacts, names, margin)
    tie, same = pl.col("row") < 100, pl.col("row").is_between(100, 199)
    examples = made["examples"].with_columns(
        label=pl.when(tie).then(pl.lit(TIE)), rejected=pl.when(same).then("response").otherwise("rejected")
    )
    found = run({**made, "examples": examples})
    assert found.signals["score"].is_nan().to_list() == [row < 200 for row in found.signals["row"]]
    assert found.findings[-1].details["decisions"] == 900


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([None] * 100, "needs annotators, which this dataset has not"),
        (["w1"] * 100, "needs at least 2 annotators with 20 rows each, and this dataset has 1"),
        ([f"w{i}" for i in range(100)], "needs at least 2 annotators with 20 rows each, and this dataset has 0"),
    ],
)
def test_it_says_why_it_was_skipped(names, reason, build, artifacts):
    assert run(pairs(build, artifacts, names, np.ones(100))) == Skipped(reason)


def test_without_labels_or_margins_it_is_skipped(build, artifacts):
    made = pairs(build, artifacts, ["w1"] * 50, np.ones(50))
    bare = {**made, "support": replace(made["support"], margin=None)}
    assert run(bare) == Skipped("needs labels or preference margins to compare the annotators' decisions with")


def two_topics(rng, count):
    """Responses of two kinds, unit rows; the better side is of the first kind."""
    good, bad = np.zeros((count, 8)), np.zeros((count, 8))
    good[:, 0], bad[:, 1] = 1, 1
    noise = 0.4 * rng.normal(size=(2, count, 8))
    return tuple(
        (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (good + noise[0], bad + noise[1])
    )


def test_what_leaving_the_annotator_out_does_to_the_others(build, artifacts):
    """A bare majority of the rows is turned around: the model learns the wrong way, and the right way without them."""
    rng = np.random.default_rng(0)
    names = ["w0"] * 160 + ["w1"] * 80 + ["w2"] * 60
    flipped = np.array([n == "w0" for n in names])
    good, bad = two_topics(rng, 300)
    chosen = np.where(flipped[:, None], bad, good)
    rejected = np.where(flipped[:, None], good, bad)
    # The margin of the support agrees with the minority, so that w0 is the one accused.
    margin = np.where(flipped, -2.0, 2.0) + 0.1 * rng.normal(size=300)
    made = pairs(build, artifacts, names, margin)
    found = annotator_anomaly(made["examples"], made["info"], made["support"], None, chosen, rejected)
    assert accused(found) == ["annotator w0"]
    assert found.findings[0].details["left_out"] == {"with": 1.0, "without": 1.0}
    assert "100.0%" in found.findings[0].text
    wrong = replace(made["support"], margin=-margin.astype(np.float32))
    agreement = _refit(made, wrong, None, chosen, rejected).agreement(["w0"])
    assert agreement["w0"]["with"] == 0.0 and agreement["w0"]["without"] > 0.95


def test_leaving_out_works_for_labels_and_for_many_rows(build, artifacts, monkeypatch):
    rng = np.random.default_rng(0)
    names = np.array([f"w{i % 3}" for i in range(600)])
    truth = rng.integers(0, 2, 600)
    vectors = (np.eye(8)[truth] + 0.3 * rng.normal(size=(600, 8))).astype(np.float32)
    given = np.where(names == "w1", 1 - truth, truth)
    examples = build([f"row {i}" for i in range(600)], labels=[f"l{g}" for g in given], annotators=names.tolist())
    probability = np.where(np.arange(2) == truth[:, None], 0.6, 0.4).astype(np.float32)
    made = artifacts(Kind.CLASSIFICATION, examples, vectors, label_probability=probability)
    full = _refit(made, made["support"], vectors, None, None).agreement(["w1"])["w1"]
    assert full["with"] == 1.0 and full["without"] > 0.97
    monkeypatch.setattr(left_out, "MOST_ROWS", 300)
    part = _refit(made, made["support"], vectors, None, None).agreement(["w1"])["w1"]
    assert part["without"] > 0.95 and 0.5 < part["with"] < 1.0  # both by models of the same rows now
    bare = _refit(made, made["support"], None, vectors, vectors)
    assert bare.agreement(["w1"]) == {}


def _refit(made, support, *embeddings):
    return left_out.Refit(made["examples"], made["info"], support, *embeddings)


def crowd(seed=0, items=600, people=8, votes=3, lean=1.0):
    """Votes of several annotators on shared items: truth, log-odds of the model, reliabilities, and who chose what."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, items)
    model = np.where(truth == 1, 1, -1) * lean + rng.normal(0, np.sqrt(2 * lean), items)
    right = rng.uniform(0.7, 0.95, people)
    right[0] = 0.5
    item = np.repeat(np.arange(items), votes)
    who = np.concatenate([rng.choice(people, votes, replace=False) for _ in range(items)])
    choice = np.where(rng.random(len(item)) < right[who], truth[item], 1 - truth[item])
    return truth, model, right, item, who, choice


def decided(build, artifacts, model, item, who, choice):
    margin = np.where(choice == 0, 1, -1) * model[item]
    made = pairs(build, artifacts, [f"w{w}" for w in who], margin, items=item, turned=choice == 1)
    found = workers.decisions(made["examples"], made["info"], made["support"])
    assert isinstance(found, workers.Decisions)
    return made, found


def test_votes_on_shared_items_tell_who_is_reliable(build, artifacts):
    truth, model, right, item, who, choice = crowd()
    model = -model  # "bad" sorts before "good": the answer 0 of the decisions is the second side here
    _, made = decided(build, artifacts, model, item, who, choice)
    joined = workers.votes(made)
    assert joined.of.all() and made.names == tuple(f"w{i}" for i in range(8))
    found = 1 / (1 + np.exp(-joined.weight))
    np.testing.assert_allclose(found, right, atol=0.08)
    alone = (made.prior.argmax(axis=1) != truth).mean()
    together = min((joined.score.argmax(axis=1) == t).mean() for t in (truth, 1 - truth))
    assert together < 0.1 < alone or together > 0.9


def test_nobody_vouches_for_oneself(build, artifacts):
    """The rest of a decision is the sum of the prior and of the others' votes, by hand."""
    _, model, _, item, who, choice = crowd(items=60)
    _, made = decided(build, artifacts, model, item, who, choice)
    joined = workers.votes(made)
    said = workers.rest(made, joined, np.arange(len(made)))
    partner = np.array([next(j for j in np.flatnonzero(made.item == made.item[i]) if j != i) for i in range(len(made))])
    without = workers.rest(made, joined, np.arange(len(made)), partner)
    for i in range(len(made)):
        for left, got in (({i}, said), ({i, int(partner[i])}, without)):
            score = made.prior[made.item[i]].copy()
            for j in np.flatnonzero(made.item == made.item[i]):
                if j not in left:
                    score[made.choice[j]] += joined.weight[made.annotator[j]]
            assert got.answer[i] == score.argmax()
            assert got.certainty[i] == pytest.approx(score.max() - score.min())
            odds = np.exp(score - score.max())
            assert got.plausible[i] == pytest.approx(odds[made.choice[i]] / odds.sum())


def test_who_answers_an_item_in_two_ways_has_no_vote_on_it(build, artifacts):
    names, item = ["a", "a", "b", "c"], np.array([0, 0, 0, 1])
    made = pairs(build, artifacts, names, [1.0, -1.0, 1.0, 1.0], items=item, turned=np.array([0, 1, 0, 0], dtype=bool))
    found = workers.decisions(made["examples"], made["info"], made["support"])
    assert len(found) == 4 and found.answers == 2
    assert not workers.votes(found).of.any()  # one voter is left on the first item, and one on the second


def test_shared_votes_find_a_flipper_whom_the_model_cannot_see(build, artifacts):
    truth, _, _, item, who, choice = crowd(items=400, people=6)
    choice = np.where(who == 2, np.where(np.arange(len(who)) % 2 == 0, 1 - choice, choice), choice)
    choice = np.where(who == 0, truth[item], choice)
    rng = np.random.default_rng(3)
    made, found = decided(build, artifacts, 0.05 * rng.normal(size=400), item, who, choice)
    assert accused(run(made)) == ["annotator w2"]
    alone = replace(workers.votes(found), score=found.prior.copy(), weight=np.zeros(6))
    said = workers.rest(found, alone, np.arange(len(found)))
    entries = annotator_table(found, said.certainty, said.answer != found.choice, 20, 0.05)
    assert not any(e.accused for e in entries)  # by the model alone nobody is
