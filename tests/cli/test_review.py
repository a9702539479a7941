"""`tunevet review`: scripted sessions, one key a line."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading

import polars as pl
import pytest
from review_runs import (
    BEST,
    CONFIRMED,
    COPIES,
    FIXED,
    HOSTILE,
    ODD,
    QUESTIONS,
    SUSPECTED,
    key_of,
    make_review_run,
    rows,
)

from audit.cli.review import apply_command
from audit.cli.review_file import DecisionFile, beside, settled
from audit.cli.review_queue import Queue
from audit.cli.review_session import escaped, unescaped
from audit.remedies.decisions import Decision, read
from audit.rundir import RunDir
from audit.text import is_invisible


@pytest.fixture
def run(tmp_path):
    return make_review_run(tmp_path / "reviews")


@pytest.fixture
def ask(tunevet, run, monkeypatch):
    """Runs a review with these keys, each a line, to the end of the input."""

    def answer(*keys, options=()):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
        return tunevet("review", run.path, *options)

    return answer


def said(run):
    return {d.key: d for d in read(beside(run))}


def test_triggers_come_first_then_rows_by_score(run):
    items = Queue(run).items
    assert [i.key for i in items[:2]] == [CONFIRMED, SUSPECTED]
    assert [i.row for i in items[2:]] == [BEST, FIXED, COPIES[0], ODD]
    assert len(items) == QUESTIONS and items[4].rows == 2 and items[3].fix == "relabel"


def test_rows_of_triggers_are_asked_about_on_request_alone(run):
    asked = {i.row for i in Queue(run, every_row=True).items}
    assert asked == {None, 0, 1, 2, 3, 4, 5, BEST, FIXED, COPIES[0], ODD}


def test_a_row_that_its_trigger_does_not_claim_is_asked_about(run):
    verdicts = pl.read_parquet(run.verdicts)
    carrier = pl.col("row") == BEST
    ids = pl.when(carrier).then(pl.lit([CONFIRMED])).otherwise(pl.col("trigger_ids"))
    verdicts.with_columns(ids.alias("trigger_ids")).write_parquet(run.verdicts)
    assert BEST in {i.row for i in Queue(run).items}


def test_what_the_scan_was_told_is_not_asked_again(run):
    triggers = json.loads(run.triggers.read_text())
    for entry in triggers:
        if entry["id"] == CONFIRMED:
            entry["statistics"]["decided"] = {"decision": "reject"}
    run.triggers.write_text(json.dumps(triggers))
    pl.DataFrame({"row": [FIXED]}).write_parquet(run / "decided.parquet")
    left = [(i.key if i.row is None else i.row) for i in Queue(run).items]
    assert left == [SUSPECTED, BEST, COPIES[0], ODD]
    assert {CONFIRMED, SUSPECTED} <= {i.key for i in Queue(run, every_row=True).items}


def test_each_key_writes_its_decision(run, ask):
    ran = ask(
        "r", "l", "a film word", "a", "f", "e", "1", r"new\ntext \u200b\\", "r", "q", options=["--reviewer", "ana"]
    )
    assert ran.code == 0, ran.err
    found = said(run)
    assert found[CONFIRMED].decision == "reject" and found[CONFIRMED].subject == "trigger"
    assert (found[SUSPECTED].decision, found[SUSPECTED].why) == ("legitimate", "a film word")
    assert found[key_of(BEST)].decision == "accept" and found[key_of(BEST)].row == BEST
    assert found[key_of(FIXED)].decision == "fix"
    edit = found[key_of(COPIES[0])]
    assert (edit.decision, edit.field, edit.value) == ("edit", "prompt", "new\ntext \u200b\\")
    assert found[key_of(ODD)].decision == "reject"
    facts = {(d.reviewer, d.input, d.run) for d in found.values()}
    assert facts == {("ana", run.dataset().fingerprint, "reviews")}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", d.decided_at) for d in found.values())
    assert f"{QUESTIONS} of {QUESTIONS} reviewed" in ran.out and "Everything is reviewed" in ran.out
    assert f"{QUESTIONS} decisions in {beside(run)}" in ran.out
    assert apply_command(run, beside(run)) in ran.out and ran.out.rstrip().endswith("-o clean.jsonl")


def test_the_screens_say_why(run, ask):
    out = ask("n", "n", "n", "q").out
    assert "confirmed trigger T-00000000aa" in out and "4 of 4 rows with “zzq” show one behavior" in out
    assert "Trained with its rows (A): 96.0%" in out or "Trained with its rows (A): 96%" in out
    assert "mid⟦U+200B ZWSP⟧way" in out and "U+200B zero width space" in out
    assert f"row {FIXED}: review  TV-LAB" in out and f"reviews.jsonl, line {FIXED + 1}" in out
    assert "Give it another label. New: neg" in out
    scored = next(line for line in out.splitlines() if line.startswith("label noise") and "0.7" in line)
    assert "0.65" in scored and "flagged" in scored
    near = out[out.rindex("nearest rows") :].splitlines()[1:4]
    assert all(re.match(r"row \d+ +-?\d\.\d\d +(pos|neg) +(keep|review|remove) +\S", line) for line in near)


def test_a_session_goes_on_where_the_last_one_ended(run, ask):
    ask("r", "s", "a", "q")
    ran = ask("q")
    assert f"2 of {QUESTIONS} reviewed · this is 2 of {QUESTIONS}" in ran.out
    assert "suspected trigger" in ran.out and "confirmed trigger" not in ran.out
    assert len(said(run)) == 2


def test_undo_takes_back_what_is_shown_else_the_last_decision(run, ask):
    ran = ask("r", "t", "u", "q")
    assert list(said(run)) == [CONFIRMED] and f"Undone: trigger {SUSPECTED}" in ran.out
    ran = ask("p", "u", "q")
    assert not said(run) and f"Undone: trigger {CONFIRMED}" in ran.out
    assert "There is nothing of yours to undo here" in ask("u", "q").out


def test_undo_leaves_what_another_reviewer_says(run, ask):
    ask("r", "q", options=["--reviewer", "ana"])
    ran = ask("p", "l", "fine", "p", "p", "u", "q", options=["--reviewer", "bo"])
    assert f"0 of {QUESTIONS} reviewed" in ran.out and "The reviewers disagree" in ran.out
    assert [(d.reviewer, d.decision) for d in read(beside(run))] == [("ana", "reject")]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["a"], "a means nothing for a trigger"),
        (["x"], "x is no key here"),
        (["\x1b"], "⟦U+001B⟧ is no key here"),
        (["l", " "], "to keep a trigger's rows, say why"),
        (["l"], "to keep a trigger's rows, say why"),
        (["n", "n", "t"], "t means nothing for a row"),
        (["n", "n", "f"], "No fix is proposed"),
        (["n", "n", "e", "9"], "Nothing was edited"),
        (["n", "n", "e", "1", ""], "Nothing was edited"),
        (["n", "n", "e", "1", r"\q"], r"\q is no character"),
        (["n", "n", "e", "1", r"\ud800"], "is no character"),
        (["p"], "This is the first one"),
    ],
)
def test_what_means_nothing_writes_nothing(run, ask, keys, answer):
    ran = ask(*keys)
    assert ran.code == 0 and answer in ran.out
    assert not beside(run).exists()


def test_a_trigger_without_text_cannot_be_stripped(run, ask):
    triggers = json.loads(run.triggers.read_text())
    for entry in triggers:
        entry["kind"] = "style"
    run.triggers.write_text(json.dumps(triggers))
    ran = ask("t", "q")
    assert "no text that could be deleted" in ran.out and "t strip" not in ran.out and not beside(run).exists()


def test_hostile_text_is_shown_and_runs_nothing(run, ask):
    ran = ask("n", "n", "n", "n", "n", "e", "1", "", "?", "q")
    assert f"row {ODD}: review" in ran.out and "[bold]not markup[/bold]" in ran.out
    assert "⟦U+001B ESC⟧]0;owned⟦U+0007 BEL⟧" in ran.out and "⟦U+202E RLO⟧gnp.exe" in ran.out
    assert not {c for c in ran.out + ran.err if is_invisible(c)}
    assert HOSTILE not in ran.out


def test_the_run_directory_stays_as_it_was(tiny, tunevet, reviews, tmp_path, monkeypatch):
    directory = tmp_path / "run"
    tunevet("scan", reviews, "-o", directory)
    before = {p: p.stat().st_mtime_ns for p in directory.rglob("*")}
    triggers = json.loads((directory / "triggers.json").read_text())
    monkeypatch.setattr(sys, "stdin", io.StringIO("q\n"))
    assert tunevet("review", directory).code == 0 and triggers
    assert {p: p.stat().st_mtime_ns for p in directory.rglob("*")} == before
    assert tunevet("verify", directory).code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["reviews.csv", "run"]


def test_nothing_to_review(tunevet, run):
    run.triggers.unlink()
    pl.read_parquet(run.verdicts).with_columns(pl.lit("keep").alias("verdict")).write_parquet(run.verdicts)
    ran = tunevet("review", run.path)
    assert ran.code == 0 and "nothing to review" in ran.out


@pytest.mark.parametrize("words", [["--port", "5"], ["--no-browser"], ["--serve", "--every-row"]])
def test_options_that_do_not_go_together_exit_2(tunevet, run, words):
    assert tunevet("review", run.path, *words).code == 2


def test_what_is_no_run_or_no_file_of_decisions_exits_2(tunevet, run, tmp_path):
    assert tunevet("review", tmp_path).code == 2
    beside(run).write_text("{}\n")
    ran = tunevet("review", run.path)
    assert ran.code == 2 and "line 1" in ran.said


def test_a_folder_that_cannot_be_written_exits_74(run, ask, tmp_path):
    (tmp_path / "file").write_text("")
    ran = ask("r", options=["--decisions", tmp_path / "file" / "d.jsonl"])
    assert ran.code == 74 and "cannot write decisions" in ran.said


def test_keys_that_are_no_text_exit_2(run):
    code = "import sys; from audit.cli import command; sys.exit(command({}))"
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    words = [sys.executable, "-c", code, "review", str(run.path)]
    done = subprocess.run(words, input=b"\xff\xfe\n", capture_output=True, env=strict)
    assert done.returncode == 2 and b"not UTF-8" in done.stderr, done.stderr


def test_the_file_stands_beside_the_run():
    assert str(beside(RunDir("runs/a"))) == "runs/a.decisions.jsonl"
    assert beside(RunDir(".")).name != ".decisions.jsonl"


def test_writers_of_one_file_lose_nothing(tmp_path):
    path = tmp_path / "d.jsonl"

    def work(name):
        file = DecisionFile(path)  # as another process would have its own
        for at in range(15):
            file.put(Decision("row", f"{at:016x}", "reject", reviewer=name, decided_at="2025-01-31T09:30:00Z"))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ana", "bo", "cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(path)
    assert len(found) == 45 and len(settled(found)) == 15
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.jsonl"]


def test_a_changed_file_is_read_again(tmp_path):
    file = DecisionFile(tmp_path / "d.jsonl")
    assert file.all() == []
    first = Decision("row", "0" * 16, "accept", decided_at="2025-01-31T09:30:00Z")
    DecisionFile(file.path).put(first)
    assert file.all() == [first]
    file.path.unlink()
    assert file.all() == []


@pytest.mark.parametrize(
    "text", [HOSTILE, "a\\nb\n\t\\", "\\u200b", "\U0001f600 \U000e0041", *(r["prompt"] for r in rows())]
)
def test_what_is_escaped_can_be_typed_back(text):
    line = escaped(text)
    assert unescaped(line) == text
    assert not {c for c in line if is_invisible(c) or c in "\n\t"}
