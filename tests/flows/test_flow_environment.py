"""What stands before prefect is imported, and what needs no server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from audit.errors import UsageError
from flows import environment
from flows.server import answers

RUN_TINY = str(Path(__file__).with_name("run_tiny.py"))


def _run(words: list[object], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    return subprocess.run(
        [sys.executable, RUN_TINY, *map(str, words)],
        cwd=cwd,
        env={**clean, "TUNEVET_HOME": str(cwd / "home"), "PYTHONPATH": str(Path(__file__).parents[2]), **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_telemetry_is_off_whatever_was_set(monkeypatch):
    monkeypatch.setattr(os, "environ", {"DO_NOT_TRACK": "0", "PREFECT_HOME": "/mine", "TUNEVET_HOME": "/h"})
    environment.prepare()
    assert os.environ["DO_NOT_TRACK"] == os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == os.environ["PREFECT_LOGGING_TO_API_ENABLED"] == "false"
    assert os.environ["PREFECT_HOME"] == "/mine" and str(environment.home()) == "/h"


def test_prefect_reads_these_settings():
    code = (
        "from flows import environment; environment.prepare(); import prefect.settings as s;"
        "c = s.get_current_settings();"
        "print(c.home, c.server.ephemeral.startup_timeout_seconds, c.logging.to_api.enabled, c.client.max_retries,"
        "c.server.analytics_enabled, c.results.persist_by_default)"
    )
    env = {**os.environ, "TUNEVET_HOME": "/tmp/tv-home"}
    env = {k: v for k, v in env.items() if not k.startswith("PREFECT")}
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["/tmp/tv-home/prefect", "120", "False", "1", "False", "False"]


def test_a_server_that_does_not_answer_is_done_without(data, tmp_path):
    ran = _run(["scan", data, "-o", tmp_path / "run"], tmp_path, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert ran.returncode == 1, ran.stderr
    assert "Prefect could not start (no server answers at http://127.0.0.1:9/api). The audit goes on" in ran.stderr
    assert '"engine": "local, after prefect could not start"' in (tmp_path / "run" / "manifest.json").read_text()


def test_the_local_engine_needs_no_prefect(data, tmp_path):
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "__init__.py").write_text("raise SystemExit('prefect was imported')")
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    ran = _run(["scan", data, "-o", tmp_path / "run", "--engine", "local"], tmp_path, PYTHONPATH=path)
    assert ran.returncode == 1 and "BLOCK" in ran.stdout


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9/api"])
def test_serve_without_a_server_prints_two_commands_and_exits_2(data, tmp_path, url):
    (tmp_path / "c.toml").write_text(f'source = "{data.name}"\n[schedule]\ncron = "0 3 * * *"\n')
    ran = _run(["serve", "c.toml"], tmp_path, **({"PREFECT_API_URL": url} if url else {}))
    assert ran.returncode == 2, ran.stderr
    commands = [line for line in ran.stderr.splitlines() if line.startswith("  ")]
    assert len(commands) == 2 and "server start" in commands[0] and "tunevet serve c.toml" in commands[1]
    assert "Traceback" not in ran.stderr


def test_serve_without_a_schedule_says_what_to_add(data, tmp_path):
    (tmp_path / "c.toml").write_text(f'source = "{data.name}"\n')
    ran = _run(["serve", "c.toml"], tmp_path)
    assert ran.returncode == 2 and "[schedule]" in ran.stderr


def test_no_server_answers_on_a_closed_port():
    assert not answers("http://127.0.0.1:9/api") and not answers("no url")
    assert UsageError.exit_code == 2
