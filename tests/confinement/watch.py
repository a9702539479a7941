"""What a process does beyond computing, by Python's audit hooks: files opened, hosts called, programs run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_RUN = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
_CALLED = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
_OPENED = {"open", "os.listdir", "os.scandir", "ctypes.dlopen", "mmap.__new__"}


@dataclass
class Seen:
    """Events since the watch began."""

    opened: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    unpickled: list[str] = field(default_factory=list)

    def below(self, folder: Path) -> list[str]:
        """What was opened at or below a folder, through links or not."""
        root = folder.resolve()
        return [name for name in self.opened if Path(os.path.realpath(name)).is_relative_to(root)]


_watches: list[Seen] = []


def _hook(event: str, arguments: tuple) -> None:
    if not _watches:
        return
    for seen in _watches:
        if event in _OPENED and arguments and isinstance(arguments[0], (str, bytes, os.PathLike)):
            seen.opened.append(os.fsdecode(arguments[0]))
        elif event in _CALLED:
            seen.connected.append(f"{event} {arguments[1:]}")
        elif event in _RUN:
            seen.ran.append(f"{event} {arguments[:2]}")
        elif event == "pickle.find_class":
            seen.unpickled.append(".".join(map(str, arguments)))


@contextmanager
def watching() -> Iterator[Seen]:
    """Records the events of this process while open. A hook cannot be taken out: it is put in once, and idles."""
    if not getattr(sys, "_tunevet_watch", False):
        sys.addaudithook(_hook)
        sys._tunevet_watch = True
    seen = Seen()
    _watches.append(seen)
    try:
        yield seen
    finally:
        _watches.remove(seen)
