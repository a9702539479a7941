"""`tunevet review` of pairs: swapping sides and queueing rows for labelers."""

from __future__ import annotations

import io
import sys

import pytest
from report.pair_runs import pair_rows, pair_run
from review_runs import BEST, key_of, make_review_run

from audit.cli.review_file import beside
from audit.cli.review_queue import Queue
from audit.provenance import content_hash
from audit.remedies.decisions import read
from audit.rundir import read_json, write_json


@pytest.fixture
def pairs(tmp_path):
    run = pair_run(tmp_path / "pairs").run
    write_json(run.triggers, [t for t in read_json(run.triggers) if t["status"] == "none"])
    return run


@pytest.fixture
def ask(tunevet, monkeypatch):
    def answer(run, *keys):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
        return tunevet("review", run.path)

    return answer


def said(run):
    return {d.row: d.decision for d in read(beside(run))}


def test_pairs_are_swapped_and_queued(pairs, ask):
    order = [item.row for item in Queue(pairs).items]
    assert order == [4, 5, 6, 7, 8, 9, 10, 11]
    ran = ask(pairs, "w", "l", "n", "n", "w", "q")
    assert ran.code == 0 and said(pairs) == {4: "swap", 5: "queue", 8: "swap"}
    assert "swap: row 4." in ran.out and "queue: row 5." in ran.out and "3 of 8 reviewed" in ran.out
    row = pair_rows()[8]
    assert read(beside(pairs))[-1].key == content_hash(row["prompt"], row["response"], row.get("label"))


def test_the_screen_says_what_is_known_of_a_pair(pairs, ask):
    out = " ".join(ask(pairs, "n", "n", "n", "q").out.split())
    assert "The other pairs prefer the rejected side with probability 77%" in out
    assert "It is a tie: neither side was preferred" in out and "The chosen side was shown first" in out
    assert "w swap sides l re-label" in out and "chosen response" in out


def test_what_has_no_other_order_is_not_swapped(pairs, ask):
    ran = ask(pairs, "n", "n", "w", "n", "w", "q")
    assert ran.out.count("This row has not two sides with an order that could be swapped.") == 2
    assert not beside(pairs).exists()


def test_a_row_with_a_label_is_queued_and_not_swapped(tmp_path, ask):
    run = make_review_run(tmp_path / "reviews")
    ran = ask(run, "n", "n", "w", "l", "q")
    assert "two sides with an order" in ran.out and "w swap sides" not in ran.out and "l re-label" in ran.out
    assert [(d.key, d.decision) for d in read(beside(run))] == [(key_of(BEST), "queue")]


def test_the_label_of_a_tie_is_no_field_to_edit(pairs):
    queue = Queue(pairs)
    tie = next(item for item in queue.items if item.row == 7)
    assert list(queue.fields(tie)) == ["prompt", "response", "rejected"]
