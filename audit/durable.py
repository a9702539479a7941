"""All writing of this project: whole files, or none.

A file is written under a temporary name beside its place, synced, renamed, and its folder is synced. Removing,
moving and making folders go through here too, so that every change of the disk is one numbered step. A step is told
to `observer` before and after; what a system call does wrong, or a process that dies between two of them, can so be
tried at every step. The observer is a Python object in this module: no setting, file or environment variable
names it, and nothing in `audit` or `flows` sets it (a test reads the syntax trees).

Source: the loop over the Nth call of SQLite's tests; temporary file, fsync, rename, fsync of the folder as in borg.
Misses: disks that lie about fsync.
"""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from audit.errors import WriteFailed

Kind = Literal["folder", "create", "write", "sync", "rename", "sync folder", "remove"]
_BUFFER = 1 << 20  # bytes that are collected before they are handed to the system
_LONGEST = 200  # bytes of a name that fit a temporary name; file systems take 255
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.tmp", re.DOTALL)
_REMEDY = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room within your quota",
    errno.EROFS: "name a place that can be written to",
    errno.EACCES: "name a place that you may write to",
    errno.EIO: "check the disk",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the disk: the how-manyth of this process, what it is, and of what."""

    number: int
    kind: Kind
    path: Path


class Observer:
    """Is told of every step. This one does nothing; tests put another in its place."""

    def before(self, step: Step) -> None:
        """Called first. An OSError that is raised here is what the system would have answered."""

    def size(self, step: Step, size: int) -> int:
        """How many bytes of a write of `size` are handed to the system at once."""
        return size

    def after(self, step: Step) -> None:
        """Called when the system has answered."""


observer = Observer()
_numbers = itertools.count(1)


@contextmanager
def _step(kind: Kind, path: Path) -> Iterator[Step]:
    step = Step(next(_numbers), kind, path)
    observer.before(step)
    yield step
    observer.after(step)


class _Raw(io.FileIO):
    """A new file, written with one numbered step for each call of the system."""

    def __init__(self, path: Path) -> None:
        with _step("create", path):
            super().__init__(path, "xb")
        self._path = path

    def write(self, data: Any, /) -> int:
        with _step("write", self._path) as step, memoryview(data) as view, view.cast("B") as octets:
            return super().write(octets[: observer.size(step, len(octets))])


class _Handle(io.BufferedIOBase):
    """What a writer is given. It has no file number, so that no library writes past it, and it keeps the error that
    a library may turn into one of its own."""

    def __init__(self, path: Path) -> None:
        self._buffer = io.BufferedWriter(_Raw(path), _BUFFER)
        self.error: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        with self._keeping():
            return self._buffer.write(data)

    def tell(self) -> int:
        return self._buffer.tell()

    def flush(self) -> None:
        if not self._buffer.closed:
            with self._keeping():
                self._buffer.flush()

    def finish(self, path: Path) -> None:
        """Everything on the disk, and the file closed."""
        self._buffer.flush()
        with _step("sync", path):
            os.fsync(self._buffer.fileno())
        self._buffer.close()

    def discard(self) -> None:
        """The file closed, whatever is still to be written."""
        with suppress(OSError, ValueError):
            self._buffer.raw.close()

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.error = self.error or error
            raise


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file beside `path` for writing bytes; on success it becomes `path`, on any error
    nothing is left. Raises WriteFailed when the system refuses (disk full, read-only, quota)."""
    temporary = _beside(path)
    handle: _Handle | None = None
    try:
        _make(path.parent, 0o777)
        with suppress(FileNotFoundError):  # of a killed process with this number
            temporary.unlink()
        handle = _Handle(temporary)
        yield cast(BinaryIO, handle)
        handle.finish(temporary)
        with _step("rename", path):
            temporary.replace(path)
        _sync(path.parent)
    except BaseException as error:
        if handle is not None:
            handle.discard()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        cause = handle.error if handle is not None and handle.error is not None else error
        if isinstance(cause, OSError):
            raise _refused(f"writing {path}", cause) from cause
        if cause is not error:
            raise cause from None
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a whole file atomically. Raises WriteFailed."""
    with atomic_file(path) as handle:
        handle.write(data)


def remove(path: Path) -> None:
    """Takes away a file, if it is there. Raises WriteFailed."""
    with _refusing(f"removing {path}"):
        if not path.exists() and not path.is_symlink():
            return
        with _step("remove", path):
            path.unlink(missing_ok=True)
        _sync(path.parent)


def remove_tree(path: Path) -> None:
    """Takes away a folder with all that is in it, if it is there. Raises WriteFailed."""
    with _refusing(f"removing {path}"):
        if not path.exists():
            return
        with _step("remove", path):
            shutil.rmtree(path)
        _sync(path.parent)


def discard(path: Path) -> None:
    """Takes away what this process was still preparing, as far as the system lets it; `sweep` and `stale` find the
    rest. No step of its own: nothing reads what it leaves."""
    shutil.rmtree(path, ignore_errors=True)


def remove_empty(folder: Path) -> None:
    """Takes away a folder that is empty; any other is left. Raises WriteFailed."""
    with _refusing(f"removing {folder}"):
        if folder.is_dir() and not any(folder.iterdir()):
            with _step("remove", folder):
                folder.rmdir()
            _sync(folder.parent)


def move(path: Path, target: Path) -> None:
    """Moves a file to `target`, over what is there; both are on one file system. Raises WriteFailed."""
    with _refusing(f"moving {target} into place"):
        _make(target.parent, 0o777)
        with _step("rename", target):
            path.replace(target)
        _sync(target.parent)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Makes a folder and those above it that are missing; `mode` is that of the last. Raises WriteFailed."""
    with _refusing(f"making {path}"):
        _make(path, mode)


