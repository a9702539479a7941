"""`tunevet restore`: the input files, byte for byte, out of a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.streams import open_streams, reporting
from audit.cli.words import amount, plain
from audit.errors import EXIT_INCOMPLETE, UsageError
from audit.remedies.restore import restore as rebuild
from audit.rundir import RunDir


def restore(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="A new folder outside of RUN; else RUN.restored", file_okay=False),
    ] = None,
) -> None:
    """Rebuild the input of a scan byte for byte: each text file, of .gz and .zst the decompressed stream.

    Parquet and Arrow files are named and not rebuilt. Exit codes: 0 all rebuilt, 1 rows and regions make up other bytes
    than were read, 2 usage, 3 some file was not rebuilt or only in part, 74 a write failed.
    """
    streams = open_streams()
    with reporting(streams):
        folder = out if out is not None else Path(f"{str(run).rstrip('/')}.restored")
        if folder.resolve().is_relative_to(run.resolve()):
            raise UsageError(f"{folder} lies in the run directory, which stays as it was written; choose another -o")
        restored = rebuild(RunDir(run), folder)
    for file in restored:
        where = "" if file.written is None else f" -> {file.written}, {amount(file.size_bytes, 'bytes')}"
        style = "" if file.whole else "yellow"
        streams.out.print(plain(f"{file.path}{where}: {file.note}", style=style, limit=600), soft_wrap=True)
    whole = sum(file.whole for file in restored)
    streams.err.print(plain(f"{whole:,} of {amount(len(restored), 'files')} rebuilt whole"), soft_wrap=True)
    if whole < len(restored):
        raise typer.Exit(EXIT_INCOMPLETE)
