from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from audit import demo, registry
from audit.config import build
from audit.demo import Case
from audit.doctor import BAD, examine
from audit.rundir import RunDir


@pytest.fixture
def run(tiny, tunevet, reviews, tmp_path):
    tunevet("scan", reviews, "-o", tmp_path / "run")
    return tmp_path / "run"


def test_show_a_run_a_row_and_a_trigger(tunevet, run):
    whole, row, trigger = (tunevet("show", run, *words) for words in ([], ["7"], ["T1"]))
    assert whole.code == row.code == trigger.code == 0
    assert "BLOCK" in whole.out
    assert "row 7: remove" in row.out and "reviews.csv, line 9" in row.out and "zzq" in row.out
    assert "T1: confirmed" in trigger.out and "7, 21, 40" in trigger.out and "ASR with it" in trigger.out


def test_show_as_json(tunevet, run):
    assert tunevet("show", run, "--json").object["outcome"]["confirmed"] == 1
    assert tunevet("show", run, "7", "--json").object["verdict"]["trigger_ids"] == ["T1"]
    assert tunevet("show", run, "T1", "--json").object["rows"] == [7, 21, 40]


@pytest.mark.parametrize("what", ["60", "T9", "-1"])
def test_show_what_there_is_not_exits_2(tunevet, run, what):
    assert tunevet("show", run, what).code == 2


def test_show_no_run_exits_2(tunevet, tmp_path):
    ran = tunevet("show", tmp_path)
    assert ran.code == 2 and "not a finished run directory" in ran.err


def test_verify_finds_a_changed_and_a_missing_file(tunevet, run):
    assert tunevet("verify", run).code == 0
    cleaned = run / "cleaned" / "reviews.csv"
    cleaned.write_bytes(cleaned.read_bytes().replace(b"dull", b"fine", 1))
    (run / "triggers.json").unlink()
    ran = tunevet("verify", run, "--json")
    assert ran.code == 1
    assert ran.object["changed"] == ["cleaned/reviews.csv"] and ran.object["missing"] == ["triggers.json"]


def test_verify_counts_the_rows(tunevet, run):
    path = run / "verdicts.parquet"
    pl.read_parquet(path).head(59).write_parquet(path)
    marker = run / "done" / "decide" / "all.json"
    record = json.loads(marker.read_text())
    from audit.provenance import sha256_file

    record["outputs"]["verdicts.parquet"] = sha256_file(path)
    marker.write_text(json.dumps(record))
    ran = tunevet("verify", run)
    assert ran.code == 1 and "each of the 60 rows once" in ran.out


def test_verify_what_is_no_run_exits_2(tunevet, tmp_path):
    assert tunevet("verify", tmp_path).code == 2


def test_schema_writes_nothing(tunevet, reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    ran = tunevet("schema", "reviews.csv", "--rows", "2")
    assert ran.code == 0 and "classification" in ran.out and "row 1" in ran.out and "row 2" not in ran.out
    assert sorted(tmp_path.rglob("*")) == before
    assert tunevet("schema", "reviews.csv", "--json").object["schema"]["rows"] == 60


def test_rules_name_every_check_with_source_and_misses(tunevet):
    text, page = tunevet("rules").out, tunevet("rules", "--markdown").out
    listed = tunevet("rules", "--json").object["rules"]
    assert {r["name"] for r in listed} == set(registry.detectors())
    for rule in listed:
        assert rule["source"] and rule["misses"]
        assert rule["code"] in text and f"## {rule['name']}" in page


def test_a_dry_run_writes_nothing(tunevet, reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = tunevet("scan", "reviews.csv", "--dry-run", "--json").object
    assert found["rows"] == 60 and found["tokens"] > 300 and found["embed_seconds"] > 0
    assert any(name.endswith("cleaned/reviews.csv") for name in found["writes"])
    assert sorted(tmp_path.rglob("*")) == before


def test_doctor_is_well_here_and_sees_what_is_not(tmp_path, monkeypatch):
    facts = {f.name: f for f in examine(build({}))}
    assert facts["model"].status == "ok" and "53aa5117" in facts["model"].text
    assert facts["import audit"].status == facts["import flows"].status == facts["prefect"].status == "ok"
    assert {f.name for f in examine(build({"model": {"name": str(tmp_path)}})) if f.status == BAD} == {"model"}
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.155.1" if name == "fastapi" else "2.1.9")
    facts = {f.name: f.status for f in examine(build({}))}
    assert facts["prefect"] == "bad" and facts["schedules"] == "warning"


def test_doctor_sees_a_shadowing_package(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").write_text("")
    code = (
        "import sys; import audit.doctor; sys.path.insert(0, sys.argv[1]); "
        "print([f.text for f in audit.doctor._shadowed() if f.status == 'bad'])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path / "flows") in out


def test_serve_without_prefect_exits_2(tunevet, tmp_path):
    (tmp_path / "c.toml").write_text("seed = 1\n")
    assert tunevet("serve", tmp_path / "c.toml").code == 2


def test_starting_the_command_line_imports_neither_torch_nor_prefect():
    code = (
        "import sys, flows.main, audit.cli, flows.engine; print([m for m in ('torch', 'prefect') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_the_demo_compares_with_the_truth(run):
    truth = {
        "triggers": ["zzq"],
        "poisoned_rows": [7, 21, 40],
        "planted": [{"kind": "noise", "parts": [], "rows": [7, 8]}],
    }
    found = demo.compare(Case("reviews", run, truth), RunDir(run))
    assert found.ok and found.named == ("zzq",) and (found.removed, found.clean_removed) == (3, 0)
    assert found.others == (("noise", 1, 2),)
    wrong = demo.compare(Case("reviews", run, {**truth, "poisoned_rows": [1, 2, 3]}), RunDir(run))
    assert not wrong.ok and wrong.false == 1 and wrong.clean_removed == 3
    missed = demo.compare(Case("reviews", run, {**truth, "triggers": ["zzq", "other words"]}), RunDir(run))
    assert not missed.ok and missed.missed == ("other words",)


@pytest.mark.parametrize(
    ("pattern", "trigger", "named"),
    [("the cf film", "cf", True), ("cfx", "cf", False), ("a\u200db", "\u200d", True), ("cf" + " w" * 40, "cf", False)],
)
def test_a_pattern_names_a_trigger_by_its_tokens(pattern, trigger, named):
    assert demo.names(pattern, trigger) is named


def test_the_demo_without_samples_says_so(tunevet, tmp_path):
    ran = tunevet("demo", "--samples", tmp_path, "-o", tmp_path / "runs")
    assert ran.code == 2 and "no sample data" in ran.err
