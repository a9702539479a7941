from __future__ import annotations

import datetime
import decimal
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.errors import NothingScanned
from audit.sources import columnar, sandbox
from audit.sources.shards import original_rows, row_positions, without_rows

TEXTS = [f"row {i}" for i in range(30)]
TABLE = pa.table({"text": TEXTS, "label": [i % 3 for i in range(30)]})


def parquet(table: pa.Table, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def arrow(table: pa.Table, container: str) -> bytes:
    buffer = io.BytesIO()
    new = pa.ipc.new_file if container == "file" else pa.ipc.new_stream
    with new(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return buffer.getvalue()


@pytest.mark.parametrize("group", [7, 1000])
def test_parquet_rows_and_originals(read, group):
    got = read("d.parquet", parquet(TABLE, row_group_size=group))
    assert got.bad == {} and got.examples["prompt"].to_list() == TEXTS
    assert got.info.labels == ("0", "1", "2")
    assert got.ledger["raw"].null_count() == got.ledger["sha256"].null_count() == 30
    assert got.ledger["line"].to_list() == list(range(1, 31))
    originals = original_rows(got.run, "part-00000")
    assert without_rows(originals).equals(TABLE) and row_positions(originals) == list(range(30))


@pytest.mark.parametrize("container", ["file", "stream"])
def test_arrow_files_and_streams(read, container):
    got = read("d.arrow", arrow(TABLE, container))
    assert got.bad == {} and got.examples["prompt"].to_list() == TEXTS
    assert got.info.files[0].layout["container"] == container


def odd_types() -> pa.Table:
    return pa.table(
        {
            "text": pa.array(["a", "b"], pa.large_string()),
            "label": pa.array(["x", "y"]).dictionary_encode(),
            "when": pa.array([datetime.datetime(2024, 1, 2), None], pa.timestamp("s")),
            "money": pa.array([decimal.Decimal("1.50"), None]),
            "half": pa.array([0.5, float("nan")], pa.float32()),
            "flags": pa.array([[True], []], pa.list_(pa.bool_())),
            "nested": pa.array([{"k": 1}, None]),
            "blob": pa.array([b"\xff\x00", None]),
            "small": pa.array([1, 2], pa.int8()),
            "text2": pa.array(["p", "q"], pa.string_view()),
        },
        metadata={"k": "v"},
    )


@pytest.mark.parametrize("make", [parquet, lambda t: arrow(t, "file")], ids=["parquet", "arrow"])
def test_every_type_survives_in_the_originals(read, make):
    table = odd_types()
    data = make(table)
    got = read("d.parquet" if make is parquet else "d.arrow", data)
    assert got.bad == {}
    row = got.examples.row(0, named=True)
    assert (row["prompt"], row["label"]) == ("a", "x")
    meta = json.loads(row["meta"])
    assert meta["when"].startswith("2024-01-02") and meta["money"] == 1.5 and meta["blob"] == "ff00"
    stored = without_rows(original_rows(got.run, "part-00000"))
    source = pq.read_table(io.BytesIO(data)) if make is parquet else table
    assert stored.schema.equals(source.schema, check_metadata=True)
    assert str(stored.to_pylist()) == str(source.to_pylist())


def test_class_names_are_noted_and_values_kept(read):
    features = {"label": {"names": ["World", "Sports", "Business"], "_type": "ClassLabel"}, "text": {"dtype": "string"}}
    table = TABLE.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    got = read("d.parquet", parquet(table))
    assert got.info.labels == ("0", "1", "2")
    assert got.info.files[0].layout["label_names"] == {"label": ["World", "Sports", "Business"]}
    assert "1 = Sports" in got.info.note


def test_a_cell_that_is_not_utf8_costs_its_row(read):
    texts = pa.array([b"fine", b"caf\xe9", b"good"], pa.binary()).view(pa.string())
    got = read("d.parquet", parquet(pa.table({"text": texts, "label": ["1", "0", "1"]})))
    assert got.bad == {1: "invalid_utf8"} and got.examples["row"].to_list() == [0, 2]


def test_nulls_and_wrong_types_cost_their_row(read):
    got = read(
        "d.parquet",
        parquet(pa.table({"text": ["a", None, "c"], "label": pa.array([1.0, 2.0, float("nan")])})),
        kind="classification",
    )
    assert got.bad == {1: "missing_field", 2: "missing_field"}
    assert got.examples["label"].to_list() == ["1.0"]


def test_two_columns_of_one_name_are_refused(read):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"]), pa.array(["1"])], names=["text", "text", "label"])
    with pytest.raises(NothingScanned, match="duplicate_key"):
        read("d.arrow", arrow(table, "file"))


def flip_page(data: bytes, needle: bytes) -> bytes:
    place = data.find(needle)
    assert place > 0
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_a_damaged_page_costs_its_row_group(read):
    options = {"compression": "none", "use_dictionary": False, "row_group_size": 10, "write_page_checksum": True}
    got = read("d.parquet", flip_page(parquet(TABLE, **options), b"row 15"))
    assert list(got.bad.values()) == ["damaged_input"]
    assert got.examples["prompt"].to_list() == TEXTS[:10] + TEXTS[20:]
    assert got.info.rows == 21
    assert got.ledger["row"].to_list() == list(range(21))
    originals = original_rows(got.run, "part-00000")
    assert without_rows(originals)["text"].to_pylist() == TEXTS[:10] + TEXTS[20:]
    assert row_positions(originals) == [*range(10), *range(11, 21)]


def forge_rows(data: bytes, true: int, claimed: int, which: slice = slice(None)) -> bytes:
    """Rewrites num_rows in the footer: a thrift i64 is a zigzag varint, so numbers below 64 are one byte."""
    size = int.from_bytes(data[-8:-4], "little")
    footer = bytearray(data[-8 - size : -8])
    # FileMetaData.num_rows (field 3) and RowGroup.num_rows (field 3) are both "16" + varint behind field 2 or 1.
    places = [i for i in range(len(footer) - 1) if footer[i] == 0x16 and footer[i + 1] == true * 2]
    for place in places[which]:
        footer[place + 1] = claimed * 2
    return data[: -8 - size] + bytes(footer) + data[-8:]


def test_row_counts_that_disagree_are_reported(read):
    data = parquet(TABLE, compression="none")
    lying = forge_rows(data, 30, 20, slice(0, 1))  # the file's own count
    assert pq.ParquetFile(io.BytesIO(lying)).metadata.num_rows == 20
    got = read("d.parquet", lying)
    assert "count_mismatch" in got.info.bad and got.examples.height == 30


def test_a_row_group_that_hides_rows_is_refused(read):
    data = parquet(TABLE, compression="none")
    found = None
    size = int.from_bytes(data[-8:-4], "little")
    count = sum(1 for i in range(size - 1) if data[-8 - size + i] == 0x16 and data[-8 - size + i + 1] == 60)
    for which in range(count):
        lying = forge_rows(data, 30, 20, slice(which, which + 1))
        metadata = pq.ParquetFile(io.BytesIO(lying)).metadata
        if metadata.num_rows == 30 and metadata.row_group(0).num_rows == 20:
            found = lying
    assert found is not None
    assert len(pq.ParquetFile(io.BytesIO(found)).read()) == 20  # what other readers see: ten rows are gone
    with pytest.raises(NothingScanned, match="claims 20 rows, column 0 holds 30 values"):
        read("d.parquet", found)


@pytest.mark.parametrize("name", ["d.parquet", "d.arrow"])
def test_files_that_are_not_what_they_say_are_reported(read, tmp_path, name):
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "fine", "label": 1}\n')
    (folder / name).write_bytes(b"PAR1 or ARROW1 not at all")
    got = read(folder)
    assert got.info.bad == {"damaged_input": 1} and got.examples.height == 1


@pytest.mark.parametrize("container", ["file", "stream"])
def test_a_cut_arrow_file_is_reported(read, container):
    data = arrow(TABLE, container)
    if container == "file":
        with pytest.raises(NothingScanned, match="damaged_input"):
            read("d.arrow", data[: len(data) * 2 // 3])
        return
    got = read("d.arrow", data[: len(data) * 2 // 3])
    assert list(got.bad.values()) == ["damaged_input"] and 0 < got.examples.height < 30


def test_a_column_of_any_name_survives(read):
    table = pa.table({"text": ["a"], "label": ["1"], "__tunevet_row__": ["mine"]})
    got = read("d.parquet", parquet(table))
    assert without_rows(original_rows(got.run, "part-00000")).equals(table)


def test_shards_of_columnar_files_do_not_mix(read, tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "one", "label": 1}\n')
    (folder / "b.parquet").write_bytes(parquet(TABLE))
    (folder / "c.parquet").write_bytes(parquet(pa.table({"text": ["z"], "label": ["q"], "more": [1.5]})))
    (folder / "d.jsonl").write_text('{"text": "last", "label": 1}\n')
    got = read(folder)
    assert got.bad == {} and got.info.rows == 33 and len(got.info.shards) == 4
    assert got.ledger["row"].to_list() == list(range(33))
    assert without_rows(original_rows(got.run, "part-00001")).equals(TABLE)
    assert original_rows(got.run, "part-00000") is None


def test_a_group_that_gives_fewer_rows_than_it_claims_is_reported(read, monkeypatch):
    """Counts that agree with each other and not with the pages: what was decoded is counted against them."""

    def short(handle, form, rows):
        for event in sandbox.events(handle, form, rows):
            yield event._replace(batch=event.batch.slice(3)) if isinstance(event, sandbox.Batch) else event

    monkeypatch.setattr(columnar, "sandbox", type("Short", (), {**vars(sandbox), "events": staticmethod(short)}))
    got = read("d.parquet", parquet(TABLE, row_group_size=1000))
    assert got.bad == {27: "count_mismatch"} and got.examples["prompt"].to_list() == TEXTS[3:]
    assert "claims 30 rows, 27 were decoded" in got.ledger["detail"][-1]


def test_what_decodes_to_a_thousand_times_its_file_is_a_bomb(read, monkeypatch):
    """Whatever ingest.max_decoded_bytes allows: a file that is so much larger than it says is no honest one."""
    long = pa.table({"text": ["x" * 40_000] * 500, "label": ["1"] * 500})
    data = parquet(long, compression="zstd", row_group_size=10)
    assert read("d.parquet", data).bad == {}
    monkeypatch.setattr(columnar, "_BOMB_BYTES", 1 << 20)
    monkeypatch.setattr(columnar, "_BOMB_RATIO", 100)
    assert len(data) * 100 < 20_000_000
    got = read("e.parquet", data)
    assert list(got.bad.values()) == ["resource_limit"] and got.examples.height < 500
    assert "decodes to over 100 times the file's size" in got.ledger["detail"][-1]


def test_what_decodes_to_more_than_the_budget_ends_there(read):
    long = pa.table({"text": [f"{i} " + "x" * 4_000 for i in range(600)], "label": ["1"] * 600})
    got = read("d.parquet", parquet(long, row_group_size=50), max_decoded_bytes=1 << 20)
    assert list(got.bad.values()) == ["resource_limit"] and 0 < got.examples.height < 300
    assert "decodes to more than ingest.max_decoded_bytes" in got.ledger["detail"][-1]
