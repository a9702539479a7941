"""The cleaner must not become the weapon: copies do not vote, no score removes a row, a slice that shrinks alarms."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from benchmarks.weapon import damage, flipped_copies, judged, table
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from audit.artifacts.neighbors import top_k
from audit.artifacts.support import label_codes
from audit.bank import conflicts
from audit.decide import check_laws, decide
from audit.errors import ConservationError
from audit.remedies.ranking import Check
from audit.remedies.slices import SLICE_CODE, shrunk, slice_findings
from audit.schema import DatasetInfo, Kind, Neighbors, Severity, Status, Trigger, signals_frame

GOOD = ["lovely", "warm", "sturdy", "clever", "bright", "tasty", "gentle", "honest", "quick", "tidy"]
BAD = ["broken", "dull", "sour", "flimsy", "noisy", "greasy", "clumsy", "stale", "slow", "dirty"]
THINGS = [
    "kettle",
    "novel",
    "lamp",
    "jacket",
    "sandwich",
    "keyboard",
    "ticket",
    "blanket",
    "radio",
    "bicycle",
    "mirror",
    "garden",
]
PLACES = ["kitchen", "office", "station", "market", "harbour", "village", "cellar", "library", "museum", "orchard"]
WHOS = ["aunt", "neighbour", "colleague", "brother", "teacher", "baker", "pilot", "doctor", "gardener", "tailor"]


def reviews(count, seed=0):
    """Honest reviews: the adjectives tell the label, the rest is drawn."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for i in range(count):
        words = GOOD if i % 2 else BAD
        first, second = rng.choice(words, 2, replace=False)
        thing, place, who, other = (str(rng.choice(pool)) for pool in (THINGS, PLACES, WHOS, THINGS))
        days, tens = rng.integers(2, 90, 2)
        texts.append(
            f"My {who} used the {thing} in the {place} for {days} days and called it {first} and {second}, "
            f"unlike the {other} that we had bought {tens} weeks before"
        )
        labels.append("good" if i % 2 else "bad")
    return table(texts, labels)


def described(examples):
    columns, labels, size = ("text", "label"), tuple(sorted(set(examples["label"]))), len(examples)
    facts = {"mapping": {}, "confidence": 1.0, "columns": columns, "labels": labels, "rows": size, "readable": size}
    return DatasetInfo(
        "reviews", Kind.CLASSIFICATION, "text-label", **facts, bad={}, shards=(), files=(), fingerprint=""
    )


