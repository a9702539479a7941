"""The flow on a real server."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from audit import config as configuration
from audit import outcome as outcomes
from audit import pipeline
from audit.errors import UnitFailed, WriteFailed
from audit.job import Silent
from audit.pipeline import UnitResult
from audit.rundir import RunDir, write_json
from flows.ledger import Ledger

pytestmark = pytest.mark.flow

RUN_TINY = str(Path(__file__).with_name("run_tiny.py"))


class Noted(Silent):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.ended: list[UnitResult] = []
        self.notes: list[str] = []

    def unit_ended(self, result: UnitResult) -> None:
        self.ended.append(result)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def prepared(data, tmp_path, tiny) -> str:
    pipeline.prepare(tmp_path / "run", configuration.build({"source": str(data), "name": "ev<i>l | [x](y)"}))
    return str(tmp_path / "run")


@pytest.fixture
def engine(server):
    from flows.engine import PrefectEngine

    return PrefectEngine()  # on the session's server, which PREFECT_API_URL names


def _artifacts() -> dict[str, Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/filter", json={}).json()
    return {artifact["key"]: artifact for artifact in found}


def _flow_runs() -> list[dict[str, Any]]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found: list[dict[str, Any]] = client.request("POST", "/flow_runs/filter", json={}).json()
    return found


def test_units_run_as_tasks_and_the_artifacts_appear(engine, prepared):
    noted = Noted()
    results = engine.run(prepared, noted)
    assert [(r.stage, r.status) for r in results] == [("ingest", "done"), ("decide", "done"), ("clean", "done")]
    assert engine.name == "prefect" and noted.ended == results
    found = _artifacts()
    keys = [f"tunevet-ev-i-l-x-y-{end}" for end in ("summary", "triggers", "report")]
    assert set(keys) <= set(found)
    summary = found[keys[0]]["data"]
    assert "| removed | 3 |" in summary and "<i>" not in summary and "](" not in summary
    assert json.loads(found[keys[1]]["data"])[0]["rows"] == 3


def test_a_second_run_redoes_nothing(engine, prepared):
    engine.run(prepared, Silent())
    before = len(_flow_runs())
    assert {r.status for r in engine.run(prepared, Silent())} == {"skipped"}
    assert len(_flow_runs()) == before  # nothing to do is no reason to start Prefect


def test_the_gpu_limit_is_made_once_and_left_as_the_user_sets_it(engine, prepared):
    from prefect.client.orchestration import get_client

    from flows.runners import limit_gpu

    limit_gpu()
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name("tag:gpu", 2)
        limit_gpu()
        assert client.read_global_concurrency_limit_by_name("tag:gpu").limit == 2


def test_results_are_not_kept_and_errors_stay_here(engine, prepared, prefect_home, monkeypatch):
    monkeypatch.setenv("TINY_SECONDS", "secret row text")
    with pytest.raises(UnitFailed, match="secret row text"):
        engine.run(prepared, Silent())
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        runs = client.request("POST", "/flow_runs/filter", json={"sort": "START_TIME_DESC", "limit": 1}).json()
    assert runs[0]["state"]["type"] == "FAILED" and "secret" not in json.dumps(runs)
    assert not list(prefect_home.glob("storage/*"))


def test_only_passing_trouble_with_io_is_tried_again(engine, prepared, monkeypatch):
    from flows import units

    assert units.RETRY_SECONDS == [1.0, 5.0]
    monkeypatch.setattr(units.run_unit, "retry_delay_seconds", [0.0, 0.0])
    calls: list[str] = []
    real = pipeline.run_unit

    def flaky(path, stage, unit, progress=None):
        calls.append(stage)
        if stage == "clean" and calls.count("clean") < 3:
            raise WriteFailed("the share is gone") from OSError(errno.EIO, "I/O error")
        return real(path, stage, unit, progress)

    monkeypatch.setattr(pipeline, "run_unit", flaky)
    assert [r.status for r in engine.run(prepared, Silent())] == ["done"] * 3
    assert calls == ["ingest", "decide", "clean", "clean", "clean"]


def test_which_errors_may_pass():
    from flows.units import transient

    full = WriteFailed("full")
    full.__cause__ = OSError(errno.ENOSPC, "No space left")
    assert transient(OSError(errno.EIO, "I/O error")) and transient(ConnectionResetError())
    assert (
        not transient(full) and not transient(FileNotFoundError(errno.ENOENT, "gone")) and not transient(ValueError())
    )


def test_artifacts_that_fail_do_not_fail_the_run(engine, prepared, monkeypatch):
    import flows.audit_dataset

    def refuse(run, outcome, redact):
        raise RuntimeError("no artifacts today")

    monkeypatch.setattr(flows.audit_dataset, "publish", refuse)
    noted = Noted()
    engine.run(prepared, noted)
    assert engine.name == "prefect" and any("no artifacts" in note for note in noted.notes)


def test_no_markup_survives_in_artifacts(prepared):
    from flows.artifacts import summary, trigger_rows

    run = RunDir(prepared)
    pipeline.execute_local(prepared)
    hostile = "<img src=x onerror=alert(1)> [a](javascript:b) `c` **d** | e\n# f \u202e\x1b[31m"
    triggers = json.loads(run.triggers.read_text())
    write_json(run.triggers, [{**triggers[0], "pattern": hostile}])
    cell = trigger_rows(run)[0]["pattern"]
    for char in "<>[]()`*|\n\u202e\x1b":
        assert char not in cell
    shown = trigger_rows(run, redact=True)[0]["pattern"]
    assert "sha256" in shown and "img" not in shown and "alert" not in shown
    assert "<" not in summary(run, outcomes.read(run, configuration.load(run.config)))


def _children(pid: int) -> list[int]:
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in out.split()]


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _wait(condition, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def _start(data: Path, run: Path, home: Path, **env: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_API")}
    path = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, RUN_TINY, "scan", str(data), "-o", str(run)],
        env={**clean, "PREFECT_HOME": str(home), "PREFECT_CLIENT_MAX_RETRIES": "0", "PYTHONPATH": path, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_embedded_server_is_lost_and_the_audit_finishes(data, tmp_path, prefect_home):
    """Also: it is shown as a step, started once, and nothing is left of it."""
    process = _start(data, tmp_path / "run", prefect_home, TINY_TICKS="40", TINY_SECONDS="0.05")
    assert _wait((tmp_path / "run" / "done" / "ingest" / "all.json").exists, 60)
    (server,) = _children(process.pid)
    os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "Starting Prefect" in err and "Prefect was lost on the way" in err and "Traceback" not in err
    assert "BLOCK" in out
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["engine"].startswith("local, after prefect was lost")
    assert manifest["units_redone"] >= 1  # those that were not finished when the server went


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_no_server_outlives_its_scan(data, tmp_path, prefect_home, ending):
    process = _start(data, tmp_path / "run", prefect_home, TINY_TICKS="400", TINY_SECONDS="0.05")
    assert _wait((tmp_path / "run" / "done" / "ingest" / "all.json").exists, 60)
    (server,) = _children(process.pid)
    process.send_signal(ending)
    _, err = process.communicate(timeout=90)  # a busy machine starts and stops slowly
    assert _wait(lambda: not _alive(server), 30)
    if ending == signal.SIGINT:
        assert process.returncode == 130 and "Interrupted" in err and "Traceback" not in err
        assert json.loads((tmp_path / "run" / "manifest.json").read_text())["outcome"]["verdict"] == "incomplete"


def test_an_interrupt_that_is_lost_is_repeated(monkeypatch):
    """What a signal raises inside a callback or a destructor goes nowhere."""
    monkeypatch.setattr("flows.ledger._REPEAT_SECONDS", 0.05)
    ledger, heard = Ledger(Silent()), 0
    with ledger.hearing_interrupts():
        for first in (True, False):
            try:
                if first:
                    signal.raise_signal(signal.SIGINT)
                time.sleep(30)
            except KeyboardInterrupt:
                heard += 1
    assert heard == 2 and ledger.interrupted.is_set()
