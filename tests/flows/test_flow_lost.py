"""Prefect's server absent, dying, frozen or locked: the same artifacts as the local engine, and no process left
over.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "crash")]

from crash_runs import temporaries, tree

from flows import environment, server

RUN_TINY = str(Path(__file__).with_name("run_tiny.py"))
STEPS = {"TINY_TICKS": "40", "TINY_SECONDS": "0.05"}  # two seconds of work in which things happen


def _start(data: Path, run: Path, home: Path, *words: str, **env: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    return subprocess.Popen(
        [sys.executable, RUN_TINY, "scan", str(data), "-o", str(run), *words],
        env={**clean, "TUNEVET_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), **STEPS, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _stat(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started_by(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found = [(entry.name, _stat(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(name) for name, words in found if words and int(words[1]) == pid and words[0] != "Z"]


def _gone(pid: int, seconds: float = 30) -> bool:
    return _wait(lambda: (_stat(str(pid)) or ["Z"])[0] == "Z", seconds)


def _wait(condition, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.fixture
def wanted(data, tmp_path):
    """What the local engine makes of the data."""
    process = _start(data, tmp_path / "local", tmp_path / "home", "--engine", "local")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    return _tree(tmp_path / "local")


def _tree(run: Path) -> dict[str, str]:
    """The artifacts of a run, apart from the manifest, which names the engine."""
    assert not temporaries(run)
    found = tree(run)
    found.pop("manifest.json")
    return found


def _ended_without_prefect(process, run, wanted, how, seconds=300):
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 1 and "BLOCK" in out and "Traceback" not in err, err
    said = " ".join(err.split())
    assert f"Prefect {how}" in said and "The audit goes on without it." in said, err
    assert json.loads((run / "manifest.json").read_text())["engine"] == f"local, after prefect {how}"
    assert _tree(run) == wanted


def test_a_server_that_cannot_be_made_is_done_without(data, tmp_path, wanted):
    """PREFECT_HOME cannot be made: a file stands in its way."""
    (tmp_path / "file").write_text("")
    process = _start(data, tmp_path / "run", tmp_path / "file")
    _ended_without_prefect(process, tmp_path / "run", wanted, "could not start")
    assert not _started_by(process.pid)


@pytest.mark.flow
@pytest.mark.crash
@pytest.mark.parametrize("what", ["killed", "ended", "frozen", "locked"])
def test_a_server_that_is_lost_half_way_leaves_the_same_artifacts(data, tmp_path, wanted, what):
    run, home = tmp_path / "run", tmp_path / "home"
    process = _start(data, run, home)
    assert _wait((run / "done" / "ingest" / "all.json").exists, 200), process.poll()
    (number,) = _started_by(process.pid)
    lock = None
    if what == "locked":
        lock = sqlite3.connect(home / "prefect" / "prefect.db", timeout=60, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    else:
        kinds = {"killed": signal.SIGKILL, "ended": signal.SIGTERM, "frozen": signal.SIGSTOP}
        os.kill(number, kinds[what])
    try:
        _ended_without_prefect(process, run, wanted, "was lost on the way")
    finally:
        process.kill()
        if lock is not None:
            lock.close()
    assert _gone(number)


@pytest.mark.flow
@pytest.mark.crash
def test_a_frozen_server_ends_with_a_scan_that_is_killed(data, tmp_path):
    """A process that stands still cannot see that its parent is gone; the kernel can."""
    run = tmp_path / "run"
    process = _start(data, run, tmp_path / "home")
    assert _wait((run / "done" / "ingest" / "all.json").exists, 200), process.poll()
    (number,) = _started_by(process.pid)
    os.kill(number, signal.SIGSTOP)
    process.kill()
    process.communicate(timeout=60)
    assert _gone(number)


@pytest.mark.flow
def test_a_scan_that_is_told_to_end_says_so_and_goes_on_later(data, tmp_path, wanted):
    """Prefect's engine takes SIGTERM for itself while a flow runs."""
    run, home = tmp_path / "run", tmp_path / "home"
    process = _start(data, run, home, TINY_TICKS="400")
    assert _wait((run / "done" / "ingest" / "all.json").exists, 200), process.poll()
    (number,) = _started_by(process.pid)
    process.terminate()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 143 and "Told to end (SIGTERM). What is finished stays" in err, err
    assert "Traceback" not in err and _gone(number)
    assert json.loads((run / "manifest.json").read_text())["outcome"]["verdict"] == "incomplete"
    again = _start(data, run, home, "--engine", "local")
    _, err = again.communicate(timeout=120)
    assert again.returncode == 1 and json.loads((run / "manifest.json").read_text())["units_redone"] == 2, err
    assert _tree(run) == wanted


def test_a_server_that_no_longer_answers_is_ended(monkeypatch):
    """After so many looks in vain, and not for one."""
    monkeypatch.setattr(server, "_WATCH_SECONDS", 0.01)
    answers = iter([True, False, False, True, *[False] * 50])
    asked: list[bool] = []

    def look(url, password):
        asked.append(next(answers))
        return asked[-1]

    monkeypatch.setattr(server, "answers", look)
    with subprocess.Popen(["sleep", "60"]) as process:
        server.EmbeddedServer()._watch(process, "http://127.0.0.1:9/api", "x")
        assert process.wait(10) == -signal.SIGKILL
    wanted = [True, False, False, True, *[False] * server._LOOKS]
    assert asked[: len(wanted)] == wanted and not any(asked[len(wanted) :])  # it may look again while it dies


def test_requests_to_a_frozen_server_end_within_seconds(monkeypatch):
    monkeypatch.setattr(os, "environ", {"PREFECT_HOME": "/mine", "TUNEVET_HOME": "/h"})
    environment.prepare()
    assert float(os.environ["PREFECT_API_REQUEST_TIMEOUT"]) <= 15 and os.environ["PREFECT_CLIENT_MAX_RETRIES"] == "1"
