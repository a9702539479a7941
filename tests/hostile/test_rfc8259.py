"""The strict reader against RFC 8259, through the reader of JSON lines."""

from __future__ import annotations

import io
import json

import pytest

from audit.config import IngestConfig
from audit.sources import jsonl
from audit.sources.record import Budget, Reading
from audit.sources.streams import ByteStream
from hostile.rfc8259 import FREE, texts

TEXTS = texts()


def read(data: bytes) -> list:
    stream = ByteStream(io.BytesIO(data), "", Budget(1 << 30))
    return list(jsonl.records(stream, Reading(0, "jsonl"), IngestConfig()))


@pytest.mark.parametrize("text", [pytest.param(text, id=text.name) for text in TEXTS])
def test_text(text):
    records = read(b'{"v": "before"}\n' + text.raw + b'\n{"v": "behind"}\n')
    assert [record.fields for record in records[::2]] == [{"v": "before"}, {"v": "behind"}]
    record = records[1]
    assert (len(records), record.raw, record.line) == (3, text.raw, 2)
    if text.accepted:
        assert record.reason is None and record.fields == {"v": text.expected}, record.detail
    else:
        assert (record.fields, record.reason) == (None, text.expected) and record.detail


def test_there_are_enough_and_no_name_stands_twice():
    assert len({text.name for text in TEXTS}) == len(TEXTS) >= 200
    assert min(sum(text.name.startswith(kind) for text in TEXTS) for kind in ("y_", "n_", "i_")) >= 20


def test_what_is_read_is_what_another_strict_reader_reads():
    """Python's own reader agrees on every text that is accepted, but for the numbers' source text."""
    for text in TEXTS:
        if text.accepted:
            found = json.loads(text.raw, parse_int=str, parse_float=str)["v"]
            assert found == text.expected, text.name


def test_what_python_would_accept_is_refused_on_purpose_and_listed():
    """The texts that a lenient reader takes and this one does not are exactly those that the module names."""
    lenient = set()
    for text in TEXTS:
        if not text.accepted and text.expected != "not_an_object":
            try:
                json.loads(text.raw)
            except (ValueError, RecursionError):
                continue
            lenient.add(text.name)
    free = {f"i_{name}" for name in FREE} - {"i_very_deep_lists"}
    python = {"n_number_NaN", "n_number_Infinity", "n_number_-Infinity", "n_utf8_surrogate"}
    assert lenient - {"i_very_deep_lists"} == free | python
