"""A process that has loaded the command line and forks for every command it is sent: a child takes milliseconds to
start. It does no work itself, so no thread and no lock is carried into a child.

A request is one line of JSON: {"words", "folder", "spec", "checks"}; the answer one line: {"code", "seconds", "left"},
the code negative for a signal, `left` the processes that outlive the child. In `folder` the child leaves out, err and
log.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import crash_points
import crash_stages
import pyarrow.parquet  # noqa: F401

from audit import durable, registry
from audit.cli import command
from audit.job import LocalEngine
from audit.remedies import apply  # noqa: F401

TIMEOUT_SECONDS = 120
PATIENCE_SECONDS = 5


def child(request: dict[str, Any]) -> None:
    """One command in this process, which does not come back."""
    folder, code = Path(request["folder"]), 70
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        os.setsid()
        crash_stages.checks = tuple(request["checks"])
        crash_stages.log = os.open(folder / "log", flags)
        for number, name in ((0, os.devnull), (1, folder / "out"), (2, folder / "err")):
            os.dup2(os.open(name, os.O_RDONLY if number == 0 else flags | os.O_TRUNC), number)
        durable.observer = crash_points.observer(request["spec"])
        sys.argv = ["tunevet", *request["words"]]
        os.chdir(folder)
        code = command({"local": LocalEngine()})
        crash_stages.say("heavy", *[name for name in ("torch", "prefect", "flows") if name in sys.modules])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def left_over(session: int) -> list[int]:
    """The processes of a session that go on after its first has ended, which they may notice within a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := _of_session(session)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _of_session(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(of) == session and state != "Z":
                found.append(int(entry.name))
    return found


def serve() -> None:
    """Answers requests until there are no more."""
    crash_stages.install()
    registry.detectors()
    for line in sys.stdin:
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            child(json.loads(line))
        code = None
        while code is None:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() - began > TIMEOUT_SECONDS:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
                code = -999
            else:
                time.sleep(0.002)
        seconds = time.monotonic() - began
        sys.stdout.write(json.dumps({"code": code, "seconds": seconds, "left": left_over(pid)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
