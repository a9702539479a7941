"""What keeps a scan off the network where no tracer is at hand: settings of libraries, and where a server listens."""

from __future__ import annotations

import os
import sys

import pytest

from audit import config
from audit.cli.scan import stay_offline
from flows import server

REVISION = "a1" * 20


@pytest.mark.parametrize(
    ("values", "offline"),
    [
        ({"source": "data.jsonl"}, True),
        ({"source": f"owner/name@{REVISION}"}, False),
        ({"source": "data.jsonl", "model": {"name": f"owner/name@{REVISION}"}}, False),
        ({"source": "data.jsonl", "probe": {"language_model": f"owner/name@{REVISION}"}}, False),
    ],
)
def test_the_hub_is_off_unless_it_is_named(monkeypatch, values, offline):
    monkeypatch.setattr(os, "environ", {})
    stay_offline(config.build(values))
    assert (os.environ == {"HF_HUB_OFFLINE": "1"}) is offline


def test_the_embedded_server_listens_to_this_machine_alone(monkeypatch):
    uvicorn = pytest.importorskip("uvicorn")
    asked = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: asked.update(options))
    monkeypatch.setattr(sys, "argv", ["server", "4711", str(os.getppid()), "thread"])
    server.main()
    assert (asked["host"], asked["port"]) == ("127.0.0.1", 4711)
