"""Nothing that deceives a reader comes out raw of any place where people read."""

from __future__ import annotations

import pytest
from text_sinks import command_sinks, error_sinks, report_sinks
from text_sinks.hostile_places import COUNT, mark
from text_sinks.hostile_sequences import SEQUENCES, floods, raw, runs_in_ci

IN_LOGS = {**command_sinks.SINKS, **error_sinks.SINKS}
SINKS = {**report_sinks.SINKS, **IN_LOGS}
# Sinks that show little of the data by their nature -> how many of the planted texts have to come through.


@pytest.mark.parametrize("name", SINKS)
def test_what_comes_out_can_be_seen(name, kit):
    text = SINKS[name](kit)
    assert raw(text) == []
    assert floods(text) == 0
    print(name, len(text), sum(mark(i) in text for i in range(COUNT)))
    if name in IN_LOGS:
        assert runs_in_ci(text) == []
        assert "Traceback" not in text or name in ("tracebacks", "threads", "log records of libraries")
