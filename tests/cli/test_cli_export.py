from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from audit.report import FORMATS


@pytest.fixture
def run(tiny, tunevet, reviews, tmp_path):
    tunevet("scan", reviews, "-o", tmp_path / "run")
    return tmp_path / "run"


def test_every_format_goes_to_a_file_and_to_stdout(tunevet, run, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    for form in FORMATS:
        to_file = tunevet("export", run, "--format", form, "-o", tmp_path / form)
        to_stdout = tunevet("export", run, "--format", form)
        assert to_file.code == to_stdout.code == 0 and not to_file.out
        assert (tmp_path / form).read_bytes().decode() == to_stdout.out
    sarif = json.loads((tmp_path / "sarif").read_text())["runs"][0]
    lines = [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in sarif["results"]]
    assert lines == [9, 23, 42]  # rows 7, 21 and 40 below the header
    assert ElementTree.parse(tmp_path / "junit").getroot().get("failures") == "1"
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_redacted_exports_and_screens_hold_no_pattern(tunevet, run, reviews):
    for form in FORMATS:
        ran = tunevet("export", run, "--format", form, "--redact")
        assert ran.code == 0 and "zzq" not in ran.out
    assert "zzq" in tunevet("export", run, "--format", "sarif").out
    for more in ([], ["--json"]):
        assert "zzq" in tunevet("scan", reviews, "-o", run, *more).out
        ran = tunevet("scan", reviews, "-o", run, "--redact", *more)
        assert ran.code == 1 and "zzq" not in ran.out and "T1" in ran.out
    assert "zzq" not in tunevet("export", run, "--format", "markdown").out  # as the scan was told


def test_the_run_directory_is_not_written_to(tunevet, run):
    ran = tunevet("export", run, "--format", "sarif", "-o", run / "report" / "x.sarif")
    assert ran.code == 2 and "stays as it was written" in ran.said and not (run / "report" / "x.sarif").exists()


@pytest.mark.parametrize("words", [["--format", "html"], []])
def test_an_unknown_format_exits_2(tunevet, run, words):
    assert tunevet("export", run, *words).code == 2


def test_no_run_exits_2(tunevet, tmp_path):
    ran = tunevet("export", tmp_path, "--format", "sarif")
    assert ran.code == 2 and "not a finished run directory" in ran.said
