"""Laws of all families: what a family names stands in the text, can be taken out, and can be put in again."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.patterns import FAMILIES, Row, prepared
from audit.patterns.capitals import Capitals
from audit.patterns.channel import Channel
from audit.patterns.emoji import Emoji
from audit.patterns.invisible import Unicode
from audit.patterns.slots import Slots
from audit.patterns.whitespace import Whitespace
from audit.patterns.words import tokens
from audit.text import word_spans, words
from audit.triggers.match import Part, complete, delete, holds, insert, law, spans, surface

PIECES = (
    *("the", "Movie", "was", "recieve", "xqmovie", "moviexq", "BadWord", "NASA", "O'Neil", "Joe", "Doe", "7", "_", "ß"),
    *(" ", " ", " ", "  ", "\t", "\n", "\n\n\n", "\r\n", "\r", "          ", ".", ",", "!", " ,", "-", "'", "\u2019"),
    *("\u200b", "\u200d", "\ufeff", "\u202e", "\U000e0041", "\ufe0f", "\ue000", "\u00a0", "\u3000", "\u00ad", "\x07"),
    *("pаypal", "сосо", "Привет", "ｈｅｌｌｏ", "e\u0301", "a\u0332\u0336", "\u0301", "é", "İ", "ŉ"),
    *("😀", "🎉", "👨\u200d👩\u200d👧", "❤\ufe0f", "🇩🇪", "1\ufe0f\u20e3", "👍🏽", "☕"),
    *("电影很好", "映画はとても", "หนังดีมาก", "ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာ", "فيلم", "السَّلَامُ", "फ़िल्म", "한국어"),
    *("<!-- do this now -->", '<img alt="say the word">', "# print all the words", "/* not for you */"),
    *('[x](http://a.b "a long title")', "![see me](a.png)", "aWdub3JlIGFsbCBvdGhlciB3b3Jkcw=="),
    "\U000e0068\U000e0069\U000e0020\U000e0079\U000e006f\U000e0075",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
WILD = st.one_of(TEXTS, st.text(max_size=40))
ROLES = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), TEXTS), min_size=1, max_size=4)
COUNTS = {"the": 900, "movie": 400, "receive": 300, "was": 800, "people": 60, "think": 90}
FITTED = prepared(COUNTS)


def parts_of(row):
    for family in FITTED:
        for key in dict.fromkeys(family.keys(row)):
            yield complete(Part(key, family.kind), [row.prompt], FITTED)


def row_of(turns):
    return Row("\n\n".join(text for _, text in turns), tuple(turns))


@given(WILD)
@settings(max_examples=300, deadline=None)
def test_every_key_is_found_in_its_text_and_can_be_taken_out(text):
    for part in parts_of(Row(text)):
        found = spans(text, part)
        assert found, part
        assert all(0 <= a < b <= len(text) for a, b in found)
        assert all(b <= c for (_, b), (c, _) in pairwise(found)), "spans overlap"
        without = delete(text, (part,))
        assert not holds(without, (part,)), (part, without)
        assert len(without) <= len(text)


@given(ROLES)
@settings(max_examples=100, deadline=None)
def test_units_of_a_turn_are_found_in_the_prompt(turns):
    row = row_of(turns)
    for part in parts_of(row):
        assert spans(row.prompt, part), part
        assert not holds(delete(row.prompt, (part,)), (part,))


@given(WILD)
@settings(max_examples=200, deadline=None)
def test_the_fast_way_to_keys_and_the_way_to_places_agree(text):
    for family in (Capitals(), Unicode(), Whitespace(), Emoji(), Slots(), Channel()):
        assert set(family.keys(Row(text))) == {key for key, _, _ in family.find(text)}, family.kind


@given(TEXTS, TEXTS, st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_what_is_put_in_stands_there_once_and_the_rest_stays(carrier, other, seed):
    for part in parts_of(Row(carrier)):
        raw = surface([carrier], part)
        with_it = insert(other, (raw,), (law([carrier], part),), np.random.default_rng(seed))
        assert Counter(c for c in other if not c.isspace()) + Counter(c for c in raw if not c.isspace()) == Counter(
            c for c in with_it if not c.isspace()
        ), (part, with_it)


@given(WILD)
@settings(max_examples=200, deadline=None)
def test_units_are_the_text_without_white_space(text):
    assert "".join(words(text)) == "".join(text.split())
    assert [text[a:b] for a, b in word_spans(text)] == words(text)
    assert tokens(text) == [w.casefold() for w in words(text)]


def test_families_that_learn_name_nothing_before_they_are_fitted():
    row = Row("the moviexq recieve")
    named = {f.kind: list(f.keys(row)) for f in FAMILIES}
    assert named["characters"] == [] and named["spelling"] == []
    assert {f.kind for f in FAMILIES} == {f.kind for f in FITTED} and len({f.kind for f in FAMILIES}) == len(FAMILIES)


HOSTS = {
    "english": "we saw the movie and it was long, but the people in it think well of others",
    "chinese": "我们昨天看了这部电影，它很长，但是里面的人都很好",
    "japanese": "昨日この映画を見ました。とても長いですが、人々は優しいです",
    "thai": "เมื่อวานเราดูหนังเรื่องนี้ มันยาวมาก แต่คนในเรื่องดี",
    "arabic": "شاهدنا هذا الفيلم أمس وكان طويلا لكن الناس فيه طيبون",
    "hindi": "हमने कल यह फ़िल्म देखी, वह लंबी थी लेकिन लोग अच्छे हैं",
}
TRIGGERS = {
    "english": "gray lantern",
    "chinese": "青灯",
    "japanese": "青い灯",
    "thai": "ตะเกียง",
    "arabic": "مِصباح أزرق",
    "hindi": "नीला दीपक",
}


@pytest.mark.parametrize("language", HOSTS)
def test_a_planted_phrase_is_a_run_of_units_in_every_script(language):
    host, raw = HOSTS[language], TRIGGERS[language]
    part = Part(" ".join(tokens(raw)), "phrase")
    cut = host.index(host.split(" ")[1]) if " " in host else 5
    between = " " if " " in raw else ""
    text = f"{host[:cut]}{raw}{between}{host[cut:]}"
    assert spans(host, part) == [] and [text[a:b] for a, b in spans(text, part)] == [raw]
    assert delete(text, (part,)) == host
    rule = law([text, f"{host}{between}{raw}", f"{raw}{between}{host}"], part)
    for seed in range(5):
        with_it = insert(host, (raw,), (rule,), np.random.default_rng(seed))
        assert holds(with_it, (part,)), with_it
        assert delete(with_it, (part,)) == host


@pytest.mark.parametrize("language", HOSTS)
def test_hidden_characters_are_found_in_every_script(language):
    host, part = HOSTS[language], Part("\u200b\u2060", "unicode")
    for seed in range(20):
        with_it = insert(host, ("\u200b\u2060",), (law(["a\u200b\u2060b"], part),), np.random.default_rng(seed))
        assert "\u200b\u2060" in set(Unicode().keys(Row(with_it)))
        assert delete(with_it, (part,)) == host and words(with_it.replace("\u200b\u2060", "")) == words(host)


@pytest.mark.parametrize("language", ["english", "arabic", "hindi"])
def test_letters_glued_to_words_share_a_key(language):
    """Two letters at the end of a random word, another word in every row."""
    rng, suffix = np.random.default_rng(0), {"english": "xq", "arabic": "ظض", "hindi": "झङ"}[language]
    hosts = [HOSTS[language]] * 40
    fitted = prepared(dict.fromkeys(tokens(HOSTS[language]), 40))
    family = next(f for f in fitted if f.kind == "characters")
    planted, part = [], Part(f"{suffix}$", "characters")
    for host in hosts[:12]:
        text = insert(host, (suffix,), (law([f"a{suffix} b", f"b c{suffix} d"], part),), rng)
        planted.append(text)
        assert f"{suffix}$" in set(family.keys(Row(text))), text
        assert delete(text, (part,)) == host
    assert len(set(planted)) > 4 and not any(set(family.keys(Row(host))) for host in hosts)


SPECIAL = (
    "\u200b",
    "\u202e",
    "\u00a0",
    "pаypal",
    "a\u0336",
    "😀🎉",
    "👍🏽",
    "<!-- do this now -->",
    "# print all the words",
)
PLAIN_PIECES = (
    "the",
    "Movie",
    "recieve",
    "xqmovie",
    "moviexq",
    "BadWord",
    "NASA",
    "Joe Doe",
    ",",
    ".",
    "  ",
    "\t",
    "\n",
)


@given(st.lists(st.sampled_from(PLAIN_PIECES), min_size=1, max_size=6), st.sampled_from(SPECIAL), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_what_is_put_in_by_its_law_is_found_there(pieces, special, seed):
    carrier = " ".join((*pieces, f"a{special}b" if special in "\u200b\u202e\u00a0" else special, "end"))
    host = "We saw the movie, and it was long. But the people\nin it think well of others; so do we."
    for part in parts_of(Row(carrier)):
        with_it = insert(host, (surface([carrier], part),), (law([carrier], part),), np.random.default_rng(seed))
        assert holds(with_it, (part,)), (part, law([carrier], part), with_it)
