"""`tunevet serve CONFIG`: the schedule of a configuration file on a Prefect server. What can be refused is
refused before `prefect` is imported.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from audit.errors import ConfigError, UsageError
from audit.job import dataset_name, load_settings
from audit.text import safe_text
from flows.environment import make_home
from flows.server import answers


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
        raise UsageError(*_how_to_start(config_path, url))
    make_home()
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.scheduled_scan import scheduled_scan

    try:
        schedule = Cron(config.schedule.cron, timezone=config.schedule.timezone)
    except ValueError as error:
        raise ConfigError(f"schedule.cron {config.schedule.cron!r} is no schedule: {error}") from None
    scheduled_scan.serve(
        name=deployment_name(config.schedule.name or dataset_name(config)),
        schedule=schedule,
        parameters={"config_path": str(config_path.resolve())},
        limit=1,
        print_starting_message=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def deployment_name(name: str) -> str:
    """A name that Prefect takes: without / % & < and >, of one line, with what cannot be seen spelled out. It may be
    that of a file.

    >>> deployment_name("a/b <i>")
    'a-b -i-'
    """
    return re.sub("[/%&<>]", "-", safe_text(name, 200)).strip() or "dataset"


def _how_to_start(config_path: Path, url: str) -> tuple[str, str, str]:
    """The sentence, and the two commands that start a server and serve on it."""
    beside = Path(sys.executable).with_name("prefect")
    prefect = "prefect" if shutil.which("prefect") else str(beside)
    why = f"no Prefect server answers at {url}" if url else "PREFECT_API_URL is not set"
    return (
        f"{why}, and the embedded server runs no schedules. Start a server, then serve:",
        f"  DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false {prefect} server start --background",
        f"  PREFECT_API_URL={url or 'http://127.0.0.1:4200/api'} tunevet serve {config_path}",
    )
