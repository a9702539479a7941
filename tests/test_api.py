from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tiny_stages

from audit import pipeline, scan
from audit.errors import ConfigError, InputError, UsageError

TEXTS = [f"the {'good' if i % 2 else 'dull'} film {i}{' zzq' if i in (7, 21) else ''}" for i in range(40)]
FRAME = pl.DataFrame({"text": TEXTS, "label": [i % 2 for i in range(40)]})


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(pipeline, "STAGES", tiny_stages.STAGES)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in tiny_stages.STAGES})


def test_a_frame_is_scanned_and_its_cleaned_rows_keep_every_value(tmp_path):
    result = scan(FRAME, out=tmp_path / "run", seed=3)
    assert result.outcome.verdict == "block" and result.outcome.exit_code == 1
    assert result.verdicts["verdict"].to_list().count("remove") == 2
    assert result.triggers["rows"].to_list() == [[7, 21]] and result.findings.height == 0
    cleaned = pl.read_parquet(result.save_cleaned(tmp_path / "clean.parquet"))
    assert cleaned.equals(FRAME.filter(~pl.col("text").str.contains("zzq")))
    with pytest.raises(UsageError):
        result.save_cleaned(tmp_path / "clean.parquet")


def test_a_path_gives_the_same_verdicts_as_its_frame(tmp_path):
    FRAME.write_csv(tmp_path / "x.csv")
    a, b = scan(tmp_path / "x.csv", out=tmp_path / "a"), scan(FRAME, out=tmp_path / "b")
    assert a.verdicts.select("row", "verdict").equals(b.verdicts.select("row", "verdict"))
    assert a.save_cleaned(tmp_path / "y.csv").read_text().count("\n") == 39


def test_a_hugging_face_dataset_is_scanned_with_its_selection(tmp_path):
    datasets = pytest.importorskip("datasets")
    chosen = datasets.Dataset.from_dict(FRAME.to_dict(as_series=False)).select(range(5, 25))
    result = scan(chosen, out=tmp_path / "run")
    assert result.outcome.rows == 20 and result.triggers["rows"].to_list() == [[2, 16]]
    with pytest.raises(InputError, match="one split"):
        scan(datasets.DatasetDict({"train": chosen}), out=tmp_path / "other")


def test_what_cannot_be_scanned_is_refused(tmp_path):
    with pytest.raises(InputError, match="list"):
        scan([1, 2], out=tmp_path / "run")
    with pytest.raises(InputError, match="does not exist"):
        scan(tmp_path / "nowhere.csv")
    with pytest.raises(ConfigError):
        scan(FRAME, out=tmp_path / "run", kind="poem")
    assert not (tmp_path / "run").exists()


def test_the_same_scan_again_redoes_nothing(tmp_path):
    first = scan(FRAME, out=tmp_path / "run")
    before = first.run.marker("decide", "all").stat().st_mtime_ns
    assert scan(FRAME, out=tmp_path / "run").run.marker("decide", "all").stat().st_mtime_ns == before
