"""Recurring scans of a source: `tunevet serve CONFIG` keeps a deployment with a cron schedule on a Prefect
server and runs each scan when it is due, in a process of its own.

Misses: Prefect's embedded server runs no schedules, so a server is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from audit.errors import EXIT_INCOMPLETE, TunevetError
from audit.job import Silent, audit_run, dataset_name, default_run_path, load_settings
from audit.rundir import RunDir
from audit.text import safe_text
from flows.engine import PrefectEngine


def run_name() -> str:
    """What Prefect calls a scan: after its configuration file."""
    return safe_text(f"scheduled-scan {flow_run.parameters['config_path']}", 300)


@flow(
    name="scheduled-scan",
    flow_run_name=run_name,
    persist_result=False,
    log_prints=False,
    result_serializer="json",
)
def scheduled_scan(config_path: str) -> State[Any]:
    """Scans the source of a configuration file into a new run directory. The final state is named after the
    outcome (Pass, Review, Block), and is Failed for an incomplete run."""
    path = Path(config_path)
    config = load_settings(path)
    run = RunDir(default_run_path(config, dataset_name(config), path.parent / config.schedule.runs))
    shown = safe_text(str(run.path), 600)  # states are shown in Prefect's pages and sent on by its notifications
    try:
        outcome = audit_run(run, config, PrefectEngine(), Silent()).outcome
    except TunevetError as error:  # its message may quote a row, and Prefect stores what a flow raises
        return Failed(name="Stopped", message=f"Stopped with {type(error).__name__}; see {shown}")
    message = f"{outcome.gate} Run directory: {shown}"
    if outcome.exit_code >= EXIT_INCOMPLETE:
        return Failed(name="Incomplete", message=f"{len(outcome.incomplete)} reasons. {message}")
    return Completed(name=outcome.verdict.title(), message=message)
