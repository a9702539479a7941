"""A foreign parquet or Arrow file, parsed by a child process under limits, as events.

The parser of such a file is a large C++ library that reads lengths, offsets and codecs from whoever wrote the file.
Here it runs in a process of its own (`decode`) with bounds on memory, processor time, written bytes and on the time
between two answers; what comes back over a pipe is an Arrow stream of our own making. A child that dies by a signal
or a limit is an event like any other: the row group it was at is lost, and a new child goes on with the next one.

No pickle crosses the pipes: JSON lines say what follows, batches are Arrow IPC.
Misses: the child keeps the user's rights; against a parser flaw that runs code only the system's own means help.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from audit.sources.record import Reason

_PROGRAM = Path(__file__).with_name("decode.py")
_MOST_MESSAGE = 64 << 20
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux
_OVER_A_LIMIT = (signal.SIGXCPU, signal.SIGKILL, signal.SIGABRT, signal.SIGXFSZ)  # abort: C++ without memory


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one child."""

    memory_bytes: int = 4 << 30  # of address space
    cpu_seconds: int = 60  # and one more for each MiB of the file
    answer_seconds: float = 120.0  # between two answers, while somebody waits for the next
    batch_bytes: int = 64 << 20  # decoded, in one message; one row may be longer
    row_bytes: int = 1 << 30  # decoded, in one message of one row
    restarts: int = 8  # children after the first, over one file


LIMITS = Limits()


class Opened(NamedTuple):
    """The file's own account of itself, as far as it could be parsed. Comes first, and once."""

    claimed: int  # rows, by the footer; 0 when it says nothing
    layout: dict[str, Any]
    groups: list[int]  # rows of each row group, by its own count; Arrow: empty
    problems: list[str]  # what is wrong with each row group's counts, which is then not decoded


class Batch(NamedTuple):
    """Decoded rows of one row group."""

    group: int
    decoded: int  # bytes that the values take when each stands for itself
    batch: pa.RecordBatch


class Done(NamedTuple):
    """All of a row group was decoded."""

    group: int


class Failed(NamedTuple):
    """The rest of a row group, or with group -1 the file, cannot be decoded."""

    group: int
    reason: Reason
    kind: str  # class of the error, or the signal


Event = Opened | Batch | Done | Failed


class _Lost(Exception):
    """The child is gone or does not answer."""

    def __init__(self, reason: Reason, kind: str) -> None:
        super().__init__(reason, kind)
        self.reason, self.kind = reason, kind


def events(handle: BinaryIO, form: str, rows: int) -> Iterator[Event]:
    """What a child finds in the open file (`form`: parquet or arrow), at most `rows` rows a batch. The file's
    position moves. No error of the parser and no death of a child is raised."""
    first, opened, current = 0, None, -1
    for _ in range(LIMITS.restarts + 1):
        child = _Child(handle, form, rows, first)
        try:
            for event in child.events():
                if isinstance(event, Opened):
                    if opened is None:
                        opened = event
                        yield event
                    current = _next_sound(opened, first)
                    continue
                yield event
                if not isinstance(event, Batch):
                    current = _next_sound(opened, event.group + 1) if opened else -1
            return
        except _Lost as lost:
            yield Failed(current, lost.reason, lost.kind)
        finally:
            child.close()
        if opened is None or current < 0 or current + 1 >= len(opened.groups):
            return
        first = _next_sound(opened, current + 1)
        current = first
        if first >= len(opened.groups):
            return
    for index in range(first, len(opened.groups) if opened else 0):
        if opened and not opened.problems[index]:
            yield Failed(index, Reason.RESOURCE_LIMIT, f"{LIMITS.restarts} children died before")


def _next_sound(opened: Opened, index: int) -> int:
    """The first row group from `index` on that the child decodes."""
    while index < len(opened.problems) and opened.problems[index]:
        index += 1
    return index


