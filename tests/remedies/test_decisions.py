from __future__ import annotations

import json
import re
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import InputError
from audit.remedies import decisions
from audit.remedies.decisions import DECISIONS, FIELDS, SCHEMA, Decision, merge, read
from audit.remedies.resolve import RESOLVED, Outcome, resolve
from audit.schema import VERDICTS, Status, Trigger

HASH = "0123456789abcdef0123456789abcdef"
ID = "T-0123456789"
GOOD = {"schema": SCHEMA, "subject": "row", "key": HASH, "decision": "accept"}


def line(**values):
    return json.dumps({**GOOD, **values})


times = st.sampled_from(["", "2025-01-01T00:00:00Z", "2025-01-01T00:00:01Z", "2026-12-31T23:59:59Z"])
no_surrogates = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def any_decision(draw, rows=(HASH,), ids=(ID,), reviewers=("", "ann", "bob")):
    subject = draw(st.sampled_from(["row", "trigger"]))
    word = draw(st.sampled_from(DECISIONS[subject]))
    edit = word == "edit"
    return Decision(
        subject,
        draw(st.sampled_from(rows if subject == "row" else ids)),
        word,
        draw(st.sampled_from(FIELDS)) if edit else "",
        draw(no_surrogates) if edit else "",
        draw(no_surrogates) + "because" if word == "legitimate" else draw(no_surrogates),
        draw(st.sampled_from(reviewers)),
        draw(times),
        draw(st.none() | st.integers(0, 10**12)),
        draw(no_surrogates),
        draw(no_surrogates),
        draw(no_surrogates),
    )


@given(any_decision())
def test_a_line_is_read_back_as_the_decision_it_was(decision):
    text = decision.to_line()
    assert "\n" not in text and Decision.from_record(json.loads(text), "x") == decision
    order = ["schema", "subject", "key", "decision", "field", "value", "why", "reviewer", "decided_at"]
    order += ["row", "pattern", "input", "run"]
    keys = list(json.loads(text))
    assert keys == [name for name in order if name in keys]
    assert ("value" in keys) == (decision.decision == "edit")


def test_a_file_is_read_in_order_whatever_its_lines_end_with(tmp_path):
    path = tmp_path / "d.jsonl"
    edit = Decision("row", HASH, "edit", "response", "a\u2028b\x1b[31m\u202e<script>", reviewer="ünï", row=3)
    text = f"\ufeff{line()}\r\n\n  \n{edit.to_line()}\n{line(decision='reject')}"
    path.write_bytes(text.encode())
    found = read(path)
    assert [d.decision for d in found] == ["accept", "edit", "reject"] and found[1] == edit


