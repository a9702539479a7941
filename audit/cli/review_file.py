"""decisions.jsonl while a person decides: every change is written at once, and no change of another is lost.

A change is made on the file as it is at that moment, under a lock of its folder, and the whole file is written anew in
one step. So two reviewers, a terminal and a served report may share one file, and a crash at any point leaves either
the old file or the new one.

Misses: programs that write the file without the lock (an editor) may overwrite a decision made meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from audit import durable
from audit.errors import InputError, WriteFailed
from audit.remedies import decisions
from audit.remedies.decisions import Decision
from audit.rundir import RunDir, write_bytes

Key = tuple[str, str]  # subject, key
Change = Callable[[list[Decision]], list[Decision]]


def beside(run: RunDir) -> Path:
    """RUN.decisions.jsonl, beside the run directory: a run directory stays as it was written.

    >>> str(beside(RunDir("runs/reviews")))
    'runs/reviews.decisions.jsonl'
    """
    path = run.path if run.path.name not in ("", "..") else run.path.resolve()
    return path.with_name(f"{path.name}.decisions.jsonl")


def now() -> str:
    """The moment of a decision: ISO 8601, UTC, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class DecisionFile:
    """The decisions of one file; safe to share between threads. A missing file is one without decisions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._seen: tuple[int, int, int] | None = None
        self._read: list[Decision] = []

    def all(self) -> list[Decision]:
        """Every line, in order. Raises InputError where the file holds what is no decision."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen or stamp is None:
                self._read = decisions.read(self.path) if stamp else []
                self._seen = stamp
            return list(self._read)

    def put(self, decision: Decision) -> None:
        """Writes one decision in the place of what this reviewer has said of the same key. Raises WriteFailed."""
        self.update(lambda lines: [*without(lines, {decision.about}, decision.reviewer), decision])

    def remove(self, key: Key, reviewer: str) -> bool:
        """Takes back what a reviewer has said of a key; False when that is nothing. Raises WriteFailed."""
        if not any(d.about == key and d.reviewer == reviewer for d in self.all()):
            return False
        self.update(lambda lines: without(lines, {key}, reviewer))
        return True

    def update(self, change: Change) -> list[Decision]:
        """Writes `change` of the lines that stand in the file now, and returns them. Raises InputError, WriteFailed."""
        with self._lock, _held(self.path.parent):
            before = self.all()
            after = change(before)
            if after != before:
                write_bytes(self.path, "".join(d.to_line() + "\n" for d in after).encode())
                self._read, self._seen = list(after), self._stamp()
            return after

    def _stamp(self) -> tuple[int, int, int] | None:
        """What tells one version of the file from another; None where there is no file."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None
        return found.st_ino, found.st_mtime_ns, found.st_size


def without(lines: Sequence[Decision], keys: set[Key], reviewer: str) -> list[Decision]:
    """The lines without what one reviewer says of these keys."""
    return [d for d in lines if d.about not in keys or d.reviewer != reviewer]


def settled(lines: list[Decision]) -> dict[Key, Decision]:
    """The decision that counts for each key; keys on which reviewers disagree have none."""
    return decisions.merge([lines])[0]


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds a folder against other writers of decisions, waiting for them; the kernel frees it when the holder dies."""
    try:
        durable.make_folder(folder)
        handle = os.open(folder, os.O_RDONLY)
    except (OSError, WriteFailed) as error:
        raise WriteFailed(f"cannot write decisions into {folder}: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
