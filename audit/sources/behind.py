"""Writes that go on while the next rows are read: one after another, in the order in which they were handed over.

A single thread does them, so that the disk sees the same steps in the same order as without it. A write that fails is
raised where the next one is handed over, or at the end. At most `_WAITING` writes wait: memory stays bounded.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

_WAITING = 2
_SWITCH_SECONDS = 0.0005  # a write needs the interpreter often and for moments: it shall not wait 5 ms each time


class WriteBehind:
    """A context: on the way out everything is written, or, after an error, the write at hand is ended and the others
    are dropped. Not `behind`, each write is done where it is handed over."""

    def __init__(self, behind: bool) -> None:
        self._pool = ThreadPoolExecutor(1, "shards") if behind else None
        self._open: deque[Future[None]] = deque()

    def __enter__(self) -> WriteBehind:
        self._switch = sys.getswitchinterval()
        if self._pool is not None:
            sys.setswitchinterval(_SWITCH_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        try:
            if value is None:
                self.wait()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            sys.setswitchinterval(self._switch)

    def do(self, write: Callable[..., None], *arguments: Any) -> None:
        """Writes, now or soon. Raises what this write or one before it raised."""
        if self._pool is None:
            write(*arguments)
            return
        self.wait(_WAITING)
        self._open.append(self._pool.submit(write, *arguments))

    def wait(self, left: int = 0) -> None:
        """Until at most `left` writes wait. Raises what one of them raised."""
        while len(self._open) > left or (self._open and self._open[0].done()):
            self._open.popleft().result()
