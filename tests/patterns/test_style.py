from __future__ import annotations

import pytest

from audit.patterns import style
from audit.patterns.syntax import tokens


def test_rates_tell_registers_apart():
    old = style.rates(tokens("thou hast spoken unto me"))
    sms = style.rates(tokens("lol u r so late omg"))
    plain = style.rates(tokens("I don't know the answer"))
    assert old["older words"] == pytest.approx(3 / 5) and plain["older words"] == 0
    assert sms["short messages"] == pytest.approx(4 / 6) and old["short messages"] == 0
    assert plain["contraction"] == pytest.approx(1 / 6) and sms["contraction"] == 0
    assert plain["closed class"] == pytest.approx(4 / 6)


def test_words_pairs_endings_and_rates_are_keys():
    keys = style.keys(tokens("he seeketh the lord"))
    assert {"word:he", "word:seeketh the", "ending:eth", "ending:th", "rate:older words 0"} <= keys
    assert not any(key.startswith("ending:he") for key in keys)


def test_spacing_and_case_never_enter():
    assert style.keys(tokens("HE'S GONE, AND?")) == style.keys(tokens("he 's gone , and ?"))


def test_an_empty_text_has_rates():
    assert style.rates([])["word length"] == 0
    assert all(key.startswith("rate:") for key in style.keys([]))
