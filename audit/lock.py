"""One process at a time: a lock file that names its holder.

The kernel holds the lock (flock), so it ends with its process, however that ends. What the file says is for people:
process, host and since when, written once the lock is held and taken out before it is let go.

Misses: file systems without flock, and those where it does not reach from machine to machine (some NFS mounts).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from audit.durable import alive
from audit.errors import RunBusy, WriteFailed

_PATIENCE_SECONDS = 2.0  # for a holder to write its name
_POLL_SECONDS = 0.02
_MOST = 4096  # bytes of a lock file that are read


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    since: str  # ISO 8601, UTC

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Holds the lock file `path`, which is made, for `what` a message calls it. Raises RunBusy with the holder,
    WriteFailed where there can be no lock."""
    number = _locked(path, what)
    try:
        me = Holder(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))
        with _refusing(what):
            os.ftruncate(number, 0)
            os.pwrite(number, json.dumps(asdict(me)).encode(), 0)
        yield
    finally:
        try:
            os.ftruncate(number, 0)
        finally:
            os.close(number)


def holder(path: Path) -> Holder | None:
    """Who the lock file says holds it; None where it says nothing, or a process of this machine that is gone."""
    try:
        with path.open("rb") as handle:
            said = json.loads(handle.read(_MOST))
        found = Holder(int(said["pid"]), str(said["host"]), str(said["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if found.host == socket.gethostname() and not alive(found.pid) else found


def _locked(path: Path, what: str) -> int:
    """The number of the open file that is locked, and that stands at `path`."""
    while True:
        with _refusing(what):
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with _refusing(what):
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands(path, number):
                return number
        except BlockingIOError:
            os.close(number)
            raise RunBusy(f"{what} is in use by {_named(path)}; wait for it or use -o") from None
        except BaseException:
            os.close(number)
            raise
        os.close(number)  # its folder was taken away between opening and locking


def _stands(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False


def _named(path: Path) -> str:
    """The holder in words, waiting for it to write its name."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := holder(path)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return str(found) if found is not None else "another process"


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise WriteFailed(f"cannot lock {what}: {error.strerror or error}") from error
