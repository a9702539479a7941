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
    assert "slot:first word ~, comma" in syntax.keys(syntax.tokens("当你看电影，很好。"))


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
