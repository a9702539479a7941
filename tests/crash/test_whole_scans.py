"""Ten kills of whole scans: all stages with the real encoder, killed at steps spread over the scan, and run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from crash_runs import ROOT, markers, temporaries, tree
from crash_scenarios import COUNTS
from test_pipeline import write_reviews

pytestmark = [pytest.mark.crash, pytest.mark.slow]

WHOLE = Path(__file__).with_name("crash_whole.py")
KILLS = 10


def _scan(source: Path, folder: Path, spec: object = None) -> tuple[int, str, list[list[str]]]:
    """(exit code, stderr, log) of a scan of `source` into `run` below a folder, which is made."""
    folder.mkdir(exist_ok=True)
    words = ["scan", str(source), "-o", "run", "--probe", "off", "--canaries", "off", "--device", "cpu"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    env |= {"SOURCE_DATE_EPOCH": "1000000000"}  # no times and costs in what a run says
    command = [sys.executable, str(WHOLE), json.dumps(spec), *words, "--engine", "local"]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    log = [line.split("\t") for line in (folder / "log").read_text().splitlines()]
    return ran.returncode, ran.stderr, log


def test_whole_scans_survive_ten_kills(tmp_path):
    source = tmp_path / "reviews.csv"
    write_reviews(source)
    code, err, log = _scan(source, tmp_path / "whole")
    assert code in (0, 1, 3) and "Traceback" not in err, err
    wanted, steps = tree(tmp_path / "whole" / "run"), sum(words[0] == "step" for words in log)
    for i in range(KILLS):
        how, moment = ("KILL", "TERM")[i % 2], ("before", "middle", "after")[i % 3]
        at, place = steps * (2 * i + 1) // (2 * KILLS), tmp_path / f"kill-{i}"
        moment = "after" if moment == "middle" and log_kind(log, at) != "write" else moment
        died, said, _ = _scan(source, place, {"kind": "kill", "arguments": [at, moment, how]})
        stood = {path: path.stat().st_mtime_ns for path in (place / "run" / "done").glob("*/*.json")}
        assert died == (-9 if how == "KILL" else 143) and "Traceback" not in said, said
        again, said, _ = _scan(source, place)
        found = tree(place / "run")
        other = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        assert again == code and not other and not temporaries(place), (at, moment, how, other, said[-500:])
        assert all(path.stat().st_mtime_ns == time for path, time in stood.items()), "a finished unit was done again"
        assert markers(place / "run") == markers(tmp_path / "whole" / "run")
        COUNTS["whole scans survived"] += 1


def log_kind(log: list[list[str]], number: int) -> str:
    """What a step was."""
    return next(words[2] for words in log if words[0] == "step" and int(words[1]) == number)
