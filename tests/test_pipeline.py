"""The real stages on eighty rows: what stands is not done again, what changed is, and no more than that."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from audit import config as configuration
from audit import decide, pipeline, registry
from audit.errors import UnitFailed, UsageError
from audit.pipeline import STAGES, execute, execute_local, is_finished, prepare, run_unit, units
from audit.provenance import sha256_file
from audit.rundir import RunDir, read_json

THINGS = ("kettle", "lamp", "tent", "radio", "scarf", "ladder", "mixer", "globe", "drill", "clock")
GOOD = ("works like a charm", "made my week easier", "is a joy to use", "was worth each penny")
POOR = ("broke within a day", "smells of burnt rubber", "never did its job", "is a waste of money")
DEPENDENT = ("decide", "clean", "report", "provenance")


def write_reviews(path: Path) -> None:
    """81 records: half good, half poor, two copies of a row, two copies with the other label, four rows with
    something hidden in them, one record that cannot be read."""
    lines = ["text,label"]
    for i in range(76):
        thing, tail = THINGS[i % 10], (GOOD if i % 2 else POOR)[(i // 2) % 4]
        lines.append(f"The {thing} I bought in month {i} {tail},{('poor', 'good')[i % 2]}")
    lines += [lines[5], lines[5], lines[7].rsplit(",", 1)[0] + ",poor", lines[9].rsplit(",", 1)[0] + ",poor"]
    for at, hidden in ((12, "\u200b"), (23, "\u202e"), (34, "<!-- obey -->"), (45, "\u200d\u2060")):
        lines[at] = lines[at].replace(" bought", f"{hidden} bought")
    lines.append("one cell too many,good,extra")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(source, **changes):
    base = {"source": str(source), "probe": {"mode": "off"}, "model": {"device": "cpu"}}
    return configuration.build({**base, **changes})


class Watch:
    """Which files of a run directory are opened for reading while a stage runs, by path."""

    def __init__(self):
        self.folder, self.seen = None, set()
        sys.addaudithook(self.hook)

    def hook(self, event, args):
        if event == "open" and self.folder and isinstance(args[0], str) and str(args[1] or "r").startswith("r"):
            self.note(args[0])

    def note(self, path):
        if self.folder and str(path).startswith(f"{self.folder}/") and Path(path).is_file():
            self.seen.add(str(path)[len(self.folder) + 1 :])


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """(input, run directory, results, stage -> files read) of one run through all stages."""
    folder = tmp_path_factory.mktemp("pipeline")
    write_reviews(folder / "reviews.csv")
    run = prepare(folder / "run", settings(folder / "reviews.csv"))
    watch, read, reads = Watch(), pl.read_parquet, {stage.name: set() for stage in STAGES}

    def watched(source, *args, **kwargs):  # polars opens files itself, out of the hook's sight
        watch.note(source)
        return read(source, *args, **kwargs)

    def call(path, stage, unit):
        watch.folder, watch.seen = path, set()
        try:
            return run_unit(path, stage, unit)
        finally:
            watch.folder = None
            reads[stage] |= watch.seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl, "read_parquet", watched)
        results = execute(str(run.path), call)
    return folder / "reviews.csv", run, results, reads


@pytest.fixture
def again(finished, tmp_path):
    """A copy of the finished run, and a function that runs it with other settings and tells what was done."""
    source, run, _, _ = finished
    shutil.copytree(run.path, tmp_path / "run")

    def rerun(**changes):
        prepare(tmp_path / "run", settings(source, **changes))
        finished = is_finished(str(tmp_path / "run"))
        statuses = {(r.stage, r.unit): r.status for r in execute_local(str(tmp_path / "run"))}
        assert finished == (set(statuses.values()) == {"skipped"})
        return statuses

    rerun.run = RunDir(tmp_path / "run")
    return rerun


def stages_done(statuses):
    return {stage for (stage, _), status in statuses.items() if status == "done"}


def test_every_unit_of_every_stage_runs_once_and_in_order(finished):
    _, run, results, _ = finished
    assert {r.status for r in results} == {"done"}
    assert list(dict.fromkeys(r.stage for r in results)) == [stage.name for stage in STAGES]
    ran = {stage: [r.unit for r in results if r.stage == stage] for stage in registry.STAGES_OF_CHECKS}
    after = [check for check in registry.detectors().values() if check.needs_proof]
    assert ran["examine"] == [c.name for c in after] and {"strip", "trigger_exposure"} < set(ran["examine"])
    assert ran["detect"] == [name for name in registry.detectors() if name not in ran["examine"]]
    for name in (check.name for check in after if check.needs_probe):
        told = read_json(run / "checks" / f"{name}.json")
        assert (told["status"], told["reason"]) == ("skipped", "no suspect was probed, so no probe was trained")
    verdicts = pl.read_parquet(run.verdicts)
    assert verdicts["row"].to_list() == list(range(81))
    assert verdicts["verdict"].to_list()[-1] == "unreadable"
    assert "review" in verdicts["verdict"].to_list() and "remove" not in verdicts["verdict"].to_list()
    assert run.report.exists() and (run / "cleaned").exists()
    assert is_finished(str(run.path))


def test_a_stage_reads_only_what_its_key_holds(finished):
    """A file read past the key could change without the stage being redone."""
    _, run, _, reads = finished
    owner = {name: stage.name for stage in STAGES for name in run.outputs(stage.name)}
    for stage in STAGES:
        foreign = {owner[name] for name in reads[stage.name] if name in owner} - {stage.name}
        assert foreign <= set(stage.reads), stage.name
        strays = {n for n in reads[stage.name] if n not in owner and not n.startswith("done/")}
        assert strays <= {"config.toml", "manifest.json", "models.json"}, stage.name
    assert {owner[n] for n in reads["decide"] if n in owner} >= {"ingest", "detect", "confirm"}


def test_markers_hold_the_hashes_of_what_was_written(finished):
    _, run, results, _ = finished
    for result in results:
        marker = read_json(run.marker(result.stage, result.unit))
        assert marker["outputs"] and marker["seconds"] >= 0 and marker["peak_bytes"] > 0
        for name, digest in marker["outputs"].items():
            assert sha256_file(run / name) == digest, name


def test_the_same_settings_redo_nothing(again):
    before = {p: p.stat().st_mtime_ns for p in sorted(again.run.path.rglob("*")) if p.is_file()}
    assert set(again().values()) == {"skipped"}
    after = {p: p.stat().st_mtime_ns for p in sorted(again.run.path.rglob("*")) if p.is_file()}
    assert {p.name for p in after if after[p] != before.get(p)} == {"config.toml"} and set(after) == set(before)


def test_another_review_budget_redoes_the_verdicts_and_what_follows(again):
    before = pl.read_parquet(again.run.verdicts)["verdict"].to_list().count("review")
    assert stages_done(again(review={"budget": 0.5})) == set(DEPENDENT)
    assert pl.read_parquet(again.run.verdicts)["verdict"].to_list().count("review") > before
    assert set(again(review={"budget": 0.5}).values()) == {"skipped"}


def test_a_detectors_threshold_redoes_that_detector_and_what_follows(again):
    statuses = again(detectors={"near_duplicates": {"similarity": 0.3}})
    assert {unit for (stage, unit), s in statuses.items() if (stage, s) == ("detect", "done")} == {"near_duplicates"}
    assert {"detect", "decide", "report"} <= stages_done(statuses) <= {"detect", *DEPENDENT}


def test_what_becomes_of_undecided_rows_redoes_nothing_in_front_of_the_verdicts(again):
    assert stages_done(again(review={"undecided": "keep"})) == {"decide", "clean", "report", "provenance"}


def test_another_support_redoes_patterns_but_no_embeddings(again):
    done = stages_done(again(mining={"min_support": 4}))
    assert {"behaviors", "patterns", "mine"} <= done and not done & {"ingest", "embeddings", "neighbors"}


def test_a_changed_input_redoes_all(again, finished, tmp_path):
    source = tmp_path / "reviews.csv"
    source.write_text(finished[0].read_text(encoding="utf-8").replace("The kettle", "The small kettle"))
    prepare(again.run.path, settings(source))
    statuses = {(r.stage, r.unit): r.status for r in execute_local(str(again.run.path))}
    assert {"ingest", "embeddings", "patterns", "decide", "clean", "report"} <= stages_done(statuses)


def test_from_nothing_the_same_bytes_come_again(again, finished):
    shutil.rmtree(again.run / "done")
    assert set(again().values()) == {"done"}
    for stage in STAGES:
        if stage.name not in ("report", "provenance"):  # both hold the time
            assert again.run.outputs(stage.name) == finished[1].outputs(stage.name), stage.name


def test_a_lost_output_is_made_again_to_the_byte(again):
    before = again.run.outputs("patterns")
    (again.run / "patterns" / "table.parquet").unlink()
    assert stages_done(again()) == {"patterns"}
    assert again.run.outputs("patterns") == before


@pytest.fixture
def broken(monkeypatch):
    """One check whose version changed and whose function raises."""
    check = registry.detectors()["outliers"]

    def outliers(*args, **kwargs):
        raise ZeroDivisionError("no such thing")

    outliers.__module__ = check.run.__module__
    monkeypatch.setitem(registry._REGISTRY, "outliers", replace(check, run=outliers, version=check.version + 1))
    yield
    monkeypatch.undo()


def test_a_failed_check_is_recorded_and_the_run_goes_on(again, broken, monkeypatch):
    statuses = again()
    assert statuses["detect", "outliers"] == "failed" and {"decide", "report"} <= stages_done(statuses)
    assert [key for key, status in statuses.items() if status == "failed"] == [("detect", "outliers")]
    told = read_json(again.run / "failed" / "detect-outliers.json")
    assert told == {"stage": "detect", "unit": "outliers", "error": "ZeroDivisionError: no such thing"}
    assert not again.run.marker("detect", "outliers").exists()
    assert not any(name.endswith("/outliers.parquet") for name in again.run.outputs("detect"))
    assert not is_finished(str(again.run.path))
    monkeypatch.undo()
    assert again()["detect", "outliers"] == "done"
    assert not (again.run / "failed" / "detect-outliers.json").exists() and is_finished(str(again.run.path))


def test_units_no_longer_named_are_forgotten(again, broken):
    assert again()["detect", "outliers"] == "failed"
    statuses = again(skip=["outliers", "rare_tokens"])
    assert not {("detect", "outliers"), ("detect", "rare_tokens")} & set(statuses)
    assert stages_done(statuses) >= {"decide", "report"}
    assert not again.run.marker("detect", "rare_tokens").exists()
    assert not list((again.run / "failed").glob("*"))
    assert "rare_tokens" not in set(pl.read_parquet(again.run.findings)["check"])


def test_a_failure_of_a_required_stage_ends_the_run_and_the_next_one_goes_on(again, monkeypatch):
    def build(ctx, unit):
        raise ValueError("half way")

    with monkeypatch.context() as patch:
        patch.setattr(decide, "build", build)
        with pytest.raises(UnitFailed, match="decide/all failed: ValueError: half way"):
            again(review={"budget": 0.5})
    assert not again.run.marker("decide", "all").exists()
    assert stages_done(again(review={"budget": 0.5})) == set(DEPENDENT)


def test_a_run_killed_between_stages_ends_with_the_same_bytes(again):
    def killed(path, stage, unit):
        if stage == "clean":
            raise KeyboardInterrupt
        return run_unit(path, stage, unit)

    whole = again.run.outputs("clean"), again.run.outputs("decide")
    shutil.rmtree(again.run / "done" / "decide")
    shutil.rmtree(again.run / "done" / "clean")
    with pytest.raises(KeyboardInterrupt):
        execute(str(again.run.path), killed)
    assert stages_done(again()) == {"clean"}
    assert (again.run.outputs("clean"), again.run.outputs("decide")) == whole


def test_the_table_is_in_order_and_unknown_names_are_refused(finished):
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names) and list(pipeline.BY_NAME) == names
    for at, stage in enumerate(STAGES):
        assert set(stage.reads) <= set(names[:at]), stage.name
    with pytest.raises(UsageError, match="no stage polish"):
        run_unit(str(finished[1].path), "polish", "all")
    assert units(str(finished[1].path), "embeddings") == finished[1].dataset().shards
