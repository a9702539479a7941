"""A run directory is kept once work stands in it, whatever ends the run; and a scan that stops says so."""

from __future__ import annotations

import pytest
from crash_runs import fresh, temporaries, write_csv, write_settings
from crash_stages import CHECKS

from audit import config as configuration
from audit import pipeline
from audit.errors import InputError
from audit.job import LocalEngine, Silent, audit_run, refuse_foreign
from audit.pipeline import Stage
from audit.rundir import RunDir


def demanding(ctx, unit):
    raise InputError("one text of 9,000 tokens does not fit into the GPU's memory")


@pytest.mark.parametrize("after", [True, False], ids=["after ingest", "before ingest"])
def test_a_request_that_fails_half_way_keeps_what_is_done(tmp_path, monkeypatch, after):
    """A usage error used to take the whole run directory away, hours of work with it."""
    source = write_csv(fresh(tmp_path / "source"))
    stages = (
        pipeline.BY_NAME["ingest"],
        Stage("embeddings", "Embedding", 1, "test_kept_runs:demanding", (), lambda c, u: 0),
    )
    stages = stages if after else stages[1:]
    monkeypatch.setattr(pipeline, "STAGES", stages)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in stages})
    run = RunDir(tmp_path / "run")
    with pytest.raises(InputError):
        audit_run(run, configuration.build({"source": str(source)}), LocalEngine(), Silent())
    assert run.marker("ingest", "all").exists() == run.path.exists() == after
    assert run.manifest.exists() == after


def test_a_run_directory_whose_first_file_was_half_written_is_not_foreign(tmp_path):
    """Killed before the settings stood, a scan was refused its own directory: neither empty nor a run directory."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    (run / ".lock").write_text("")
    (run / ".config.toml.4194305.tmp").write_bytes(b"half")
    refuse_foreign(run)


def test_a_scan_killed_while_it_writes_its_settings_goes_on(servers, tmp_path):
    source = write_csv(fresh(tmp_path / "source"))
    write_settings(tmp_path / "source")
    words = ["scan", source, "-o", "run", "--engine", "local", "-c", tmp_path / "source" / "settings.toml"]
    died = servers[0].run(words, tmp_path / "scan", {"kind": "kill", "arguments": [4, "middle", "KILL"]}, CHECKS)
    assert died.code == -9 and temporaries(tmp_path / "scan")
    assert servers[0].run(words, tmp_path / "scan").code == 3 and not temporaries(tmp_path / "scan")
