"""Parquet and Arrow files that lie, break or explode."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hostile.cases import Built, Case, Row

TEXTS = [f"row {i}" for i in range(30)]
TABLE = pa.table({"text": TEXTS, "label": [i % 3 for i in range(30)]})
EVERY = 4
READ: Row = (None, None)


def parquet(table: pa.Table = TABLE, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **{"compression": "none", "use_dictionary": False, **options})
    return buffer.getvalue()


def arrow(table: pa.Table = TABLE, container: str = "file") -> bytes:
    buffer = io.BytesIO()
    with (pa.ipc.new_file if container == "file" else pa.ipc.new_stream)(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return buffer.getvalue()


def column_file(data: bytes, rows: Sequence[Row], name: str = "d.parquet", texts: Any = None, **settings: Any) -> Built:
    """A columnar file; `texts` are the prompts that survive."""

    def check(got: Any) -> None:
        assert texts is None or got.examples["prompt"].to_list() == list(texts)

    error = "" if any(reason is None for _, reason in rows) else "NothingScanned" if rows else "InputError"
    return Built({name: data}, rows, error, settings=settings, check=check)


def forged(data: bytes, true: int, claimed: int, which: int) -> bytes:
    """One row count of the footer rewritten: a thrift i64 is a zigzag varint, one byte below 64."""
    size = int.from_bytes(data[-8:-4], "little")
    footer = bytearray(data[-8 - size : -8])
    places = [i for i in range(size - 1) if footer[i] == 0x16 and footer[i + 1] == true * 2]
    footer[places[which] + 1] = claimed * 2
    return data[: -8 - size] + bytes(footer) + data[-8:]


def counts() -> dict[str, bytes]:
    """Each place where the footer says 30 (of the file, of the group, of each column), made 20 and 40 in turn."""
    data, found = parquet(), {}
    size = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - size : -8]
    places = sum(footer[i] == 0x16 and footer[i + 1] == 60 for i in range(size - 1))
    for which in range(places):
        for claimed in (0, 20, 40):
            found[f"place_{which}_{claimed}"] = forged(data, 30, claimed, which)
    return found


def lying(data: bytes) -> Built:
    """Never a short read in silence: all 30 rows, or a reason."""

    def check(got: Any) -> None:
        reasons = set(got.ledger["reason"].drop_nulls())
        assert got.examples["prompt"].to_list() in (TEXTS, []) or reasons
        assert got.examples.height == 30 or (reasons and reasons <= {"count_mismatch", "damaged_input"})
        assert set(got.examples["prompt"]) <= set(TEXTS)

    return Built({"d.parquet": data}, None, "?", "count_mismatch|damaged_input", check=check)


def flipped_page() -> Built:
    data = bytearray(parquet(row_group_size=10, write_page_checksum=True))
    data[data.find(b"row 15")] ^= 1
    rows = [READ] * 10 + [(None, "damaged_input")] + [READ] * 10
    return column_file(bytes(data), rows, texts=TEXTS[:10] + TEXTS[20:])


def forged_checksum() -> Built:
    """The page is sound and its checksum is not: it is refused all the same, for nobody can tell which one lies."""
    sound = parquet(write_page_checksum=True)
    unsigned = parquet(write_page_checksum=False)
    at = next(i for i, (a, b) in enumerate(zip(sound, unsigned, strict=False)) if a != b)
    data = bytearray(sound)
    data[at + 2] ^= 1
    return Built({"d.parquet": bytes(data)}, None, "?", "damaged_input|count_mismatch", check=_never_clean)


def _never_clean(got: Any) -> None:
    assert got.examples["prompt"].to_list() == TEXTS or set(got.ledger["reason"].drop_nulls())


def forged_statistics() -> Built:
    """Minimum and maximum are no longer those of the column: nothing is skipped by them."""
    data = parquet(pa.table({"text": ["mmm"] * 9 + ["bad"], "label": [0, 1] * 5}))
    footer = int.from_bytes(data[-8:-4], "little")
    head, tail = data[: -8 - footer], data[-8 - footer :]
    lie = tail.replace(b"bad", b"mma").replace(b"mmm", b"mmb")
    assert lie != tail
    return column_file(head + lie, [READ] * 10, texts=["mmm"] * 9 + ["bad"])


def damaged(data: bytes, percent: int, seed: int, name: str) -> Built:
    """A few bytes changed anywhere: rows that are read are counted, what is lost has a reason; no crash."""
    some, rng = bytearray(data), random.Random(seed)
    at = len(some) * percent // 100
    for place in range(at, min(at + 3, len(some))):
        some[place] = rng.randrange(256)

    def check(got: Any) -> None:
        reasons = set(got.ledger["reason"].drop_nulls())
        assert reasons or got.examples.height >= 30

    return Built({name: bytes(some)}, None, "?", "", check=check)


def cut(data: bytes, percent: int, name: str) -> Built:
    def check(got: Any) -> None:
        assert got.ledger["reason"].to_list()[-1] == "damaged_input"
        height = got.examples.height
        assert got.examples["prompt"].to_list() == TEXTS[:height] and got.ledger.height == height + 1

    return Built({name: data[: len(data) * percent // 100]}, None, "?", "damaged_input", check=check)


def bombs() -> dict[str, Built]:
    sound = pa.table({"text": [f"t{i}" for i in range(3_000)], "label": ["1", "0"] * 1_500})
    nulls = pa.table({n: pa.nulls(3_000_000, pa.string()) for n in ("text", "label")})
    long = pa.table({"text": ["x" * 40_000] * 5_000, "label": ["1"] * 5_000})
    packed = {"compression": "zstd", "use_dictionary": True, "row_group_size": 3_000}

    def check(got: Any) -> None:
        assert got.ledger["reason"].to_list()[-1] == "resource_limit" and got.info.rows < 70_000
        assert got.examples["prompt"].to_list()[:3_000] == sound["text"].to_pylist()

    made = {
        "dictionary": parquet(pa.concat_tables([sound, long]), **packed),
        "nulls": parquet(pa.concat_tables([sound, nulls]), **packed),
        "zstd": parquet(pa.concat_tables([sound, long]), compression="zstd", row_group_size=3_000),
    }
    cap = {"max_decoded_bytes": 4 << 20}
    return {name: Built({"d.parquet": data}, None, check=check, settings=cap) for name, data in made.items()}


def shared_values(kind: str) -> Built:
    """5,000 cells that are one stored value: a kilobyte that stands for half a gigabyte."""
    text = pa.array(["y" * 100_000])
    if kind == "dictionary":
        cells = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int32()), text)
    elif kind == "runs":
        cells = pa.RunEndEncodedArray.from_arrays(pa.array([5_000], pa.int32()), text)
    else:
        view = (100_000).to_bytes(4, "little") + b"yyyy" + bytes(8)  # length, first bytes, buffer 0, offset 0
        buffers = [None, pa.py_buffer(view * 5_000), pa.py_buffer(b"y" * 100_000)]
        cells = pa.Array.from_buffers(pa.string_view(), 5_000, buffers)
    table = pa.table({"text": cells, "label": ["1", "0"] * 2_500})
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)

    def check(got: Any) -> None:
        assert got.ledger["reason"].to_list()[-1] == "resource_limit" and got.info.rows < 5_000

    cap = {"max_decoded_bytes": 100 << 20}
    match = "resource_limit|cannot be stored"  # parquet, in which originals are kept, knows no runs
    return Built({"d.arrow": buffer.getvalue()}, None, "?", match, check=check, settings=cap)


def cases() -> Iterator[Case]:
    for name, data in counts().items():
        yield Case("forged parquet row count", name, lambda d=data: lying(d))
    yield Case("damaged parquet page", "flipped", flipped_page)
    yield Case("forged parquet checksum", "flipped", forged_checksum)
    yield Case("forged parquet statistics", "min_and_max", forged_statistics)
    for percent in range(100):
        slow = percent % EVERY != 0
        for ending, data in (("parquet", parquet()), ("arrow", arrow())):
            yield Case(
                f"truncated {ending}", f"{percent:02d}", lambda d=data, p=percent, e=ending: cut(d, p, f"d.{e}"), slow
            )
            yield Case(
                f"damaged {ending}",
                f"{percent:02d}",
                lambda d=data, p=percent, e=ending: damaged(d, p, p, f"d.{e}"),
                slow,
            )
        stream = arrow(container="stream")
        yield Case("truncated arrow stream", f"{percent:02d}", lambda d=stream, p=percent: cut_stream(d, p), slow)
    for name in ("dictionary", "nulls", "zstd"):
        yield Case("parquet bomb", name, lambda n=name: bombs()[n])
    for name in ("dictionary", "runs", "views"):
        yield Case("arrow values shared by all rows", name, lambda n=name: shared_values(n))
    yield from _ends_of_streams()
    yield from _sound_but_odd()


def _ends_of_streams() -> Iterator[Case]:
    """Readers stop at the first end marker, and where there is none at the end of the file: without a word."""
    whole, rows = arrow(container="stream"), [READ] * 30
    for name, more in (("twice", whole), ("other_bytes", b"text,label\n"), ("one_byte", b"\0")):
        costs: list[Row] = [*rows, (None, "damaged_input")]
        yield Case("more behind an arrow stream", name, lambda d=whole + more, c=costs: column_file(d, c, "d.arrow"))
    for name, size in (("last_marker", 8), ("half_a_marker", 4)):
        yield Case("arrow stream without an end", name, lambda n=size: cut_stream(whole, size=len(whole) - n))
    old = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(use_legacy_format=True)
    with pa.ipc.new_stream(old, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE)
    yield Case("arrow stream as before 0.15", "whole", lambda: column_file(old.getvalue(), rows, "d.arrow", TEXTS))


def cut_stream(data: bytes, percent: int = 0, size: int | None = None) -> Built:
    """A stream that ends between two batches is whole to every reader; here it has no end, and that is said."""
    some = data[: len(data) * percent // 100 if size is None else size]

    def check(got: Any) -> None:
        height = got.examples.height
        assert got.examples["prompt"].to_list() == TEXTS[:height]
        assert got.ledger["reason"].to_list()[-1] in ("damaged_input", "truncated_input")

    return Built({"d.arrow": some}, None, "?", "damaged_input|truncated_input", check=check)


def _sound_but_odd() -> Iterator[Case]:
    text = pa.array([b"fine", b"caf\xe9", b"good"], pa.binary()).view(pa.string())
    bad = pa.table({"text": text, "label": ["1", "0", "1"]})
    costs: list[Row] = [READ, (None, "invalid_utf8"), READ]
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"]), pa.array(["1"])], ["text", "text", "label"])
    nulls = pa.table({"text": ["a", None, "c"], "label": ["1", "0", "1"]})
    for name, write in (("d.parquet", parquet), ("d.arrow", arrow)):
        yield Case("columnar cell that is not utf-8", name, lambda n=name, w=write: column_file(w(bad), costs, n))
        some: list[Row] = [READ, (None, "missing_field"), READ]
        yield Case("columnar null", name, lambda n=name, w=write, s=some: column_file(w(nulls), s, n))
        yield Case(
            "columnar by name alone",
            name,
            lambda n=name: column_file(b"PAR1 or ARROW1 not at all", [(None, "damaged_input")], n),
        )
    rows: list[Row] = [(None, "duplicate_key")]
    yield Case("column name twice", "arrow", lambda: column_file(arrow(twice), rows, "d.arrow"))
    many = pa.table({"text": TEXTS, "label": TEXTS, **{f"c{i}": [i] * 30 for i in range(2_000)}})
    yield Case("columnar with many columns", "parquet", lambda: column_file(parquet(many), [READ] * 30, texts=TEXTS))
    lists = pa.array([["a"] * i for i in range(30)])
    nested = TABLE.append_column("m", lists).append_column("s", pa.array([{"k": {"d": i}} for i in range(30)]))
    yield Case("columnar nested", "parquet", lambda: column_file(parquet(nested), [READ] * 30, texts=TEXTS))
    empty = TABLE.slice(0, 0)
    for name, write in (("d.parquet", parquet), ("d.arrow", arrow)):
        yield Case("columnar without rows", name, lambda n=name, w=write: column_file(w(empty), [], n))
    huge = parquet().replace(b"PAR1", b"PARE")
    yield Case("encrypted footer claimed", "parquet", lambda: column_file(huge, [(None, "damaged_input")]))
    long = bytearray(parquet())
    long[-8:-4] = (0x7FFFFFFF).to_bytes(4, "little")
    yield Case("forged parquet footer length", "2gib", lambda: column_file(bytes(long), [(None, "damaged_input")]))
