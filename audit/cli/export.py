"""`tunevet export`: a finished run in the format of another tool."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from audit import config as configuration
from audit.cli.guarded import no_json_command
from audit.cli.streams import open_streams, reporting
from audit.cli.words import plain, size
from audit.errors import InputError, UsageError
from audit.rundir import Context, RunDir, write_bytes
from audit.schema import NoProgress

_JSON = ("sarif", "jsonl", "croissant")  # to be guarded where they are printed into the log of a CI runner
Format = Literal["sarif", "junit", "jsonl", "markdown", "card", "croissant"]


def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")],
    redact: Annotated[
        bool, typer.Option("--redact", help="Ids, spans and figures without row text; also where the scan redacts.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A file outside of RUN; else stdout.", dir_okay=False)
    ] = None,
) -> None:
    """Write a run's findings for another tool: code scanning, a test dashboard, a pull request, a dataset hub."""
    streams = open_streams()
    with reporting(streams):
        content = exported(run, form, redact)
        if out is None:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
            return
        if out.resolve().is_relative_to(run.resolve()):
            raise UsageError(f"{out} lies in the run directory, which stays as it was written; choose another -o")
        write_bytes(out, content)
        streams.err.print(plain(f"{out}, {size(len(content))}"), soft_wrap=True)


def exported(run: Path, form: str, redact: bool) -> bytes:
    """A run in one format. Raises InputError for a folder that holds no finished run."""
    from audit.report import render  # loads what the embedding map needs

    directory = RunDir(run)
    directory.dataset()
    if not directory.verdicts.exists() or not directory.config.exists():
        raise InputError(f"{run} has no verdicts: the run did not come to its end")
    settings = configuration.load(directory.config)
    content = render(Context(directory, settings, NoProgress()), form, redact or settings.report.redact)
    return no_json_command(content.decode("ascii")).encode() if form in _JSON else content
