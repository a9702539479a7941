"""What a trainer's reader sees is what was audited: json, orjson, polars, pyarrow (of csv: csv, polars, pyarrow) read
the same text and labels out of the cleaned files as stand in the examples table.

Readers are told to look at the whole file before they choose types, to take no text for a date and no word for null; an
absent field is null to all. Lists of mixed types are left out: pyarrow refuses a file with one, polars spells the
numbers in it as text.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pytest
from conserving import scan
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from audit.config import IngestConfig
from audit.sources.record import RowError
from audit.sources.strict_json import ObjectParser

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink a scan takes minutes
QUICK = settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
PARSE = ObjectParser(IngestConfig())
TEXT_COLUMNS = pa.schema([("text", pa.string()), ("label", pa.string()), ("s", pa.string())])


def by_json(data):
    return [json.loads(line) for line in data.split(b"\n") if line.strip()]


def by_orjson(data):
    return [orjson.loads(line) for line in data.split(b"\n") if line.strip()]


def by_polars(data):
    return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None).to_dicts()


def by_pyarrow(data):
    options = pa.json.ParseOptions(explicit_schema=TEXT_COLUMNS)
    block = pa.json.ReadOptions(block_size=1 << 24)
    return pa.json.read_json(io.BytesIO(data), read_options=block, parse_options=options).to_pylist()


JSON_READERS = {"json": by_json, "orjson": by_orjson, "polars": by_polars, "pyarrow": by_pyarrow}


def present(value):
    """A value without what a table has no word for: an absent field is null, and so is an object without fields."""
    if isinstance(value, dict):
        return {key: inner for key, item in value.items() if (inner := present(item)) not in (None, {})}
    return [present(item) for item in value] if isinstance(value, list) else value


characters = st.characters(exclude_categories=["Cs"])
odd = st.sampled_from(
    [*"\x00\x01\x1f\x7f\x85\u2028\u2029\ufeff\ufffe\uffff\u200b\u202e\U0001f600\U000e0041", "NaN", "null", "NA", "007"]  # noqa: RUF005
    + ["2020-01-01", "2020-01-01T00:00:00Z", "12:30", "1e5", "\\", '"', "\\u0041", "\r\n", "e\u0301", "\u00e9", ""]
)
texts = st.one_of(
    st.text(characters, max_size=12), st.lists(st.one_of(odd, st.text(characters, max_size=3))).map("".join)
)
number_tokens = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,30}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["-0", "-0.0", "0e0", "1E+2", "5e-324", "2e-324", "1e-400", "9007199254740993", "1e999", "1e308"]),
    st.sampled_from([str(2**63), str(-(2**63) - 1), str(2**64 - 1), str(2**64), "9" * 400, "9" * 400 + ".5"]),
)
columns = {
    "n": st.integers(-(2**63), 2**63 - 1),
    "f": st.floats(allow_nan=False, allow_infinity=False),
    "s": texts,
    "b": st.booleans(),
    "l": st.lists(texts, max_size=3),
    "o": st.fixed_dictionaries(
        {}, optional={"a": texts, "b": st.fixed_dictionaries({}, optional={"c": st.booleans()})}
    ),
}
sound = st.fixed_dictionaries(
    {"text": texts, "label": st.sampled_from(["a", "b", "", "NA"])},
    optional={name: st.none() | values for name, values in columns.items()},
)
broken = st.sampled_from(
    [
        b'{"text":"a","text":"b","label":"a"}',
        b'{"text":"a","\\u0074ext":"b","label":"a"}',
        b'{"text":"\\ud800","label":"a"}',
        b'{"text":"\xed\xa0\x80","label":"a"}',
        b'{"text":"a","label":"a","n":NaN}',
        b'{"text":"a","label":"a","n":1e999}',
        b'{"text":"a","label":"a","n":18446744073709551616}',
        b'{"text":"a","label":"a","o":{"a":"1","a":"2"}}',
        b'{"text":"a","label":"a"}{"text":"b","label":"a"}',
        b'{"text":"a","label":"a"} x',
        b'{"text":"a\tb","label":"a"}',
        b'{"text":1,"label":"a"}',
        b'{"text":"a","label":"a",}',
        b"[]",
        b'"text"',
        b"\xef\xbb\xbf{}",
    ]
)


@st.composite
def json_lines(draw):
    def spelled(row):
        return json.dumps(row, ensure_ascii=draw(st.booleans())).encode()

    return draw(st.lists(st.one_of(sound.map(spelled), sound.map(spelled), broken), min_size=1, max_size=12))


def cleaned(name, data):
    """The cleaned file of a scan of `data`, and the audited (text, label) of its kept rows."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_bytes(data)
        run = scan(source, Path(folder) / "run")
        kept = pl.read_parquet(run.verdicts).filter(pl.col("verdict") == "keep").select("row")
        rows = run.examples(["row", "prompt", "label"]).join(kept, on="row", how="semi", maintain_order="left")
        return (run / "cleaned" / name).read_bytes(), rows.select("prompt", "label").rows()


