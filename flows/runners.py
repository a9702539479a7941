"""A name -> the Prefect task runner that runs units. Threads only: stages use all cores by themselves, so one
unit at a time is fastest on one machine, and a task on a thread costs about 5 ms.
"""

from __future__ import annotations

from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectNotFound
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from audit.errors import ConfigError

RUNNERS = ("threads",)


def runner(name: str = "threads", workers: int = 1) -> TaskRunner[Any]:
    """The task runner of this name. Raises ConfigError for a name that there is not."""
    if name not in RUNNERS:
        raise ConfigError(f"unknown runner {name}; there are {', '.join(RUNNERS)}")
    return ThreadPoolTaskRunner(max_workers=workers)


def limit_gpu(slots: int = 1) -> None:
    """Lets `slots` units with the tag gpu run at once on this Prefect server, unless a limit stands already.
    Needs a server that runs its services: they free the slot of a process that died."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name("tag:gpu")
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="tag:gpu", limit=slots))
