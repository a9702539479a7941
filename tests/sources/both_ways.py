"""One input, ingested row by row and by runs of lines: what comes of both, byte for byte."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from audit.config import build
from audit.errors import TunevetError
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import batches, ingest

Outcome = dict[str, bytes] | str  # every file of the run directory; or how ingest ended


class Counts:
    """Rows that came in runs, and of these the ones that were mapped at once."""

    def __init__(self) -> None:
        self.mapped = self.rows = 0


@contextlib.contextmanager
def eager(sample: int = 4) -> Iterator[Counts]:
    """Runs of lines are made of whatever there is, after few rows, so that small inputs have some."""
    counts, tables = Counts(), batches.RunMapper.tables

    def counted(self: Any, run: Any, first: int) -> Any:
        found = tables(self, run, first)
        counts.mapped += found.mapped
        counts.rows += len(found.ledger)
        return found

    with contextlib.ExitStack() as stack:
        for name, value in (
            ("detect.SAMPLE", sample),
            ("feeds.LEAST", 1),
            ("feeds.REFUSED", 2),
            ("feeds.RUN_BYTES", 1),
            ("layouts._OFTEN", 2),
        ):
            stack.enter_context(patch(f"audit.sources.{name}", value))
        stack.enter_context(patch.object(batches.RunMapper, "tables", counted))
        yield counts


def ingested(source: Path, folder: Path, by_runs: bool, **settings: Any) -> Outcome:
    """What ingest makes of an input; `settings` are its own."""
    config = build({"source": str(source), "ingest": {"shard_rows": 100, **settings}})
    useful = patch.object(batches.RunMapper, "useful", by_runs)
    with useful if not by_runs else contextlib.nullcontext():
        try:
            ingest(Context(RunDir(folder), config, NoProgress()), "all")
        except TunevetError as error:
            return f"{type(error).__name__}: {error}"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def compare(source: Path, folder: Path, **settings: Any) -> Counts:
    """Fails unless both ways end alike; says how much came in runs."""
    with eager() as counts:
        slow = ingested(source, folder / "slow", False, **settings)
        assert counts.rows == 0
        fast = ingested(source, folder / "fast", True, **settings)
    assert fast == slow
    return counts
