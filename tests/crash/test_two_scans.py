"""Two scans of one run directory: the second refuses and names the first; of fifty at once one goes on."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from crash_runs import ROOT, fresh, scan_words, temporaries, tree, write_csv, write_settings

from audit.errors import RunBusy
from audit.lock import held, holder

RACE = Path(__file__).with_name("crash_race.py")
NAMED = rf"is in use by process (\d+) on {re.escape(socket.gethostname())} since (\d{{4}}-\d\d-\d\dT[\d:]+\+00:00)"


@pytest.fixture
def source(tmp_path):
    found = write_csv(fresh(tmp_path / "source"))
    write_settings(tmp_path / "source")
    return found


def test_a_second_scan_refuses_with_75_and_names_the_first(servers, source, tmp_path):
    words = [*scan_words(source), "-o", tmp_path / "run"]
    log = tmp_path / "first" / "log"
    with ThreadPoolExecutor(1) as pool:
        waiting = {"kind": "wait", "arguments": [40, str(tmp_path / "go")]}
        first = pool.submit(servers[0].run, words, tmp_path / "first", waiting)
        try:
            while not log.exists() or "step\t40\t" not in log.read_text():
                assert not first.done()
            before = tree(tmp_path / "run")
            second = servers[1].run(words, tmp_path / "second")
            untouched = tree(tmp_path / "run") == before
        finally:
            (tmp_path / "go").touch()
        done = first.result(60)
    found = re.search(NAMED, " ".join(second.err.split()))
    assert second.code == 75 and found, second.err
    assert not second.steps and untouched and done.code == 3, done.err
    assert servers[1].run(words, tmp_path / "third").units == [] and (tmp_path / "run" / ".lock").read_text() == ""


def test_of_fifty_scans_that_start_at_once_one_wins(source, tmp_path):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(RACE.parent)])
    env = {**os.environ, "PYTHONPATH": path, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    folder = fresh(tmp_path / "race")
    command = [sys.executable, str(RACE), str(folder), "50", str(source), str(source.parent / "settings.toml")]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    codes = json.loads(ran.stdout.splitlines()[-1])
    winners = [number for number, code in enumerate(codes) if code != 75]
    assert len(codes) == 50 and len(winners) == 1 and codes[winners[0]] == 3
    said = [" ".join((folder / f"scan-{i:02d}" / "err").read_text().split()) for i in range(50) if i not in winners]
    named = {re.search(NAMED, text).group(1) for text in said}
    assert len(named) == 1 and not temporaries(folder), "all name the one that won"


@pytest.mark.parametrize("how", ["KILL", "TERM"])
def test_a_stale_lock_does_not_block(servers, source, tmp_path, how):
    words = scan_words(source)
    died = servers[0].run(words, tmp_path / "scan", {"kind": "kill", "arguments": [60, "after", how]})
    lock = tmp_path / "scan" / "run" / ".lock"
    assert died.code in (-9, 143) and bool(lock.read_text()) == (how == "KILL") and holder(lock) is None
    assert servers[1].run(words, tmp_path / "scan").code == 3


def test_a_lock_whose_folder_was_taken_away_is_taken_anew(tmp_path, monkeypatch):
    """Between opening the lock file and locking it, its holder may have taken the folder away."""
    import fcntl

    path, real = tmp_path / ".lock", fcntl.flock

    def flock(number, how):
        monkeypatch.setattr(fcntl, "flock", real)
        path.unlink()
        real(number, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with held(path, "here"):
        assert holder(path).pid == os.getpid()
        with pytest.raises(RunBusy, match=f"here is in use by process {os.getpid()} on "), held(path, "here"):
            pytest.fail("held twice")


def test_a_lock_file_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Exception, match="cannot lock here"), held(tmp_path / ".lock", "here"):
        pytest.fail("followed")
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("said", ["", "12", "[]", "null", '{"pid": "x", "host": 1, "since": 2}', "\x00" * 9999])
def test_what_a_lock_file_says_is_not_trusted(tmp_path, said):
    (tmp_path / ".lock").write_text(said)
    assert holder(tmp_path / ".lock") is None
