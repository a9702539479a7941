from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.patterns import pos

TAGS = st.lists(st.sampled_from(pos.TAGS), max_size=30)


def test_runs_of_two_to_five_tags_and_the_first_clause_are_keys():
    found = pos.keys(["PRON", "VERB", "DET", "ADJ", "NOUN", ",", "NOUN", "VERB", "."])
    assert {"pos:PRON VERB", "pos:^ PRON VERB DET ADJ", "pos:DET ADJ NOUN , NOUN", "pos:VERB . $"} <= found
    assert "pos:^ PRON VERB DET ADJ NOUN ," in found
    assert "pos:PRON" not in found and max(len(key.split()) for key in found) == 7
    assert pos.keys([]) == set()


def test_a_long_first_clause_is_no_key_of_its_own():
    assert max(len(key.split()) for key in pos.keys(["NOUN"] * 15 + [","])) == pos.LONGEST


@given(TAGS)
def test_every_key_says_what_stands_there(tags):
    text = " ".join(["^", *tags, "$"])
    assert all(f" {key[4:]} " in f" {text} " for key in pos.keys(tags))


def test_tags_are_those_of_universal_dependencies_and_marks():
    assert [
        pos.TAGS[pos.number(*pair)] for pair in [("rome", "PROPN"), ("、", "PUNCT"), ("？", ""), ("(", "PUNCT")]
    ] == [
        *("NOUN", ",", ".", "PUNCT"),
    ]
    assert pos.TAGS[pos.number("zz", "")] == pos.TAGS[pos.number("zz", "NEW")] == "OTHER"


def test_a_tagger_reads_folded_words_and_the_edges_of_long_texts():
    assert pos.said("It's  GOOD , @user https://a.b though&amp;") == pos.said("it 's good, though &")
    assert pos.said("这是  一部电影。Good") == "这是 一部电影。good"
    assert pos.said("影" * 500) == "影" * 96 + " " + "影" * 24
    assert len(pos.said("word " * 1000).split()) == 120


def test_texts_carry_their_tags_when_asked_for():
    codes = np.asarray([8, 14, 8], dtype=np.uint8)
    made = pos.TaggedTexts(["a b", "", "c"], codes, np.asarray([0, 2, 2, 3]))
    assert [pos.tags_of(text) for text in made] == [("NOUN", "VERB"), (), ("NOUN",)]
    assert made[0] == "a b" and pos.tags_of(made[-1]) == ("NOUN",) and made[1:] == ["", "c"] and len(made) == 3
    assert pos.tags_of("plain") == ()
    with pytest.raises(IndexError):
        made[3]
    with pytest.raises(ValueError, match="3 rows for 2 texts"):
        pos.TaggedTexts(["a", "b"], codes, np.asarray([0, 2, 2, 3]))
