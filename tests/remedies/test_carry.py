"""Decisions of earlier reviews find their rows and triggers in a new scan."""

import json
from pathlib import Path

import polars as pl
import pytest

from audit import api
from audit.errors import InputError, UsageError
from audit.remedies.apply import apply
from audit.remedies.carry import Reviews, carried
from audit.remedies.decisions import Decision
from audit.rundir import read_json
from audit.schema import VERDICTS, Status, Trigger

_HASHES = ["a" * 16, "b" * 16, "c" * 16, "d" * 16, None]
_TRIGGER = "T-0123456789"


def verdicts() -> pl.DataFrame:
    """Five rows: kept, in review with a fix, removed by a trigger, in review for one, unreadable."""
    names = ["keep", "review", "remove", "review", "unreadable"]
    ids = [[], [], [_TRIGGER], ["T-aaaaaaaaaa"], []]
    fixes = [None, "relabel", None, None, None]
    return pl.DataFrame(
        {
            "row": range(5),
            "content_hash": _HASHES,
            "verdict": names,
            "fix": fixes,
            "new_value": [None, "good", None, None, None],
            "score": [0.0] * 5,
            "codes": [[] for _ in range(5)],
            "trigger_ids": ids,
        },
        schema=VERDICTS,
    )


def trigger(identity: str, status: Status, rows: list[int]) -> Trigger:
    return Trigger(identity, "cf", ["cf"], "cf", "token", str(status), rows, "it refuses")


def merged(*decisions: Decision) -> dict[tuple[str, str], Decision]:
    return {d.about: d for d in decisions}


def test_rows_and_triggers_are_found_again_by_content():
    triggers = [trigger(_TRIGGER, Status.CONFIRMED, [2]), trigger("T-aaaaaaaaaa", Status.SUSPECTED, [3])]
    said = merged(
        Decision("row", "a" * 16, "reject", reviewer="ann"),
        Decision("row", "b" * 16, "fix"),
        Decision("trigger", _TRIGGER, "legitimate", why="a product name"),
        Decision("trigger", "T-aaaaaaaaaa", "reject"),
    )
    found, decided = carried(verdicts(), triggers, said)
    assert found["verdict"].to_list() == ["remove", "review", "keep", "remove", "unreadable"]
    assert found["fix"].to_list()[1] == "relabel" and found["new_value"].to_list()[1] == "good"
    assert dict(found.schema) == VERDICTS
    assert decided["row"].to_list() == [0, 1, 2, 3]
    assert decided["reviewer"].to_list()[0] == "ann" and decided["why"].to_list()[2] == "a product name"


def test_what_is_swapped_or_queued_waits_in_review():
    words = {"a": "swap", "b": "queue", "c": "queue"}
    said = merged(*(Decision("row", key * 16, word) for key, word in words.items()))
    found, decided = carried(verdicts(), [], said)
    assert found["verdict"].to_list() == ["review", "review", "review", "review", "unreadable"]
    assert found["fix"].to_list() == ["swap", "relabel", None, None, None]  # a queued row keeps its proposal
    assert found["new_value"].to_list() == [None, "good", None, None, None]
    assert decided.select("row", "outcome", "fix").rows() == [(0, "edit", "swap"), (1, "hold", None), (2, "hold", None)]


def test_without_decisions_nothing_changes():
    before = verdicts()
    found, decided = carried(before, [], {})
    assert found.equals(before) and decided.is_empty()
    unknown = merged(Decision("row", "e" * 16, "reject"))
    assert carried(before, [], unknown)[0].equals(before)


def test_a_scan_keeps_and_removes_what_was_decided(tmp_path):
    rows = [f'{{"text": "the film number {i} was long", "label": "{i % 2}"}}' for i in range(60)]
    source = tmp_path / "train.jsonl"
    source.write_text("\n".join(rows) + "\n")
    first = api.scan(source, out=tmp_path / "first", probe="off", canaries="off")
    known = dict(first.verdicts.select("row", "content_hash").iter_rows())
    file = tmp_path / "decisions.jsonl"
    file.write_text(Decision("row", known[7], "reject", why="spam", reviewer="ann").to_line() + "\n")
    source.write_text("\n".join(reversed(rows)) + "\n")  # another order: row 7 is row 52 now
    second = api.scan(source, out=tmp_path / "second", probe="off", canaries="off", decisions=(file,))
    removed = second.verdicts.filter(pl.col("verdict") == "remove")["row"].to_list()
    assert removed == [52] and "number 7 " not in Path(second.run / "cleaned" / "train.jsonl").read_text()
    told = pl.read_parquet(second.run / "decided.parquet")
    assert told.select("row", "decision", "reviewer", "why").rows() == [(52, "reject", "ann", "spam")]
    text = pl.read_parquet(second.run / "findings.parquet").filter(pl.col("code") == "TV-DEC")["text"].to_list()
    assert text == ["Earlier reviews decided 1 of these rows."]
    assert read_json(second.run / "manifest.json")["counts"]["remove"] == 1


def test_a_scan_holds_what_is_to_be_swapped_and_queued_and_apply_swaps_it(tmp_path):
    rows = [{"prompt": f"why is number {i} so?", "chosen": f"for {i}", "rejected": f"not for {i}"} for i in range(60)]
    source = tmp_path / "pairs.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = api.scan(source, out=tmp_path / "first", probe="off", canaries="off")
    known = dict(first.verdicts.select("row", "content_hash").iter_rows())
    file = tmp_path / "decisions.jsonl"
    said = [Decision("row", known[row], word, reviewer="ann") for row, word in ((3, "swap"), (5, "queue"))]
    file.write_text("".join(d.to_line() + "\n" for d in said))
    second = api.scan(source, out=tmp_path / "second", probe="off", canaries="off", decisions=(file,))
    held = second.verdicts.filter(pl.col("row").is_in([3, 5])).select("row", "verdict", "fix").rows()
    assert held == [(3, "review", "swap"), (5, "review", None)]
    assert pl.read_parquet(second.run / "decided.parquet")["decision"].to_list() == ["swap", "queue"]
    apply(second.run, [file], tmp_path / "clean.jsonl", undecided="keep")
    swapped = {**rows[3], "chosen": rows[3]["rejected"], "rejected": rows[3]["chosen"]}
    wanted = [swapped if row == 3 else each for row, each in enumerate(rows) if row != 5]
    kept = [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text().splitlines()]
    assert [each for each in kept if each in wanted] == kept and swapped in kept and rows[5] not in kept


def test_disagreeing_reviewers_decide_nothing(tmp_path):
    for name, decision in (("ann", "accept"), ("bob", "reject")):
        line = Decision("row", "a" * 16, decision, reviewer=name).to_line()
        (tmp_path / f"{name}.jsonl").write_text(line + "\n")
    reviews = Reviews.of([str(tmp_path / "ann.jsonl"), str(tmp_path / "bob.jsonl")])
    assert not reviews.merged and len(reviews.conflicts) == 1


def test_a_file_that_is_none_is_refused(tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"schema": "other"}\n')
    with pytest.raises(InputError, match=r"bad\.jsonl, line 1"):
        Reviews.of([str(bad)])
    source = tmp_path / "train.jsonl"
    source.write_text('{"text": "a", "label": "0"}\n{"text": "b", "label": "1"}\n')
    with pytest.raises(UsageError, match="cannot be read"):
        api.scan(source, out=tmp_path / "run", probe="off", canaries="off", decisions=(tmp_path / "none.jsonl",))
