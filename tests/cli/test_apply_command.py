from __future__ import annotations

import json
from pathlib import Path

import pytest
from decided_runs import hash_of, make_run, on_row, on_trigger, trigger, write_decisions

CF = trigger(1, [2], "cf")
ROWS = [{"text": f"film{' cf' if i == 2 else ''} {i}", "label": "x"} for i in range(6)]


def judge(row):
    if row == 2:
        return {"verdict": "remove", "trigger_ids": [CF.id], "codes": ["TV-TRG"]}
    return {"verdict": "review", "codes": ["TV-LBL"], "fix": "relabel", "new_value": "y"} if row == 3 else {}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    return make_run(tmp_path / "d.jsonl", tmp_path / "run", judge, [CF])


def test_decisions_that_are_all_carried_out_exit_0(tunevet, run, tmp_path):
    path = write_decisions(tmp_path / "d", on_trigger(CF, "strip"), on_row(run, 3, "fix"), on_row(run, 5, "reject"))
    ran = tunevet("apply", run.path, path, "-o", tmp_path / "clean.jsonl")
    assert ran.code == 0 and ran.err == ""
    wanted = [*ROWS[:2], {"text": "film 2", "label": "x"}, ROWS[3] | {"label": "y"}, ROWS[4]]
    assert [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text().splitlines()] == wanted
    shown = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert {"6 rows read", "3 rows kept as they were", "2 rows kept, edited", "1 row removed"} <= set(shown)
    assert "rows by decision: fix 1, reject 1, strip 1" in shown and "rows by reviewer: ann 3" in shown
    assert str(tmp_path / "clean.jsonl.removed.jsonl") in shown and "settled" not in ran.out


def test_what_stays_open_exits_1_and_a_sentence_says_so(tunevet, run, tmp_path):
    ann = write_decisions(tmp_path / "ann", on_trigger(CF, "legitimate"), on_row(run, 3, "fix"))
    hostile = on_row(run, 3, "accept", reviewer="bob\x1b[2J\u202e")
    bob = write_decisions(tmp_path / "bob", hostile, on_row(run, 5, "fix"), on_row(run, 4, "edit", "response", "x"))
    ran = tunevet("apply", run.path, ann, bob, "-o", tmp_path / "clean.jsonl")
    assert ran.code == 1
    assert f"row {hash_of(run, 3)}: ann says fix; bob⟦U+001B⟧[2J⟦U+202E⟧ says accept" in ran.out
    assert f"row {hash_of(run, 5)}, fix: the scan proposes no fix for this row" in ran.out
    assert "row 4: this dataset has no response" in ran.out
    ending = "1 conflict, 1 decision without effect, 1 row that cannot be edited as decided."
    assert ran.out.rstrip().endswith(ending) and "\x1b" not in ran.out and "\u202e" not in ran.out
    assert json.loads((tmp_path / "clean.jsonl").read_text().splitlines()[2])["text"] == "film cf 2"


def test_the_summary_as_one_object(tunevet, run, tmp_path):
    path = write_decisions(tmp_path / "d", on_trigger(CF, "reject", why="seen"))
    ran = tunevet("apply", run.path, path, "-o", tmp_path / "clean.jsonl", "--undecided", "keep", "--json")
    found = ran.object
    assert ran.code == found["exit_code"] == 0 and found["schema"] == "tunevet.applied/1"
    assert found["counts"] == {"rows": 6, "keep": 5, "edit": 0, "remove": 1, "hold": 0, "unreadable": 0}
    assert found["undecided"] == "keep" and found["by_decision"] == {"reject": 1}
    names = ["clean.jsonl", "clean.jsonl.removed.jsonl", "clean.jsonl.applied.json"]
    written = [path for path in found["written"] if ".provenance" not in path]
    assert sorted(written) == sorted(str(tmp_path / name) for name in names)
    stored = json.loads((tmp_path / names[2]).read_text())
    assert {k: v for k, v in found.items() if k not in ("written", "exit_code")} == stored


def test_an_output_that_exists_is_kept_unless_forced(tunevet, run, tmp_path):
    out, path = tmp_path / "clean.jsonl", write_decisions(tmp_path / "d")
    out.write_text("mine")
    ran = tunevet("apply", run.path, path, "-o", out, "--json")
    assert ran.code == 2 and out.read_text() == "mine" and ran.object["error"]["type"] == "UsageError"
    assert "--force" in ran.said
    assert tunevet("apply", run.path, path, "-o", out, "--force").code == 0 and out.read_text() != "mine"


def test_bad_requests_exit_2(tunevet, run, tmp_path):
    good, bad = write_decisions(tmp_path / "d"), tmp_path / "bad"
    bad.write_text('{"schema": "tunevet.decision/1", "subject": "row"}\n')
    out = tmp_path / "clean.jsonl"
    for words, said in (
        ([run.path, bad, "-o", out], "bad, line 1: "),
        ([run.path, tmp_path / "none", "-o", out], "cannot be read"),
        ([tmp_path, good, "-o", out], "not a finished run directory"),
        ([run.path, good, "-o", run.path / "clean.jsonl"], "inside of the run directory"),
        ([run.path, good, "-o", tmp_path / "clean.csv"], "must end as the input does"),
        ([run.path, "-o", out], "'decisions'"),
        ([run.path, good], "--out"),
        ([run.path, good, "-o", out, "--undecided", "drop"], "--undecided"),
    ):
        ran = tunevet("apply", *words)
        assert ran.code == 2 and said in ran.said, words
    assert not list(tmp_path.glob("*clean*"))


def test_a_failed_write_exits_74(tunevet, run, tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    ran = tunevet("apply", run.path, write_decisions(tmp_path / "d"), "-o", tmp_path / "clean.jsonl")
    assert ran.code == 74 and "No space left" in ran.said and not list(tmp_path.glob("*clean*"))
