"""Files that are made and written while the next rows are read: one after another, in the order of asking.

One thread makes what a file holds (it encodes and compresses), another writes: the disk, which is waited for at each
fsync, sees the same steps in the same order as without them. What fails is raised where the next file is asked for, or
at the end. At most `_WAITING` files wait: memory stays bounded.
"""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from audit.durable import write_bytes

_WAITING = 4
_SWITCH_SECONDS = 0.0005  # a thread needs the interpreter often and for moments: it shall not wait 5 ms each time


class WriteBehind:
    """A context: on the way out everything is written, or, after an error, the file at hand is ended and the others
    are dropped. Not `behind`, each file is written where it is asked for."""

    def __init__(self, behind: bool) -> None:
        self._makers = ThreadPoolExecutor(1, "shards-made") if behind else None
        self._writers = ThreadPoolExecutor(1, "shards-written") if behind else None
        self._open: deque[Future[None]] = deque()

    def __enter__(self) -> WriteBehind:
        self._switch = sys.getswitchinterval()
        if self._writers is not None:
            sys.setswitchinterval(_SWITCH_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writers is None or self._makers is None:
            return
        try:
            if value is None:
                self.wait()
        finally:
            self._writers.shutdown(wait=True, cancel_futures=True)
            self._makers.shutdown(wait=True, cancel_futures=True)
            sys.setswitchinterval(self._switch)

    def write(self, path: Path, make: Callable[..., bytes], *arguments: Any) -> None:
        """Writes what `make` returns, now or soon. Raises what it, or a file before this one, raised."""
        if self._writers is None or self._makers is None:
            write_bytes(path, make(*arguments))
            return
        self.wait(_WAITING)
        made = self._makers.submit(make, *arguments)
        self._open.append(self._writers.submit(_write, path, made))

    def wait(self, left: int = 0) -> None:
        """Until at most `left` files wait. Raises what one of them raised."""
        while len(self._open) > left or (self._open and self._open[0].done()):
            self._open.popleft().result()


def _write(path: Path, made: Future[bytes]) -> None:
    write_bytes(path, made.result())


def parquet(tables: Sequence[pl.DataFrame], level: int | None = None) -> bytes:
    """Tables of one schema as one parquet file, at a level of zstd."""
    out = io.BytesIO()
    table = pl.concat(tables).rechunk()
    table.write_parquet(out, compression="zstd", compression_level=level, statistics=False)
    return out.getvalue()
