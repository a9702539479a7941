"""Hostile files end alike whether their rows are read one by one or by runs. One file a class runs always; of the text
files all by `make test-hostile`."""

from __future__ import annotations

import pytest
from sources.both_ways import compare

from hostile.generate import cases, sample, write
from hostile.runner import parameters

TEXTS = ("json", "jsonl", "csv", "tsv")
CASES = [case for case in cases() if any(name.endswith((*TEXTS, "parquet", "arrow")) for name in case.make().files)]
SAMPLE = sample(CASES)  # packed ones decode to the same lines
REST = [case for case in CASES if case not in SAMPLE and any(name.endswith(TEXTS) for name in case.make().files)]


@pytest.mark.parametrize("case", parameters(SAMPLE))
def test_one_file_of_each_class_ends_alike(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compare(write(case, tmp_path / "input"), tmp_path, **case.make().settings)


@pytest.mark.hostile
@pytest.mark.parametrize("case", parameters(REST))
def test_every_hostile_text_file_ends_alike(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compare(write(case, tmp_path / "input"), tmp_path, **case.make().settings)
