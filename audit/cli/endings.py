"""A command that is told to end (SIGTERM) ends as one that is interrupted (Ctrl-C): what is finished stays, the
manifest says where it stopped, and the exit code says why.

SIGTERM is passed on as an interrupt, so whoever hears the one hears the other: a unit at work, the flow of an engine,
a prompt. A file that is being written is dropped, not left half-written.
"""

from __future__ import annotations

import io
import signal
import sys
import threading
from types import FrameType

import typer

from audit.cli.guarded import Lines, shown_trace
from audit.errors import EXIT_FINDINGS, EXIT_INCOMPLETE
from audit.text import safe_text

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
ENDED = (EXIT_INTERRUPTED, EXIT_TERMINATED)

_HELP = "NoArgs"  # of the error that is no error: help, when nothing is asked for
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


def told(error: Exception) -> int:
    """Says on stderr with what a command ended, and returns its exit code: a usage error as the parser words it, else
    the traceback, which is a fault of ours. Both may quote an argument or a row."""
    err = Lines(sys.stderr)
    if isinstance(error, typer.Abort):
        err.write("Aborted!\n")
        return EXIT_FINDINGS
    if not (hasattr(error, "show") and isinstance(code := getattr(error, "exit_code", None), int)):
        err.write(f"{shown_trace(error)}\n")
        return EXIT_INCOMPLETE
    if isinstance(said := getattr(error, "message", None), str) and _HELP not in type(error).__name__:
        error.message = safe_text(said)  # type: ignore[attr-defined]
    words = io.StringIO()
    error.show(file=words)
    err.write(safe_text(words.getvalue(), newlines=True))
    return code


def _heard(number: int, frame: FrameType | None) -> None:
    _terminated.set()
    interrupted = signal.getsignal(signal.SIGINT)
    if callable(interrupted):
        interrupted(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt  # a shell that started this in the background had interrupts ignored
