"""Every hostile file gets its one verdict. One file a class runs always; all of them by `make test-hostile`."""

from __future__ import annotations

import pytest

from hostile.generate import cases, sample
from hostile.runner import judge, parameters

CASES = cases()
SAMPLE = sample(CASES)
REST = [case for case in CASES if case not in SAMPLE]


@pytest.mark.parametrize("case", parameters(SAMPLE))
def test_one_file_of_each_class(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judge(case, tmp_path)


@pytest.mark.hostile
@pytest.mark.parametrize("case", parameters(REST))
def test_every_hostile_file(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judge(case, tmp_path)


def test_there_are_enough():
    assert len({case.defect for case in CASES}) >= 60 and len(CASES) >= 400
    assert len({case.defect for case in SAMPLE}) == len({case.defect for case in CASES})


def test_the_same_files_are_made_each_time():
    for first, second in zip(SAMPLE, sample(cases()), strict=True):
        assert (first.id, first.make().files) == (second.id, second.make().files)
