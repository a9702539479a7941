"""`tunevet apply RUN DECISIONS... -o OUT`: the cleaned data as people decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from audit.cli.options import Json
from audit.cli.streams import open_streams, reporting, write_object
from audit.cli.words import amount, plain
from audit.remedies.applied import Applied
from audit.rundir import RunDir

_SHOWN = 10  # of each kind of open decision
_WORDS = {
    "rows": "read",
    "keep": "kept as they were",
    "edit": "kept, edited",
    "remove": "removed",
    "hold": "held for review",
    "unreadable": "unreadable",
}


def apply(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    decisions: Annotated[list[Path], typer.Argument(help="Files of decisions, of one reviewer or several.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="The cleaned data: a file, or a folder for an input of several files.")
    ],
    undecided: Annotated[
        Literal["hold", "keep"], typer.Option(help="What becomes of review rows that nobody decided.")
    ] = "hold",
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier result of the same name.")] = False,
    as_json: Json = False,
) -> None:
    """Write the cleaned data that decisions come to, and beside it what was removed, with its reasons.

    Exit codes: 0 applied, 1 applied but some decisions are open (conflicts, rows this run has not, edits that
    cannot be made), 2 usage, 3 the rows do not add up, 74 a write failed.
    """
    from audit.remedies.apply import apply as apply_decisions

    streams = open_streams()
    with reporting(streams, as_json):
        done = apply_decisions(RunDir(run), decisions, out, undecided=undecided, force=force)
        if as_json:
            paths = [str(path) for path in done.written]
            write_object({**done.summary, "written": paths, "exit_code": done.exit_code})
        else:
            _screen(streams.out, done)
    raise typer.Exit(done.exit_code)


def _screen(console: Console, done: Applied) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, words in _WORDS.items():
        if done.counts[name] or name in ("rows", "keep", "remove"):
            grid.add_row(f"{done.counts[name]:,}", f"{'row' if done.counts[name] == 1 else 'rows'} {words}")
    console.print(grid)
    for name in ("by_decision", "by_reviewer"):
        said = ", ".join(f"{key or '(no name)'} {count:,}" for key, count in done.summary[name].items())
        if said:
            console.print(plain(f"rows {name.replace('_', ' ')}: {said}", limit=400), soft_wrap=True)
    for path in done.written:
        console.print(plain(str(path)), soft_wrap=True)
    conflicts, unmatched, refused = done.open.conflicts, done.open.unmatched, done.open.refused
    _listed(console, "Reviewers disagree; counted as undecided", [c.sentence() for c in conflicts])
    named = [f"{u.decision.subject} {u.decision.key}, {u.decision.decision}: {u.reason}" for u in unmatched]
    _listed(console, "Decisions without effect", named)
    _listed(console, "Edits that cannot be made; the rows are held", [f"row {r.row}: {r.reason}" for r in refused])
    if done.open:
        parts = [
            *([amount(len(conflicts), "conflicts")] if conflicts else []),
            *([f"{amount(len(unmatched), 'decisions')} without effect"] if unmatched else []),
            *([f"{amount(len(refused), 'rows')} that cannot be edited as decided"] if refused else []),
        ]
        console.print(plain(f"Applied, but not all is settled: {', '.join(parts)}.", style="yellow"), soft_wrap=True)


def _listed(console: Console, title: str, sentences: Sequence[str]) -> None:
    if not sentences:
        return
    console.print(plain(f"{title}:", style="bold"))
    for sentence in sentences[:_SHOWN]:
        console.print(plain(f"  {sentence}", limit=400), soft_wrap=True)
    if len(sentences) > _SHOWN:
        console.print(f"  and {len(sentences) - _SHOWN:,} more, in the summary file")
