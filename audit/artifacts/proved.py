"""Triggers as the proof left them, whether or not a probe was trained.

Their `rows` are positions in the order of the examples, and so are `hit_positions` of their statistics, the rows that
show the behavior besides; the decisions turn both into row numbers later.
"""

from __future__ import annotations

from audit.rundir import RunDir, read_json
from audit.schema import Skipped, Trigger

NO_TRIGGERS = "mining found no trigger whose rows could be asked about"


def load(run: RunDir) -> list[Trigger] | Skipped:
    """The triggers of a run, of every status; Skipped where mining gave none."""
    path = run / "triggers" / "proved.json"
    found = [Trigger(**raw) for raw in read_json(path)] if path.exists() else []
    return found or Skipped(NO_TRIGGERS)
