"""Writes behind the reader: the same steps in the same order, and nothing half-written or left over when one fails."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import threading

import pytest
from both_ways import ingested

from audit import durable
from audit.config import build
from audit.errors import WriteFailed
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest, reading
from audit.sources.behind import WriteBehind

KILLED = """
import os, signal, sys
from pathlib import Path
from audit import durable
from audit.config import build
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest, reading

class Killing(durable.Observer):
    def before(self, step):
        if step.number == int(sys.argv[3]):
            os.kill(os.getpid(), int(sys.argv[4]))

durable.observer = Killing()
reading._BEHIND_BYTES = 0
ingest(Context(RunDir(sys.argv[2]), build({"source": sys.argv[1], "ingest": {"shard_rows": 100}}), NoProgress()), "all")
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_BEHIND_BYTES", 0)
    path = tmp_path / "d.jsonl"
    path.write_text("".join(f'{{"text": "row {i} is plain", "label": {i % 2}}}\n' for i in range(3_000)))
    return path


class Noted(durable.Observer):
    """Notes every step; raises at one of them what it is given."""

    def __init__(self, number: int = -1, error: BaseException | None = None) -> None:
        self.steps, self.threads, self._at, self._error = [], set(), number, error

    def before(self, step):
        self.steps.append((step.kind, step.path.name))
        self.threads.add(threading.current_thread().name)
        if len(self.steps) == self._at and self._error is not None:
            raise self._error


def run(source, folder):
    config = build({"source": str(source), "ingest": {"shard_rows": 100}})
    return ingest(Context(RunDir(folder), config, NoProgress()), "all")


def left(folder):
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("shards")]
    return threads + [path.name for path in folder.rglob("*.tmp")]


def test_the_disk_sees_the_same_steps(source, tmp_path, monkeypatch):
    seen = []
    for name, least in (("behind", 0), ("beside", 1 << 60)):
        monkeypatch.setattr(reading, "_BEHIND_BYTES", least)
        monkeypatch.setattr(durable, "observer", Noted())
        (tmp_path / name).mkdir()
        run(source, tmp_path / name / "run")
        seen.append(durable.observer)
    behind, beside = seen
    folders = {"behind": "?", "beside": "?"}
    assert [(kind, folders.get(name, name)) for kind, name in behind.steps] == [
        (kind, folders.get(name, name)) for kind, name in beside.steps
    ]
    assert len(behind.steps) > 250
    ours = [any(name.startswith("shards") for name in noted.threads) for noted in seen]  # polars writes from its own
    assert ours == [True, False]
    assert not left(tmp_path) and sys.getswitchinterval() == pytest.approx(0.005)


@pytest.mark.parametrize("number", [1, 9, 40, 200])
def test_a_write_that_fails_ends_the_run(source, tmp_path, monkeypatch, number):
    monkeypatch.setattr(durable, "observer", Noted(number, OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(WriteFailed, match="No space left"):
        run(source, tmp_path / "run")
    assert not left(tmp_path) and sys.getswitchinterval() == pytest.approx(0.005)
    monkeypatch.setattr(durable, "observer", durable.Observer())
    assert ingested(source, tmp_path / "run", True) == ingested(source, tmp_path / "whole", True)


@pytest.mark.parametrize("number", [3, 77, 250])
def test_an_interrupt_leaves_nothing(source, tmp_path, monkeypatch, number):
    monkeypatch.setattr(durable, "observer", Noted(number, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "run")
    assert not left(tmp_path)


def test_an_error_while_reading_drops_what_waits(source, tmp_path, monkeypatch):
    with source.open("a") as out:
        out.write('{"text": "x", "label": 1}\n' * 40_000)
    monkeypatch.setattr("audit.sources.regions.Coverage.end", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(source, tmp_path / "run")
    assert not left(tmp_path)


@pytest.mark.parametrize("number", [5, 120, 240])
def test_a_killed_run_is_taken_up_again(source, tmp_path, number):
    command = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "run"), str(number), str(int(signal.SIGKILL))]
    assert subprocess.run(command, timeout=120).returncode == -signal.SIGKILL
    durable.sweep(tmp_path / "run")
    assert not left(tmp_path)
    assert ingested(source, tmp_path / "run", True) == ingested(source, tmp_path / "whole", True)


def test_files_are_written_in_order_and_few_wait(tmp_path, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(durable, "observer", noted := Noted())

    def make(number):
        gate.wait()
        return b"%d" % number

    with WriteBehind(True) as behind:
        for number in range(5):
            behind.write(tmp_path / str(number), make, number)
        assert len(behind._open) == 5 and not noted.steps
        gate.set()
        for number in range(5, 50):
            behind.write(tmp_path / str(number), make, number)
            assert len(behind._open) <= 5
    assert [name for kind, name in noted.steps if kind == "rename"] == [str(number) for number in range(50)]
    assert all((tmp_path / str(number)).read_bytes() == b"%d" % number for number in range(50))


def test_what_cannot_be_made_is_raised_and_nothing_behind_it_is_written(tmp_path):
    def make(number):
        return b"%d" % (1 // (3 - number))

    with pytest.raises(ZeroDivisionError), WriteBehind(True) as behind:
        for number in range(50):
            behind.write(tmp_path / str(number), make, number)
    assert {path.name for path in tmp_path.iterdir()} < {str(number) for number in range(9)} and not left(tmp_path)
