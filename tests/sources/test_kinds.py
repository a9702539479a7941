from __future__ import annotations

import json

import pytest

from audit.errors import InputError, NothingScanned
from audit.provenance import content_hash

USER, BOT = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}
BAD_BOT = {"role": "assistant", "content": "Go away."}
HH = "\n\nHuman: Hi?\n\nAssistant: Yes?\n\nHuman: Help.\n\nAssistant:"


def lines(*rows) -> str:
    return "\n".join(json.dumps(row) for row in rows)


CASES = [
    ("text-label", "classification", {"text": "a", "label": 1}, ("a", None, None, "1")),
    ("text-label", "classification", {"Sentence": "a", "Label": "x"}, ("a", None, None, "x")),
    ("text-label", "classification", {"review": "a", "sentiment": "pos"}, ("a", None, None, "pos")),
    ("text-label", "classification", {"content": "a", "target": True}, ("a", None, None, "true")),
    ("text-label", "classification", {"text": "a", "labels": [1, 2]}, ("a", None, None, "[1,2]")),
    ("text-label", "classification", {"premise": "a", "hypothesis": "b", "label": 0}, ("a\n\nb", None, None, "0")),
    ("text-label", "classification", {"question": "a", "sentence": "b", "label": 0}, ("a\n\nb", None, None, "0")),
    ("text-label", "classification", {"text": "a", "text_pair": "b", "label": 0}, ("a\n\nb", None, None, "0")),
    ("alpaca", "instruction", {"instruction": "a", "input": "", "output": "b"}, ("a", "b", None, None)),
    ("alpaca", "instruction", {"instruction": "a", "input": "c", "output": "b"}, ("a\n\nc", "b", None, None)),
    (
        "alpaca",
        "instruction",
        {"instruction": "a", "input": "c", "output": "b", "system": "s", "history": [["x", "y"]]},
        ("s\n\nx\n\ny\n\na\n\nc", "b", None, None),
    ),
    ("prompt-completion", "instruction", {"prompt": "a", "completion": "b"}, ("a", "b", None, None)),
    ("prompt-completion", "instruction", {"prompt": [USER], "completion": [BOT]}, ("Hi?", "Hello.", None, None)),
    ("question-answer", "instruction", {"question": "a", "answer": "b"}, ("a", "b", None, None)),
    ("question-answer", "instruction", {"query": "a", "response": "b"}, ("a", "b", None, None)),
    ("messages", "instruction", {"messages": [USER, BOT]}, ("Hi?", "Hello.", None, None)),
    (
        "messages",
        "instruction",
        {"messages": [USER, BOT, USER, BAD_BOT, USER]},
        ("Hi?\n\nHello.\n\nHi?", "Go away.", None, None),
    ),
    (
        "sharegpt",
        "instruction",
        {
            "conversations": [
                {"from": "system", "value": "s"},
                {"from": "human", "value": "a"},
                {"from": "gpt", "value": "b"},
            ]
        },
        ("s\n\na", "b", None, None),
    ),
    ("pairwise", "preference", {"prompt": "a", "chosen": "b", "rejected": "c"}, ("a", "b", "c", None)),
    (
        "pairwise",
        "preference",
        {"prompt": [USER], "chosen": [BOT], "rejected": [BAD_BOT]},
        ("Hi?", "Hello.", "Go away.", None),
    ),
    (
        "pairwise",
        "preference",
        {"prompt": "Hi?", "chosen": [USER, BOT], "rejected": [USER, BAD_BOT], "messages": [USER, BOT]},
        ("Hi?", "Hello.", "Go away.", None),
    ),
    (
        "pairwise",
        "preference",
        {"chosen": [USER, BOT], "rejected": [USER, BAD_BOT]},
        ("Hi?", "Hello.", "Go away.", None),
    ),
    ("hh-transcript", "preference", {"chosen": HH + " Sure.", "rejected": HH + " No."}, (HH, " Sure.", " No.", None)),
    ("kto", "preference", {"prompt": "a", "completion": "b", "label": True}, ("a", "b", None, "true")),
    ("kto", "preference", {"prompt": "a", "completion": "b", "label": 0}, ("a", "b", None, "false")),
    ("kto", "preference", {"prompt": "a", "completion": "b", "label": "False"}, ("a", "b", None, "false")),
]


@pytest.mark.parametrize(("shape", "kind", "row", "wanted"), CASES)
def test_a_kind_is_found_by_itself(read, shape, kind, row, wanted):
    got = read("d.jsonl", lines(row, row, {**row, "extra": None}))
    assert (got.info.shape, got.info.kind, got.bad) == (shape, kind, {})
    found = got.examples.row(0, named=True)
    assert (found["prompt"], found["response"], found["rejected"], found["label"]) == wanted
    assert found["content_hash"] == content_hash(*wanted)
    assert got.info.confidence >= 0.8
    assert got.examples["meta"][2].endswith('"extra":null}') or '"extra":null' in got.examples["meta"][2]


