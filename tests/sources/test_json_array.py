from __future__ import annotations

import json

import pytest

from audit.errors import InputError, NothingScanned

ROWS = [{"text": f'row {i} "quoted" }},{{ [x]', "label": i % 2} for i in range(6)]


def elements(bad: bytes | None = None) -> list[bytes]:
    found = [json.dumps(row, indent=1).encode() for row in ROWS]
    return found if bad is None else [*found[:2], bad, *found[3:]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[", b"]"),
        (b"\xef\xbb\xbf [\n ", b"\n]\n"),
        (b'{"version": "1", "tags": ["a", "b"], "data": [\n', b'], "end": {"n": [1]}}\n'),
    ],
)
def test_elements_are_byte_exact(read, before, after):
    got = read("d.json", before + b",\n  ".join(elements()) + after)
    assert got.bad == {}
    assert got.ledger["raw"].to_list() == elements()
    assert got.info.files[0].format == "json"
    layout = got.info.files[0].layout
    assert layout["prefix"].encode() == before.rstrip(b"\n ") + before[len(before.rstrip(b"\n ")) :]
    assert layout["separator"] == ",\n  " and layout["suffix"].encode() == after


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"text": "a", "text": "b", "label": 1}', "duplicate_key"),
        (b'{"text": "caf\xe9", "label": 1}', "invalid_utf8"),
        (b'{"text": nope, "label": 1}', "not_json"),
        (b'{"text": "never closed, "label": 1}', "not_json"),
        (b'{"text": "never closed, label: 1}', "not_json"),
        (b'{"text": "x", "label": [1}', "not_json"),
        (b'{"text": "x", "label": 1', "not_json"),
        (b'"text"', "not_an_object"),
        (b"7", "not_an_object"),
        (b"[1, 2]", "not_an_object"),
        (b'{"text": "x", "m": [{"a": 1},{"a": 2}], "label": nope}', "not_json"),
    ],
)
def test_a_bad_element_costs_itself_only(read, bad, reason):
    got = read("d.json", b"[" + b",\n".join(elements(bad)) + b"]")
    assert list(got.bad.values()) == [reason]
    assert [json.loads(raw) for raw in got.ledger["raw"].to_list() if raw in elements()] == [*ROWS[:2], *ROWS[3:]]
    assert got.examples.height == 5 and got.info.rows == 6


def test_a_missing_comma_is_reported_and_reading_goes_on(read):
    got = read("d.json", b"[" + b" ".join(elements()[:2]) + b"," + elements()[2] + b"]")
    assert got.examples.height == 3
    assert list(got.bad.values()) == ["trailing_data"]


def test_a_list_that_does_not_end_is_reported(read):
    got = read("d.json", b"[" + b",".join(elements()))
    assert got.examples.height == 6 and list(got.bad.values()) == ["truncated_input"]
    cut = b"[" + b",".join(elements())[:-9]
    got = read("e.json", cut)
    assert got.examples.height == 5
    assert got.ledger["raw"][5] and got.ledger["reason"][5] == "not_json"


def test_text_behind_the_list_is_a_record_of_its_own(read):
    got = read("d.json", b"[" + b",".join(elements()) + b'] {"text": "hidden", "label": 1}')
    assert got.examples.height == 6 and got.bad == {6: "trailing_data"}
    assert b"hidden" in got.ledger["raw"][6]
    twice = b'{"data": [' + b",".join(elements()) + b'], "data": []}'
    assert list(read("e.json", twice).bad.values()) == ["duplicate_key"]


def test_json_lines_under_a_json_name_are_read_as_lines(read):
    got = read("d.json", b"\n".join([json.dumps(row).encode() for row in ROWS] + [b"broken"]))
    assert got.info.files[0].format == "jsonl"
    assert got.examples.height == 6 and got.bad == {6: "not_json"}


@pytest.mark.parametrize(
    "text", ['{"a": 1}', '{"a": [{"x": 1}], "b": [{"x": 1}]}', "17", '{"text": ["a"], "label": [1]}']
)
def test_a_file_without_one_list_of_rows_is_refused(read, text):
    with pytest.raises(InputError, match="holds no rows"):
        read("d.json", text)


def test_an_empty_list_is_empty_and_a_list_of_scalars_is_nothing(read):
    with pytest.raises(InputError, match="empty"):
        read("d.json", "[]")
    with pytest.raises(NothingScanned, match="2 not_an_object"):
        read("e.json", "[1, 2]")


def test_many_bad_elements_do_not_cost_quadratic_time(read):
    hostile = b'{"text": "x},{' * 3_000
    got = read("d.json", b"[" + b",".join(elements()) + b"," + hostile + b"]")
    assert got.examples.height == 6 and got.info.rows > 6


def test_bytes_looked_at_behind_bad_elements_are_bounded(read, monkeypatch):
    """Counted, for a clock says little of 20 kilobytes: so many times the file at most, whatever stands in it."""
    from audit.sources import json_array

    looked, real = [], json_array._span

    def span(data, start, most=None):
        end = real(data, start, most)
        looked.append((len(data) if end < 0 else end) - start)
        return end

    monkeypatch.setattr(json_array, "_span", span)
    data = b"[" + b",".join(elements()) + b"," + b'{"text": "x},{' * 1_500 + b"]"
    read("d.json", data)
    assert len(looked) > 10 and sum(looked) < 200 * len(data)


def test_quotes_that_are_escaped_behind_an_open_string_take_linear_time():
    """An open string followed by escaped quotes took a second for 60,000 bytes and four for twice as many."""
    import time

    from audit.sources.json_array import _span

    data = b'[{"a": "' + b'\\"' * 1_000_000
    started = time.thread_time()
    assert _span(data, 1) == -1
    assert time.thread_time() - started < 1
    assert _span(b'{"a": "x}', 0) == 9, "a bracket in an open string still ends its row"
    assert _span(b'{"a": "\\', 0) == -1 and _span(b'{"a": "}"}', 0) == 10
