"""One Prefect server for all flow tests of a session, with a home of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_stages

from audit import pipeline
from flows import environment
from flows.server import EmbeddedServer

_NAMES = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME", "NO_PROXY")


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prefect's settings for this session, set before prefect is imported."""
    before = {name: os.environ.get(name) for name in _NAMES}
    home = tmp_path_factory.mktemp("prefect")
    os.environ["PREFECT_HOME"] = str(home)
    environment.prepare()
    yield home
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def server(prefect_home: Path) -> Iterator[EmbeddedServer]:
    """A running embedded server."""
    started = EmbeddedServer()
    started.start()
    yield started
    started.stop()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny pipeline in the place of the real one."""
    monkeypatch.setattr(pipeline, "STAGES", tiny_stages.STAGES)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in tiny_stages.STAGES})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A classification file of 60 rows, three of which the tiny pipeline removes."""
    rows = [f"the film number {i}{' zzq' if i in (7, 21, 40) else ''},{i % 2}" for i in range(60)]
    path = tmp_path / "data.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path
