"""The measure of speed measures: small inputs of each format, all rows read, memory far below the bound."""

from __future__ import annotations

import pytest

from hostile.ingest_speed import measure, texts, write


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_measures_every_format(tmp_path, ending):
    path = tmp_path / f"rows.{ending}"
    write(path, 3_000)
    found = measure(path)
    assert found["rows"] == 3_000 and found["mb_per_second"] > 0
    if ending == "jsonl":
        assert 220 <= path.stat().st_size / 3_000 <= 280
    assert len(set(texts(0, 1_000))) == 1_000