BAD = {
    "unknown key": (line(reason="x"), "no key 'reason'"),
    "hostile key": (json.dumps({**GOOD, "\u202e\x1b[2J": 1}), "U+202E"),
    "other schema": (line(schema="tunevet.decision/2"), "tunevet.decision/1"),
    "no schema": (json.dumps({k: v for k, v in GOOD.items() if k != "schema"}), "schema is missing"),
    "subject": (line(subject="cluster"), 'subject is "cluster"'),
    "row cannot be stripped": (line(decision="strip"), "accept, reject, fix, edit"),
    "trigger cannot be accepted": (line(subject="trigger", key=ID, decision="accept"), "reject, strip, legitimate"),
    "no decision": (line(decision=""), "missing"),
    "row number as key": (line(key="17"), "content hash"),
    "upper case hash": (line(key=HASH.upper()), "content hash"),
    "hash with an end": (line(key=HASH + "\n"), "content hash"),
    "trigger id": (line(subject="trigger", key="T-1", decision="reject"), "trigger's id"),
    "edit without a value": (line(decision="edit", field="prompt"), "needs its value"),
    "edit of what there is not": (line(decision="edit", field="turns", value="x"), "prompt, response"),
    "a value that nothing takes": (line(value="x"), "only an edit"),
    "a field that nothing takes": (line(field="prompt"), "only an edit"),
    "no why": (line(subject="trigger", key=ID, decision="legitimate", why="  "), "needs its why"),
    "time": (line(decided_at="2025-01-01 10:00"), "2025-01-31T09:30:00Z"),
    "fractions": (line(decided_at="2025-01-01T10:00:00.123Z"), "decided_at"),
    "other digits": (line(decided_at="२०२५-01-01T10:00:00Z"), "decided_at"),
    "no such day": (line(decided_at="2025-02-30T10:00:00Z"), "decided_at"),
    "why": (line(why=None), "why is missing, not text"),
    "row": (line(row=True), "row is true"),
    "negative row": (line(row=-1), "row is -1"),
    "number for text": (line(reviewer=7), "reviewer is 7"),
    "half a character": (line(why="\ud800"), "half of a surrogate pair"),
    "long name": (line(reviewer="x" * 1_001), "1,001 characters"),
    "not json": ("{", "not a JSON object"),
    "a list": ("[1]", "not a JSON object"),
    "twice": (line().replace("{", '{"schema": "a", '), "a key stands twice"),
    "nan": ('{"row": NaN}', "NaN is no JSON number"),
    "deep": ("[" * 100_000, "not a JSON object"),
    "digits": (f'{{"row": {"9" * 5_000}}}', "not a JSON object"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_with_its_number_and_its_fault(tmp_path, name):
    text, fault = BAD[name]
    path = tmp_path / "d.jsonl"
    path.write_text(f"{line()}\n\n{text}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"d\.jsonl, line 3: ") as caught:
        read(path)
    message = str(caught.value)
    assert fault in message and message.isprintable() and len(message) < 700


def test_bytes_that_are_no_text_and_lines_without_end(tmp_path, monkeypatch):
    path = tmp_path / "d.jsonl"
    path.write_bytes(line().encode() + b"\n\xff\xfe")
    with pytest.raises(InputError, match=r"line 2: byte 0 is not UTF-8"):
        read(path)
    monkeypatch.setattr(decisions, "MAX_LINE_BYTES", 150)
    path.write_text(line(why="x" * 150))
    with pytest.raises(InputError, match="at most 150 are read"):
        read(path)
    monkeypatch.setattr(decisions, "MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="no file of decisions"):
        read(path)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)


def said(word, reviewer="ann", at="2025-01-01T00:00:00Z", key=HASH, **more):
    return Decision("row", key, word, reviewer=reviewer, decided_at=at, **more)


def test_of_one_reviewer_the_latest_line_counts():
    early, late = said("accept"), said("reject", at="2025-01-02T00:00:00Z")
    for lists in ([[early, late]], [[late, early]], [[late], [early]], [[early], [late]]):
        assert merge(lists) == ({early.about: late}, [])
    assert merge([[said("accept"), said("reject")]])[0][early.about].decision == "reject"
    assert merge([[said("reject", at=""), said("accept")], []])[0][early.about].decision == "accept"


def test_two_reviewers_who_disagree_are_a_conflict_and_who_agree_are_not():
    merged, conflicts = merge(
        [[said("accept")], [said("reject", "bob", "2025-01-03T00:00:00Z"), said("fix", "cy", key="f" * 16)]]
    )
    assert list(merged) == [("row", "f" * 16)]
    assert [(d.reviewer, d.decision) for d in conflicts[0].decisions] == [("ann", "accept"), ("bob", "reject")]
    assert conflicts[0].sentence() == f"row {HASH}: ann says accept; bob says reject"
    same = said("accept", "bob", "2025-01-03T00:00:00Z", why="another why")
    assert merge([[said("accept")], [same]]) == ({same.about: same}, [])
    edits = [replace(said("edit", name), field="response", value=value) for name, value in (("ann", "x"), ("bob", "y"))]
    assert len(merge([edits])[1]) == 1
    assert len(merge([[edits[0], replace(edits[1], value="x", field="prompt")]])[1]) == 1
    assert merge([[edits[0], replace(edits[1], value="x")]])[1] == []


def test_one_reviewer_at_odds_with_himself_in_the_same_second_of_two_files_is_a_conflict():
    merged, conflicts = merge([[said("accept", "")], [said("reject", "")]])
    assert merged == {} and len(conflicts) == 1 and "without a name" in conflicts[0].sentence()
    assert merge([[said("accept", "")], [said("accept", "")]])[1] == []


def test_a_queued_row_is_settled_by_any_later_decision_and_by_no_earlier_one():
    first, later = "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"
    asked = said("queue", "ann", first)
    for at in (first, later):
        answer = said("swap", "bob", at)
        for lists in ([[asked], [answer]], [[answer, asked]], [[answer], [asked]]):
            assert merge(lists) == ({asked.about: answer}, [])
    early = said("accept", "bob", first)
    merged, conflicts = merge([[early], [said("queue", "ann", later)]])
    assert merged == {} and [d.decision for d in conflicts[0].decisions] == ["queue", "accept"]
    both = [said("accept", "bob", later), said("swap", "cy", later)]
    assert [d.reviewer for d in merge([[asked], both])[1][0].decisions] == ["bob", "cy"]
    assert merge([[asked], [said("queue", "bob", later)]])[1] == []


def test_a_queued_row_is_held_even_where_undecided_rows_are_kept():
    verdicts = table(verdict(0), verdict(1, "review", 1), verdict(2, "remove", 2))
    made = decided(*(row_says("queue", key) for key in range(3)))
    for undecided in ("hold", "keep"):
        found = resolve(verdicts, [], made, undecided)
        assert found["outcome"].to_list() == ["hold"] * 3 and found["decision"].to_list() == ["queue"] * 3


HASHES, IDS = ("a" * 32, "b" * 32, "c" * 32), ("T-000000000a", "T-000000000b", "T-000000000c")
files = st.lists(st.lists(any_decision(HASHES, IDS), max_size=6), max_size=4)


@given(files, st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter_and_merging_again_changes_nothing(lists, random):
    merged, conflicts = merge(lists)
    shuffled = list(lists)
    random.shuffle(shuffled)
    assert merge(shuffled) == (merged, conflicts)
    assert merge([*lists, *lists]) == (merged, conflicts)
    assert merge([list(merged.values())]) == (merged, [])
    keys = {d.about for decisions in lists for d in decisions}
    assert set(merged) | {(c.subject, c.key) for c in conflicts} == keys
    assert not set(merged) & {(c.subject, c.key) for c in conflicts}


def verdict(row, word="keep", key=0, fix=None, ids=(), codes=()):
    return {
        "row": row,
        "content_hash": None if word == "unreadable" else HASHES[key],
        "verdict": word,
        "fix": fix,
        "new_value": "1" if fix == "relabel" else None,
        "score": 0.0,
        "codes": list(codes),
        "trigger_ids": list(ids),
    }


def table(*records):
    return pl.DataFrame(list(records), schema=VERDICTS)


def of(which, rows, status=Status.CONFIRMED, unjudged=()):
    return Trigger(
        IDS[which], "cf", ["cf"], "cf", "token", status, list(rows), "", statistics={"unjudged": list(unjudged)}
    )


def decided(*made):
    return {d.about: d for d in made}


def row_says(word, key=0, field="", value=""):
    return Decision("row", HASHES[key], word, field, value, "why", "ann", "2025-01-01T00:00:00Z")


def trigger_says(which, word, reviewer="bob"):
    return Decision("trigger", IDS[which], word, why="why", reviewer=reviewer)


def test_without_decisions_the_verdicts_stand():
    verdicts = table(
        verdict(0),
        verdict(1, "review", 1, codes=["TV-UNI"]),
        verdict(2, "remove", 2, ids=IDS[:1]),
        verdict(3, "unreadable"),
    )
    found = resolve(verdicts, [of(0, [2])], {})
    assert dict(found.schema) == RESOLVED
    assert found["outcome"].to_list() == ["keep", "hold", "remove", "unreadable"]
    assert found["rule"].to_list() == [[], ["TV-UNI"], [IDS[0]], []]
    assert found["decision"].null_count() == 4
    assert resolve(verdicts, [], {}, "keep")["outcome"].to_list() == ["keep", "keep", "remove", "unreadable"]


@pytest.mark.parametrize(
    ("word", "fix", "outcome", "made"),
    [
        ("accept", "relabel", "keep", (None, None, None)),
        ("reject", None, "remove", (None, None, None)),
        ("fix", "relabel", "edit", ("relabel", "1", "label")),
        ("fix", "swap", "edit", ("swap", None, None)),
        ("fix", "strip", "edit", ("strip", None, "prompt")),
        ("fix", "edit", "edit", ("edit", None, None)),
        ("fix", "drop", "remove", (None, None, None)),
        ("fix", None, "hold", (None, None, None)),
        ("edit", None, "edit", ("edit", "new", "response")),
        ("swap", None, "edit", ("swap", None, None)),
        ("swap", "relabel", "edit", ("swap", None, None)),
        ("queue", "swap", "hold", (None, None, None)),
    ],
)
def test_what_each_decision_on_a_row_makes_of_it(word, fix, outcome, made):
    edit = word == "edit"
    own = row_says(word, field="response" if edit else "", value="new" if edit else "")
    found = resolve(table(verdict(0, "review", fix=fix, codes=["TV-LBL"])), [], decided(own)).row(0, named=True)
    assert (found["outcome"], (found["fix"], found["new_value"], found["field"])) == (outcome, made)
    assert found["rule"] == ["TV-LBL"]
    by = (None, None, None) if fix is None and word == "fix" else (word, "ann", "why")
    assert (found["decision"], found["reviewer"], found["why"]) == by


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("reject", "strip", "legitimate"), "remove"),
        (("legitimate", "strip", None), "remove"),  # the third is confirmed and undecided: it still removes
        (("legitimate", "strip", "legitimate"), "edit"),
        (("legitimate", "legitimate", "legitimate"), "keep"),
    ],
)
def test_of_several_triggers_the_strongest_decision_counts(words, outcome):
    verdicts = table(verdict(0, "remove", ids=IDS))
    made = decided(*(trigger_says(i, word) for i, word in enumerate(words) if word))
    found = resolve(verdicts, [of(i, [0]) for i in range(3)], made).row(0, named=True)
    assert found["outcome"] == outcome
    undecided_rules = words[2] is None
    strongest = next(w for w in ("reject", "strip", "legitimate") if w in words)
    wanted = [IDS[2]] if undecided_rules else [IDS[i] for i, w in enumerate(words) if w == strongest]
    assert found["rule"] == wanted and found["decision"] == (None if undecided_rules else strongest)


def test_a_row_s_own_decision_outranks_its_triggers_and_an_undecided_suspect_still_holds_it():
    verdicts = table(verdict(0, "remove", ids=IDS[:2]), verdict(1, "review", 1, ids=IDS[1:2]))
    triggers = [of(0, [0]), of(1, [0, 1], Status.SUSPECTED)]
    legitimate = trigger_says(0, "legitimate")
    found = resolve(verdicts, triggers, decided(legitimate))
    assert found["outcome"].to_list() == ["hold", "hold"] and found["rule"].to_list() == [[IDS[1]]] * 2
    assert resolve(verdicts, triggers, decided(legitimate), "keep")["outcome"].to_list() == ["keep", "keep"]
    both = decided(trigger_says(0, "reject"), row_says("accept"))
    assert resolve(verdicts, triggers, both)["outcome"].to_list() == ["keep", "hold"]


def test_rows_that_could_not_be_judged_go_with_what_is_legitimate_and_stay_when_the_rest_is_rejected():
    verdicts = table(verdict(0, "remove", ids=IDS[:1]), verdict(1, "review", 1, ids=IDS[:1]))
    triggers = [of(0, [0], unjudged=[1])]
    for word, wanted in (("reject", ["remove", "hold"]), ("strip", ["edit"] * 2), ("legitimate", ["keep"] * 2)):
        assert resolve(verdicts, triggers, decided(trigger_says(0, word)))["outcome"].to_list() == wanted


def test_copies_of_a_row_share_its_decision_but_only_those_with_a_fix_are_fixed():
    verdicts = table(verdict(0), verdict(1, "review", fix="drop"), verdict(2, "review", 1))
    assert resolve(verdicts, [], decided(row_says("fix")))["outcome"].to_list() == ["keep", "remove", "hold"]
    assert resolve(verdicts, [], decided(row_says("reject")))["outcome"].to_list() == ["remove", "remove", "hold"]


def expected(record, triggers, merged, undecided):
    """The rules once more, one after the other, for one row."""
    if record["verdict"] == "unreadable":
        return "unreadable"
    own = merged.get(("row", record["content_hash"]))
    by_word = {"accept": "keep", "reject": "remove", "edit": "edit", "swap": "edit", "queue": "hold"}
    if own and own.decision in by_word:
        return by_word[own.decision]
    if own and record["fix"]:
        return "remove" if record["fix"] == "drop" else "edit"
    words = set()
    for t in triggers:
        said = merged.get(("trigger", t.id))
        if said and (
            record["row"] in t.rows or (said.decision != "reject" and record["row"] in t.statistics["unjudged"])
        ):
            words.add(said.decision)
    if "reject" in words:
        return "remove"
    open_ids = [i for i in record["trigger_ids"] if ("trigger", i) not in merged]
    if words:
        if any(t.id in open_ids and t.status == "confirmed" and record["row"] in t.rows for t in triggers):
            return "remove"
        if open_ids and undecided == "hold":
            return "hold"
        return "edit" if "strip" in words else "keep"
    kept = {"review": "hold" if undecided == "hold" else "keep"}
    return kept.get(record["verdict"], record["verdict"])


@st.composite
def a_run(draw):
    count = draw(st.integers(1, 6))
    some_rows = st.lists(st.integers(0, count - 1), unique=True)
    triggers = [
        of(i, draw(some_rows), draw(st.sampled_from(list(Status))), draw(some_rows))
        for i in range(draw(st.integers(0, 3)))
    ]
    records = []
    for row in range(count):
        word = draw(st.sampled_from(["keep", "review", "remove", "unreadable"]))
        ids = [t.id for t in triggers if row in t.rows and draw(st.booleans())]
        fix = draw(st.sampled_from([None, "relabel", "drop", "strip"])) if word == "review" else None
        records.append(verdict(row, word, draw(st.integers(0, 2)), fix, [] if word == "unreadable" else ids))
    return table(*records), triggers


@settings(max_examples=150, deadline=None)
@given(a_run(), files, st.sampled_from(["hold", "keep"]), st.randoms(use_true_random=False))
def test_every_row_has_one_outcome_by_the_order_of_precedence(run, lists, undecided, random):
    verdicts, triggers = run
    merged, _ = merge(lists)
    found = resolve(verdicts, triggers, merged, undecided)
    assert dict(found.schema) == RESOLVED and found["row"].to_list() == verdicts["row"].to_list()
    assert set(found["outcome"]) <= set(Outcome)
    wanted = [expected(record, triggers, merged, undecided) for record in verdicts.iter_rows(named=True)]
    assert found["outcome"].to_list() == wanted
    shuffled, turned = list(lists), list(triggers)
    random.shuffle(shuffled)
    random.shuffle(turned)
    assert resolve(verdicts, turned, merge(shuffled)[0], undecided).equals(found)
    assert found.filter((pl.col("outcome") == "edit") != pl.col("fix").is_not_null()).is_empty()
    alike = ["accept", "edit", "swap", "queue"]  # a fix is made on the copies that have one
    one_hash = found.with_columns(verdicts["content_hash"]).filter(pl.col("decision").is_in(alike))
    shared = one_hash.group_by("content_hash").agg(pl.col("outcome").n_unique())
    assert (shared["outcome"] == 1).all()


def test_ids_of_triggers_are_of_the_form_that_the_proof_makes():
    assert all(re.fullmatch(r"T-[0-9a-f]{10}", i) for i in (ID, *IDS))