class _Child:
    """One process and its two pipes."""

    def __init__(self, handle: BinaryIO, form: str, rows: int, first: int) -> None:
        size = os.fstat(handle.fileno()).st_size
        control, say = os.pipe()
        data, write = os.pipe()
        settings = {
            "format": form,
            "rows": rows,
            "first": first,
            "data": write,
            "memory_bytes": LIMITS.memory_bytes,
            "cpu_seconds": LIMITS.cpu_seconds + (size >> 20),
            "batch_bytes": LIMITS.batch_bytes,
        }
        # -S and -P: no start-up code of the environment runs, and no file beside the program shadows a module.
        command = [sys.executable, "-S", "-P", "-B", str(_PROGRAM), json.dumps(settings)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=handle.fileno(),
                stdout=say,
                stderr=subprocess.DEVNULL,
                pass_fds=(write,),
                env=_environment(),
                cwd="/",
            )
        finally:
            os.close(say)
            os.close(write)
        self._messages = _Pipe(control)
        self._data = _Pipe(data)
        self._stream: Any = None

    def events(self) -> Iterator[Event]:
        """Everything the child says. Raises _Lost when it ends before it is done, or takes too long."""
        while (event := self._event(self._message())) is not None:
            yield event

    def close(self) -> None:
        """Ends the process, if it has not ended, and forgets it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._messages.close()
        self._data.close()

    def _message(self) -> Any:
        line = self._messages.line()
        if line is None:
            raise self._death()
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return None

    def _event(self, message: Any) -> Event | None:
        match message:
            case {"end": True}:
                return None
            case {"open": {"claimed": int(claimed), "layout": dict(layout), "groups": [*rows], "problems": [*wrong]}}:
                return Opened(claimed, layout, rows, wrong)
            case {
                "failed": "resource_limit" | "damaged_input" | "truncated_input" as reason,
                "group": int(group),
                "kind": str(kind),
            }:
                return Failed(group, Reason(reason), kind)
            case {"done": int(group)}:
                return Done(group)
            case {"batch": int(group), "decoded": int(decoded)}:
                return Batch(group, decoded, self._batch(decoded))
        raise _Lost(Reason.DAMAGED_INPUT, "no such message")

    def _batch(self, decoded: int) -> pa.RecordBatch:
        if decoded > LIMITS.row_bytes:
            raise _Lost(Reason.RESOURCE_LIMIT, f"one row decodes to {decoded} bytes")
        try:
            if self._stream is None:
                self._stream = pa.ipc.open_stream(pa.PythonFile(self._data, "r"))
            batch = self._stream.read_next_batch()
            batch.validate()
            return batch
        except (pa.ArrowException, OSError, StopIteration, EOFError):
            raise self._death() from None

    def _death(self) -> _Lost:
        """How the child ended, whose pipes gave nothing more."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return _Lost(Reason.DAMAGED_INPUT, "no more answers")
        if code >= 0:
            return _Lost(Reason.DAMAGED_INPUT, f"exit {code}")
        number = signal.Signals(-code)
        return _Lost(Reason.RESOURCE_LIMIT if number in _OVER_A_LIMIT else Reason.DAMAGED_INPUT, number.name)


class _Pipe:
    """The reading end of a pipe, as a file. Each read waits at most LIMITS.answer_seconds for more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.closed = False
        if sys.platform == "linux":
            import fcntl

            fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE_BYTES)

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer when the pipe ends."""
        found = bytearray(size)
        view, filled = memoryview(found), 0
        while filled < size:
            self._wait()
            count = os.readv(self._descriptor, [view[filled:]])
            if not count:
                break
            filled += count
        return bytes(view[:filled]) if filled < size else bytes(found)

    def line(self) -> bytes | None:
        """The next line without its end; None when the pipe ends."""
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            self._wait()
            block = os.read(self._descriptor, 1 << 16)
            if not block or sum(map(len, parts)) > _MOST_MESSAGE:
                return None
            parts.append(block)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        self.closed = True

    def _wait(self) -> None:
        deadline = time.monotonic() + LIMITS.answer_seconds
        while not select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0))[0]:
            if time.monotonic() >= deadline:
                raise _Lost(Reason.RESOURCE_LIMIT, f"no answer within {LIMITS.answer_seconds:g} seconds")


def _environment() -> dict[str, str]:
    """What the child needs to start, and no secret of the user's."""
    paths = [str(Path(path).absolute()) for path in sys.path if path]
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZDIR") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "ARROW_IO_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(paths), "ARROW_DEFAULT_MEMORY_POOL": "system"}
