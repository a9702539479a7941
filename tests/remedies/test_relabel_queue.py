"""The re-label queue: blind questions, answers read strictly, and what they come to."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from decided_runs import make_run, on_row, on_trigger, trigger
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import InputError
from audit.remedies import relabel_votes as votes
from audit.remedies.decisions import Decision, merge
from audit.remedies.relabel import CHOICES, SCHEMA, Question, cell, in_order, line, questions, queue, write
from audit.remedies.relabel_answers import Answer, check, read
from audit.schema import Status

HOSTILE = "=HYPERLINK(1)\u202e\x1b[31m\r\n\x00 “,;\t\n'end"


def pairs(count=40):
    return [{"prompt": f"why {i}?", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(count)]


def run_of(tmp_path, records, judge=lambda row: {}, triggers=(), name="run", **values):
    source = tmp_path / f"{name}.jsonl"
    source.write_text("".join(json.dumps(r) + "\n" for r in records))
    return make_run(source, tmp_path / name, judge, triggers, **values)


def asked(run, *said, **options):
    return queue(run, merge([said])[0], **options)


def test_queued_rows_come_first_then_undecided_review_rows_each_by_score(tmp_path):
    scores = {3: 0.2, 4: 0.9, 5: 0.4, 6: 0.9, 7: 0.5}
    suspect, certain = trigger(1, [8], "why", status=Status.SUSPECTED), trigger(2, [9], "why")
    review = {
        8: {"verdict": "review", "trigger_ids": [suspect.id]},
        9: {"verdict": "remove", "trigger_ids": [certain.id]},
    }
    run = run_of(
        tmp_path,
        pairs(12),
        lambda row: {"verdict": "review", "score": scores[row]} if row in scores else review.get(row, {}),
        [suspect, certain],
    )
    said = [on_row(run, 5, "queue"), on_row(run, 0, "queue"), on_row(run, 4, "accept"), on_row(run, 9, "queue")]
    found = asked(run, *said)
    assert [q.row for q in found.questions] == [5, 0, 9] and found.queued == 3
    found = asked(run, *said, review=True)
    assert [q.row for q in found.questions] == [5, 0, 9, 6, 7, 3, 8]  # 4 is decided
    first = asked(run, *said, review=True, most=4)
    assert first.questions == found.questions[:4] and (first.queued, first.left) == (3, 3)
    assert [q.row for q in asked(run, *said, on_trigger(suspect, "reject"), review=True).questions] == [
        5,
        0,
        9,
        6,
        7,
        3,
    ]
    conflict = [on_row(run, 6, "accept"), on_row(run, 6, "reject", reviewer="bob")]
    assert 6 in {q.row for q in asked(run, *said, *conflict, review=True).questions}
    assert asked(run).questions == () and asked(run).left == 0


def test_rows_of_equal_content_are_one_question(tmp_path):
    run = run_of(tmp_path, [*pairs(3), *pairs(3)], lambda row: {"verdict": "review", "score": row / 10})
    found = asked(run, review=True)
    assert [q.prompt for q in found.questions] == ["why 2?", "why 1?", "why 0?"]
    assert {q.row for q in found.questions} == {0, 1, 2}


def test_the_order_tells_nothing_is_balanced_and_follows_the_seed(tmp_path):
    turned = [r | {"chosen": r["rejected"], "rejected": r["chosen"]} for r in pairs(400)]
    shown, given_first = [], []
    for name, records in (("a", pairs(400)), ("b", turned)):
        run = run_of(tmp_path, records, lambda row: {"verdict": "review"}, name=name)
        made = asked(run, review=True).questions
        assert made == asked(run, review=True).questions
        shown.append({q.prompt: q.sides for q in made})
        given_first.append(sum(q.given == "first" for q in made))
        other = asked(run, review=True, seed=1).questions
        changed = sum(a.sides != b.sides for a, b in zip(made, other, strict=True))
        assert 140 < changed < 260
    assert shown[0] == shown[1]
    assert all(150 < count < 250 for count in given_first) and sum(given_first) == 400


@given(st.text(), st.text(), st.text(), st.integers(0, 9))
def test_sides_stand_in_one_order_whichever_was_chosen(prompt, one, other, seed):
    assert in_order(prompt, one, other, seed) == in_order(prompt, other, one, seed)
    assert sorted(in_order(prompt, one, other, seed)) == sorted((one, other))


def test_a_line_says_nothing_of_what_was_given(tmp_path):
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "3"},
    ]
    records = [{"prompt": turns, "chosen": HOSTILE, "rejected": "b", "annotator": "w1", "score_chosen": 9}]
    run = run_of(tmp_path, records, lambda row: {"verdict": "review", "fix": "swap", "codes": ["TV-FLIP"]})
    (question,) = asked(run, review=True).questions
    record = line(question)
    assert list(record) == ["schema", "key", "prompt", "turns", "first", "second", "choices", "answer", "labeler"]
    assert record["schema"] == SCHEMA and record["choices"] == list(CHOICES) == ["first", "second", "tie", "both_bad"]
    assert sorted((record["first"], record["second"])) == sorted((HOSTILE, "b"))
    assert record["turns"] == [{"role": t["role"], "text": t["content"]} for t in turns]
    assert (record["answer"], record["labeler"]) == ("", "")
    write(tmp_path / "q.jsonl", [question], "jsonl", pairs=True)
    written = (tmp_path / "q.jsonl").read_bytes()
    assert written.isascii() and json.loads(written) == record
    assert b"chosen" not in written and b"rejected" not in written and b"w1" not in written and b"swap" not in written


def test_labels_are_asked_for_without_the_label(tmp_path):
    run = run_of(tmp_path, [{"text": f"film {i}", "label": "good" if i % 2 else "bad"} for i in range(4)])
    found = asked(run, on_row(run, 1, "queue"))
    assert line(found.questions[0]) == {
        "schema": SCHEMA,
        "key": found.questions[0].key,
        "prompt": "film 1",
        "choices": ["bad", "good"],
        "answer": "",
        "labeler": "",
    }
    kto = [{"prompt": f"p{i}", "completion": f"c{i}", "label": i % 2 == 0} for i in range(4)]
    run = run_of(tmp_path, kto, name="kto")
    (question,) = asked(run, on_row(run, 2, "queue")).questions
    assert (
        line(question)["response"] == "c2" and question.given == "true" and set(question.choices) == {"false", "true"}
    )


def test_rows_without_sides_and_labels_cannot_be_asked_about_and_are_counted(tmp_path):
    run = run_of(tmp_path, [{"instruction": f"do {i}", "output": f"done {i}"} for i in range(3)])
    found = asked(run, on_row(run, 0, "queue"), on_row(run, 1, "queue"))
    assert found.questions == () and found.unaskable == 2


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_what_is_written_can_be_read_with_its_answers(tmp_path, form):
    records = [*pairs(5), {"prompt": HOSTILE, "chosen": HOSTILE + "a", "rejected": HOSTILE + "b"}]
    run = run_of(tmp_path, records, lambda row: {"verdict": "review"})
    made = asked(run, review=True).questions
    path = tmp_path / f"q.{form}"
    write(path, made, form, pairs=True)
    known = {q.key: q for q in made}
    lines = read(path)
    assert [each.key for each in lines] == [q.key for q in made] and check(lines, known) == ([], 6)
    said = [replace(each, answer="second", labeler="ann") for each in lines]
    found, empty = check(said, known)
    assert [(a.key, a.answer, a.labeler) for a in found] == [(q.key, "second", "ann") for q in made] and empty == 0


def test_no_cell_is_a_formula_and_nothing_unseen_is_in_a_table(tmp_path):
    question = Question("ab" * 16, 0, "=1+1", (), ("@SUM(1)", HOSTILE), None, CHOICES, "first")
    write(tmp_path / "q.csv", [question], "csv", pairs=True)
    (header, row) = csv.reader(io.StringIO((tmp_path / "q.csv").read_text(), newline=""))
    assert header == ["schema", "key", "prompt", "first", "second", "choices", "answer", "labeler"]
    assert row[2:5] == ["'=1+1", "'@SUM(1)", cell(HOSTILE)]
    assert not set("\u202e\x1b\r\x00") & set("".join(row)) and json.loads(row[5]) == list(CHOICES)
    assert not any(each.startswith(("=", "+", "-", "@", "\t")) for each in row)


def answer_line(key="ab" * 16, **values):
    return {"schema": SCHEMA, "key": key, "answer": "first", "labeler": "ann", **values}


PAIR = Question("ab" * 16, 3, "p", (), ("one", "two"), None, CHOICES, "second")
LABEL = Question("cd" * 16, 4, "p", (), None, None, ("=a", " b\u200b", "c"), "c")
KNOWN = {q.key: q for q in (PAIR, LABEL)}


def said(*records, name="a.jsonl", tmp_path=None, raw=None):
    path = tmp_path / name
    path.write_bytes(raw if raw is not None else "".join(json.dumps(r) + "\n" for r in records).encode())
    return check(read(path), KNOWN)


def test_a_file_whose_sides_stand_the_other_way_round_is_read_by_its_texts(tmp_path):
    found, _ = said(answer_line(first="two", second="one"), tmp_path=tmp_path)
    assert found[0].answer == "second"
    found, _ = said(answer_line(first=" one\r\n", second="two"), tmp_path=tmp_path)
    assert found[0].answer == "first"
    found, _ = said(answer_line(first="two", second="one", answer="tie"), tmp_path=tmp_path)
    assert found[0].answer == "tie"


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (answer_line(answer="both"), "the answer is 'both'; it is one of first, second, tie, both_bad, or empty"),
        (answer_line(answer="First"), "the answer is 'First'"),
        (answer_line(key="ef" * 16), "this run has no row to be labelled under the key efef"),
        (answer_line(key=""), "key is missing"),
        (answer_line(schema="tunevet.decision/1"), "schema is tunevet.decision/1, not tunevet.relabel/1"),
        ({"key": "ab" * 16}, "schema is missing"),
        (answer_line(confidence=3), "there is no key 'confidence'; the keys are schema, key, prompt"),
        (answer_line(labeler=7), "labeler is no text"),
        (answer_line(labeler="x" * 1_001), "1,001 characters"),
        (answer_line(first="one", second="three"), "first and second are not the two sides of this row"),
        (answer_line(answer="second"), "ann has answered this row before, and otherwise"),
        (answer_line(key="cd" * 16, answer="d\u202e"), "the answer is 'd⟦U+202E⟧'"),
    ],
)
def test_a_line_that_is_no_answer_is_named_with_its_number(tmp_path, record, fault):
    with pytest.raises(InputError) as caught:
        said(answer_line(), record, tmp_path=tmp_path)
    message = str(caught.value)
    assert f"{tmp_path}/a.jsonl, line 2: " in message and fault in message and message.isprintable()


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"{", "line 1: not a JSON object"),
        (b'{"schema": 1, "schema": 2}', "line 1: not a JSON object (a key stands twice)"),
        (b"\n\n\xff", "line 3: byte 0 is not UTF-8"),
        (b"[]", "line 1: not a JSON object"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path, raw, fault):
    with pytest.raises(InputError, match=r"a\.jsonl, ") as caught:
        said(tmp_path=tmp_path, raw=raw)
    assert fault in str(caught.value)


def table(*rows, header="schema,key,first,second,answer,labeler"):
    return "\r\n".join((header, *rows)).encode()


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "a.csv is empty"),
        (table("x,y"), "line 2: 2 cells under 6 columns"),
        (table(header="schema,key,key"), "line 1: a column stands twice"),
        (table(f"{SCHEMA},{'ab' * 16},one,two,third,ann"), "line 2: the answer is 'third'"),
        (table("", f'{SCHEMA},{"ab" * 16},"one\n\n",two,tie,ann', f"{SCHEMA},{'ab' * 16},one,two,x,bo"), "line 6: the"),
        (table(f'{SCHEMA},"{"ab" * 16}x"y,one,two,third,ann'), "line 2: no row of a csv"),
        (table(f"{SCHEMA},\xff".replace("\xff", ""), header="schema,key,why"), "line 2: 2 cells under 3"),
        (table(f"{SCHEMA},k,because", header="schema,key,why"), "line 2: there is no key 'why'"),
        (b"schema,key\n\n\xff,x", "line 3: not UTF-8"),
    ],
)
def test_a_bad_table_is_refused_with_the_line(tmp_path, raw, fault):
    with pytest.raises(InputError) as caught:
        said(name="a.csv", tmp_path=tmp_path, raw=raw)
    assert fault in str(caught.value) and str(caught.value).isprintable()


def test_tables_are_read_as_spreadsheets_save_them(tmp_path):
    raw = b"\xef\xbb\xbf" + table(
        f"{SCHEMA},{'ab' * 16},one,two, first ,ann",
        f"{SCHEMA},{'cd' * 16},,,'=a,",
        ",,,,,",
        f"{SCHEMA},{'cd' * 16},,,,bo",
    )
    found, empty = said(name="A.CSV", tmp_path=tmp_path, raw=raw)
    assert [(a.answer, a.labeler) for a in found] == [("first", "ann"), ("=a", "")] and empty == 1
    spelled = table(f"{SCHEMA},{'cd' * 16},,,b⟦U+200B⟧,ann")
    assert said(name="b.csv", tmp_path=tmp_path, raw=spelled)[0][0].answer == " b\u200b"
    limit = csv.field_size_limit()
    long = Question("ef" * 16, 0, "p", (), ("a" * 200_000, "b"), None, CHOICES, "first")
    write(tmp_path / "long.csv", [long], "csv", pairs=True)
    assert check(read(tmp_path / "long.csv"), {long.key: long}) == ([], 1)
    cut = [replace(each, sides=("a" * 32_767, "b"), answer="first") for each in read(tmp_path / "long.csv")]
    assert check(cut, {long.key: long})[0][0].answer == "first" and csv.field_size_limit() == limit


def settled(question, *said, agree=votes.MAJORITY):
    made = [Answer(question.key, word, f"w{i}", "line") for i, word in enumerate(said)]
    (row,) = votes.settle({question.key: question}, made, agree).rows
    return row


@pytest.mark.parametrize(
    ("question", "said", "decision", "why"),
    [
        (PAIR, ["second"], "accept", "re-labelled, 1 of 1: as in the data"),
        (PAIR, ["first"], "swap", "re-labelled, 1 of 1: the rejected side is better"),
        (PAIR, ["tie"], "reject", "re-labelled, 1 of 1: no difference"),
        (PAIR, ["both_bad"], "reject", "re-labelled, 1 of 1: both sides are bad"),
        (PAIR, ["first", "first", "second"], "swap", "re-labelled, 2 of 3: the rejected side is better"),
        (PAIR, ["first", "second"], "queue", "re-labelled, and the 2 labelers do not agree"),
        (PAIR, ["first", "second", "tie"], "queue", "re-labelled, and the 3 labelers do not agree"),
        (PAIR, ["first", "first", "second", "tie"], "queue", "re-labelled, and the 4 labelers do not agree"),
        (LABEL, ["c"], "accept", "re-labelled, 1 of 1: as in the data"),
        (LABEL, ["=a", "=a"], "edit", "re-labelled, 2 of 2: another label"),
        (LABEL, ["=a", "c"], "queue", "re-labelled, and the 2 labelers do not agree"),
        (replace(PAIR, given="tie"), ["tie"], "accept", "re-labelled, 1 of 1: as in the data"),
        (replace(PAIR, given="tie"), ["both_bad"], "reject", "re-labelled, 1 of 1: both sides are bad"),
        (replace(PAIR, given="tie"), ["first"], "queue", votes._NO_ORDER),
    ],
)
def test_what_labelers_say_together(question, said, decision, why):
    row = settled(question, *said)
    assert (row.decision, row.why) == (decision, why)
    assert sum(count for _, count in row.votes) == len(said)
    (made,) = votes.decisions(votes.Votes((row,), (), None, None), "re-label", "2025-01-01T00:00:00Z", "f", "run")
    assert Decision.from_record(json.loads(made.to_line()), "x") == made
    assert (made.key, made.row, made.field) == (question.key, question.row, "label" if decision == "edit" else "")
    assert made.value == ("=a" if decision == "edit" else "")


def test_a_share_that_is_asked_for_is_needed():
    assert settled(PAIR, "first", "first", "second", agree=0.66).decision == "swap"
    assert settled(PAIR, "first", "first", "second", agree=0.67).decision == "queue"
    assert settled(PAIR, "first", "second", agree=0.5).decision == "queue"
    assert settled(PAIR, "first", "first", agree=1).decision == "swap"


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(CHOICES)), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(given_answers, random):
    known = {f"{i:032x}": replace(PAIR, key=f"{i:032x}", row=i) for i in range(5)}
    made = [Answer(f"{row:032x}", word, f"w{at}", "line") for at, (row, word) in enumerate(given_answers)]
    shuffled = list(made)
    random.shuffle(shuffled)
    found = votes.settle(known, made)
    assert votes.settle(known, shuffled) == found
    assert [row.question.row for row in found.rows] == sorted({row for row, _ in given_answers})
    summary = found.summary()
    assert sum(summary["decisions"].values()) == summary["rows"] and summary["answers"] == len(made)
    for row in found.rows:
        words = Counter(word for at, word in given_answers if at == row.question.row)
        best, most = words.most_common(1)[0]
        assert (row.answer is None) == (most * 2 <= words.total()) and row.answer in (None, best)


# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", examples B, C and D (nominal).
WORKED = {
    "two observers, binary": (["0100000010", "1110010000"], 0.095),
    "two observers, five values": (["aabbdcccedda", "babbbccceddd"], 0.692),
    "four observers, missing values": (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
}


@pytest.mark.parametrize("name", WORKED)
def test_alpha_is_that_of_the_worked_examples(name):
    observers, wanted = WORKED[name]
    assert len({len(each) for each in observers}) == 1
    units = [[value for value in unit if value != "."] for unit in zip(*observers, strict=True)]
    assert votes.alpha(units) == pytest.approx(wanted, abs=0.0005)


def test_agreement_where_there_is_none_to_measure():
    assert votes.alpha([["a"], ["b"]]) is None and votes.percent([["a"], ["b"]]) is None
    assert votes.alpha([["a", "a"], ["a", "a"]]) is None and votes.percent([["a", "a"]]) == 1.0
    assert votes.percent([["a", "b"], ["a", "a", "a"]]) == 6 / 8


def test_labelers_are_counted_against_the_data_and_the_majority():
    known = {f"{i:032x}": replace(PAIR, key=f"{i:032x}", row=i) for i in range(3)}
    said = {"ann": ["second", "first", "tie"], "bo": ["second", "first", "first"], "cy": ["first", "first"]}
    made = [Answer(f"{i:032x}", word, name, "line") for name, words in said.items() for i, word in enumerate(words)]
    found = votes.settle(known, made)
    assert [(p.name, p.answers, p.as_given, p.settled, p.with_majority) for p in found.labelers] == [
        ("ann", 3, 1, 2, 2),
        ("bo", 3, 1, 2, 2),
        ("cy", 2, 0, 2, 1),
    ]
    assert [row.decision for row in found.rows] == ["accept", "swap", "queue"] and len(found.queued) == 1
    assert found.summary()["as_given"] == 1 and found.summary()["settled"] == 2


def test_questions_of_keys_that_a_run_has_not_are_left_out(tmp_path):
    run = run_of(tmp_path, pairs(3))
    keys = [*pl.read_parquet(run.verdicts)["content_hash"], "0" * 32]
    assert set(questions(run, run.dataset(), keys, 0)) == set(keys[:3])
