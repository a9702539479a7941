"""The same seed gives the same verdicts, proof and canaries, twice on one machine."""

from pathlib import Path

import pytest

from audit.rundir import read_json

_SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "assistant" / "data.jsonl"
_TIMES = frozenset({"seconds"})


def untimed(value):
    """JSON without what a clock says."""
    if isinstance(value, dict):
        return {k: untimed(v) for k, v in value.items() if k not in _TIMES}
    return [untimed(v) for v in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_the_same_seed_gives_the_same_verdicts_and_the_same_proof(tmp_path):
    from audit import api

    first, second = (api.scan(_SAMPLE, out=tmp_path / name, probe="quick", canaries="quick").run for name in "ab")
    assert (first / "verdicts.parquet").read_bytes() == (second / "verdicts.parquet").read_bytes()
    triggers = read_json(first / "triggers.json")
    assert any(t["status"] == "confirmed" for t in triggers)
    assert untimed(triggers) == untimed(read_json(second / "triggers.json"))
    assert untimed(read_json(first / "canaries.json")) == untimed(read_json(second / "canaries.json"))
