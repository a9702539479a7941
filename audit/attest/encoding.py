"""Values as bytes, one way only: what the hash of a columnar row and of a ledger entry is taken over.

Each value is a tag of one byte and a body; a body of varying size begins with its size as 8 bytes, big endian:
`n` null, `t` true, `f` false, `i` an integer in ASCII digits, `d` a double (8 bytes big endian; every NaN is
7ff8000000000000), `m` a decimal in ASCII, `s` text as UTF-8, `b` bytes, `c` a date, time or duration ("timestamp",
"date", "time" or "duration", a colon, nanoseconds, and of timestamps a colon and the time zone), `l` a list (count,
then items), `o` an object (count, then name and value of each field, in order; a map's keys are values of their own). A
row is an object of its columns in the order of the file.

Widths are no part of it: int32 and int64, float32 and float64, text and dictionaries of text give the same bytes.
Misses: types that have no value of these kinds (unions, intervals) stand as the text that Arrow shows of them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

_NAN = bytes.fromhex("7ff8000000000000")
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9


def row_hashes(batch: pa.RecordBatch | pa.Table) -> Iterator[bytes]:
    """SHA-256 (32 bytes) of each row of a batch or table."""
    return (hashlib.sha256(row).digest() for row in rows(batch))


def rows(batch: pa.RecordBatch | pa.Table) -> Iterator[bytes]:
    """The bytes of each row of a batch or table. Holds one column after another in memory, encoded."""
    names = [encode(name) for name in batch.schema.names]
    head = b"o" + _size(len(names))
    arrays = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in batch.columns]
    for cells in zip(*(column(array) for array in arrays), strict=True):
        yield head + b"".join(n + cell for n, cell in zip(names, cells, strict=True))


def encode(value: Any) -> bytes:
    """The bytes of a Python value: None, bool, int, float, Decimal, str, bytes, a sequence or a mapping. Raises
    TypeError for anything else."""
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return _sized(b"i", str(value).encode())
    if isinstance(value, float):
        return b"d" + (_NAN if value != value else struct.pack(">d", value))
    if isinstance(value, Decimal):
        return _sized(b"m", str(value).encode())
    if isinstance(value, str):
        return _sized(b"s", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return _sized(b"b", value)
    if isinstance(value, Mapping):
        return b"o" + _size(len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, Sequence):
        return b"l" + _size(len(value)) + b"".join(map(encode, value))
    raise TypeError(f"a {type(value).__name__} has no encoding")


def column(array: pa.Array) -> list[bytes]:
    """The bytes of each value of an Arrow array."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return column(array.storage)
    if kinds.is_dictionary(kind):
        return column(array.dictionary_decode())
    if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
        raw = array.cast(pa.large_string()) if kinds.is_string_view(kind) else array
        wide = kinds.is_large_string(raw.type)
        return _each(raw.view(pa.large_binary() if wide else pa.binary()), lambda v: _sized(b"s", v))
    if kinds.is_temporal(kind) and not kinds.is_interval(kind):
        return _temporal(array)
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_map(kind):
        return _lists(array, array.offsets.to_pylist())
    if kinds.is_fixed_size_list(kind):
        width = kind.list_size
        first = array.offset * width
        return _lists(array, [first + i * width for i in range(len(array) + 1)])
    if kinds.is_struct(kind):
        return _structs(array)
    plain = kinds.is_null(kind) or kinds.is_boolean(kind) or kinds.is_integer(kind) or kinds.is_floating(kind)
    if plain or kinds.is_decimal(kind) or kinds.is_binary(kind) or kinds.is_large_binary(kind):
        return _each(array, encode)
    if kinds.is_fixed_size_binary(kind) or kinds.is_binary_view(kind):
        return _each(array, encode)
    return [b"n" if not item.is_valid else encode(str(item)) for item in array]


def _each(array: pa.Array, of: Callable[[Any], bytes]) -> list[bytes]:
    return [b"n" if value is None else of(value) for value in array.to_pylist()]


def _temporal(array: pa.Array) -> list[bytes]:
    kind = array.type
    narrow = kinds.is_date32(kind) or kinds.is_time32(kind)
    if kinds.is_date(kind):
        word, factor = "date", _DAY if narrow else _NANOSECONDS["ms"]
    else:
        word, factor = str(kind).split("[")[0].rstrip("3264"), _NANOSECONDS[kind.unit]
    zone = f":{kind.tz}" if kinds.is_timestamp(kind) and kind.tz else ""
    values = array.view(pa.int32() if narrow else pa.int64())
    return _each(values, lambda v: _sized(b"c", f"{word}:{v * factor}{zone}".encode()))


def _lists(array: pa.Array, offsets: list[int]) -> list[bytes]:
    first, last = (offsets[0], offsets[-1]) if offsets else (0, 0)
    if kinds.is_map(array.type):
        pairs = zip(column(array.keys[first:last]), column(array.items[first:last]), strict=True)
        tag, items = b"o", [key + value for key, value in pairs]
    else:
        tag, items = b"l", column(array.values[first:last])
    found = []
    for valid, start, stop in zip(array.is_valid().to_pylist(), offsets, offsets[1:], strict=False):
        body = b"".join(items[start - first : stop - first])
        found.append(tag + _size(stop - start) + body if valid else b"n")
    return found


def _structs(array: pa.Array) -> list[bytes]:
    names = [encode(field.name) for field in array.type]
    head = b"o" + _size(len(names))
    columns = [column(array.field(at)) for at in range(len(names))]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(array))
    return [
        head + b"".join(n + cell for n, cell in zip(names, cells, strict=True)) if valid else b"n"
        for valid, cells in zip(array.is_valid().to_pylist(), rows, strict=True)
    ]


def _sized(tag: bytes, body: bytes) -> bytes:
    return tag + _size(len(body)) + body


def _size(count: int) -> bytes:
    return count.to_bytes(8, "big")
