"""`tunevet scan`: the settings, the run, the screens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from audit.cli.progress import Screen
from audit.cli.screens import load_triggers, next_command, result_screen, schema_panel
from audit.cli.streams import Streams, write_object
from audit.cli.words import amount, plain, seconds
from audit.config import Config
from audit.job import Engine, Finished, audit_run, dataset_name, default_run_path, names_hub
from audit.outcome import Outcome
from audit.preview import Estimate, estimate
from audit.remedies.clean import outputs
from audit.rundir import RunDir
from audit.sources.hub import is_hub_id


def stay_offline(config: Config) -> None:
    """Keeps the hub's libraries off the network unless the settings name a hub id. Called before they are
    imported."""
    if not names_hub(config) and not is_hub_id(config.probe.language_model):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def run_scan(
    streams: Streams, config: Config, out: Path | None, engine: Engine, *, quiet: int, verbose: bool
) -> Finished:
    """Runs a scan with its screens on stderr. Raises what stops a run."""
    stay_offline(config)
    run = RunDir(out or default_run_path(config, dataset_name(config)))

    def ended(stage: str) -> None:
        if stage == "ingest" and not quiet and (run / "dataset.json").exists():
            streams.err.print(schema_panel(run.dataset()))

    screen = Screen(streams.err, quiet=bool(quiet), verbose=verbose, ended=ended)
    if not quiet:
        streams.err.print(plain(f"tunevet scans {config.source} into {run.path}", style="bold"), soft_wrap=True)
    try:
        finished = audit_run(run, config, engine, screen)
    finally:
        screen.close()
    if not finished.redone and not quiet:
        streams.err.print(f"Nothing was redone: all {len(finished.results)} units stand with these settings.")
    return finished


def show_result(streams: Streams, finished: Finished, as_json: bool) -> None:
    """The result on stdout."""
    if as_json:
        write_object(result_object(finished.run, finished.config, finished.outcome, finished.redone))
    else:
        result_screen(streams.out, finished.run, finished.config, finished.outcome)


def result_object(run: RunDir, config: Config, outcome: Outcome, redone: int) -> dict[str, Any]:
    """The result as one JSON object."""
    triggers = load_triggers(run, config.report.redact)
    cleaned, review = outputs(run)
    return {
        "run": str(run.path),
        "report": str(run.report) if run.report.exists() else None,
        "exit_code": outcome.exit_code,
        "outcome": outcome.to_dict(),
        "triggers": [
            {
                "id": t["id"],
                "status": t["status"],
                "kind": t["kind"],
                "pattern": t["pattern"],
                "behavior": t["behavior"],
                "rows": len(t["rows"]),
                "probe": {k: v for k, v in (t.get("probe") or {}).items() if not isinstance(v, (dict, list))},
            }
            for t in triggers
        ],
        "cleaned": [str(p) for p in cleaned],
        "review": [str(p) for p in review],
        "undecided": config.review.undecided,
        "units_redone": redone,
        "next": next_command(run, outcome, triggers),
    }


def dry_run(streams: Streams, config: Config, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Prints what a scan would read, take and write; writes nothing."""
    stay_offline(config)
    run_path = out or default_run_path(config, dataset_name(config))
    screen = Screen(streams.err, quiet=quiet)
    try:
        found = estimate(config, run_path, screen)
    finally:
        screen.close()
    if as_json:
        write_object({**{name: getattr(found, name) for name in found.__slots__}, "run": str(run_path)})
    else:
        _estimate_screen(streams.out, found)


def _estimate_screen(console: Console, found: Estimate) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("rows", f"{found.rows:,} ({found.readable:,} readable)")
    grid.add_row("tokens", f"about {found.tokens:,}; {found.embedded_tokens:,} are embedded")
    grid.add_row("probe", f"at most {found.probe_tokens:,} tokens of training")
    grid.add_row("device", plain(found.device))
    both = f"embedding {seconds(found.embed_seconds)}, probe up to {seconds(found.probe_seconds)}"
    grid.add_row("time", f"about {seconds(found.seconds)} ({both}; measured on {amount(64, 'rows')} of yours)")
    grid.add_row("writes", "\n".join(plain(path).plain for path in found.writes))
    console.print(grid)
    console.print("Dry run: nothing was written.")
