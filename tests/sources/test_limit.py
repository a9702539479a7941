"""`--limit` reads the first rows and counts no record beyond them."""

import io

import polars as pl
import pytest

ROWS = [{"text": f"text {i}", "label": i % 2} for i in range(50)]


def content(kind: str) -> bytes:
    frame = pl.DataFrame(ROWS)
    if kind == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer, row_group_size=10)
        return buffer.getvalue()
    return {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "json": frame.write_json}[kind]().encode()


@pytest.mark.parametrize("limit", [1, 7, 49, 50, 51])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_as_many_records_as_rows(read, kind, limit):
    got = read(f"d.{kind}", content(kind), limit=limit)
    assert got.info.rows == min(limit, 50) == sum(file.records for file in got.info.files)
    assert got.examples["prompt"].to_list() == [row["text"] for row in ROWS[:limit]]


def test_no_record_of_a_later_file_counts(read, tmp_path):
    folder = tmp_path / "several"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        (folder / name).write_bytes(content("jsonl"))
    got = read(folder, limit=60)
    assert [file.records for file in got.info.files] == [50, 10, 0] and got.info.rows == 60
