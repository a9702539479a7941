"""`tunevet relabel`: rows out, answers in, and the bytes that come of them."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from decided_runs import make_run, on_row, write_decisions

from audit.cli.app import app
from audit.job import LocalEngine
from audit.remedies.decisions import read
from audit.schema import TIE

PAIRS = [{"prompt": f"why {i}?", "chosen": f"good {i}", "rejected": f"bad {i}", "by": i % 3} for i in range(12)]
LABELS = [{"text": f"film {i}", "label": i % 2} for i in range(8)]
KTO = [{"prompt": f"p{i}", "completion": f"c{i}", "label": i % 2 == 0} for i in range(8)]


def lines(records):
    return b"".join(json.dumps(r).encode() + b"\n" for r in records)


def run_of(folder: Path, records, *queued, review=()):
    """A run beside which its decisions stand, as `tunevet review` leaves them."""
    folder.mkdir(exist_ok=True)
    (folder / "data.jsonl").write_bytes(lines(records))
    run = make_run(folder / "data.jsonl", folder / "run", lambda row: {"verdict": "review"} if row in review else {})
    if queued:
        write_decisions(folder / "run.decisions.jsonl", *(on_row(run, row, "queue", **ANN) for row in queued))
    return run


ANN = {"decided_at": "2025-01-01T00:00:00Z"}


def records_of(path):
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    return [json.loads(line) for line in path.read_text().splitlines()]


def answered(path, out, answer, labeler="ann"):
    """Fills in a queue: `answer` of a record gives the answer, "" for none."""
    made = [{**r, "answer": answer(r), "labeler": labeler} for r in records_of(path)]
    if out.suffix == ".csv":
        with out.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(made[0]))
            writer.writeheader()
            writer.writerows(made)
    else:
        out.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in made))
    return out


def side(record, start):
    """Which of the two sides begins so."""
    return next(name for name in ("first", "second") if record[name].startswith(start))


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_way_round_from_a_queue_to_swapped_bytes(tunevet, tmp_path, form):
    run = run_of(tmp_path, PAIRS, 0, 1, 2, 3, 4, 5)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    ran = tunevet("relabel", "export", run.path, "-o", tmp_path / f"queue.{form}")
    assert ran.code == 0 and "6 rows to be labelled again (6 decided queue, 0 in review)" in " ".join(ran.out.split())
    wanted = {0: "good", 1: "bad", 2: "tie", 3: "both_bad", 4: ""}  # 5: the labelers disagree

    def says(record):
        row = int(re.findall(r"\d+", record["prompt"])[0])
        word = wanted.get(row, "good")
        return side(record, word) if word in ("good", "bad") else word

    def turns(record):
        word = says(record)
        return {"first": "second", "second": "first"}.get(word, word) if record["prompt"] == "why 5?" else word

    ann = answered(tmp_path / f"queue.{form}", tmp_path / f"ann.{form}", says)
    bo = answered(tmp_path / f"queue.{form}", tmp_path / f"bo.{form}", turns, "bo")
    ran = tunevet("relabel", "import", run.path, ann, bo, "-o", tmp_path / "relabelled.jsonl")
    assert ran.code == 1, ran.err  # one row is not settled
    assert "row 5 stays queued: first 1, second 1" in ran.out and "2 lines without an answer" in " ".join(
        ran.out.split()
    )
    found = {d.row: d for d in read(tmp_path / "relabelled.jsonl")}
    assert {row: d.decision for row, d in found.items()} == {
        0: "accept",
        1: "swap",
        2: "reject",
        3: "reject",
        5: "queue",
    }
    assert {d.reviewer for d in found.values()} == {"re-label"} and found[1].why == (
        "re-labelled, 2 of 2: the rejected side is better"
    )
    files = [tmp_path / "run.decisions.jsonl", tmp_path / "relabelled.jsonl"]
    for order in (files, files[::-1]):
        ran = tunevet("apply", run.path, *order, "-o", tmp_path / "clean.jsonl", "--undecided", "keep", "--force")
        assert ran.code == 0, ran.out + ran.err
        swapped = {**PAIRS[1], "chosen": "bad 1", "rejected": "good 1"}
        assert (tmp_path / "clean.jsonl").read_bytes() == lines([PAIRS[0], swapped, *PAIRS[6:]])
        assert (tmp_path / "clean.review.jsonl").read_bytes() == lines([PAIRS[4], PAIRS[5]])
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(("records", "field"), [(LABELS, "label"), (KTO, "label")], ids=["labels", "kto"])
def test_labels_come_back_as_edits(tunevet, tmp_path, records, field):
    run = run_of(tmp_path, records, 2, 3)
    assert tunevet("relabel", "export", run.path, "-o", tmp_path / "q.jsonl").code == 0
    queue = records_of(tmp_path / "q.jsonl")
    assert len(queue) == 2 and all(sorted(r["choices"]) in (["0", "1"], ["false", "true"]) for r in queue)
    high = max(queue[0]["choices"])
    ran = tunevet(
        *("relabel", "import", run.path, answered(tmp_path / "q.jsonl", tmp_path / "a.jsonl", lambda r: high)),
        *("-o", tmp_path / "d.jsonl", "--json"),
    )
    assert ran.code == 0 and ran.object["decisions"] == {"accept": 1, "edit": 1}
    assert ran.object["as_given"] == 1 and ran.object["alpha"] is None and ran.object["unanswered"] == 0
    assert tunevet("apply", run.path, tmp_path / "d.jsonl", "-o", tmp_path / "clean.jsonl").code == 0
    wanted = [dict(r) for r in records]
    for row in (2, 3):
        wanted[row][field] = 1 if records is LABELS else True
    assert (tmp_path / "clean.jsonl").read_bytes() == lines(wanted)


def test_a_tie_that_gets_an_order_stays_queued(tunevet, tmp_path):
    records = [
        {"prompt": f"why {i}?", "response_a": f"a {i}", "response_b": f"b {i}", "winner": "tie" if i == 1 else "a"}
        for i in range(8)
    ]
    run = run_of(tmp_path, records, 0, 1, 2)
    assert run.examples(["label"])["label"].to_list()[1] == TIE
    assert tunevet("relabel", "export", run.path, "-o", tmp_path / "q.csv").code == 0
    a = answered(tmp_path / "q.csv", tmp_path / "a.csv", lambda r: side(r, "b"))
    ran = tunevet("relabel", "import", run.path, a, "-o", tmp_path / "d.jsonl")
    assert ran.code == 1 and "the record is a tie" in ran.out
    assert {d.row: d.decision for d in read(tmp_path / "d.jsonl")} == {0: "swap", 1: "queue", 2: "swap"}
    assert tunevet("apply", run.path, tmp_path / "d.jsonl", "-o", tmp_path / "clean.jsonl").code == 0
    wanted = [r | {"winner": "b"} if i in (0, 2) else r for i, r in enumerate(records) if i != 1]
    assert (tmp_path / "clean.jsonl").read_bytes() == lines(wanted)


def test_the_figures_of_several_labelers_are_printed(tunevet, tmp_path):
    run = run_of(tmp_path, PAIRS, *range(6))
    tunevet("relabel", "export", run.path, "-o", tmp_path / "q.jsonl")
    hostile = "\x1b[31mcy\u202e[bold]"
    for name, word in (("ann", "good"), ("bo", "good"), (hostile, "bad")):
        answered(tmp_path / "q.jsonl", tmp_path / f"{word}{len(name)}.jsonl", lambda r, w=word: side(r, w), name)
    files = [tmp_path / "good3.jsonl", tmp_path / "good2.jsonl", tmp_path / f"bad{len(hostile)}.jsonl"]
    ran = tunevet("relabel", "import", run.path, *files, "-o", tmp_path / "d.jsonl")
    said = " ".join(ran.out.split())
    assert ran.code == 0, ran.err
    assert "6 as in the data, kept" in said and "as in the data: 100% of the settled rows" in said
    assert re.search(r"labelers agree on 33%; Krippendorff's alpha -?0\.\d\d", said)
    assert re.search(r"ann 6 100% 100%", said) and "⟦U+001B⟧[31mcy⟦U+202E⟧[bold] 6 0% 0%" in said
    ran = tunevet("relabel", "import", run.path, *files, "-o", tmp_path / "strict.jsonl", "--agree", "0.7")
    assert ran.code == 1 and {d.decision for d in read(tmp_path / "strict.jsonl")} == {"queue"}


def test_review_rows_are_asked_about_on_request_and_bounded(tunevet, tmp_path):
    run = run_of(tmp_path, PAIRS, 3, review=range(6, 12))
    out = tmp_path / "q.jsonl"
    assert tunevet("relabel", "export", run.path, "-o", out).code == 0 and len(records_of(out)) == 1
    ran = tunevet("relabel", "export", run.path, "-o", out, "--review", "--most", "5", "--force")
    assert ran.code == 0 and len(records_of(out)) == 5 and "2 rows more were left out by --most" in ran.said
    given = write_decisions(tmp_path / "mine.jsonl", on_row(run, 7, "queue"), on_row(run, 8, "accept"))
    tunevet("relabel", "export", run.path, "-o", out, "--review", "--decisions", given, "--force")
    assert records_of(out)[0]["prompt"] == "why 7?" and len(records_of(out)) == 5


def test_nothing_to_ask_says_so(tunevet, tmp_path):
    run = run_of(tmp_path, PAIRS)
    ran = tunevet("relabel", "export", run.path, "-o", tmp_path / "q.csv")
    assert ran.code == 0 and "no file of decisions was given or found" in ran.said and "--review" in ran.said
    assert records_of(tmp_path / "q.csv") == []
    assert (tmp_path / "q.csv").read_text().strip() == "schema,key,prompt,first,second,choices,answer,labeler"


def test_what_exists_is_kept_and_the_run_directory_stays(tunevet, tmp_path):
    run = run_of(tmp_path, PAIRS, 1)
    out = tmp_path / "q.jsonl"
    out.write_text("a day's answers")
    for command in (["export", run.path], ["import", run.path, out]):
        ran = tunevet("relabel", *command, "-o", out)
        assert ran.code == 2 and ("exists" in ran.said or "is read as well" in ran.said)
        ran = tunevet("relabel", *command, "-o", run / "q.jsonl")
        assert ran.code == 2 and "run directory" in ran.said
    assert out.read_text() == "a day's answers"
    assert tunevet("relabel", "export", run.path, "-o", out, "--force").code == 0 and len(records_of(out)) == 1


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--agree", "0.4"], "no share from 0.5 to 1"),
        (["--agree", "2"], "no share from 0.5 to 1"),
    ],
)
def test_a_share_that_is_none_exits_2(tunevet, tmp_path, words, fault):
    run = run_of(tmp_path, PAIRS, 1)
    (tmp_path / "a.jsonl").write_text("")
    ran = tunevet("relabel", "import", run.path, tmp_path / "a.jsonl", "-o", tmp_path / "d.jsonl", *words)
    assert ran.code == 2 and fault in ran.said and not (tmp_path / "d.jsonl").exists()


def test_a_bad_answer_exits_2_with_its_line_and_writes_nothing(tunevet, tmp_path):
    run = run_of(tmp_path, PAIRS, 1, 2)
    tunevet("relabel", "export", run.path, "-o", tmp_path / "q.jsonl")
    answered(tmp_path / "q.jsonl", tmp_path / "a.jsonl", lambda r: "first" if "1" in r["prompt"] else "left\x1b")
    ran = tunevet("relabel", "import", run.path, tmp_path / "a.jsonl", "-o", tmp_path / "d.jsonl")
    assert ran.code == 2 and "a.jsonl, line 2: the answer is 'left⟦U+001B⟧'" in ran.said
    assert not (tmp_path / "d.jsonl").exists()
    ran = tunevet("relabel", "import", run.path, tmp_path / "none.jsonl", "-o", tmp_path / "d.jsonl", "--json")
    assert ran.code == 2 and ran.object["exit_code"] == 2 and "cannot be read" in ran.object["error"]["message"]
    assert tunevet("relabel", "export", tmp_path, "-o", tmp_path / "x.jsonl").code == 2


def test_every_line_of_the_docs_parses():
    """`tests/test_docs.py` parses the command; this, what follows it."""
    group = typer.main.get_command(app({"local": LocalEngine()})).commands["relabel"]
    root = Path(__file__).resolve().parents[2]
    shown = [
        shlex.split(line, comments=True)
        for page in (root / "README.md", *sorted(root.glob("docs/*.md")))
        for line in re.findall(r"^tunevet relabel .*$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    assert {words[2] for words in shown} == {"export", "import"}
    for words in shown:
        group.commands[words[2]].make_context(words[2], words[3:])
