"""Further rounds: what is left after a removal is mined as a set of its own, and its positions are the run's."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import polars as pl

from audit.proof import rounds
from audit.rundir import Context
from audit.schema import NoProgress, Status, Trigger
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part


def trigger(pattern, rows, status=Status.CONFIRMED, **statistics):
    facts = {"hit_positions": list(rows), **statistics}
    return Trigger(pattern, pattern, [pattern], pattern, "token", str(status), list(rows), "b", 0, "b", facts)


def suspect(pattern, rows, suspected="because"):
    facts = {"suspected": suspected, "tail": -9.0}
    parts, laws = (Part(pattern, "token"),), (Law("anywhere", True),)
    return Candidate(parts, "token", 0, "b", tuple(rows), tuple(rows), (pattern,), laws, facts)


def run(monkeypatch, first, finds, prove):
    """Rounds over ten rows; `finds` are the candidates of each further round. Returns what came and all rows."""
    seen = []
    examples = pl.DataFrame({"row": range(100, 110)})
    ctx = Context(SimpleNamespace(examples=lambda: examples), SimpleNamespace(model=None), NoProgress())

    @contextmanager
    def scratch_run(ctx, name, kept, encoder):
        seen.append((name, kept["row"].to_list()))
        yield ctx

    monkeypatch.setattr(rounds, "scratch_run", scratch_run)
    monkeypatch.setattr(rounds, "Encoder", lambda settings: None)
    monkeypatch.setattr(rounds, "mined", lambda scratch: finds[len(seen) - 1])
    return rounds.again(ctx, first, prove), seen


def proved(scratch, candidates):
    return [trigger(c.pattern, c.carriers, unjudged=list(c.carriers[:1])) for c in candidates]


def test_nothing_is_mined_again_where_nothing_is_confirmed(monkeypatch):
    assert run(monkeypatch, [trigger("cf", [1], Status.SUSPECTED)], [], proved) == ([], [])


def test_the_rest_is_mined_until_nothing_new_is_confirmed(monkeypatch):
    first = [trigger("cf", [0, 2]), trigger("mn", [9], Status.SUSPECTED)]
    finds = [[suspect("bb", [0, 1]), suspect("mn", [7]), suspect("xx", [5], "")], [suspect("bb", [0])]]
    found, seen = run(monkeypatch, first, finds, proved)
    assert [t.pattern for t in found] == ["bb"]  # known ones and such as mining does not suspect are left out
    assert found[0].rows == found[0].statistics["hit_positions"] == [1, 3] and found[0].statistics["unjudged"] == [1]
    assert found[0].statistics["round"] == 2
    gone = [[100, 102], [100, 101, 102, 103]]
    assert seen == [
        (f"round-{n}", [r for r in range(100, 110) if r not in out]) for n, out in zip((2, 3), gone, strict=True)
    ]


def test_rounds_end(monkeypatch):
    names = iter("abcdefg")

    def endless(scratch, candidates):
        return [trigger(next(names), [0])]

    found, seen = run(monkeypatch, [trigger("cf", [9])], [[suspect(str(i), [0])] for i in range(9)], endless)
    assert len(found) == len(seen) == rounds.MOST - 1