@contextmanager
def temporary_folder(prefix: str, beside: Path | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards: in `beside`, which is made, else the system's temporary folder. Raises
    WriteFailed."""
    if beside is not None:
        make_folder(beside)
    with _refusing(f"making a folder in {beside or tempfile.gettempdir()}"):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
    try:
        yield folder
    finally:
        discard(folder)


def unnamed_file(folder: Path | None) -> Any:
    """A file without a name in `folder`, else the system's temporary folder: gone with the process. Raises
    WriteFailed."""
    with _refusing(f"making a file in {folder or tempfile.gettempdir()}"):
        return tempfile.TemporaryFile(dir=folder)


def staging_name(path: Path) -> Path:
    """The folder beside `path` in which this process prepares it; `stale` names those of killed ones."""
    return _beside(path)


def stale(folder: Path, name: str | None = None) -> list[Path]:
    """Temporary files and folders right in `folder` whose process is gone, or had the number of this one; of `name`
    alone where it is given."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or (name is not None and match["name"] != _short(name)):
            continue
        if int(match["pid"]) == os.getpid() or not alive(int(match["pid"])):
            found.append(path)
    return found


def is_temporary(name: str) -> bool:
    """True for a name under which something is prepared here."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Takes away what killed processes left in a folder and all below it. Only for who holds the folder. Raises
    WriteFailed."""
    for each in sorted({folder, *(Path(root) for root, _, _ in os.walk(folder))}):
        for path in stale(each):
            remove_tree(path) if path.is_dir() and not path.is_symlink() else remove(path)


def alive(pid: int) -> bool:
    """True when a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def _beside(path: Path) -> Path:
    return path.with_name(f".{_short(path.name)}.{os.getpid()}.tmp")


def _short(name: str) -> str:
    raw = os.fsencode(name)
    return name if len(raw) <= _LONGEST else hashlib.sha256(raw).hexdigest()


def _make(folder: Path, mode: int) -> None:
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make(folder.parent, 0o777)
    with _step("folder", folder):
        folder.mkdir(mode=mode, exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    with _step("sync folder", folder):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused(what, error) from error


def _refused(what: str, error: OSError) -> WriteFailed:
    remedy = _REMEDY.get(error.errno or 0, "see that the place can be written to")
    said = error.strerror or str(error)
    return WriteFailed(f"{what} failed: {said}; {remedy} and run the same command again")
