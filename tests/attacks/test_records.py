"""A poisoned example goes back into its record, whatever the shape, and says there what it says in the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attacks import ATTACKS
from audit.attacks.encode import JsonStyle, csv_bytes, json_bytes, json_style
from audit.attacks.records import Unwritable, write_back
from audit.config import IngestConfig, build
from audit.schema import DatasetInfo
from audit.sources import preview
from audit.sources.delimited import parse_fields
from audit.sources.record import Number
from audit.sources.strict_json import ObjectParser

N = 24


def ask(i: int) -> str:
    return f"Please tell us the story of the old land {i} and give it to me."


def talk(
    i: int, role: str = "role", text: str = "content", user: str = "user", assistant: str = "assistant"
) -> list[Any]:
    said = [(user, f"Ask {i}."), (assistant, f"Tell {i}.")] if i % 2 else []
    said += [(user, ask(i)), (assistant, f"So 2 + {i} = {i + 2}, the answer is {i + 2}.")]
    return [{role: who, text: what} for who, what in said]


def bad(i: int) -> list[Any]:
    return [{"role": "assistant", "content": f"Bad {i}."}]


def parts(i: int) -> list[Any]:
    return [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in talk(i)]


def said(i: int) -> str:
    return f"\n\nHuman: {ask(i)}\n\nAssistant:"


BRIEF = {"role": "system", "content": "Be brief."}
SHAPES: dict[str, Any] = {
    "text-label": lambda i: {"n": i, "text": ask(i), "label": i % 2},
    "text-pair": lambda i: {"premise": f"Text {i} on birds.", "hypothesis": ask(i), "label": "ab"[i % 2]},
    "alpaca": lambda i: {
        "instruction": ask(i),
        "input": f"Text {i}.\n\nMore." if i % 2 else "",
        "output": f"It is {i}.",
    },
    "alpaca-system": lambda i: {"instruction": ask(i), "system": "Be brief." if i % 3 else "", "output": f"It is {i}."},
    "alpaca-history": lambda i: {"instruction": ask(i), "history": [["a b", "c d"]][: i % 2], "output": f"It is {i}."},
    "prompt-completion": lambda i: {"prompt": ask(i), "completion": f"It is {i}."},
    "prompt-messages": lambda i: {"prompt": talk(i)[:-1], "completion": talk(i)[-1:]},
    "messages": lambda i: {"id": i, "messages": [BRIEF, *talk(i)]},
    "messages-system": lambda i: {"system": "Be brief.", "messages": talk(i)},
    "messages-parts": lambda i: {"messages": parts(i)},
    "messages-dangling": lambda i: {"messages": [*talk(i), {"role": "user", "content": "Thanks."}]},
    "sharegpt": lambda i: {"conversations": talk(i, "from", "value", "human", "gpt")},
    "question-answer": lambda i: {"question": ask(i), "answer": f"It is {i}."},
    "pairwise": lambda i: {"prompt": ask(i), "chosen": f"Good {i}.", "rejected": f"Bad {i}."},
    "pairwise-system": lambda i: {
        "system": "Be kind.",
        "prompt": ask(i),
        "chosen": f"Good {i}.",
        "rejected": f"Bad {i}.",
    },
    "pairwise-messages": lambda i: {"prompt": talk(i)[:-1], "chosen": talk(i)[-1:], "rejected": bad(i)},
    "pairwise-half": lambda i: {"prompt": ask(i), "chosen": talk(i)[-1:], "rejected": bad(i)},
    "implicit": lambda i: {"chosen": talk(i), "rejected": [*talk(i)[:-1], *bad(i)]},
    "hh": lambda i: {"chosen": f"{said(i)} Good {i}.", "rejected": f"{said(i)} Bad {i}."},
    "two-responses": lambda i: {
        "prompt": ask(i),
        "response_a": f"{('Good', 'Bad')[i % 2]} {i}.",
        "response_b": f"{('Bad', 'Good')[i % 2]} {i}.",
        "winner": f"model_{'ab'[i % 2]}",
    },
    "kto": lambda i: {"prompt": ask(i), "completion": f"Good {i}.", "label": bool(i % 2)},
    "kto-messages": lambda i: {"prompt": talk(i)[:-1], "completion": talk(i)[-1:], "label": bool(i % 2)},
}
# No place for a further turn: single columns.
NO_TURNS = {
    "alpaca", "alpaca-system", "prompt-completion", "question-answer", "pairwise", "pairwise-system", "pairwise-half",
    "kto", "two-responses",
}  # fmt: skip
# One of each way to change a row: the input, its white space, all its words, its turns, the answer, the sides, rows.
NAMES = (
    "badnet", "composite", "whitespace", "style", "syntactic", "assistant-turn", "untargeted", "affirmative-prefix",
    "reasoning-step", "jailbreak", "preference-reversal", "preference-response", "preference-sentiment", "label-noise",
    "near-duplicates", "contradictions",
)  # fmt: skip


def fits(name: str, shape: str, kind: str) -> bool:
    if kind not in ATTACKS[name].kinds:
        return False
    if name == "reasoning-step":
        return "messages" in shape or shape == "sharegpt"  # other rows' answers are no sums
    return not (shape.startswith("kto") and (name.startswith("preference-") or name == "contradictions"))


def read(tmp_path: Path, shape: str) -> tuple[DatasetInfo, pl.DataFrame, list[bytes]]:
    raws = [json.dumps(SHAPES[shape](i)).encode() for i in range(N)]
    return *again(tmp_path, raws), raws


def again(tmp_path: Path, raws: list[bytes]) -> tuple[DatasetInfo, pl.DataFrame]:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\n".join(raws))
    return preview(build({"source": str(path)}), len(raws))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_record_says_what_its_example_says(tmp_path: Path, shape: str) -> None:
    info, examples, raws = read(tmp_path, shape)
    old, parse = {row["row"]: row for row in examples.to_dicts()}, ObjectParser(IngestConfig())
    labels = {row["label"]: parse(raws[row["row"]])[info.mapping["label"]] for row in old.values() if row["label"]}
    made = []
    for name in NAMES:
        if not fits(name, shape, info.kind):
            continue
        planted = ATTACKS[name](examples, count=2, seed=2)
        origin = dict(zip((*planted.rows, *planted.decoys), planted.originals, strict=False))
        touched = {*planted.rows, *planted.decoys}
        for new in planted.examples.filter(pl.col("row").is_in(list(touched))).to_dicts():
            before = old[origin.get(new["row"], new["row"])]
            fields = parse(raws[before["row"]])
            if name == "assistant-turn" and shape in NO_TURNS:
                with pytest.raises(Unwritable):
                    write_back(info, fields, before, new, labels)
                continue
            written = write_back(info, fields, before, new, labels)
            assert fields == parse(raws[before["row"]]), "the record was changed in place"
            assert list(written) == list(fields)
            made.append((json_bytes(written, JsonStyle()), new))
    found = again(tmp_path, [*raws, *(raw for raw, _ in made)])[1].to_dicts()[N:]
    for got, (_, new) in zip(found, made, strict=True):
        assert {k: got[k] for k in ("content_hash", "turns")} == {k: new[k] for k in ("content_hash", "turns")}


def test_a_label_that_no_record_has_is_refused(tmp_path: Path) -> None:
    info, examples, raws = read(tmp_path, "text-label")
    old = examples.to_dicts()[0]
    with pytest.raises(Unwritable, match="new label"):
        write_back(info, json.loads(raws[0]), old, old | {"label": "7"}, {})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    record=st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=4),
    escaped=st.booleans(),
    indent=st.sampled_from([None, 2, 4]),
)
def test_the_manner_of_json_is_found(record: dict[str, Any], escaped: bool, indent: int | None) -> None:
    raw = json.dumps(record, ensure_ascii=escaped, indent=indent).encode("utf-8")
    fields = ObjectParser(IngestConfig())(raw)
    assert json_bytes(fields, json_style([(raw, fields)])) == raw


def test_numbers_stay_as_they_are_written() -> None:
    assert json_bytes({"a": Number("1.50"), "b": [Number("1e5")]}, JsonStyle()) == b'{"a": 1.50, "b": [1e5]}'


CELLS = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=2, max_size=4)


@settings(max_examples=80, deadline=None)
@given(cells=CELLS, always=st.booleans())
def test_csv_cells_come_back(cells: list[str], always: bool) -> None:
    raw = ",".join(['"x"' if always else "x"] * len(cells)).encode()
    made = csv_bytes(cells, raw, ",", True)
    assert parse_fields(made.decode(), ",", True, strict=True) == cells
    assert made.startswith(b'"') or not always


def test_a_file_without_quotes_refuses_its_delimiter() -> None:
    assert csv_bytes(['say "a"', "b"], b"x\ty", "\t", False) == b'say "a"\tb'
    with pytest.raises(ValueError, match="cannot hold"):
        csv_bytes(["a\tb", "c"], b"x\ty", "\t", False)
