"""A file with one row of each kind of damage, all the way: ingest, verdicts, cleaned data read again."""

from __future__ import annotations

import polars as pl
import pytest
from decided_runs import make_run

from audit.config import build
from audit.remedies.clean import build as write_cleaned
from audit.rundir import Context
from audit.schema import NoProgress
from hostile.cases import PACKINGS, good, pack
from hostile.columns import TABLE, parquet
from hostile.lines import DUPLICATES, FIELDS, INVALID_UTF8, NOT_AN_OBJECT, NOT_JSON, SURROGATES, TRAILING, obj


def damaged_rows() -> list[bytes]:
    return [
        *(obj(text) for text in (*INVALID_UTF8.values(), *SURROGATES.values())),
        *DUPLICATES.values(),
        *NOT_JSON.values(),
        *TRAILING.values(),
        *NOT_AN_OBJECT.values(),
        *(raw for raw, reason in FIELDS.values() if reason),
    ]


@pytest.fixture
def cleaned():
    def run_it(source, folder, judge):
        run = make_run(source, folder, judge)
        write_cleaned(Context(run, build({"source": str(source)}), NoProgress()), "all")
        return run

    return run_it


@pytest.mark.parametrize("packing", PACKINGS)
def test_sound_rows_come_out_as_they_went_in(tmp_path, cleaned, packing):
    """Sound and damaged rows in turn; every third sound row is removed. The rest is byte for byte the same."""
    bad = damaged_rows()
    sound = good(len(bad))
    mixed = [raw for pair in zip(sound, bad, strict=True) for raw in pair]
    path = tmp_path / f"d.jsonl{packing}"
    path.write_bytes(pack(b"\n".join(mixed) + b"\n", packing))
    run = cleaned(path, tmp_path / "run", lambda row: {"verdict": "remove"} if row % 6 == 0 else {})
    kept = [raw for at, raw in enumerate(mixed) if at % 2 == 0 and at % 6]
    out = next(p for p in (run.path / "cleaned").iterdir() if p.name.startswith("d.jsonl"))
    assert out.read_bytes() == pack(b"\n".join(kept) + b"\n", packing) or packing
    ledger = run.ledger()
    assert ledger["raw"].to_list() == mixed
    assert ledger.filter(pl.col("reason").is_null()).height == len(sound)
    verdicts = pl.read_parquet(run.verdicts)["verdict"].value_counts()
    assert dict(verdicts.iter_rows()) == {"keep": len(kept), "remove": len(sound) - len(kept), "unreadable": len(bad)}


def test_a_parquet_file_with_a_lost_group_comes_out_without_it(tmp_path, cleaned):
    data = bytearray(parquet(TABLE, row_group_size=10, write_page_checksum=True))
    data[data.find(b"row 15")] ^= 1
    path = tmp_path / "d.parquet"
    path.write_bytes(bytes(data))
    run = cleaned(path, tmp_path / "run", lambda row: {})
    out = pl.read_parquet(run.path / "cleaned" / "d.parquet")
    assert out["text"].to_list() == [f"row {i}" for i in (*range(10), *range(20, 30))]
