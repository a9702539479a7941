"""The bytes of values: one value, one encoding; other values, other bytes; widths and wrappings make no difference."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attest.encoding import column, encode, row_hashes

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def same(a, b):
    """Equality that tells 1 from 1.0 and True, and -0.0 from 0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a.hex() == b.hex()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return len(a) == len(b) and all(map(same, a, b)) if isinstance(a, list) else a == b


@settings(deadline=None)
@given(VALUES, VALUES)
def test_equal_bytes_are_equal_values(a, b):
    assert (encode(a) == encode(b)) == same(a, b)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.lists(VALUES, min_size=1, max_size=4))
def test_no_encoding_is_the_beginning_of_another(a, b):
    one, two = encode(a), encode(b)
    assert one == two or not two.startswith(one)


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=4) | st.none(), max_size=3) | st.none(), max_size=6), st.integers(0, 3))
def test_lists_of_text_are_encoded_as_their_values_wherever_an_array_is_cut(values, cut):
    array = pa.array(values, pa.list_(pa.string()))
    assert column(array) == [encode(v) for v in values]
    assert column(array.slice(cut)) == [encode(v) for v in values[cut:]]


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"a": st.integers(-9, 9) | st.none(), "b": st.text(max_size=2)}) | st.none(), max_size=6
    )
)
def test_structs_are_encoded_as_their_values_wherever_an_array_is_cut(values):
    values = [v and {"a": v["a"], "b": v["b"]} for v in values]  # in the order of the type
    array = pa.array(values, pa.struct({"a": pa.int32(), "b": pa.string()}))
    assert column(array) == [encode(v) for v in values]
    assert column(array.slice(1)) == [encode(v) for v in values[1:]]


def test_widths_and_wrappings_make_no_difference():
    numbers = [column(pa.array([1, None, -3], kind)) for kind in (pa.int8(), pa.int64())]
    assert numbers[0] == numbers[1]
    texts = [pa.array(["é", None, "é"], kind) for kind in (pa.string(), pa.large_string(), pa.string_view())]
    assert len({tuple(column(a)) for a in (*texts, texts[0].dictionary_encode())}) == 1
    floats = [column(pa.array([0.5, float("nan"), None], kind)) for kind in (pa.float32(), pa.float64())]
    assert floats[0] == floats[1]
    moment = dt.datetime(2024, 1, 2, 3, 4, 5)
    times = [column(pa.array([moment], pa.timestamp(unit))) for unit in ("s", "ms", "us", "ns")]
    assert len({tuple(t) for t in times}) == 1
    day = [column(pa.array([moment.date()], kind)) for kind in (pa.date32(), pa.date64())]
    assert day[0] == day[1] and day[0] != times[0]
    assert column(pa.array([moment], pa.timestamp("us", "UTC"))) != times[0]


def test_values_that_look_alike_have_other_bytes():
    alike = [None, False, 0, 0.0, -0.0, Decimal("0"), Decimal("0.0"), "0", b"0", "", b"", [], {}, [None], "None"]
    assert len({encode(value) for value in alike}) == len(alike)
    with pytest.raises(TypeError, match="complex"):
        encode(1j)


def test_every_type_comes_back_from_its_file_with_the_same_hashes():
    table = pa.table(
        {
            "text": pa.array(["a", None, "cé"]),
            "dictionary": pa.array(["x", "y", "x"]).dictionary_encode(),
            "fixed": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2)),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "turns": pa.array([[{"role": "user", "text": "hi"}], [], None]),
            "decimal": pa.array([Decimal("1.50"), None, Decimal("2.00")]),
            "time": pa.array([dt.time(1), None, dt.time(2)]),
            "span": pa.array([dt.timedelta(1), None, dt.timedelta(2)]),
            "stamp": pa.array(
                [dt.datetime(2020, 1, 1), None, dt.datetime(2021, 1, 1)], pa.timestamp("us", "Europe/Berlin")
            ),
            "raw": pa.array([b"\xff", None, b""]),
            "none": pa.nulls(3),
        }
    )
    wanted = list(row_hashes(table))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)
    read = pq.ParquetFile(sink)
    assert [h for batch in read.iter_batches(batch_size=1) for h in row_hashes(batch)] == wanted
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    assert [h for b in pa.ipc.open_stream(stream.getvalue()) for h in row_hashes(b)] == wanted
    assert len(set(wanted)) == 3


def test_a_row_is_the_object_of_its_columns():
    table = pa.table({"text": ["hi"], "label": [1]})
    assert list(row_hashes(table)) == [hashlib.sha256(encode({"text": "hi", "label": 1})).digest()]
    assert list(row_hashes(table.select(["label", "text"]))) != list(row_hashes(table))
