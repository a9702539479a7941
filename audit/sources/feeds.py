"""Lines of a table one by one, with lines that were read too far put back; or all that are left of a run at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import polars as pl

from audit.sources.record import Dialect, LineRun
from audit.sources.streams import Lines

Line = tuple[int, int, bytes, int]  # number, offset, bytes without LF (cut at the cap), length

LEAST = 64  # lines that are worth to be handed over at once
REFUSED = 1_024  # lines that are read one by one before the others are offered again
RUN_BYTES = 2 << 20  # of a run of lines, where the file has so many


class Feed:
    """An iterator of lines that takes lines back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._back: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        return self._back.popleft() if self._back else next(self._lines)

    def back(self, lines: list[Line]) -> None:
        """These come next, in this order."""
        self._back.extendleft(reversed(lines))


class RunFeed(Feed):
    """The lines of a file; `offer` hands over what is left of the run at hand. With `quoted`, runs with a quote in them
    are not offered: it may join lines."""

    def __init__(self, lines: Lines, most: int, quoted: bool, offering: bool) -> None:
        super().__init__(iter(()))
        self._runs, self._most, self._quoted = lines.runs(RUN_BYTES if offering else 0), most, quoted
        self._raws: list[bytes] = []  # the run at hand
        self._at = 0  # the next line of it, its number and offset, and the bytes that were dropped of it
        self._number, self._offset, self._cut = 1, 0, 0
        self._again = 0  # where it is offered again

    def __next__(self) -> Line:
        if self._back:
            return self._back.popleft()
        if self._at >= len(self._raws) and not self._turn():
            raise StopIteration
        raw, number, offset = self._raws[self._at], self._number, self._offset
        size = len(raw) + self._cut
        self._at, self._number, self._offset, self._cut = self._at + 1, number + 1, offset + size + 1, 0
        return number, offset, raw if size <= self._most else raw[: self._most], size

    def offer(self, file: int, dialect: Dialect, take: Callable[[LineRun], bool]) -> None:
        """Hands over runs as long as they are taken. Only between two records."""
        while not self._back:
            if self._at >= len(self._raws) and not self._turn():
                return
            if self._at < self._again:
                return
            run = self._rest(file, dialect)
            if run is None or not take(run):
                self._again = len(self._raws) if run is None else self._at + REFUSED
                return
            self._number += len(run.raws)
            self._offset += sum(map(len, run.raws)) + len(run.newline) * len(run.raws)
            self._at = len(self._raws)

    def _turn(self) -> bool:
        """Goes to the next run; False at the end."""
        run = next(self._runs, None)
        if run is None:
            return False
        self._number, self._offset, self._raws, self._cut = run
        self._at = self._again = 0
        return True

    def _rest(self, file: int, dialect: Dialect) -> LineRun | None:
        """What is left of the run at hand; None where lines are blank, joined, long or end in different ways."""
        raws = self._raws[self._at :]
        if self._cut or len(raws) < LEAST:
            return None
        lines = pl.Series(raws, dtype=pl.Binary)
        returns, newline = lines.bin.ends_with(b"\r"), b"\n"
        if returns.all():
            raws, newline = [raw[:-1] for raw in raws], b"\r\n"
        sizes = lines.bin.size()
        if (newline == b"\n" and returns.any()) or (sizes < len(newline)).any() or (sizes > self._most).any():
            return None
        if self._quoted and lines.bin.contains(b'"').any():
            return None
        return LineRun(file, self._number, self._offset, raws, newline, dialect)
