"""What a flow run knows of its units, kept in this process: Prefect may forget, the ledger may not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from audit.job import Listener
from audit.pipeline import UnitResult

_REPEAT_SECONDS = 5.0


class Ledger:
    """Passes on to a Listener, keeps how each unit ended, and ends a unit when the scan is interrupted."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.results: dict[tuple[str, str], UnitResult] = {}
        self.interrupted = threading.Event()
        self.stopped: BaseException | None = None  # what a unit raised
        self._terminated: Any = signal.SIG_DFL  # who hears SIGTERM outside of Prefect

    def unit_started(self, stage: str, unit: str) -> None:
        self.listener.unit_started(stage, unit)

    def unit_ended(self, result: UnitResult) -> None:
        key = (result.stage, result.unit)
        if key in self.results and result.status == "skipped":
            return  # run again without Prefect, and found done: it ended as it ended the first time
        self.results[key] = result
        self.listener.unit_ended(result)

    def start(self, label: str, total: int, unit: str) -> None:
        self._stop_if_interrupted()
        self.listener.start(label, total, unit)

    def advance(self, count: int) -> None:
        self._stop_if_interrupted()
        self.listener.advance(count)

    def note(self, text: str) -> None:
        self._stop_if_interrupted()
        self.listener.note(text)

    def _stop_if_interrupted(self) -> None:
        if self.interrupted.is_set() and threading.current_thread() is not threading.main_thread():
            raise KeyboardInterrupt

    @contextmanager
    def hearing_interrupts(self) -> Iterator[None]:
        """While open, Ctrl-C also tells the unit at work to end, wherever in Prefect the main thread stands: it
        would otherwise be waited for to its end. What is raised inside a callback or a destructor is lost, and a
        call to the server may wait for a minute, so Ctrl-C is repeated until the main thread comes out. Only the
        main thread may listen; in any other nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        over = threading.Event()

        def heard(number: int, frame: FrameType | None) -> None:
            if over.is_set():
                return
            if not self.interrupted.is_set():
                self.interrupted.set()
                threading.Thread(target=_repeat, args=(over,), daemon=True).start()
            raise KeyboardInterrupt

        before, self._terminated = signal.signal(signal.SIGINT, heard), signal.getsignal(signal.SIGTERM)
        try:
            yield
        finally:
            over.set()
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def hearing_termination(self) -> Iterator[None]:
        """While open, SIGTERM goes where it went before Prefect's engine took it: inside of a flow. Only the main
        thread may listen; in any other nothing changes."""
        if threading.current_thread() is not threading.main_thread() or not callable(self._terminated):
            yield
            return
        before = signal.signal(signal.SIGTERM, self._terminated)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def _repeat(over: threading.Event) -> None:
    """Presses Ctrl-C again, every few seconds, until it is over."""
    main = threading.main_thread().ident
    while not over.wait(_REPEAT_SECONDS) and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
