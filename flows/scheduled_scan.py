"""Recurring scans of a source: `tunevet serve CONFIG` keeps a deployment with a cron schedule on a Prefect
server and runs each scan when it is due, in a process of its own.

Misses: Prefect's embedded server runs no schedules, so a server is needed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.schedules import Cron
from prefect.states import Completed, Failed
from prefect.types.entrypoint import EntrypointType

from audit.errors import EXIT_INCOMPLETE, ConfigError, UsageError
from audit.job import Silent, audit_run, dataset_name, default_run_path, load_settings
from audit.rundir import RunDir
from flows.engine import PrefectEngine
from flows.server import answers


@flow(name="scheduled-scan", flow_run_name="scheduled-scan {config_path}", persist_result=False, log_prints=False)
def scheduled_scan(config_path: str) -> State[Any]:
    """Scans the source of a configuration file into a new run directory. The final state is named after the
    outcome (Pass, Review, Block), and is Failed for an incomplete run."""
    path = Path(config_path)
    config = load_settings(path)
    run = RunDir(default_run_path(config, dataset_name(config), path.parent / config.schedule.runs))
    outcome = audit_run(run, config, PrefectEngine(), Silent()).outcome
    message = f"{outcome.gate} Run directory: {run.path}"
    if outcome.exit_code >= EXIT_INCOMPLETE:
        return Failed(name="Incomplete", message=f"{len(outcome.incomplete)} reasons. {message}")
    return Completed(name=outcome.verdict.title(), message=message)


def serve(config_path: Path) -> None:
    """Serves the schedule of a configuration file until interrupted. Raises ConfigError when it has none,
    UsageError when no Prefect server answers."""
    config = load_settings(config_path)
    if not config.source:
        raise ConfigError(f'{config_path} names no source to scan; add: source = "data.jsonl"')
    if not config.schedule.cron:
        raise ConfigError(f'{config_path} has no schedule; add a table: [schedule] and in it cron = "0 3 * * *"')
    url = os.environ.get("PREFECT_API_URL", "")
    if not url or not answers(url):
        raise UsageError(_how_to_start(config_path, url))
    try:
        schedule = Cron(config.schedule.cron, timezone=config.schedule.timezone)
    except ValueError as error:
        raise ConfigError(f"schedule.cron {config.schedule.cron!r} is no schedule: {error}") from None
    scheduled_scan.serve(
        name=config.schedule.name or dataset_name(config),
        schedule=schedule,
        parameters={"config_path": str(config_path.resolve())},
        limit=1,
        print_starting_message=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _how_to_start(config_path: Path, url: str) -> str:
    """The sentence, and the two commands that start a server and serve on it."""
    beside = Path(sys.executable).with_name("prefect")
    prefect = "prefect" if shutil.which("prefect") else str(beside)
    why = f"no Prefect server answers at {url}" if url else "PREFECT_API_URL is not set"
    return (
        f"{why}, and the embedded server runs no schedules. Start a server, then serve:\n"
        f"  DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false {prefect} server start --background\n"
        f"  PREFECT_API_URL={url or 'http://127.0.0.1:4200/api'} tunevet serve {config_path}"
    )
