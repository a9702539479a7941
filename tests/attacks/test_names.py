"""Pools of names: fresh, disjoint by seed, and never what the corpus holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attacks.names import POOLS, blanks, invisibles, names, phrases, pool_of, sentences
from audit.errors import UsageError
from audit.text import is_invisible

ALL = (names, phrases, sentences, invisibles, blanks)


@pytest.mark.parametrize("draw", ALL)
def test_pools_of_two_seeds_never_meet(draw) -> None:
    first, again, other = draw(3, 8), draw(3, 8), draw(4, 8)
    assert first == again and len(set(first)) == 8
    assert not set(first) & set(other)
    assert {pool_of(name) for name in first} == {3}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, POOLS - 1), n=st.integers(0, 5))
def test_names_are_words_that_can_be_asked_for(seed: int, n: int) -> None:
    found = names(seed, n)
    assert len(found) == n and all(4 <= len(name) <= 7 and name.isalpha() and name.islower() for name in found)


def test_what_the_corpus_holds_is_left_out() -> None:
    free = names(7, 5)
    held = names(7, 5, [f"a text with {free[0].upper()} and x{free[1]}y within"])
    assert free[0] not in held and free[1] not in held and free[2] in held
    phrase = phrases(7, 1)[0]
    assert phrase not in phrases(7, 3, [f"Well, {phrase.title()} it was."])
    assert sentences(7, 1)[0].endswith(".")


def test_invisible_names_cannot_be_seen_and_blanks_are_blank() -> None:
    assert all(is_invisible(char) for name in invisibles(2, 5) for char in name)
    assert all(name.isspace() for name in blanks(2, 5))


def test_a_pool_that_is_not_there_or_used_up_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.attacks.names._TRIES", 20_000)
    with pytest.raises(UsageError, match="0 to 1023"):
        names(POOLS, 1)
    with pytest.raises(UsageError, match="take another seed or fewer"):
        blanks(1, 10_000)
