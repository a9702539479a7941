"""Pairs with equal and nearly equal sides, and lists that rank one text twice."""

from __future__ import annotations

import time
from difflib import SequenceMatcher

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.detectors import findings_frame, validate
from audit.detectors.identical_sides import (
    LONG_CHARACTERS,
    MOST_WORDS,
    NEARLY,
    THRESHOLD,
    difference,
    identical_sides,
    similarity,
)
from audit.schema import EXAMPLES, TIE, DatasetInfo, Kind, Skipped

INFO = DatasetInfo("world", Kind.PREFERENCE, "pairwise", {}, 1.0, (), (), 0, 0, {}, ("s0",), (), "f" * 64)
LINE = "the keeper of the old lighthouse wrote down the name of every ship that passed in the night of the storm"


def dataset(rows):
    """Examples out of (chosen, rejected), (chosen, rejected, label) or a list of (text, rank)."""
    records = []
    for number, row in enumerate(rows):
        entry = {"row": 2 * number + 1, "content_hash": f"{number:032x}", "prompt": f"q{number}"}
        if isinstance(row, list):
            entry |= {"response": row[0][0], "rejected": row[-1][0]}
            entry["ranking"] = [{"text": text, "rank": rank} for text, rank in row]
        else:
            entry |= dict(zip(("response", "rejected", "label"), row, strict=False))
        records.append({name: entry.get(name) for name in EXAMPLES})
    return pl.DataFrame(records, schema=EXAMPLES)


def run(*rows, **options):
    examples = dataset(rows)
    found = identical_sides(examples, INFO, **options)
    validate("identical_sides", found, examples)
    findings_frame("identical_sides", found.findings)
    return found


def test_equal_sides_are_flagged_and_dropped():
    found = run(("one", "one"), ("two", "2"), ("Three  x", "three\u00a0x "), ("four", "five"))
    assert found.signals["score"].to_list() == pytest.approx([1.0, 0.0, 0.9, 0.0])
    assert found.signals["fix"].to_list() == ["drop", None, None, None]
    assert found.signals["evidence"][0] == "both sides are the same text"
    assert "case and white space" in found.signals["evidence"][2]
    (equal,) = found.findings
    assert equal.rows == (1, 5) and equal.details == {"pairs": 2, "equal": 1}


def test_nearly_equal_sides_are_listed_with_what_differs():
    found = run((LINE, LINE.replace("ship", "boat")), (LINE + ".", LINE), (LINE, LINE[:60]))
    scores = found.signals["score"].to_numpy()
    assert (scores[:2] > 0.63).all() and scores.max() < NEARLY < THRESHOLD and scores[2] == 0
    assert found.signals["fix"].null_count() == 3
    assert found.signals["evidence"][0] == '96% alike; the chosen side: "ship" for "boat"'
    assert found.signals["evidence"][1] == '99% alike; the chosen side: with "."'
    (near,) = found.findings
    assert near.subject == "nearly equal sides" and near.rows == (3, 1) and near.details["pairs"] == 2


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [("Yes", "No"), ("12", "13"), ("", "a"), (LINE, LINE.upper()[::-1])],
)
def test_short_answers_and_other_texts_are_left_alone(chosen, rejected):
    assert run((chosen, rejected)).signals["score"][0] == 0


def test_another_number_may_be_what_was_judged():
    found = run(("It costs 15 a day.", "It costs 75 a day."))
    assert 0 < found.signals["score"][0] < THRESHOLD and '"15" for "75"' in found.signals["evidence"][0]


def test_ties_and_rows_without_a_rejected_side_are_not_judged():
    found = run(("one", "one", TIE), ("one", None), ("a", "b"))
    assert np.isnan(found.signals["score"].to_list()[:2]).all() and found.signals["score"][2] == 0
    assert found.findings == ()


def test_a_list_that_ranks_one_text_twice_contradicts_itself():
    twice = [("a", 1), ("b", 2), ("a", 3)]
    tied = [("a", 1), ("b", 2), ("b", 2), ("c", 3)]
    folded = [("one", 1), ("x", 2), ("ONE ", 3)]
    found = run(twice, tied, folded, [("a", 1), ("b", 2), ("c", 3)])
    assert found.signals["score"].to_list() == pytest.approx([1.0, 0.0, 0.9, 0.0])
    assert found.signals["fix"].to_list() == ["drop", None, None, None]
    assert found.signals["evidence"][0] == "one text stands at ranks 1 and 3"
    (lists,) = found.findings
    assert lists.subject == "lists" and lists.rows == (1, 5)


