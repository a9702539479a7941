from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import build
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest
from audit.sources.delimited import uses_quotes

NULL_WORDS = ["NA", "null", "NaN", "None", "", "nan", "N/A", "NULL", "<NA>", "#N/A", "-", "007"]


def texts(got):
    return got.examples["prompt"].to_list()


def test_no_word_is_null_and_nothing_is_stripped(read):
    rows = "".join(f"{word},{word}\n" for word in [*NULL_WORDS, "  padded  "])
    got = read("d.csv", "text,label\n" + rows)
    assert got.bad == {}
    assert texts(got) == [*NULL_WORDS, "  padded  "]
    assert got.examples["label"].to_list() == texts(got)


def test_quoted_fields_hold_delimiters_line_ends_and_quotes(read):
    records = [
        b'"a, b",1',
        b'"two\nlines\n\nhere",0',
        b'"say ""hi""",1',
        b'"",0',
        b'"crlf\r\ninside",1',
        b'plain "word" here,0',
    ]
    got = read("d.csv", b"text,label\n" + b"\n".join(records))
    assert got.bad == {}
    assert got.ledger["raw"].to_list() == records
    assert texts(got) == ["a, b", "two\nlines\n\nhere", 'say "hi"', "", "crlf\r\ninside", 'plain "word" here']
    assert got.ledger["line"].to_list() == [2, 3, 7, 8, 9, 11]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"only one", "ragged_row"),
        (b"a,b,1", "ragged_row"),
        (b'"two\nlines",1,extra', "ragged_row"),
        (b'"a"b,1', "bad_quoting"),
        (b'"never closed,1', "bad_quoting"),
        (b"5'10\" tall,1", "bad_quoting"),
        (b"caf\xe9,1", "invalid_utf8"),
        (b"one\rtwo,1", "stray_carriage_return"),
        (b'inside "of\rquotes" that do not quote,1', "stray_carriage_return"),
    ],
)
def test_a_bad_row_costs_itself_only(read, bad, reason):
    got = read("d.csv", b"\n".join([b"text,label", b"first,0", bad, b'"sec, ond",1', b"third,0"]) + b"\n")
    assert got.bad == {1: reason}
    assert got.ledger["raw"][1] == bad
    assert texts(got) == ["first", "sec, ond", "third"]
    assert got.examples["label"].to_list() == ["0", "1", "0"]


def test_crlf_bom_and_blank_lines(read):
    got = read("d.csv", b"\xef\xbb\xbftext,label\r\n\r\na,1\r\n\r\nb,0\r\n")
    assert texts(got) == ["a", "b"] and got.bad == {}
    layout = got.info.files[0].layout
    assert layout["bom"] and layout["newline"] == "\r\n" and layout["header"] == "text,label"
    assert got.ledger["raw"].to_list() == [b"a,1", b"b,0"]


def test_further_columns_go_to_meta_as_text(read):
    got = read("d.csv", "id,text,label,annotator_id,n\n01,a,1,w3,5\n")
    row = got.examples.row(0, named=True)
    assert row["id"] == "01" and row["annotator"] == "w3" and row["meta"] == '{"n":"5"}'


@pytest.mark.parametrize(
    "header", [b"text,text\na,1", b"te\xe9xt,label\na,1", b'"text,label\na,1', b"text\rlabel,x\na,1"]
)
def test_a_bad_header_sets_every_row_aside_and_names_why(read, header, tmp_path):
    good = tmp_path / "input" / "a.csv"
    good.parent.mkdir()
    good.write_bytes(b"text,label\na,1\n")
    (good.parent / "b.csv").write_bytes(header + b"\n")
    got = read(good.parent)
    assert got.examples.height == 1
    assert got.info.bad == {"bad_header": 2}


def test_the_last_line_of_a_tsv_without_a_line_end_was_not_asked_for_its_quotes(read):
    got = read("d.tsv", b'"text"\t"label"\n"a\tb"\t"1"')
    assert got.bad == {} and texts(got) == ["a\tb"]


def test_a_stray_opening_quote_costs_one_line_however_long_the_file(read):
    lines = [f"row {i},{i % 2}" for i in range(3_000)]
    lines[5] = '"opens and never closes,1'
    got = read("d.csv", "text,label\n" + "\n".join(lines))
    assert got.bad == {5: "bad_quoting"} and got.examples.height == 2_999


def test_tsv_without_quoting_keeps_its_quotes(read):
    rows = ['"a" is the first letter\t1', 'she said "no\t0', '"\t1', 'ends with a quote"\t0']
    got = read("d.tsv", "text\tlabel\n" + "\n".join(rows) + "\n")
    assert got.bad == {} and got.info.files[0].layout["quoted"] is False
    assert texts(got) == [row.split("\t")[0] for row in rows]


def test_tsv_with_quoting_is_unquoted(read):
    rows = ['"a\ttab"\t1', '"say ""hi"""\t0', "plain\t1", '"two\nlines"\t0']
    got = read("d.tsv", "text\tlabel\n" + "\n".join(rows) + "\n")
    assert got.bad == {} and got.info.files[0].layout["quoted"] is True
    assert texts(got) == ["a\ttab", 'say "hi"', "plain", "two\nlines"]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("text\tlabel\nplain\t1\n", False),
        ('text\tlabel\n"alone in quotes"\t1\nplain\t0\n', False),
        ('"text"\t"label"\n"a"\t"1"\n"b"\t"0"\n', True),
        ('text\tlabel\n"a"\t1\n"b"\t0\n', True),
        ('text\tlabel\n"a ""b"" c"\t1\nplain\t0\n', True),
        ('text\tlabel\n"a" b\t1\n"c ""d"""\t0\n"e"f\t0\n', False),
    ],
)
def test_whether_quotes_quote_in_a_tsv(text, quoted):
    assert uses_quotes(text.encode(), "\t") is quoted


cell = st.text(alphabet=st.sampled_from(list('ab ,\t"\n\r;é\u2028')), max_size=8)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(cell, cell), min_size=1, max_size=8),
    st.sampled_from([",", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_writes_is_read_back(rows, delimiter, newline):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label"), *rows])
    name = "d.csv" if delimiter == "," else "d.tsv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(buffer.getvalue().encode())
        run = RunDir(Path(folder) / "run")
        ingest(Context(run, build({"source": str(path)}), NoProgress()), "all")
        info, ledger, examples = run.dataset(), run.ledger(), run.examples()
    assert info.bad == {}
    assert list(zip(examples["prompt"], examples["label"], strict=True)) == rows
    header = f'"text"{delimiter}"label"'.encode()
    body = newline.encode().join([header, *ledger["raw"].to_list()]) + newline.encode()
    assert body == path_bytes(buffer)


def path_bytes(buffer: io.StringIO) -> bytes:
    return buffer.getvalue().encode()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=14).map(lambda b: b.replace(b"\n", b'"')), max_size=10))
def test_no_byte_of_any_csv_is_lost(lines):
    body = b"\n".join([b"text,label", b"a,1", *lines])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.csv"
        path.write_bytes(body)
        run = RunDir(Path(folder) / "run")
        ingest(Context(run, build({"source": str(path)}), NoProgress()), "all")
        info, ledger = run.dataset(), run.ledger()
    assert info.rows == ledger.height == info.readable + sum(info.bad.values())
    end = len(b"text,label")
    for offset, raw in zip(ledger["offset"], ledger["raw"], strict=True):
        assert body[offset : offset + len(raw)] == raw
        assert offset > end - 1 and body[end:offset].strip(b"\r\n") == b""
        end = offset + len(raw)
    assert body[end:].strip(b"\r\n") == b""
