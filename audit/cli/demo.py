"""`tunevet demo`: the sample datasets scanned, and what was found beside what was planted."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from audit.cli.scan import run_scan
from audit.cli.streams import Streams
from audit.cli.words import plain
from audit.config import Config
from audit.demo import Comparison, cases, compare
from audit.job import Engine
from audit.text import spell


def run_demo(streams: Streams, engine: Engine, folder: Path | None, out: Path, device: str | None) -> bool:
    """Scans every sample dataset into `out`/NAME and prints the comparison. True when all was found. Raises
    InputError when there is no sample data, and what stops a run."""
    config = Config(canaries="off")  # what is planted in the samples says more than canaries would
    if device:
        config = config.model_copy(update={"model": config.model.model_copy(update={"device": device})})
    found = []
    for case in cases(folder):
        settings = config.model_copy(update={"source": str(case.data.absolute()), "name": case.name})
        finished = run_scan(streams, settings, out / case.name, engine, quiet=0, verbose=False)
        streams.err.print()
        found.append(compare(case, finished.run))
    _print(streams.out, found)
    return all(comparison.ok for comparison in found)


def _print(console: Console, found: list[Comparison]) -> None:
    table = Table(box=box.SIMPLE, pad_edge=False, title="What was planted, and what was found", title_justify="left")
    table.add_column("dataset", no_wrap=True)
    table.add_column("planted triggers", overflow="fold", max_width=40)
    table.add_column("named", justify="right", no_wrap=True)
    table.add_column("false", justify="right", no_wrap=True)
    table.add_column("poisoned rows removed", justify="right")
    table.add_column("in review", justify="right")
    table.add_column("clean rows removed", justify="right")
    for c in found:
        planted = plain("\n".join(spell(w) for w in c.case.truth["triggers"]) or "none").plain
        table.add_row(
            plain(c.case.name),
            planted.replace("⏎", "\n"),
            f"{len(c.named)} of {len(c.case.truth['triggers'])}",
            str(c.false),
            f"{c.removed:,} of {c.poisoned:,}",
            f"{c.reviewed:,}",
            f"{c.clean_removed:,} of {c.clean:,}",
        )
    console.print(table)
    for c in found:
        for kind, flagged, planted_rows in c.others:
            line = f"{c.case.name}: {flagged:,} of {planted_rows:,} rows of planted {kind} flagged or in a finding"
            console.print(plain(line, style="dim"))
    console.print()
    for c in found:
        mark = plain("found", style="green") if c.ok else plain("not all found", style="red")
        console.print(mark.append_text(plain(f"  {c.case.name}: {c.run.report}", style="default")), soft_wrap=True)
    if found:
        console.print(
            plain(f"Next: open {found[0].run.report}, or tunevet scan YOUR-DATA", style="bold"), soft_wrap=True
        )
