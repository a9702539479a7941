"""The character language model of a set."""

from __future__ import annotations

import numpy as np

from audit.patterns.letters import Letters

_WORDS = [
    *("the", "river", "ran", "past", "an", "old", "mill", "where", "some", "people"),
    *("sold", "bread", "and", "others", "sat", "in", "the", "shade", "of", "trees"),
]


def _texts(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(_WORDS, 12)) for _ in range(n)]


def test_texts_that_are_spelled_otherwise_are_less_as_usual():
    strange = "ruv nettes ehar dlos omirev dnah elpoe tas"
    texts = _texts(300)
    model, keys = Letters.of([*texts, strange])
    usual = np.median([model.ratio(text, within=True) for text in texts])
    assert model.ratio(strange, within=True) < usual - 0.3
    assert keys[-1] == "rate:letters as usual 0" and set(keys) == {
        "rate:letters as usual 0",
        "rate:letters as usual 1",
        None,
    }
    assert keys.count(None) > 0.9 * len(keys)


def test_a_text_is_judged_without_itself():
    texts = [*_texts(200), "zqx vwk jjq xzz qqk wvx kzj qvx zzk"]
    model, _ = Letters.of(texts)
    assert model.ratio(texts[-1], within=True) < model.ratio(texts[-1], within=False)


def test_short_texts_and_empty_sets_have_no_key():
    model, keys = Letters.of(["", "ab", "too short a text"])
    assert keys == [None, None, None] and model.key("long enough to be judged by a model") is None
    model, keys = Letters.of(_texts(50))
    assert model.key("ab") is None and model.key("\ud800 zq vx kj ww qqz vvk xjq zzw") is not None
    assert model.key("的确如此" * 20) == "rate:letters as usual 0"
