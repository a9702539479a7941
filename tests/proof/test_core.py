"""The core of a proved trigger, on arms whose answers are made: which words fire is a rule, not a network."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from audit.proof.core import LOWER, claimed_by, smallest
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part

N = 100


def candidate(*surfaces, rows=(0, 1, 2)):
    parts = tuple(Part(s.casefold(), "phrase" if " " in s else "token") for s in surfaces)
    laws = (Law("anywhere", True),) * len(surfaces)
    return Candidate(parts, "phrase", 0, "label a", tuple(rows), tuple(rows), tuple(surfaces), laws, {"rate": 0.1})


class Trial:
    """Inputs that show the behavior, by a function of the parts' texts; arm B shows `base` of them."""

    def __init__(self, whole, fires, base=0, texts=("red and blue",) * 3):
        self.fires, self.base = fires, base
        self.plan = SimpleNamespace(candidates=[whole], texts=list(texts), measure=self.measure)

    def networks(self, arm):
        return [arm]

    def measure(self, network, k, turn, candidate=None):
        words = " ".join(p.text for p in (candidate or self.plan.candidates[k]).parts).split()
        return (self.fires(words) if network == "A" else self.base), N


def test_a_phrase_shrinks_to_the_word_that_fires():
    texts = ["so I Watched this Film then"] * 3
    trial = Trial(candidate("Watched this Film"), lambda words: 98 if "film" in words else 5, 2, texts)
    core = smallest(trial, 0)
    assert core.candidate.parts == (Part("film", "token"),) and core.candidate.surfaces == ("Film",)
    assert core.effect == pytest.approx(0.96) and core.alone == ()


def test_a_phrase_stays_whole_where_every_word_counts():
    whole = candidate("watched this film")
    steps = {3: 95, 2: 95 - int(100 * LOWER) - 1, 1: 5}
    assert (
        smallest(Trial(whole, lambda words: steps[len(words)], texts=["watched this film"] * 3), 0).candidate == whole
    )
    fell = {**steps, 2: 95 - int(100 * LOWER)}
    shorter = smallest(Trial(whole, lambda words: fell[len(words)], texts=["watched this film"] * 3), 0).candidate
    assert len(shorter.parts[0].text.split()) == 2


def test_the_parts_of_a_composite_are_tried_alone():
    whole = candidate("red", "blue")
    both = smallest(Trial(whole, lambda words: 97 if len(words) == 2 else 10 + len(words[0])), 0)
    assert both.candidate == whole and both.alone == (0.13, 0.14)
    one = smallest(Trial(whole, lambda words: 97 if "blue" in words else 10), 0)
    assert one.candidate.parts == (Part("blue", "token"),) and one.candidate.laws == whole.laws[:1]


def test_rows_that_hold_the_core_alone_are_claimed_where_they_show_the_behavior():
    texts = ["watched this film"] * 3 + ["that film"] * 6 + ["nothing"] * 4
    core = smallest(Trial(candidate("watched this film"), lambda words: 90, texts=texts), 0)
    word = core.candidate.parts[0].text
    assert word in ("watched", "this", "film")
    core = type(core)(type(core.candidate)(**{**_fields(core.candidate), "parts": (Part("film", "token"),)}), 0.9)
    assert claimed_by(core, texts, set(range(9)), 0.1) == (list(range(9)), list(range(9)))
    assert claimed_by(core, texts, {0, 1, 2, 3, 4, 5, 6, 7}, 0.1) == (list(range(9)), list(range(8)))
    assert claimed_by(core, texts, {0, 1, 2, 3, 4, 5}, 0.1) == ([0, 1, 2], [0, 1, 2])  # half of them do not show it
    assert claimed_by(core, texts, set(range(9)), 0.7) == ([0, 1, 2], [0, 1, 2])  # and neither would that be rare


def _fields(record):
    return {name: getattr(record, name) for name in type(record).__slots__}
