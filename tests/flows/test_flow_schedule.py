"""A schedule on `prefect server start`: it fires, the run finishes, its artifacts appear. Minutes long, since
cron counts in minutes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.server import answers

pytestmark = [pytest.mark.flow, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
FIRES_WITHIN_SECONDS = 300


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A Prefect server on loopback, as a user starts one, and the environment to reach it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    home = tmp_path / "home"
    (home / "prefect").mkdir(parents=True)
    env = {**clean, "TUNEVET_HOME": str(home), "PREFECT_HOME": str(home / "prefect"), "PYTHONPATH": str(ROOT)}
    env |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/api"
    end = time.monotonic() + 120
    while not answers(url):
        assert time.monotonic() < end and server.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
        time.sleep(0.5)
    yield url, {**env, "PREFECT_API_URL": url}
    server.send_signal(signal.SIGINT)
    server.wait(30)


def _post(url: str, path: str) -> Any:
    request = urllib.request.Request(f"{url}{path}", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_a_schedule_fires_and_its_artifacts_appear(api, data, tmp_path):
    url, env = api
    settings = 'source = "data.csv"\nname = "nightly set"\n[probe]\nmode = "off"\n'
    (tmp_path / "c.toml").write_text(settings + '[schedule]\ncron = "* * * * *"\nname = "nightly"\nruns = "kept"\n')
    serving = subprocess.Popen(
        [sys.executable, "-m", "flows.main", "serve", str(tmp_path / "c.toml")],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        end = time.monotonic() + FIRES_WITHIN_SECONDS
        found: set[str] = set()
        while "tunevet-nightly-set-report" not in found and time.monotonic() < end:
            assert serving.poll() is None, serving.stdout.read()
            found = {a["key"] for a in _post(url, "/artifacts/filter")}
            time.sleep(1)
        states: list[str] = []
        while "Completed" not in states and time.monotonic() < end:
            runs = [r for r in _post(url, "/flow_runs/filter") if r["name"].startswith("scheduled-scan")]
            states = [r["state"]["type"].title() for r in runs]
            time.sleep(1)
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(60)
    assert found >= {f"tunevet-nightly-set-{end}" for end in ("summary", "triggers", "report")}
    assert "Completed" in states
    (run, *_) = sorted((tmp_path / "kept" / "nightly-set").iterdir())
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["engine"] == "prefect" and manifest["outcome"]["rows"] == 60
    assert not list((tmp_path / "home" / "prefect" / "storage").glob("*"))
