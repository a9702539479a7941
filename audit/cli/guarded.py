"""The last step before a terminal or a log: what libraries, interpreters and CI runners make of text.

Screens spell out what cannot be seen by themselves. This module sees to what is printed past them: warnings, log
records with their tracebacks, errors in threads, and usage errors that quote an argument. And it keeps lines from being
commands: a CI runner runs a line of a log that begins with `::` or holds `##[`, and where a long text is wrapped, a row
of the data may begin a line.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from audit.text import safe_text

_RUN = ("", "vso", "teamcity")  # ##[, ##vso[ and ##teamcity[ begin a command anywhere in a line
_MOST = 20_000  # characters of a message or traceback


class Lines(io.TextIOBase):
    """A stream that is no terminal, of which no line is a command of a CI runner: `::` at the beginning of a line is
    put down as `∷`, `##` before a bracket as `♯♯`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._blank = True  # what stands on the line so far

    def write(self, text: str) -> int:
        parts = text.split("\n")
        shown = []
        for at, part in enumerate(parts):
            blank = self._blank if at == 0 else True
            shown.append(no_command(part) if blank else _no_bracket(part))
            self._blank = blank and not part.strip()
        self._stream.write("\n".join(shown))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


def no_command(line: str) -> str:
    """A line that no CI runner takes for a command of its own.

    >>> no_command("  ::error::x"), no_command("a ::b"), no_command("a ##[error]x")
    ('  ∷error::x', 'a ::b', 'a ♯♯[error]x')
    """
    bare = line.lstrip()
    if bare.startswith("::"):
        line = f"{line[: len(line) - len(bare)]}∷{bare[2:]}"
    return _no_bracket(line)


def _no_bracket(line: str, instead: str = "♯♯") -> str:
    for name in _RUN:
        line = line.replace(f"##{name}[", f"{instead}{name}[")
    return line


def ascii_json(value: Any) -> str:
    """JSON in ASCII, indented, in which no CI runner finds a command."""
    return no_json_command(json.dumps(value, indent=1, ensure_ascii=True, default=str))


def no_json_command(text: str) -> str:
    r"""JSON that reads back to the same value and holds no command of a CI runner; # stands in strings alone.

    >>> no_json_command('["##[error]x", "## x"]')
    '["\\u0023\\u0023[error]x", "## x"]'
    """
    return _no_bracket(text, "\\u0023\\u0023")


def shown_trace(error: BaseException) -> str:
    """A traceback with its causes, indented, so that no line of it passes for one of a log, or is a command."""
    text = safe_text("".join(traceback.format_exception(error)), _MOST, newlines=True)
    return "\n".join(no_command(f"  {line}") for line in text.split("\n"))


class SafeRecord(logging.LogRecord):
    """A log record of one line, and of a traceback that is indented."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.exc_info and self.exc_info[1] is not None:
            self.exc_text = shown_trace(self.exc_info[1])

    def getMessage(self) -> str:
        return no_command(safe_text(super().getMessage(), _MOST))


@contextmanager
def guarded() -> Iterator[None]:
    """While open, warnings, log records and errors of threads are shown as `safe_text` shows them."""
    before = (warnings.formatwarning, logging.getLogRecordFactory(), threading.excepthook, sys.unraisablehook)
    warnings.formatwarning = _warning
    logging.setLogRecordFactory(SafeRecord)
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraisable
    try:
        yield
    finally:
        warnings.formatwarning, factory, threading.excepthook, sys.unraisablehook = before
        logging.setLogRecordFactory(factory)


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return no_command(safe_text(f"{filename}:{lineno}: {category.__name__}: {message}", _MOST)) + "\n"


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        _say(f"error in thread {ended.thread.name if ended.thread else 'unknown'}:", ended.exc_value)


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    if found.exc_value is not None:
        _say(found.err_msg or "error that could not be raised:", found.exc_value)


def _say(title: str, error: BaseException) -> None:
    if sys.stderr is not None:
        Lines(sys.stderr).write(f"{safe_text(title, 400)}\n{shown_trace(error)}\n")
