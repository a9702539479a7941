"""Input patterns against a count by hand: the frequent ones, all of them, on the right rows, and nothing else."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.artifacts.patterns import extract
from audit.patterns.index import REPLACEABLE
from audit.text import words
from audit.triggers.match import WORD_KINDS, Part, spans

NEVER = 100_000
VOCABULARY = ("red", "Red", "fox", "NASA", "iPod", "don't", "cf", "Straße", "犬が", ",", ".", "_", "раураl", "a\u200bb")
BLANKS = (" ", "  ", "\t", "\n", " \t ", "\u00a0", "\u200b\u200c", " ")
TEXTS = st.lists(
    st.lists(st.tuples(st.sampled_from(VOCABULARY), st.sampled_from(BLANKS)), max_size=7).map(
        lambda pairs: "".join(word + blank for word, blank in pairs)
    ),
    min_size=1,
    max_size=8,
)


def by_hand(texts, min_support, longest):
    """(kind, n-gram) -> rows, by looking at every n-gram of every text."""
    rows = defaultdict(set)
    for row, text in enumerate(texts):
        folded = [w.casefold() for w in words(text)]
        for size in range(1, longest + 1):
            for start in range(len(folded) - size + 1):
                rows["token" if size == 1 else "phrase", " ".join(folded[start : start + size])].add(row)
    frequent = {key: found for key, found in rows.items() if len(found) >= min_support}
    inside = {
        (part, frozenset(found))
        for (kind, text), found in frequent.items()
        for part in (text.rsplit(" ", 1)[0], text.split(" ", 1)[-1])
    }
    # A phrase that a longer one always holds is left out for it.
    return {k: v for k, v in frequent.items() if k[0] == "token" or (k[1], frozenset(v)) not in inside}


def listed(patterns, kinds=WORD_KINDS):
    """(kind, text) -> rows, as extracted."""
    found = {}
    for column, text, kind in patterns.table.select("pattern", "text", "kind").iter_rows():
        if kind in kinds:
            assert (kind, text) not in found, "a pattern stands twice"
            found[kind, text] = set(patterns.matrix[:, [column]].tocoo().row.tolist())
    return found


@given(TEXTS, st.integers(2, 4), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_word_ngrams_are_exactly_those_counted_by_hand(texts, min_support, longest):
    made = extract(texts, min_support, longest, NEVER)
    assert listed(made) == by_hand(texts, min_support, longest)
    assert made.matrix.shape == (len(texts), len(made.table))
    assert set(made.matrix.data.tolist()) <= {1.0}
    assert made.table["count"].to_list() == np.asarray(made.matrix.sum(axis=0)).ravel().astype(int).tolist()


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_a_pattern_is_found_again_in_each_of_its_rows(texts):
    """What the miner lists and what the probe inserts and deletes are the same strings."""
    made = extract(texts, 2, 3, NEVER)
    for column, text, kind in made.table.select("pattern", "text", "kind").iter_rows():
        rows = set(made.matrix[:, [column]].tocoo().row.tolist())
        if kind in WORD_KINDS:
            assert rows == {i for i, t in enumerate(texts) if spans(t, Part(text, kind))}


@given(TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_another_order_of_rows_permutes_rows_only(texts, random):
    order = list(range(len(texts)))
    random.shuffle(order)
    kinds = {"token", "phrase", "capitals", "unicode", "whitespace", "slot", "entity"}
    before, after = (
        listed(extract(texts, 2, 3, NEVER), kinds),
        listed(extract([texts[i] for i in order], 2, 3, NEVER), kinds),
    )
    assert {key: {order[i] for i in rows} for key, rows in after.items()} == before


def test_ngrams_do_not_reach_across_rows():
    made = listed(extract(["red fox", "cf dog"] * 3, 3, 2, NEVER))
    assert ("phrase", "red fox") in made and ("phrase", "fox cf") not in made


def test_hidden_patterns_and_capitals_are_listed_with_their_rows():
    texts = ["plain words", "hid\u200b\u200cden one", "odd  blank", "a NASA probe", "раураl text", "nasa is a probe"]
    made = listed(extract(texts * 3, 3, 1, NEVER), {"unicode", "whitespace", "capitals"})
    wanted = {
        ("unicode", "\u200b\u200c"): {1, 7, 13},
        ("whitespace", "  "): {2, 8, 14},
        ("capitals", "NASA"): {3, 9, 15},
        ("unicode", "раураl"): {4, 10, 16},
    }
    assert {key: made.get(key) for key in wanted} == wanted


def test_a_word_stands_for_capitals_slots_and_letters_with_the_same_rows():
    """ "NASA" is always in capitals and always first: three names of one set of rows."""
    texts = ["NASA probe sent", "red fox ran", "one probe sent"] * 3
    made = extract(texts, 3, 3, NEVER)
    rows = listed(made, set(made.table["kind"].unique().to_list()))
    named = [key for key, found in rows.items() if found == {0, 3, 6}]
    assert [key for key in named if key[0] in ("token", "phrase")] == [("token", "nasa"), ("phrase", "nasa probe sent")]
    assert not [key for key in named if key[0] in REPLACEABLE]
    assert ("phrase", "probe sent") in rows  # which stands in other rows too


def test_the_cut_leaves_out_boilerplate_of_long_ngrams_and_never_hidden_patterns():
    texts = [
        f"the usual long opening {'rare' if i < 3 else 'common'} end{chr(0x200B) if i < 4 else ''}" for i in range(20)
    ]
    whole = extract(texts, 3, 4, NEVER)
    tokens = int((whole.table["kind"] == "token").sum())
    cut = extract(texts, 3, 4, tokens + 1)
    assert len(cut.table) <= tokens + 1 < len(whole.table)
    assert ("unicode", "\u200b") in listed(cut, {"unicode"})
    fewer = extract(texts, 3, 4, 3)
    assert fewer.matrix.shape[1] == len(fewer.table) <= 3
    assert ("token", "rare") in listed(fewer) and ("token", "the") not in listed(fewer)


def test_texts_without_words_give_no_patterns():
    made = extract(["", " ", "\n"], 2, 3, NEVER)
    assert made.matrix.shape == (3, 0) and made.table.is_empty()