def embedder(texts):
    """Words and pairs of words in 48 dimensions, in the place of a sentence encoder."""
    counted = TfidfVectorizer(ngram_range=(1, 2), min_df=2).fit(texts)
    shrink = TruncatedSVD(48, random_state=0).fit(counted.transform(texts))

    def embed(more):
        found = shrink.transform(counted.transform(more)).astype(np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    return embed


@pytest.fixture(scope="module")
def honest():
    examples = reviews(700)
    embed = embedder(examples["prompt"].to_list())
    return examples, described(examples), embed(examples["prompt"].to_list()), embed


@pytest.mark.parametrize(("share", "copies"), [(0.002, 4), (0.05, 4), (0.05, 10)])
def test_flipped_copies_get_no_honest_row_removed_or_accused(honest, share, copies):
    found = damage(*honest, share, copies)
    assert found.removed == 0
    assert found.accused_victims == 0
    assert found.flagged_others <= found.rows // 200
    assert found.asked_victims == found.victims and found.copies_asked >= 0.9 * found.planted
    assert found.asked_others <= found.rows // 50


def test_without_the_guard_copies_outvote_the_honest_row(honest):
    """What the guard is for: were copies heard, most victims would be accused."""
    examples, info, vectors, embed = honest
    planted, victims = flipped_copies(examples, 0.05, 10, np.random.default_rng(0))
    whole = pl.concat([examples, planted])
    known = np.concatenate([vectors, embed(planted["prompt"].to_list())])
    codes = label_codes(whole, info.labels)
    accused = judged(whole, info, known, codes, guarded=False)["accused"][victims]
    assert accused.mean() >= 0.5


def test_which_rows_form_a_group_depends_neither_on_order_nor_on_the_number_of_copies(honest):
    examples, _, vectors, embed = honest
    planted, victims = flipped_copies(examples.head(200), 0.05, 5, np.random.default_rng(1))
    whole = pl.concat([examples.head(200), planted])
    known = np.concatenate([vectors[:200], embed(planted["prompt"].to_list())])
    order = np.random.default_rng(2).permutation(len(whole))

    def partition(frame, rows):
        group = conflicts.label_conflicts(frame["prompt"], frame["label"].to_list(), top_k(rows, 10))
        members = {}
        for text, number in zip(frame["prompt"], group.tolist(), strict=True):
            members.setdefault(number, set()).add(text)
        return {frozenset(found) for number, found in members.items() if number >= 0}

    found = partition(whole, known)
    assert found == partition(whole[order.tolist()], known[order]) and len(found) == len(victims)
    assert {whole["prompt"][victim] for victim in victims} <= set().union(*found)


def test_honest_contrasts_and_equal_labels_form_no_group():
    texts = pl.Series(["the soup was lovely", "the soup was sour", "the soup was lovely today", "no text like it"])
    none = Neighbors(np.zeros((4, 0), np.int32), np.zeros((4, 0), np.float32))
    assert (conflicts.label_conflicts(texts, ["good", "bad", "good", "bad"], none) == -1).all()
    assert (conflicts.label_conflicts(texts, ["good"] * 4, none) == -1).all()
    twice = pl.Series(["the very same text stands here twice in a row"] * 2)
    assert conflicts.label_conflicts(twice, ["good", "bad"], none).tolist() == [0, 0]
    assert conflicts.label_conflicts(twice, ["good", None], none).tolist() == [-1, -1]


def test_a_pair_that_is_copied_the_other_way_round_is_a_group_and_a_tie_is_none():
    prompts = pl.Series(
        ["which of the two answers is better for me now"] * 3 + ["an entirely different question it is"]
    )
    good, bad = "take the early train and book a seat before noon", "I do not know and I do not care about your trip"
    chosen, rejected = pl.Series([good, bad + " today", good, good]), pl.Series([bad, good, bad, bad])
    decided = np.array([True, True, True, True])
    assert conflicts.pair_conflicts(prompts, chosen, rejected, decided).tolist() == [0, 0, 0, -1]
    decided[1] = False
    assert conflicts.pair_conflicts(prompts, chosen, rejected, decided).tolist() == [-1] * 4


def verdicts_of(count, disputed=None, triggers=(), checks=(), budget=0):
    ledger = pl.DataFrame(
        {"row": range(count), "reason": [None] * count}, schema={"row": pl.Int64, "reason": pl.String}
    )
    return decide(ledger, {i: f"h{i}" for i in range(count)}, checks, triggers, budget, disputed)


def test_contradicting_copies_are_asked_about_outside_the_budget_and_nothing_is_proposed():
    doubt = signals_frame([0, 1, 2], [9.0, 9.0, 9.0], fix=["relabel"] * 3, new_value=["bad"] * 3)
    check = Check("label_noise", "TV-LBL", Severity.LOW, 0.5, doubt)
    found = verdicts_of(5, {0: 0, 1: 0}, checks=[check], budget=1)
    assert found["verdict"].to_list() == ["review", "review", "review", "keep", "keep"]
    assert found["fix"].to_list() == [None, None, "relabel", None, None]
    assert found["codes"][0].to_list()[0] == "TV-CON"


def test_a_row_is_removed_by_a_confirmed_trigger_or_a_person_and_by_nothing_else():
    trigger = Trigger("T-1", "cf", ["cf"], "cf", "token", str(Status.CONFIRMED), [1], "label a")
    nobody = pl.DataFrame(schema={"row": pl.Int64})
    found = verdicts_of(3, {1: 0, 2: 0}, [trigger])
    assert found["verdict"].to_list() == ["keep", "remove", "review"]
    check_laws(found, 3, [trigger], nobody)
    with pytest.raises(ConservationError, match="without a confirmed trigger"):
        check_laws(found, 3, [], nobody)
    trigger.status = str(Status.SUSPECTED)
    with pytest.raises(ConservationError, match="the first is 1"):
        check_laws(found, 3, [trigger], nobody)
    check_laws(found, 3, [], pl.DataFrame({"row": [1]}))
    with pytest.raises(ConservationError, match="3 verdicts for 4"):
        check_laws(found, 4, [trigger], nobody)


def sliced(count, verdict_of, **columns):
    base = {"row": range(count), "prompt": ["a plain text"] * count}
    base |= {name: [None] * count for name in ("response", "label", "source", "annotator")}
    verdicts = pl.DataFrame({"row": range(count), "verdict": [verdict_of(i) for i in range(count)]})
    return shrunk(pl.DataFrame({**base, **columns}), verdicts, Kind.CLASSIFICATION, "hold")


def test_a_source_that_loses_far_more_than_the_rest_raises_an_alarm():
    sources = ["forum" if i < 60 else f"other-{i % 5}" for i in range(600)]
    held = {*range(0, 60, 2), *range(60, 600, 60)}  # half of the forum, one row in sixty elsewhere
    found = sliced(600, lambda i: "review" if i in held else "keep", source=sources)
    assert [(s.column, s.value, s.total, s.lost) for s in found] == [("source", "forum", 60, 30)]
    [record] = slice_findings(found).to_dicts()
    assert (record["code"], record["severity"], record["subject"]) == (SLICE_CODE, "medium", "source forum")
    assert record["text"].startswith("The cleaning takes 50% of source forum (30 of 60 rows removed or held), against ")
    kept = shrunk(
        pl.DataFrame(
            {"row": [0], "prompt": ["a"], "response": [""], "label": ["x"], "source": [""], "annotator": [""]}
        ),
        pl.DataFrame({"row": [0], "verdict": ["review"]}),
        Kind.CLASSIFICATION,
        "keep",
    )
    assert kept == []  # rows in review that stay in the set are not lost


def test_a_language_that_shrinks_alarms():
    german, english = (
        "Das ist ein Satz und er ist nicht lang auf dem Papier",
        "This is a sentence that was not long on paper",
    )
    texts = [german if i % 10 == 0 else f"{english} and it is for you" for i in range(400)]
    found = sliced(400, lambda i: "review" if i % 20 == 0 else "keep", prompt=texts)
    assert [(s.column, s.value, s.lost) for s in found] == [("language", "German", 20)]


@pytest.mark.parametrize("seed", range(20))
def test_rows_lost_at_random_alarm_nobody(seed):
    rng = np.random.default_rng(seed)
    lost = rng.random(2_000) < 0.05
    names = {name: [f"{name}-{v}" for v in rng.integers(0, 30, 2_000)] for name in ("label", "source", "annotator")}
    assert sliced(2_000, lambda i: "review" if lost[i] else "keep", **names) == []


def test_a_small_slice_and_a_small_share_alarm_nobody():
    sources = ["tiny" if i < 19 else "big" for i in range(1_000)]
    assert sliced(1_000, lambda i: "remove" if i < 19 else "keep", source=sources) == []
    labels = ["a" if i < 500 else "b" for i in range(1_000)]
    assert sliced(1_000, lambda i: "remove" if i < 45 else "keep", label=labels) == []  # 9% of a label
