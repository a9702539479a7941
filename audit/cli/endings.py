"""A command that is told to end (SIGTERM) ends as one that is interrupted (Ctrl-C): what is finished stays, the
manifest says where it stopped, and the exit code says why.

SIGTERM is passed on as an interrupt, so whoever hears the one hears the other: a unit at work, the flow of an engine,
a prompt. A file that is being written is dropped, not left half-written.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
ENDED = (EXIT_INTERRUPTED, EXIT_TERMINATED)

_terminated = threading.Event()
_GOES_ON = "What is finished stays; the same command with the same -o goes on from here."


def hear_sigterm() -> None:
    """From now on SIGTERM interrupts this process. Only the main thread may listen; in any other nothing changes."""
    if threading.current_thread() is threading.main_thread():
        _terminated.clear()
        signal.signal(signal.SIGTERM, _heard)


def ending() -> tuple[str, int]:
    """The sentence and the exit code of a command that was interrupted."""
    if _terminated.is_set():
        return f"Told to end (SIGTERM). {_GOES_ON}", EXIT_TERMINATED
    return f"Interrupted. {_GOES_ON}", EXIT_INTERRUPTED


def _heard(number: int, frame: FrameType | None) -> None:
    _terminated.set()
    interrupted = signal.getsignal(signal.SIGINT)
    if callable(interrupted):
        interrupted(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt  # a shell that started this in the background had interrupts ignored
