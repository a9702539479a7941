"""The main job as a Prefect flow: every unit of the pipeline as one coarse task, then the artifacts."""

from __future__ import annotations

from typing import Any

import httpx
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from audit import config as configuration
from audit import outcome as outcomes
from audit import pipeline
from audit.errors import TunevetError
from audit.job import told
from audit.rundir import RunDir
from audit.text import safe_text
from flows.artifacts import publish
from flows.runners import runner
from flows.units import UnitStopped, ledger, submit


def run_name() -> str:
    """What Prefect calls a flow run: the path of its run directory, which may lie in a folder with a hostile name."""
    return safe_text(str(flow_run.parameters["run_dir"]), 300)


@flow(
    name="audit-dataset",
    flow_run_name=run_name,
    task_runner=runner(),
    persist_result=False,
    result_serializer="json",
    log_prints=False,
)
def audit_dataset(run_dir: str) -> State[Any]:
    """Runs all units of a prepared run directory and publishes its artifacts.

    Returns a state rather than raise: Prefect pickles what a flow raises into its storage, whatever
    `persist_result` says. The error itself stays in the ledger of this process.
    """
    try:
        with ledger().hearing_termination():
            results = pipeline.execute(run_dir, told(ledger(), submit))
    except (UnitStopped, TunevetError) as error:
        ledger().stopped = error.__cause__ if isinstance(error, UnitStopped) else error
        return Failed(message=str(error) if isinstance(error, UnitStopped) else f"stopped with {type(error).__name__}")
    run = RunDir(run_dir)
    try:
        settings = configuration.load(run.config)
        publish(run, outcomes.read(run, settings), settings.report.redact)
    except (httpx.HTTPError, PrefectException, RuntimeError, OSError) as error:
        ledger().note(f"Prefect took no artifacts ({type(error).__name__}); the run directory is whole.")
    endings = [result.status for result in results]
    counts = ", ".join(f"{endings.count(ending)} {ending}" for ending in ("done", "skipped", "failed"))
    return Completed(message=f"units: {counts}")
