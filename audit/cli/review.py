"""`tunevet review RUN`: decide about triggers and rows in a terminal, or in the report served on this machine."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from audit.cli.endings import ending
from audit.cli.review_file import DecisionFile, beside
from audit.cli.streams import Streams, open_streams, reporting
from audit.cli.words import amount, plain
from audit.errors import UsageError
from audit.remedies.clean import review_name
from audit.rundir import RunDir


def review(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    decisions: Annotated[
        Path | None, typer.Option(help="Where decisions are kept; else RUN.decisions.jsonl.", dir_okay=False)
    ] = None,
    reviewer: Annotated[
        str, typer.Option(help="Your name, written into each decision.", envvar="TUNEVET_REVIEWER")
    ] = "",
    every_row: Annotated[
        bool, typer.Option("--every-row", help="Ask about each flagged row of a trigger too.")
    ] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the report on 127.0.0.1 and decide in it.")] = False,
    port: Annotated[int, typer.Option(help="Of --serve; 0 takes a free one.", min=0, max=65_535)] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="With --serve: only print the address.")] = False,
) -> None:
    """Review a run: one trigger or row at a time, each decision written at once to decisions.jsonl."""
    streams = open_streams()
    with reporting(streams):
        if not serve and (port or no_browser):
            raise UsageError("--port and --no-browser go with --serve")
        if serve and every_row:
            raise UsageError("--every-row is for the terminal; the served report lists every row anyway")
        directory = RunDir(run)
        directory.dataset()
        file = DecisionFile(decisions or beside(directory))
        file.all()
        if serve:
            _serve(streams, directory, file, reviewer, port, not no_browser)
            return
        finished = _ask(streams, directory, file, reviewer, every_row)
    if not finished:
        raise typer.Exit(ending()[1])


def _ask(streams: Streams, run: RunDir, file: DecisionFile, reviewer: str, every_row: bool) -> bool:
    """A review in the terminal; False when it was interrupted."""
    from audit.cli.review_keys import open_keys
    from audit.cli.review_queue import Queue
    from audit.cli.review_session import Session

    queue = Queue(run, every_row)
    if not queue.items:
        streams.out.print("There is nothing to review: no trigger is open, and no row is in review.")
        return True
    keys = open_keys()
    session = Session(streams.out, queue, file, keys, reviewer, run_name(run))
    finished = True
    try:
        with keys:
            session.go()
    except KeyboardInterrupt:
        finished = False
        streams.out.print()
    streams.out.print(f"{session.reviewed():,} of {len(queue.items):,} reviewed.")
    say_saved(streams.out, run, file)
    return finished


def _serve(streams: Streams, run: RunDir, file: DecisionFile, reviewer: str, port: int, browser: bool) -> None:
    from audit.cli.review_server import serve

    serve(streams, run, file, reviewer, port, browser)
    say_saved(streams.out, run, file)


def run_name(run: RunDir) -> str:
    """The run directory's name, as decisions hold it."""
    return run.path.resolve().name


def say_saved(console: Console, run: RunDir, file: DecisionFile) -> None:
    """How many decisions stand in the file, and what to do with them."""
    console.print(plain(f"{amount(len(file.all()), 'decisions')} in {file.path}"), soft_wrap=True)
    console.print(plain(f"next  {apply_command(run, file.path)}", style="bold"), soft_wrap=True)


def apply_command(run: RunDir, decisions: Path) -> str:
    """What writes the cleaned data by these decisions. The name ends as the input's does."""
    files = run.dataset().files
    _, _, ending = Path(review_name(files[0].path, 1)).name.partition(".")
    out = f"clean.{ending}" if len(files) == 1 else "clean"
    words = ["tunevet", "apply", os.fspath(run.path), os.fspath(decisions), "-o", out]
    return shlex.join(words)
