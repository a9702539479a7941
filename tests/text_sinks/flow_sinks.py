"""What Prefect is given: artifacts for its pages, names of runs and deployments, messages of states, log lines."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

from text_sinks.conftest import Kit, Sinks, captured
from text_sinks.hostile_places import COUNT, at, file_name

from audit import config as configuration
from audit import outcome as outcomes
from audit.cli.guarded import guarded
from audit.job import LocalEngine
from audit.rundir import RunDir


def _outcome(run: RunDir) -> Any:
    from dataclasses import replace

    made = outcomes.read(run, configuration.load(run.config), at(66))
    return replace(made, incomplete=tuple(at(i) for i in range(COUNT)), power=at(60), gate=at(93))


def summary(kit: Kit) -> str:
    from flows.artifacts import summary as make

    return make(kit.run, _outcome(kit.run))


def table(kit: Kit) -> str:
    from flows.artifacts import trigger_rows

    return "\n".join(str(cell) for row in trigger_rows(kit.run) for cell in row.values())


def escaped(kit: Kit) -> str:
    from flows.artifacts import escape

    return "\n".join(escape(at(i)) for i in range(COUNT))


def published(kit: Kit) -> str:
    """All that `publish` hands to Prefect."""
    from flows import artifacts

    sent: list[Any] = []
    names = ("create_markdown_artifact", "create_table_artifact", "create_link_artifact")
    real = {name: getattr(artifacts, name) for name in names}
    for name in names:
        setattr(artifacts, name, lambda *a, **k: sent.append((a, k)))
    try:
        keys = artifacts.publish(kit.run, _outcome(kit.run))
    finally:
        for name, function in real.items():
            setattr(artifacts, name, function)
    assert len(sent) == 3
    return "\n".join([*keys, *(str(v) for a, k in sent for v in (*_flat(a), *k.values()))])


def _flat(value: Any) -> list[str]:
    if isinstance(value, (tuple, list)):
        return [piece for each in value for piece in _flat(each)]
    return [piece for each in value.values() for piece in _flat(each)] if isinstance(value, dict) else [str(value)]


def names(kit: Kit) -> str:
    """Names of flow runs and deployments."""
    from flows import audit_dataset, scheduled_scan
    from flows.serving import deployment_name

    said = []
    real = audit_dataset.flow_run
    try:
        for i in range(COUNT):
            known = SimpleNamespace(parameters={"run_dir": at(i), "config_path": at(i)})
            audit_dataset.flow_run = scheduled_scan.flow_run = known  # type: ignore[assignment, attr-defined]
            said += [audit_dataset.run_name(), scheduled_scan.run_name(), deployment_name(at(i))]
    finally:
        audit_dataset.flow_run = scheduled_scan.flow_run = real  # type: ignore[attr-defined]
    return "\n".join(said)


def states(kit: Kit) -> str:
    """The messages of the states of a scheduled scan, which notifications send on."""
    from flows import scheduled_scan

    said, real = [], scheduled_scan.PrefectEngine
    scheduled_scan.PrefectEngine = LocalEngine  # type: ignore[misc, assignment]
    for i in (0, 33, 66):
        path = kit.folder / f"home{file_name(at(i))}" / "c.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"source = {json.dumps(str(kit.source))}\nname = {json.dumps('n')}\n[schedule]\nruns = 'r\\u202e'\n"
        )
        state = scheduled_scan.scheduled_scan.fn(str(path))
        said.append(f"{state.name} {state.message}")
    scheduled_scan.PrefectEngine = real  # type: ignore[misc]
    return "\n".join(said)


def log_lines(kit: Kit) -> str:
    """Prefect's own records where a user asked for its log: an error's causes quote rows."""
    from prefect.logging.handlers import PrefectConsoleHandler

    def log() -> None:
        import sys

        logger = logging.getLogger("prefect.flow_runs.test")
        handler = PrefectConsoleHandler(sys.stderr)
        logger.addHandler(handler)
        before, logger.propagate = logger.propagate, False
        with guarded():
            for i in range(0, COUNT, 3):
                try:
                    try:
                        raise KeyError(at(i))
                    except KeyError as error:
                        raise RuntimeError(at(i + 1)) from error
                except RuntimeError:
                    logger.error("Encountered exception: %s", at(i + 2), exc_info=True)
        logger.removeHandler(handler)
        logger.propagate = before

    return captured(log)


SINKS: Sinks = {
    "Prefect's summary": summary,
    "Prefect's table": table,
    "Prefect's escaped text": escaped,
    "Prefect's artifacts": published,
    "Prefect's names": names,
    "Prefect's states": states,
    "Prefect's log": log_lines,
}
