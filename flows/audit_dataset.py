"""The main job as a Prefect flow: every unit of the pipeline as one coarse task, then the artifacts."""

from __future__ import annotations

import httpx
from prefect import flow
from prefect.exceptions import PrefectException

from audit import config as configuration
from audit import outcome as outcomes
from audit import pipeline
from audit.job import told
from audit.rundir import RunDir
from flows.artifacts import publish
from flows.runners import runner
from flows.units import ledger, submit


@flow(
    name="audit-dataset",
    flow_run_name="{run_dir}",
    task_runner=runner(),
    persist_result=False,
    log_prints=False,
    validate_parameters=True,
)
def audit_dataset(run_dir: str) -> dict[str, int]:
    """Runs all units of a prepared run directory and publishes its artifacts. Returns counts of how units
    ended. Raises UnitStopped."""
    results = pipeline.execute(run_dir, told(ledger(), submit))
    run = RunDir(run_dir)
    try:
        publish(run, outcomes.read(run, configuration.load(run.config)))
    except (httpx.HTTPError, PrefectException, RuntimeError, OSError) as error:
        ledger().note(f"Prefect took no artifacts ({type(error).__name__}); the run directory is whole.")
    endings = [result.status for result in results]
    return {ending: endings.count(ending) for ending in ("done", "skipped", "failed")}
