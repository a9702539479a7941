"""Prefect's embedded server as a child process that never outlives its parent.

Prefect can start one by itself, but a parent that is killed leaves it behind on its port. This one watches
its parent, listens on the loopback interface only, and asks for a password made for this run.

Source: the command that prefect.server.api.server.SubprocessASGIServer runs in Prefect 3.8.8.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode

from flows.environment import STARTUP_SECONDS, make_home

_POLL_SECONDS = 0.1
_STOP_SECONDS = 5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_WATCH_SECONDS = 5.0  # from one look at a server to the next
_LOOKS = 4  # in vain, each of up to 5 s, before a server counts as frozen


class ServerFailed(Exception):
    """The embedded server did not come up."""


class EmbeddedServer:
    """One embedded server; `start` sets PREFECT_API_URL and its password for this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    def start(self, timeout_seconds: float = STARTUP_SECONDS) -> None:
        """Returns once the server answers. Raises ServerFailed when it ends or does not answer in time."""
        try:
            make_home()
        except OSError as error:
            raise ServerFailed(f"{error.filename} cannot be made: {error.strerror}") from error
        port, password = _free_port(), f"tunevet:{secrets.token_urlsafe(24)}"
        environment = {
            **os.environ,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
            "PREFECT_SERVER_API_AUTH_STRING": password,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.server", str(port), str(os.getpid()), _starter()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the scan, which then says goodbye to the server
        )
        url = f"http://127.0.0.1:{port}/api"
        deadline = time.monotonic() + timeout_seconds
        while not answers(url, password):
            if self._process.poll() is not None:
                raise ServerFailed(f"its server ended with code {self._process.returncode}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(f"its server did not answer within {timeout_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)
        self._over.clear()
        threading.Thread(target=self._watch, args=(self._process, url, password), daemon=True).start()
        os.environ["PREFECT_API_URL"] = url
        os.environ["PREFECT_API_AUTH_STRING"] = password
        os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None else None

    def _watch(self, process: subprocess.Popen[bytes], url: str, password: str) -> None:
        """Ends a server that runs and no longer answers: who waits for it would wait for each request anew."""
        vain = 0
        while not self._over.wait(_WATCH_SECONDS) and process.poll() is None:
            vain = 0 if answers(url, password) else vain + 1
            if vain >= _LOOKS:
                process.kill()

    def stop(self) -> None:
        """Ends the server and waits for it. May be called twice."""
        self._over.set()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str, password: str = "") -> bool:
    """True when a Prefect API at `url` answers its health check, or asks for a login first."""
    if not url.startswith(("http://", "https://")):
        return False
    request = urllib.request.Request(f"{url.rstrip('/')}/health")
    if password:
        request.add_header("Authorization", "Basic " + b64encode(password.encode()).decode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}) if password else urllib.request.ProxyHandler())
    try:
        with opener.open(request, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except (OSError, ValueError):
        return False


def _starter() -> str:
    return "main" if threading.current_thread() is threading.main_thread() else "thread"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os._exit(1)


def _die_with_parent() -> None:
    """Asks the kernel to end this process with its parent, also where it stands still (Linux; elsewhere no effect)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Serves on the port in argv[1] for as long as the process in argv[2] is the parent; argv[3] says whether its main
    thread started this, for the kernel counts the life of that thread."""
    import uvicorn

    if sys.argv[3:] == ["main"]:
        _die_with_parent()
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="critical",
        lifespan="on",
    )


if __name__ == "__main__":
    main()
