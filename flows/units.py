"""The one task: a unit of work of a run directory. It takes strings and returns a few figures; frames, row
text and pickles never pass through Prefect.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from audit import pipeline
from audit.errors import TunevetError
from audit.job import Silent
from audit.pipeline import UnitResult
from flows.ledger import Ledger

RETRIES = 2
_WAKE_SECONDS = 0.2
RETRY_SECONDS = [1.0, 5.0]
_LASTING = {
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
}

_ledger: ContextVar[Ledger | None] = ContextVar("tunevet_ledger", default=None)


class UnitStopped(Exception):
    """A unit raised. Its own error, which may quote a row, is the cause and stays in this process."""

    def __init__(self, stage: str, unit: str, kind: str) -> None:
        super().__init__(f"{stage}/{unit} stopped with {kind}; the run directory says more")


@contextmanager
def listening(ledger: Ledger) -> Iterator[None]:
    """Units that run inside report to this ledger."""
    token = _ledger.set(ledger)
    try:
        yield
    finally:
        _ledger.reset(token)


def ledger() -> Ledger:
    """Whom the units of this flow run report to."""
    return _ledger.get() or Ledger(Silent())


def transient(error: BaseException | None) -> bool:
    """True when an I/O error that may pass stands anywhere in the chain of causes."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno not in _LASTING
        error = error.__cause__
    return False


def _may_retry(task: Any, run: TaskRun, state: State[Any]) -> bool:
    if "io" not in run.tags:
        return False
    return isinstance(state.data, BaseException) and transient(state.data)


@task(
    name="unit",
    task_run_name="{stage}/{unit}",
    retries=RETRIES,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_may_retry,
    persist_result=False,
    result_serializer="json",
    cache_policy=NO_CACHE,
    log_prints=False,
)
def run_unit(run_dir: str, stage: str, unit: str) -> dict[str, Any]:
    """Runs one unit unless its key stands. Raises UnitStopped."""
    try:
        result = pipeline.run_unit(run_dir, stage, unit, ledger())
    except TunevetError as error:
        raise UnitStopped(stage, unit, type(error).__name__) from error
    return {"status": result.status, "seconds": result.seconds, "error": result.error}


def submit(run_dir: str, stage: str, unit: str) -> UnitResult:
    """Runs one unit as a task of the current flow run, on its task runner, and waits for it."""
    tagged = run_unit.with_options(tags=pipeline.BY_NAME[stage].tags)
    future = tagged.submit(run_dir, stage, unit)
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    try:
        while not done.wait(_WAKE_SECONDS):  # a wait without end does not hear Ctrl-C
            if ledger().interrupted.is_set():
                raise KeyboardInterrupt
        figures = future.result()
    except KeyboardInterrupt:
        ledger().interrupted.set()
        raise
    return UnitResult(stage, unit, **figures)
