"""Prefect as the engine of an audit. Imports `prefect` only when it runs.

Whatever becomes of Prefect, the audit ends: finished units keep their markers, so the rest is run in this
process, and the terminal and the manifest say that it was.
"""

from __future__ import annotations

import os

from audit import pipeline
from audit.errors import TunevetError
from audit.job import Listener, LocalEngine
from audit.pipeline import UnitResult
from flows.environment import make_home
from flows.ledger import Ledger
from flows.server import EmbeddedServer, ServerFailed, answers


class FlowLost(Exception):
    """The flow run ended without its units having failed."""


class PrefectEngine:
    """Runs units as tasks of a flow, on the server at PREFECT_API_URL or on an embedded one, which starts
    with the first run and ends with `close`."""

    def __init__(self) -> None:
        self.name = "prefect"
        self._server: EmbeddedServer | None = None

    def run(self, run_dir: str, listener: Listener) -> list[UnitResult]:
        """All units of a run directory. Raises what the units raise, never what Prefect raises."""
        ledger = Ledger(listener)
        if pipeline.is_finished(run_dir):
            self.name = "local, for there was nothing to redo"
            return LocalEngine().run(run_dir, ledger)
        try:
            self._connect(ledger)
            _run_flow(run_dir, ledger, limit_gpu=self._server is None)
        except TunevetError:
            raise
        except Exception as error:  # noqa: BLE001 - Prefect's failures have no common class, and none may end an audit
            self._lost(ledger, error)
            LocalEngine().run(run_dir, ledger)
        return list(ledger.results.values())

    def close(self) -> None:
        """Ends the embedded server, if there is one."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            os.environ.pop("PREFECT_API_URL", None)

    def _connect(self, listener: Listener) -> None:
        if self._server is not None:
            return
        if url := os.environ.get("PREFECT_API_URL"):
            if not answers(url):
                raise ServerFailed(f"no server answers at {url}")
            make_home()
            return
        listener.start("Starting Prefect", 0, "")
        self._server = EmbeddedServer()
        self._server.start()

    def _lost(self, ledger: Ledger, error: Exception) -> None:
        how = "was lost on the way" if ledger.results else "could not start"
        reason = str(error) if isinstance(error, (ServerFailed, FlowLost)) else type(error).__name__
        ledger.note(f"Prefect {how} ({reason}). The audit goes on without it.")
        self.name = "local, after prefect " + how


def _run_flow(run_dir: str, ledger: Ledger, limit_gpu: bool) -> None:
    from flows import runners
    from flows.audit_dataset import audit_dataset
    from flows.units import listening

    if limit_gpu:
        runners.limit_gpu()
    with ledger.hearing_interrupts(), listening(ledger):
        state = audit_dataset(run_dir, return_state=True)
    if isinstance(ledger.stopped, TunevetError):
        raise ledger.stopped
    if not state.is_completed():
        raise FlowLost(f"the flow run ended as {state.name}")
