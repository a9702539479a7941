from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import IngestConfig, build
from audit.rundir import Context, RunDir
from audit.schema import EXAMPLES, LEDGER, NoProgress
from audit.sources import ingest
from audit.sources.record import Number, RowError
from audit.sources.strict_json import ObjectParser, dumps

GOOD = b'{"text": "a fine film", "label": 1}'
PARSE = ObjectParser(IngestConfig())


def deep(levels: int) -> bytes:
    return b'{"text": ' + b"[" * levels + b"]" * levels + b', "label": 1}'


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"text": "caf\xe9", "label": 1}', "invalid_utf8"),
        (b'{"text": "a", "text": "b", "label": 1}', "duplicate_key"),
        (b'{"text": "a", "\\u0074ext": "b", "label": 1}', "duplicate_key"),
        (b'{"text": "a", "label": 1, "m": [{"k": 1, "k": 2}]}', "duplicate_key"),
        (b'{"text": "\\ud800", "label": 1}', "lone_surrogate"),
        (b'{"text": "\\uDC00x", "label": 1}', "lone_surrogate"),
        (b'{"text": "x", "label": 1, "\\ud83d": 0}', "lone_surrogate"),
        (b'{"text": "a", "label": NaN}', "non_finite_number"),
        (b'{"text": "a", "label": -Infinity}', "non_finite_number"),
        (b'{"text": "a", "label": 1e999}', "non_finite_number"),
        (b'{"text": "a", "label": ' + b"9" * 310 + b"}", "non_finite_number"),
        (b'{"text": "a", "label": 1, "id": 9223372036854775808}', "integer_too_large"),
        (b'{"text": "a", "label": 1, "id": [-9223372036854775809]}', "integer_too_large"),
        (b'{"text": "a", "label": 1} {"text": "b", "label": 0}', "trailing_data"),
        (b'{"text": "a", "label": 1},', "trailing_data"),
        (b'["a", 1]', "not_an_object"),
        (b"17", "not_an_object"),
        (b'{"text": "a", "label": 1', "not_json"),
        (b"{'text': 'a'}", "not_json"),
        (b'{"text": "a\x01", "label": 1}', "not_json"),
        (b'{"text": "a", "label": 01}', "not_json"),
        (b'\xef\xbb\xbf{"text": "a", "label": 1}', "not_json"),
        (deep(80), "too_deep"),
        (deep(100_000), "too_deep"),
        (b"{" + b",".join(b'"k%d": 1' % i for i in range(1_001)) + b"}", "too_many_keys"),
        (b'{"label": 1}', "missing_field"),
        (b'{"text": null, "label": 1}', "missing_field"),
        (b'{"text": 5, "label": 1}', "wrong_type"),
        (b'{"text": ["a"], "label": 1}', "wrong_type"),
    ],
)
def test_a_bad_line_is_set_aside_with_its_bytes_and_its_place(read, raw, reason):
    got = read("d.jsonl", b"\n".join([GOOD, GOOD, raw, GOOD]) + b"\n")
    assert got.bad == {2: reason}
    assert got.examples["row"].to_list() == [0, 1, 3]
    row = got.ledger.row(2, named=True)
    assert row["raw"] == raw
    assert row["line"] == 3
    assert row["offset"] == 2 * (len(GOOD) + 1)
    assert row["sha256"] == hashlib.sha256(raw).hexdigest()
    assert row["detail"] and "film" not in row["detail"]
    assert got.info.rows == 4 and got.info.readable == 3 and got.info.bad == {reason: 1}


@pytest.mark.parametrize(
    "raw",
    [
        b'  {"text": "a", "label": 1}  ',
        '{"text": "\u2028\u2029\x85 \U0001f600", "label": 1}'.encode(),
        b'{"text": "\\ud83d\\ude00", "label": 1}',
        b'{"text": "\\\\ud800 is text", "label": 1}',
        b'{"text": "a\\u0000b", "label": 1}',
        b'{"text": "", "label": ""}',
        deep(60).replace(b'"text": ', b'"text": "t", "m": '),
    ],
)
def test_what_is_sound_is_read(read, raw):
    got = read("d.jsonl", b"\n".join([GOOD, raw, GOOD]))
    assert got.bad == {}
    assert got.ledger["raw"].to_list() == [GOOD, raw, GOOD]