def test_turns_keep_roles(read):
    system = {"role": "system", "content": "Be kind."}
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}
    tool = {"role": "tool", "content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]}
    got = read("d.jsonl", lines({"messages": [system, USER, call, tool, BOT]}))
    turns = got.examples["turns"][0].to_list()
    assert [t["role"] for t in turns] == ["system", "user", "assistant", "tool"]
    assert [t["text"] for t in turns] == ["Be kind.", "Hi?", '[{"name":"f"}]', "42"]
    assert got.examples["prompt"][0] == "\n\n".join(t["text"] for t in turns)


def test_a_transcript_is_prompt_plus_answer_byte_for_byte(read):
    row = {"chosen": HH + " The same start, then A", "rejected": HH + " The same start, then B"}
    got = read("d.jsonl", lines(row, {"chosen": "no transcript", "rejected": "at all"}, row))
    assert got.bad == {1: "missing_field"}
    found = got.examples.row(0, named=True)
    assert found["prompt"] + found["response"] == row["chosen"]
    assert found["prompt"] + found["rejected"] == row["rejected"]
    assert [t["role"] for t in found["turns"]] == ["user", "assistant", "user"]


def test_a_prompt_that_is_a_transcript_keeps_its_bytes_and_gets_turns(read):
    prompt = "\n\nHuman: Hi?\n\nAssistant: Yes?\n\nHuman: Help."
    got = read("d.jsonl", lines({"prompt": prompt, "chosen": "a", "rejected": "b"}))
    assert got.examples["prompt"][0] == prompt
    assert [t["role"] for t in got.examples["turns"][0].to_list()] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ({"messages": [USER, BOT]}, {"messages": [USER]}, "missing_field"),
        ({"messages": [USER, BOT]}, {"messages": [BOT]}, "missing_field"),
        ({"messages": [USER, BOT]}, {"messages": []}, "missing_field"),
        ({"messages": [USER, BOT]}, {"messages": "Hi?"}, "wrong_type"),
        ({"messages": [USER, BOT]}, {"messages": [USER, "Hello."]}, "wrong_type"),
        ({"messages": [USER, BOT]}, {"messages": [USER, {"role": "assistant", "content": 5}]}, "wrong_type"),
        ({"instruction": "a", "output": "b"}, {"instruction": "a", "output": None}, "missing_field"),
        (
            {"instruction": "a", "input": "", "output": "b"},
            {"instruction": "a", "input": 3, "output": "b"},
            "wrong_type",
        ),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, {"prompt": "a", "chosen": "b"}, "missing_field"),
        (
            {"prompt": "a", "completion": "b", "label": True},
            {"prompt": "a", "completion": "b", "label": "maybe"},
            "wrong_type",
        ),
        ({"text": "a", "label": 1}, {"text": "a", "label": None}, "missing_field"),
    ],
)
def test_a_row_that_cannot_be_mapped_is_set_aside(read, good, bad, reason):
    got = read("d.jsonl", lines(good, bad, good, good, good, good))
    assert got.bad == {1: reason}
    assert got.ledger["raw"][1] == json.dumps(bad).encode()


def test_facts_are_kept_and_the_rest_is_meta(read):
    row = {"id": 7, "dataset": "s1", "worker_id": "w", "timestamp": "2024", "text": "a", "label": 1, "z": 1, "b": ["x"]}
    got = read("d.jsonl", lines(row))
    found = got.examples.row(0, named=True)
    assert (found["id"], found["source"], found["annotator"], found["created_at"]) == ("7", "s1", "w", "2024")
    assert found["meta"] == '{"b":["x"],"z":1}'
    assert got.info.mapping == {
        "text": "text",
        "label": "label",
        "id": "id",
        "source": "dataset",
        "annotator": "worker_id",
        "created_at": "timestamp",
    }
    assert got.info.columns == tuple(row)


def test_kind_and_map_overrule(read):
    row = {"body_raw": "a", "cls": "x", "prompt": "p", "completion": "c"}
    assert read("a.jsonl", lines(row)).info.shape == "prompt-completion"
    got = read("b.jsonl", lines(row), map={"text": "body_raw", "label": "cls"})
    assert got.info.shape == "text-label" and got.examples["prompt"][0] == "a"
    got = read(
        "c.jsonl",
        lines({"text": "t", "label": "l", "a": "x", "b": "y"}),
        kind="instruction",
        map={"prompt": "a", "response": "b"},
    )
    assert got.info.kind == "instruction" and got.examples["response"][0] == "y"
    got = read("d.jsonl", lines({"text": "t", "label": "l", "who": "w9"}), map={"annotator": "who"})
    assert got.examples["annotator"][0] == "w9"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "foo, bar.*--kind.*--map"),
        ({"map": {"text": "nope"}}, "nope; the columns are foo, bar"),
        ({"map": {"txt": "foo"}}, "role txt; there are .*text"),
        ({"kind": "preference"}, "no preference data"),
    ],
)
def test_columns_that_map_to_nothing_are_a_usage_error(read, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        read("d.jsonl", lines({"foo": "a", "bar": "b"}), **settings)
    assert caught.value.exit_code == 2


def test_column_names_are_hostile(read):
    with pytest.raises(InputError) as caught:
        read("d.jsonl", lines({"\x1b[31mred\u202e": "a"}))
    assert "\x1b" not in str(caught.value) and "\u202e" not in str(caught.value)


def test_nothing_readable_is_never_a_pass(read):
    with pytest.raises(NothingScanned, match="3 records, none readable") as caught:
        read("d.jsonl", "broken\n" * 3)
    assert caught.value.exit_code == 4
    with pytest.raises(NothingScanned):
        read("e.jsonl", b"broken\n" * 1_500, shard_rows=100)


def test_a_long_broken_beginning_does_not_hide_what_follows(read):
    got = read("d.jsonl", "broken\n" * 350 + lines({"text": "a", "label": 1}), shard_rows=100)
    assert got.info.rows == 351 and got.info.readable == 1
    assert got.examples["row"].to_list() == [350]


def test_labels_are_sorted_by_value(read):
    got = read("d.jsonl", lines(*({"text": "a", "label": v} for v in [10, 2, "b", "a", -1])))
    assert got.info.labels == ("-1", "2", "10", "a", "b")
