"""A command under strace, without a network: which files it opened, whom it called, what it ran."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLS = "openat,open,openat2,creat,connect,bind,sendto,execve,rename,renameat,renameat2,mkdir,unlink,truncate"
_LINE = re.compile(r"\d+\s+(\w+)\((.*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FAILED = re.compile(r"= -1 E[A-Z]+")
# What the system's own libraries read, besides the interpreter, its packages and this project.
SYSTEM = ("/proc/", "/sys/", "/dev/", "/lib", "/usr/lib/", "/usr/share/locale", "/usr/share/zoneinfo", "/etc/ld.so")
SYSTEM += ("/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/ssl/openssl.cnf", "/usr/lib/ssl/openssl.cnf")
SYSTEM += ("/etc/hosts", "/etc/resolv.conf", "/etc/host.conf", "/etc/gai.conf", "/usr/share/mime", "/etc/mime.types")
SYSTEM += ("/etc/apache", "/etc/httpd", "/etc/services", "/etc/protocols", "/etc/ld-nix.so", "/etc/os-release")
WRITABLE = ("/dev/null", "/dev/shm/", "/proc/", "/dev/tty", "/dev/fd/")


@dataclass
class Trace:
    """What a command did."""

    code: int
    out: str
    err: str
    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    called: list[str] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)

    def outside(self, *folders: Path) -> list[str]:
        """Paths that were opened and lie neither below these folders nor with the interpreter or the system."""
        inside = tuple(f"{folder}/" for folder in (*libraries(), *map(Path.resolve, folders)))
        whole = {str(folder) for folder in (*libraries(), *folders)}
        seen = self.read | self.written
        return sorted(p for p in seen if not (p in whole or p.startswith(inside) or p.startswith(SYSTEM)))


@cache
def libraries() -> tuple[Path, ...]:
    """The interpreter, its packages and this project."""
    import certifi
    import numpy

    packages = {Path(module.__file__).resolve().parents[1] for module in (certifi, numpy)}
    places = {Path(sys.prefix), Path(sys.prefix).resolve(), Path(sys.base_prefix), Path(sys.base_prefix).resolve()}
    return (*packages, *places, Path(sys.executable).parent, ROOT)


@cache
def can_trace() -> bool:
    """True where strace and a network of its own for a process can be had."""
    if not (shutil.which("strace") and shutil.which("unshare")):
        return False
    tried = subprocess.run(["unshare", "-rn", "strace", "-f", "-qq", "-o", "/dev/null", "true"], capture_output=True)
    return tried.returncode == 0


def trace(command: list[str], log: Path, *, network: bool = False, timeout: float = 900, **environment: str) -> Trace:
    """Runs a command under strace, in a network namespace without any way out unless `network`."""
    alone = [] if network else ["unshare", "-rn"]
    env = (
        os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"} | environment
    )
    done = subprocess.run(
        [*alone, "strace", "-f", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log), *command],
        capture_output=True, text=True, timeout=timeout, cwd=log.parent, env=env,
    )  # fmt: skip
    found = Trace(done.returncode, done.stdout, done.stderr)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        _note(found, line, log.parent)
    return found


def _note(found: Trace, line: str, folder: Path) -> None:
    match = _LINE.match(line)
    if not match:
        return
    call, rest = match.groups()
    if call in ("connect", "bind", "sendto"):
        if "AF_INET" in rest:
            found.called.append(f"{call} {rest[:160]}")
        return
    named = _QUOTED.search(rest)
    if not named or _FAILED.search(rest):
        return
    path = os.path.normpath(folder / named.group(1).encode().decode("unicode_escape", "replace"))
    if call == "execve":
        found.ran.add(path)
    elif call in ("openat", "open", "openat2") and not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", rest):
        found.read.add(path)
    else:
        found.written.add(path)
