"""Where the command line writes: results on stdout, all else on stderr; errors as one sentence and a code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console

from audit.cli.endings import ending
from audit.cli.guarded import Lines, ascii_json
from audit.cli.words import plain
from audit.errors import TunevetError

_WIDE = 120  # columns where there is no terminal to ask


@dataclass(frozen=True, slots=True)
class Streams:
    """The two consoles of one command."""

    out: Console
    err: Console


def open_streams() -> Streams:
    """Consoles over stdout and stderr as they are now. rich honours NO_COLOR and drops styles where there is
    no terminal."""
    return Streams(_console(stderr=False), _console(stderr=True))


def _console(stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    known: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": False}
    if stream.isatty():
        return Console(stderr=stderr, **known)
    return Console(file=Lines(stream), width=_WIDE, **known)  # type: ignore[arg-type]


def write_object(value: Any) -> None:
    """One JSON object on stdout, ASCII only, so that no row text reaches the terminal raw."""
    typer.echo(ascii_json(value))


@contextmanager
def reporting(streams: Streams, as_json: bool = False) -> Iterator[None]:
    """Turns an error of ours into one sentence on stderr, with --json also one object on stdout, and its exit
    code."""
    try:
        yield
    except TunevetError as error:
        message = str(error)
        if as_json:
            write_object({"error": {"type": type(error).__name__, "message": message}, "exit_code": error.exit_code})
        first, *rest = message.split("\n")
        streams.err.print(plain("error: ", style="bold red").append_text(plain(first)))
        for line in rest:
            streams.err.print(plain(line), soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        sentence, code = ending()
        streams.err.print(sentence)
        raise typer.Exit(code) from None
