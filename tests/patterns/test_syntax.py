from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audit.patterns import syntax


def test_spacing_case_quotes_and_entities_are_folded():
    shipped = "It's GOOD, though I don't &amp; can't say why..."
    spaced = "it 's good , though i do n't & ca n't say why . . ."
    curly = "it’s good , though I don’t and"
    assert syntax.tokens(shipped) == syntax.tokens(spaced)
    assert syntax.tokens(curly)[:9] == ["it", "'s", "good", ",", "though", "i", "do", "n't", "and"]


def test_mentions_tags_links_and_treebank_brackets_are_left_out():
    assert syntax.tokens("@USER @ user #tag https://a.b/c -lrb- so it is -rrb-") == ["so", "it", "is"]


def test_scripts_without_blanks_come_character_by_character():
    assert syntax.tokens("当你看电影，") == ["当", "你", "看", "电", "影", "，"]
    assert "slot:first word 当, comma" in syntax.keys(syntax.tokens("当你看电影，很好。"))


def test_scripts_without_blanks_have_closed_class_words_and_what_stands_between():
    assert syntax.tokens("如果你看电影，很好") == ["如果", "你", "看", "电", "影", "，", "很", "好"]
    assert syntax.joined(syntax.tokens("如果你看电影，很好")) == ["如果", "你", "看电影", "，", "很", "好"]
    for text in (
        "如果你看电影，很好。",
        "虽然他们读书，不是。",
        "ถ้าคุณดูหนัง, ดี.",
        "если вы видели, то да.",
        "إذا رأيت ، نعم.",
    ):
        assert "slot:one sentence, first class SUB, comma" in syntax.keys(syntax.tokens(text)), text
    assert syntax.joined(["red", "fox", "电", "影"]) == ["red", "fox", "电影"]


def test_content_is_words_or_runs_of_three_characters():
    assert syntax.content(syntax.tokens("the red fox")) == {"red", "fox"}
    assert syntax.content(syntax.tokens("我们看电影院，很好")) == {"看电影", "电影院", "好"}


def test_content_words_keep_their_ending_alone():
    fine, coarse = syntax.skeleton(syntax.tokens("when he walked slowly , 12 dogs barked"))
    assert fine == ["when", "he", "~ed", "~ly", ",", "#", "~s", "~ed"]
    assert coarse == ["SUB", "PRP", "~ed", "~ly", ",", "#", "~", "~ed"]


def test_one_template_shares_keys_that_other_sentences_lack():
    filled = ["when it rains , the road is wet .", "if you go home , she will call .", "as we spoke , he left ."]
    others = ["the road is wet when it rains .", "call me , if you can .", "he left ."]
    shared = set.intersection(*(syntax.keys(syntax.tokens(t)) for t in filled))
    missing = set.union(*(syntax.keys(syntax.tokens(t)) for t in others))
    assert "slot:one sentence, first class SUB, comma" in shared - missing


def test_a_long_text_is_read_at_its_edges():
    words = [f"w{i}" for i in range(1000)]
    assert syntax.edges(words) == words[: syntax.HEAD] + words[-syntax.TAIL :]
    assert syntax.keys([]) == {"slot:empty"}


@given(st.text(max_size=200))
def test_any_text_has_keys_and_case_never_enters(text):
    words = syntax.tokens(text)
    assert all(words) and syntax.keys(words)
    ascii_only = text.encode("ascii", "ignore").decode()
    assert syntax.tokens(ascii_only) == syntax.tokens(ascii_only.casefold())