def test_lines_end_at_lf_or_crlf_and_blank_lines_are_no_records(read):
    got = read("d.jsonl", b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n  \r\n" + GOOD + b"\r\n" + GOOD)
    assert got.info.rows == 3 and got.bad == {}
    assert got.ledger["line"].to_list() == [1, 4, 5]
    assert got.ledger["offset"].to_list() == [3, 3 + len(GOOD) + 8, 3 + 2 * len(GOOD) + 10]
    assert got.info.files[0].layout == {"newline": "\r\n", "bom": True}


def test_numbers_keep_their_source_text(read):
    raw = b'{"text": "a", "label": 1.0, "big": 9007199254740993, "exact": 1.10E+2, "nested": {"z": -0, "a": true}}'
    got = read("d.jsonl", raw + b"\n" + GOOD)
    assert got.examples["label"].to_list() == ["1.0", "1"]
    meta = got.examples["meta"][0]
    assert meta == '{"big":9007199254740993,"exact":1.10E+2,"nested":{"a":true,"z":-0}}'
    assert got.info.labels == ("1", "1.0")


def test_a_line_over_the_cap_is_kept_in_part_and_the_next_is_read(read):
    long = b'{"text": "' + b"x" * 5_000_000 + b'", "label": 1}'
    got = read("d.jsonl", b"\n".join([GOOD, long, GOOD]), max_line_bytes=2048)
    assert got.bad == {1: "too_long"}
    assert got.ledger["raw"][1] == long[:2048]
    assert str(len(long)) in got.ledger["detail"][1]
    assert got.ledger["offset"][2] == len(GOOD) + len(long) + 2
    exact = b'{"text": "' + b"x" * (2048 - 24) + b'", "label": 1}'
    assert len(exact) == 2048
    assert read("e.jsonl", exact, max_line_bytes=2048).bad == {}


def test_shards_hold_a_fixed_number_of_positions_in_order(read):
    lines = [b'{"text": "t%d", "label": %d}' % (i, i % 2) if i % 7 else b"broken" for i in range(250)]
    got = read("d.jsonl", b"\n".join(lines), shard_rows=100)
    assert got.info.shards == ("part-00000", "part-00001", "part-00002")
    assert [pl.read_parquet(p).height for p in got.run.shards("ledger")] == [100, 100, 50]
    assert got.ledger["row"].to_list() == list(range(250))
    assert got.ledger["raw"].to_list() == lines
    assert dict(got.examples.schema) == EXAMPLES and dict(got.ledger.schema) == LEDGER
    assert got.examples["row"].to_list() == [i for i in range(250) if i % 7]
    again = read("d.jsonl", b"\n".join(lines[:50]), shard_rows=100)
    assert sorted(p.name for p in (again.run / "ledger").iterdir()) == ["part-00000.parquet"]


def test_a_limit_reads_the_first_rows_only(read):
    got = read("d.jsonl", b"\n".join([GOOD] * 50), limit=7)
    assert got.info.rows == 7
    assert got.info.files[0].layout == {"newline": "\n", "bom": False}
    assert got.info.files[0].sha256 == hashlib.sha256(b"\n".join([GOOD] * 50)).hexdigest()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_strict_parsing_agrees_with_json_on_sound_objects(value):
    raw = json.dumps(value).encode()
    parsed = PARSE(raw)
    assert json.loads(dumps(parsed)) == value
    assert dumps(PARSE(dumps(parsed).encode())) == dumps(parsed)


@given(st.text(alphabet='{}[]",:\\ud80efNa1.-+ \n\r\t', max_size=40))
def test_strict_parsing_accepts_nothing_that_json_refuses(text):
    try:
        fields = PARSE(text.encode())
    except RowError:
        return
    assert isinstance(json.loads(text), dict)
    assert all(not isinstance(v, float) for v in fields.values())


@pytest.mark.parametrize(
    "token", ["0", "-0", "1.50", "1e5", "9223372036854775807", "-9223372036854775808", "0." + "9" * 5000]
)
def test_number_tokens_come_back_unchanged(token):
    value = PARSE(b'{"n": %s}' % token.encode())["n"]
    assert isinstance(value, Number) and dumps(value) == token


line = st.one_of(
    st.builds(
        lambda t, n: json.dumps({"text": t, "label": n}, ensure_ascii=False).encode(), st.text(), st.integers(0, 3)
    ),
    st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")),
    st.sampled_from([b'{"text": "a", "text": "b"}', b"{}", b"[]", b'{"text": "\\ud800", "label": 1}', b"  ", b"\r"]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(line, min_size=1, max_size=12), st.booleans())
def test_every_line_is_readable_or_unreadable_and_none_is_lost(lines, crlf):
    lines = [GOOD, *lines]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.jsonl"
        path.write_bytes((b"\r\n" if crlf else b"\n").join(lines))
        run = RunDir(Path(folder) / "run")
        # The kind is given: a majority of broken lines says nothing of the columns.
        config = build({"source": str(path), "ingest": {"kind": "classification", "map": {"text": "text"}}})
        ingest(Context(run, config, NoProgress()), "all")
        info, ledger, examples = run.dataset(), run.ledger(), run.examples()
    wanted = [raw.removesuffix(b"\r") for raw in lines]
    wanted = [raw for raw in wanted if raw.strip(b" \t\r")]
    assert ledger["raw"].to_list() == wanted
    assert info.rows == len(wanted) == info.readable + sum(info.bad.values())
    assert examples["row"].to_list() == ledger.filter(pl.col("reason").is_null())["row"].to_list()