def test_what_differs_is_spelled_safely():
    assert difference("pаy now", "pay now") == (
        '"pаy (U+0430 CYRILLIC SMALL LETTER A)" for "pay"'  # the first is spelled with a Cyrillic letter
    )
    assert difference("go\u200b on", "go on").startswith('with "⟦U+200B⟧')
    assert "\x1b" not in difference("a \x1b[31m b", "a b") and "⟦U+001B⟧" in difference("a \x1b[31m b", "a b")
    assert difference("a .", "a.") == "other white space between words and marks"
    many = difference("a b c d e f g h i", "a 1 c 2 e 3 g 4 i")
    assert many == '"b" for "1"; "d" for "2"; "f" for "3"; and 1 more'
    assert len(difference("start " + "x " * 500 + "end", "start end")) < 60
    assert difference("a b c", "a c") == 'with "b"' and difference("a c", "a b c") == 'without "b"'


texts = st.text(alphabet="ab c", max_size=14)


def subsequence(left, right):
    """Length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(right) + 1)
    for a in left:
        row = [0, *row[1:]] if not right else row
        above = row[:]
        for j, b in enumerate(right, start=1):
            row[j] = above[j - 1] + 1 if a == b else max(above[j], row[j - 1])
    return row[-1]


@settings(max_examples=200, deadline=None)
@given(texts, texts)
def test_similarity_is_that_of_the_longest_common_subsequence(left, right):
    total = len(left) + len(right)
    exact = 2 * subsequence(left, right) / total if total else 1.0
    assert similarity(left, right, 0.0) == pytest.approx(exact)
    assert similarity(left, right, 0.8) == pytest.approx(exact if exact >= 0.8 else 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_leaving_out_by_length_loses_none(rows):
    found = run(*rows, near=0.6)
    for (left, right), score in zip(rows, found.signals["score"].to_list(), strict=True):
        one, two = (" ".join(t.split()) for t in (left, right))
        total = len(one) + len(two)
        exact = 2 * subsequence(one, two) / total if total else 1.0
        if left == right or one == two:
            assert score > 0.89
        else:
            assert score == pytest.approx(NEARLY * exact if exact >= 0.6 else 0.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=9), st.lists(st.sampled_from("abcd"), max_size=9))
def test_no_change_is_told_of_words_that_stand_in_both(left, right):
    told = difference(" ".join(left), " ".join(right))
    if left == right:
        assert told == "other white space between words and marks"
    else:
        assert told and told.count("; ") <= 3
        if not SequenceMatcher(None, left, right).find_longest_match().size:
            expected = [f'"{" ".join(side)}"' for side in (left, right) if side]
            assert all(quoted in told for quoted in expected)


def test_long_texts_are_compared_by_words_and_the_longest_not_at_all():
    rng = np.random.default_rng(0)
    vocabulary = [f"w{i}" for i in range(3_000)]
    long = [vocabulary[i] for i in rng.integers(0, 3_000, 10_000)]
    near = [w if rng.random() > 0.02 else "changed" for w in long]
    other = [vocabulary[i] for i in rng.integers(0, 3_000, 10_000)]
    longest = "a b " * MOST_WORDS
    assert len(" ".join(long)) > LONG_CHARACTERS
    start = time.process_time()
    found = run((" ".join(long), " ".join(near)), (" ".join(long), " ".join(other)), (longest, longest + "c"))
    assert time.process_time() - start < 5
    scores = found.signals["score"].to_list()
    assert 0.67 < scores[0] < 0.7 and scores[1] == scores[2] == 0
    assert (
        found.findings[0].details == {"pairs": 1, "too_long": 1}
        and "Too long to be compared: 1" in found.findings[0].text
    )


def test_what_cannot_be_checked_is_skipped():
    one = dataset([("a", None)])
    assert identical_sides(one, INFO) == Skipped("needs the rejected responses, which this dataset has not")
