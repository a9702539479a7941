"""The detect stage: what it writes, and that a skipped check says why."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from audit import detectors
from audit.config import Config
from audit.rundir import Context, RunDir, read_json
from audit.schema import FINDINGS, SIGNALS, Kind, NoProgress, Skipped


@pytest.fixture
def stage(tmp_path, monkeypatch, worlds):
    def run(unit, kind=Kind.CLASSIFICATION, config=None, **replaced):
        world = {**worlds(kind), **replaced}
        monkeypatch.setattr(detectors.artifacts, "load", lambda run, names: {name: world[name] for name in names})
        return detectors.run(Context(RunDir(tmp_path), config or Config(), NoProgress()), unit), world

    return run


def test_writes_signals_findings_and_a_summary(stage, tmp_path):
    paths, world = stage("unicode_anomaly")
    names = ["signals/unicode_anomaly.parquet", "findings/unicode_anomaly.parquet", "checks/unicode_anomaly.json"]
    assert [str(p.relative_to(tmp_path)) for p in paths] == names
    signals, findings = pl.read_parquet(paths[0]), pl.read_parquet(paths[1])
    assert dict(signals.schema) == SIGNALS and dict(findings.schema) == FINDINGS
    assert signals["row"].to_list() == world["examples"]["row"].to_list()
    facts = read_json(paths[2])
    assert facts["status"] == "run" and facts["flagged"] == 1 and facts["scored"] == signals.height
    assert facts["code"] == "TV-UNI" and facts["source"] and facts["misses"]


def test_a_second_run_writes_the_same_bytes(stage):
    first = [p.read_bytes() for p in stage("near_duplicates")[0]]
    assert [p.read_bytes() for p in stage("near_duplicates")[0]] == first


def test_a_skipped_check_writes_empty_frames_and_its_reason(stage):
    paths, _ = stage("outliers", neighbors=Skipped("needs embeddings"))
    assert pl.read_parquet(paths[0]).height == pl.read_parquet(paths[1]).height == 0
    assert dict(pl.read_parquet(paths[1]).schema) == FINDINGS
    facts = read_json(paths[2])
    assert (facts["status"], facts["reason"], facts["threshold"]) == ("skipped", "needs embeddings", None)


def test_settings_of_the_configuration_reach_the_check(stage):
    assert read_json(stage("outliers")[0][2])["threshold"] > 0
    low = read_json(stage("outliers", config=Config(detectors={"outliers": {"expected": 20.0}}))[0][2])
    high = read_json(stage("outliers", config=Config(detectors={"outliers": {"expected": 0.01}}))[0][2])
    assert low["threshold"] < high["threshold"] and low["flagged"] > high["flagged"]


def test_ids_of_findings_do_not_depend_on_rows(stage, worlds):
    first = pl.read_parquet(stage("unicode_anomaly")[0][1])
    moved = worlds(Kind.CLASSIFICATION)["examples"].with_columns(row=pl.col("row") + 100)
    second = pl.read_parquet(stage("unicode_anomaly", examples=moved)[0][1])
    assert first["id"].to_list() == second["id"].to_list() and first["id"][0].startswith("unicode_anomaly-")
    assert not np.array_equal(first["rows"][0], second["rows"][0])
