"""Where a layout's pattern matches a line, the strict parser gives the same object; and it takes linear time."""

from __future__ import annotations

import json
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import IngestConfig
from audit.sources import layouts
from audit.sources.layouts import Layouts, layout_of, texts
from audit.sources.record import Number, RowError
from audit.sources.shapes import scalar
from audit.sources.strict_json import ObjectParser, dumps

PARSE = ObjectParser(IngestConfig())
GOOD = b'{"text": "a fine film", "label": 1}'

KEYS = ("text", "a.b", "x*", "(", "<k>", "\\d", "\u2028", "é", '"', " ")
keys = st.text(min_size=1, max_size=6) | st.sampled_from(KEYS)
values = (
    st.text(max_size=12)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.sampled_from(["\\", '"', "\n\r\t\b\f/", "\x00\x1f\x7f", "😀é\u2028", "\\u0041", "\ufeff"])
)
rows = st.dictionaries(keys, values, min_size=1, max_size=5)
# What stands where a value or a separator should: each is told from it by a few bytes.
PIECES = (
    *(b'"', b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"\\uD83D\\uDE00", b"\\u00e9", b"\\/", b"\\x", b"\x00", b"\x1f"),
    *(b"0", b"-", b"-0", b"01", b"1.", b".5", b"1e9", b"1E999", b"NaN", b"9" * 18, b"9" * 19, b"9" * 400, b"tru"),
    *(b"{", b"}", b"[", b"]", b",", b":", b" ", b"\t", b"\r", b"\x0b", b"\x7f", b"null", b"//", b"/**/"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90", b"\xe2\x80\xa8", b"\xef\xbb\xbf", "\u0660".encode()),
    *(b'"text": 1, ', b', "label": 2', b'"te\\u0078t"'),
)
pieces = st.sampled_from(PIECES)


def spelled(row: dict, ascii_only: bool, tight: bool) -> bytes:
    separators = (",", ":") if tight else (", ", ": ")
    return json.dumps(row, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")


def learned(fields: dict) -> Layouts:
    found = Layouts()
    for _ in range(layouts._OFTEN):
        found.learn(fields)
    return found


def check(found: Layouts, lines: list[bytes]) -> int:
    """Every line that is matched is what the strict parser says of it; how many are."""
    matched = 0
    for cells, at in found.matches(texts(pl.Series(lines, dtype=pl.Binary))):
        assert at.to_list() == sorted(set(at.to_list())) and cells.height == at.len()
        names = sorted(cells.columns)
        scalars = {name: cells.scalar(name).to_list() for name in names}
        strings = {name: cells.text(name) for name in names}
        optional = {name: cells.optional_text(name).to_list() for name in names}
        objects = cells.compact(names).to_list()
        for index, place in enumerate(at):
            matched += 1
            fields = PARSE(lines[place])  # not refused
            assert list(fields) == list(cells.columns)
            assert objects[index] == dumps(fields)
            for name, value in fields.items():
                assert scalars[name][index] == scalar(value)
                column, text = strings[name], type(value) is str
                assert (column is not None) == text and (column is None or column[index] == value)
                assert optional[name][index] == (value if text else "" if value is None else None)
        assert cells.text("no such column") is None
        assert cells.scalar("no such column").null_count() == cells.scalar(None).null_count() == cells.height
        assert set(cells.optional_text("no such column")) == {""} == set(cells.optional_text(None))
    return matched


@pytest.mark.parametrize("row", [{"text": "a é", "label": 10}, {"n": None, "text": "", "b": True, "f": -1.5, "z": "x"}])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_piece_at_every_place_is_told_as_the_strict_parser_tells_it(row, ascii_only):
    line = spelled(row, ascii_only, False)
    places = range(len(line) + 1)
    lines = [line[:at] + piece + line[at + gone :] for piece in PIECES for at in places for gone in (0, 1)]
    assert check(learned(PARSE(line)), lines) > len(lines) / 40


@settings(max_examples=300, deadline=None)
@given(rows, st.booleans(), st.booleans(), st.data())
def test_what_is_matched_is_what_the_strict_parser_reads(row, ascii_only, tight, data):
    line = spelled(row, ascii_only, tight)
    try:
        fields = PARSE(line)
    except RowError:
        return
    lines = [line]
    for _ in range(8):
        at = data.draw(st.integers(0, len(line)))
        stop = data.draw(st.integers(at, min(at + 3, len(line))))
        lines.append(line[:at] + data.draw(pieces) + line[stop:])
    if layout_of(fields) is None:
        assert not list(learned(fields).matches(pl.Series(["{}"])))
        return
    check(learned(fields), lines)


@settings(max_examples=100, deadline=None)
@given(rows, st.booleans(), st.booleans())
def test_what_json_writes_is_matched(row, ascii_only, tight):
    """Else the fast path would be right and of no use: only long numbers, exponents and odd keys are left out."""
    line = spelled(row, ascii_only, tight)
    try:
        fields = PARSE(line)
    except RowError:
        return
    plain = all(json.dumps(key, ensure_ascii=False) == f'"{key}"' and (key.isascii() or not ascii_only) for key in row)
    short = all(
        type(v) is not Number or (len(v.split(".")[0].lstrip("-")) <= 18 and "e" not in v) for v in fields.values()
    )
    assert check(learned(fields), [line]) == (plain and short)


@given(st.lists(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), max_size=6))
def test_each_line_is_utf8_or_not_by_itself(lines):
    def decoded(raw):
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None

    for some in (lines, [b"a" * 20 + b"\xc3", b"\xa9" + b"b" * 20], [b"\xc3", b"\xa9"]):
        assert texts(pl.Series(some, dtype=pl.Binary)).to_list() == [decoded(raw) for raw in some]


def test_several_layouts_share_a_run():
    found = learned(PARSE(GOOD))
    other = b'{"label":null,"text":"x"}'
    for _ in range(layouts._OFTEN):
        found.learn(PARSE(other))
    lines = [GOOD, other, b"{}", b"", GOOD, b'{"text": 1, "label": 1}', other, GOOD + b" ", b" " + GOOD]
    assert check(found, lines) == 5


def test_rare_layouts_do_not_push_out_common_ones():
    found = learned(PARSE(GOOD))
    for number in range(50 * layouts._MOST):
        found.learn({f"k{number}": "x"})
    assert check(found, [GOOD]) == 1 and len(found._seen) <= 64 * layouts._MOST
    for number in range(layouts._MOST + 2):  # each is often seen, and then no more
        assert check(found, [GOOD] * 8) == 8
        for _ in range(layouts._OFTEN):
            found.learn({f"k{number}": "x"})
    assert len(found._hits) == layouts._MOST


def test_rows_that_are_not_flat_or_too_wide_have_no_layout():
    assert layout_of({}) is None and layout_of({"a": ["x"]}) is None and layout_of({"a": {}}) is None
    assert layout_of({str(i): "x" for i in range(layouts._MOST_KEYS + 1)}) is None
    assert all(layout_of({key: "x"}) is None for key in ('a"b', "a\\", "a\n", "\x00"))
    wide = {str(i): "x" for i in range(layouts._MOST_KEYS)}
    assert check(learned(wide), [json.dumps(wide).encode()]) == 1


HOSTILE = {
    "backslashes": b'{"text": "' + b"\\" * 400_000,
    "escapes": b'{"text": "' + b"\\n" * 200_000 + b'", "label": 1',
    "half pairs": b'{"text": "' + b"\\ud83d" * 70_000 + b'", "label": 1}',
    "quotes": b'{"text": ' + b'"' * 400_000,
    "blanks": b'{"text":' + b" " * 400_000 + b"x",
    "digits": b'{"text": "", "label": ' + b"1" * 400_000 + b"}",
    "a long text": b'{"text": "' + b"a" * 400_000,
    "braces": b"{" * 400_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_takes_long(name):
    """Time grows with the line and not with its square: a tenth of the line may not take less than a fiftieth."""
    found = learned(PARSE(GOOD))

    def seconds(line: bytes) -> float:
        best = 1e9
        for _ in range(3):
            started = time.process_time()
            check(found, [line])
            best = min(best, time.process_time() - started)
        return best

    assert seconds(HOSTILE[name]) < 50 * max(seconds(HOSTILE[name][:40_000]), 0.002)
