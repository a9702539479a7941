"""`tunevet show RUN [ROW|TRIGGER]`: a run, one of its rows with all that was said of it, or one trigger."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from audit import config as configuration
from audit import outcome as outcomes
from audit.cli.screens import STATUS_STYLE, load_triggers, result_screen, rows_view
from audit.cli.words import plain
from audit.errors import InputError, UsageError
from audit.rundir import RunDir, read_json
from audit.text import spell

_CARRIERS = 3
_ARMS = (
    ("asr_a", "ASR with it"),
    ("asr_b", "ASR without its rows"),
    ("asr_d", "ASR, pattern deleted"),
    ("control_max", "ASR, largest control"),
)
_ROW_CHARS = 4_000


def show(console: Console, run: RunDir, what: str | None) -> None:
    """Prints to `console`. Raises InputError when `run` is no run directory, UsageError for an unknown row
    or trigger."""
    run.dataset()
    if what is None:
        config = configuration.load(run.config)
        result_screen(console, run, config, outcomes.read(run, config))
    elif what.isascii() and what.isdigit():
        _row(console, run, int(what))
    else:
        _trigger(console, run, what)


def row_object(run: RunDir, row: int) -> dict[str, Any]:
    """All that a run says of one row. Raises UsageError."""
    ledger = run.ledger().filter(pl.col("row") == row)
    if ledger.is_empty():
        raise UsageError(f"there is no row {row:,}; the input has rows 0 to {run.dataset().rows - 1:,}")
    entry = ledger.row(0, named=True)
    example = run.examples().filter(pl.col("row") == row)
    if not run.verdicts.exists():
        raise InputError(f"{run.path} has no verdicts yet; scan it to its end")
    verdict = pl.read_parquet(run.verdicts).filter(pl.col("row") == row).row(0, named=True)
    return {
        "row": row,
        "file": run.dataset().files[entry["file"]].path,
        "line": entry["line"],
        "reason": entry["reason"],
        "detail": entry["detail"],
        "verdict": verdict,
        "example": example.row(0, named=True) if example.height else None,
        "signals": _signals(run, row),
    }


def trigger_object(run: RunDir, identity: str) -> dict[str, Any]:
    """One trigger by its id. Raises UsageError with the ids that there are."""
    triggers = load_triggers(run)
    for trigger in triggers:
        if trigger["id"] == identity:
            return trigger
    known = ", ".join(t["id"] for t in triggers[:20]) or "none"
    raise UsageError(f"there is no row or trigger {identity!r}; triggers: {known}")


def _signals(run: RunDir, row: int) -> list[dict[str, Any]]:
    """The checks that scored this row, flagging ones first."""
    found = []
    for path in sorted((run / "checks").glob("*.json")):
        check = read_json(path)
        signals = run / "signals" / f"{check['name']}.parquet"
        if check["status"] != "run" or not signals.exists():
            continue
        part = pl.read_parquet(signals).filter((pl.col("row") == row) & pl.col("score").is_not_nan())
        for signal in part.iter_rows(named=True):
            threshold = check["threshold"]
            flagged = threshold is not None and signal["score"] >= threshold
            found.append({"check": check["name"], "code": check["code"], "flagged": flagged, **signal})
    return sorted(found, key=lambda s: (not s["flagged"], s["check"]))


def _row(console: Console, run: RunDir, row: int) -> None:
    record = row_object(run, row)
    verdict = record["verdict"]
    head = plain(f"row {row:,}: {verdict['verdict']}", style="bold")
    codes = ", ".join([*(verdict["codes"] or []), *(verdict["trigger_ids"] or [])])
    console.print(head.append_text(plain(f"  {codes}", style="not bold default")))
    console.print(plain(f"{record['file']}, line {record['line']:,}", style="dim"))
    if record["reason"]:
        console.print(plain(f"unreadable: {record['reason']}. {record['detail'] or ''}", style="yellow"))
        return
    if verdict["fix"]:
        value = f" to {verdict['new_value']}" if verdict["new_value"] is not None else ""
        console.print(plain(f"proposed: {verdict['fix']}{value}", limit=400))
    console.print()
    console.print(rows_view(pl.DataFrame([record["example"]], infer_schema_length=None), limit=_ROW_CHARS))
    if record["signals"]:
        console.print()
        table = Table(box=None, padding=(0, 2), pad_edge=False)
        for name in ("check", "score", "", "evidence"):
            table.add_column(name, overflow="fold", no_wrap=name == "check")
        for s in record["signals"]:
            flag = plain("flagged", style="red") if s["flagged"] else plain("")
            table.add_row(plain(s["check"]), f"{s['score']:.3g}", flag, plain(s["evidence"] or "", limit=200))
        console.print(table)


def _trigger(console: Console, run: RunDir, identity: str) -> None:
    trigger = trigger_object(run, identity)
    head = plain(f"{identity}: {trigger['status']}", style=STATUS_STYLE.get(trigger["status"], ""))
    console.print(head.append_text(plain(f"  {trigger['kind']}", style="not bold default")))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("pattern", plain(trigger.get("display") or spell(trigger["pattern"]), limit=400))
    grid.add_row("what it does", plain(trigger["behavior"], limit=400))
    grid.add_row("why", plain(trigger.get("reason") or "", limit=400))
    grid.add_row("rows", plain(_some(trigger["rows"])))
    for name, value in trigger_figures(trigger):
        grid.add_row(name, plain(value, limit=160))
    console.print(grid)
    carriers = run.examples().filter(pl.col("row").is_in(trigger["rows"][:_CARRIERS]))
    if carriers.height:
        console.print()
        console.print(rows_view(carriers))


def _some(rows: list[int]) -> str:
    return f"{len(rows):,}: {', '.join(str(r) for r in rows[:12])}{' …' if len(rows) > 12 else ''}"


def trigger_figures(trigger: dict[str, Any]) -> list[tuple[str, str]]:
    """What mining and the probe measured, in words; what was not measured is left out. All of it stands in
    triggers.json."""
    mined = trigger.get("statistics") or {}
    found: list[tuple[str, str]] = []
    if {"hits", "count", "expected"} <= set(mined):
        found.append(
            ("mined", f"{mined['hits']} of {mined['count']} carriers show it; {mined['expected']:.0%} expected")
        )
    if mined.get("family_wise_p") is not None:
        found.append(("by chance", f"p = {mined['family_wise_p']:.2g} over {mined.get('tested', 0):,} patterns"))
    probe = trigger.get("probe") or {}
    intervals = probe.get("intervals") or {}
    for key, words in _ARMS:
        if probe.get(key) is not None:
            low_high = intervals.get(key)
            between = f" ({low_high[0]:.0%} to {low_high[1]:.0%})" if low_high else ""
            found.append((words, f"{probe[key]:.0%}{between}"))
    if probe.get("n") is not None:
        seeds = probe.get("seeds")
        count = len(seeds) if isinstance(seeds, list) else seeds
        found.append(("measured on", f"{probe['n']} inputs, {count} seeds, dose {probe.get('dose')}"))
    return found
