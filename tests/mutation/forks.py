"""A process that has loaded what every test needs, and forks for each request: to start Python, polars and pytest anew
takes most of the time of a small test. It has loaded nothing of the project itself.

Requests and answers are JSON lines: {"words": arguments of pytest, "log": file, "seconds": limit} and {"code": N}, with
-1 where the tests did not end in time. `python -m mutation.forks`, in the folder of the copy.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from importlib import metadata
from typing import Any, NoReturn

_LOADED = (
    "pytest",
    "hypothesis",
    "polars",
    "pyarrow.parquet",
    "pyarrow.ipc",
    "pyarrow.compute",
    "numpy",
    "scipy.sparse",
)
_LOADED += ("scipy.stats", "pydantic", "typer.testing", "rich.console", "jinja2", "yaml")
_POLL_SECONDS = 0.02


def serve() -> None:
    """Answers requests until there are no more."""
    for name in _LOADED:
        importlib.import_module(name)
    for plugin in metadata.entry_points(group="pytest11"):
        plugin.load()
    loaded = [name for name in sys.modules if name.split(".")[0] in ("audit", "flows")]
    assert not loaded, loaded
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(request)
        sys.stdout.write(json.dumps({"code": _end_of(pid, request["seconds"])}) + "\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> NoReturn:
    import pytest

    code = 3  # pytest's own internal error
    try:
        os.setsid()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
            os.dup2(source, number)
        code = int(pytest.main(request["words"]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_of(pid: int, seconds: float) -> int:
    """The exit code of a child; -1 where it took too long and was ended with all that it started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_SECONDS)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


if __name__ == "__main__":
    serve()
