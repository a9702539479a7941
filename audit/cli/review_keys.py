"""Where a reviewer's keys come from: single keys without Enter on a terminal, lines everywhere else.

The terminal is put into cbreak mode and not into raw mode: Ctrl-C still interrupts, Ctrl-Z still stops, and output is
as ever. The mode is set anew before each key, since another program may have changed it while this one was stopped.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Protocol, TextIO

from audit.errors import InputError

NEXT, BACK = "n", "p"
_ARROWS = {"[A": BACK, "[D": BACK, "[5~": BACK, "[B": NEXT, "[C": NEXT, "[6~": NEXT, "OA": BACK, "OB": NEXT}
_ESCAPE_SECONDS = 0.05  # an arrow key's bytes come together; a lone Esc is followed by nothing
_END_OF_INPUT = "\x04"  # Ctrl-D


class Keys(Protocol):
    """Asks a person, or a script that stands in for one."""

    def __enter__(self) -> Keys: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        """Leaves the terminal as it was found, whatever happened."""

    def key(self) -> str | None:
        """The next key, one character; "" for one that means nothing, None at the end of the input."""

    def line(self, question: str, given: str = "") -> str | None:
        """A line of text without its end; on a terminal `given` stands there to be changed. None at the end of the
        input."""


def open_keys() -> Keys:
    """Single keys where stdin is a terminal, else lines of stdin."""
    if sys.stdin.isatty():
        with contextlib.suppress(termios.error, OSError, ValueError):
            termios.tcgetattr(sys.stdin.fileno())
            return TerminalKeys(sys.stdin.fileno())
    return LineKeys(sys.stdin)


class LineKeys:
    """The first character of each line is a key, so that a review can be scripted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> LineKeys:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        return None

    def key(self) -> str | None:
        line = self._next()
        return None if line is None else line.strip()[:1]

    def line(self, question: str, given: str = "") -> str | None:
        return self._next()

    def _next(self) -> str | None:
        try:
            line = self._stream.readline()
        except UnicodeDecodeError:
            raise InputError("the keys on standard input are not UTF-8 text") from None
        return line.rstrip("\r\n") if line else None


class TerminalKeys:
    """Keys of the terminal at a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._found = termios.tcgetattr(descriptor)

    def __enter__(self) -> TerminalKeys:
        self._single()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._restore()

    def key(self) -> str | None:
        self._single()
        key = self._character()
        if key == "\x1b":
            return self._sequence()
        return None if key in ("", _END_OF_INPUT) else key.strip()

    def line(self, question: str, given: str = "") -> str | None:
        with contextlib.suppress(ImportError):
            import readline

            readline.set_startup_hook(lambda: readline.insert_text(given))
        self._restore()
        try:
            return input(question)
        except (EOFError, UnicodeDecodeError):
            return None
        finally:
            self._single()
            with contextlib.suppress(ImportError):
                import readline

                readline.set_startup_hook(None)

    def _character(self) -> str:
        """One character, byte by byte, so that what follows it is left for `line`; "" at the end of the input. It
        waits in `select`, which Ctrl-C always ends: a read is begun anew under the signal handler that polars sets."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = ""
        while not text:
            select.select([self._descriptor], [], [])
            byte = os.read(self._descriptor, 1)
            if not byte:
                return ""
            text = decoder.decode(byte)
        return text

    def _sequence(self) -> str:
        """The meaning of an escape sequence, whose rest is taken up; "" for most."""
        rest = ""
        while rest in ("", "[", "O") or not (rest[-1].isalpha() or rest[-1] == "~"):
            if not select.select([self._descriptor], [], [], _ESCAPE_SECONDS)[0]:
                break
            character = self._character()
            if not character:
                break
            rest += character
        return _ARROWS.get(rest, "")

    def _single(self) -> None:
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)  # what was typed ahead stays

    def _restore(self) -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._found)