@QUICK
@given(json_lines(), st.sampled_from([b"\n", b"\r\n"]))
def test_every_reader_sees_what_was_audited_of_json_lines(lines, newline):
    data = newline.join([b'{"text":"first","label":"a"}', *lines])
    out, audited = cleaned("x.jsonl", data)
    seen = {name: read(out) for name, read in JSON_READERS.items()}
    for name, rows in seen.items():
        assert [(row["text"], row["label"]) for row in rows] == audited, name
        assert [present(row) for row in rows] == [present(row) for row in seen["json"]], name


@QUICK
@given(json_lines())
def test_every_reader_sees_what_was_audited_of_a_json_array(lines):
    lines = [line for line in lines if line.startswith(b"{") and line.endswith(b"}")]
    out, audited = cleaned("x.json", b"[" + b",\n".join([b'{"text":"first","label":"a"}', *lines]) + b"]")
    rows = json.loads(out)
    assert [(row["text"], row["label"]) for row in rows] == audited
    assert rows == orjson.loads(out)
    assert [present(row) for row in pl.read_json(io.BytesIO(out), infer_schema_length=None).to_dicts()] == [
        present(row) for row in rows
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(number_tokens, min_size=1, max_size=20))
def test_every_reader_makes_the_same_of_every_number_that_is_accepted(tokens):
    accepted = []
    for token in tokens:
        try:
            PARSE(b'{"n":' + token.encode() + b"}")
            accepted.append(token)
        except RowError:
            assert not -(2**63) <= json.loads(token) < 2**63
    line = ('{"text":"a"' + "".join(f',"c{i}":{token}' for i, token in enumerate(accepted)) + "}").encode()
    wanted = json.loads(line)
    for name, read in JSON_READERS.items():
        assert {key: value for key, value in read(line)[0].items() if key in wanted} == wanted, name


@pytest.mark.parametrize("token", [str(2**63), str(-(2**63) - 1), str(2**64 - 1), str(10**20 + 1), "1" * 300])
def test_integers_beyond_64_bits_were_accepted_though_readers_disagree_on_them(token):
    line = b'{"text":"a","n":' + token.encode() + b"}"
    found = []
    for read in JSON_READERS.values():
        try:
            found.append(repr(read(line)[0]["n"]))
        except (pl.exceptions.PolarsError, pa.ArrowException):
            found.append("refused")
    assert len(set(found)) > 1
    with pytest.raises(RowError, match="integer_too_large"):
        PARSE(line)


def table_by_csv(data, delimiter):
    return [tuple(row) for row in csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True)][
        1:
    ]


def table_by_polars(data, delimiter):
    options = {"infer_schema": False, "empty_string_is_null": False}
    return pl.read_csv(io.BytesIO(data), separator=delimiter, **options).rows()


def table_by_pyarrow(data, delimiter):
    parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = pa.csv.ConvertOptions(column_types={"text": pa.string(), "label": pa.string()}, strings_can_be_null=False)
    table = pa.csv.read_csv(io.BytesIO(data), parse_options=parse, convert_options=convert)
    return [tuple(row.values()) for row in table.to_pylist()]


TABLE_READERS = {"csv": table_by_csv, "polars": table_by_polars, "pyarrow": table_by_pyarrow}
cell = st.lists(
    st.sampled_from(
        ["a", "b", '"', '""', " ", ",", "\t", "\n", "\r\n", "\r", "\\", "'", "é", "\x00", "\ufeff", "#", "NA", "007"]  # noqa: RUF005
        + ['x"y', '"q"', '"q,r"', '"l\nm"', '"l\r\nm"', '""""', '"a\rb"', '"t\tu"', "-", "null", "2020-01-01"]
    ),
    max_size=4,
).map("".join)


@QUICK
@given(st.lists(st.tuples(cell, cell), max_size=10), st.sampled_from(["\n", "\r\n"]))
def test_every_reader_sees_what_was_audited_of_a_csv(rows, newline):
    data = newline.join(["text,label", "first,a", *(",".join(row) for row in rows)]).encode()
    out, audited = cleaned("x.csv", data)
    for name, read in TABLE_READERS.items():
        assert read(out, ",") == audited, name


@QUICK
@given(st.lists(st.tuples(cell, cell), max_size=10))
def test_every_reader_sees_what_was_audited_of_a_quoted_tsv(rows):
    quoted = ["\t".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows]
    out, audited = cleaned("x.tsv", "\n".join(['"text"\t"label"', '"first\t"\t"a"', *quoted]).encode())
    for name, read in TABLE_READERS.items():
        assert read(out, "\t") == audited, name


def test_a_return_between_quotes_of_an_unquoted_field_was_accepted():
    data = b'text,label\nfirst,a\nhe said "a\rb" twice,b\n'
    out, audited = cleaned("x.csv", data)
    assert audited == [("first", "a")] == table_by_csv(out, ",")
    assert len(table_by_csv(data, ",")) == 3
