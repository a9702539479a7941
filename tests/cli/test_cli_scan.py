from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path

import polars as pl
import pytest

from audit import config
from audit.rundir import RunDir


@pytest.fixture(autouse=True)
def _tiny(tiny):
    return None


def test_findings_exit_1_and_the_screen_says_what_to_do(tunevet, reviews, tmp_path):
    ran = tunevet("scan", reviews, "-o", tmp_path / "run")
    assert ran.code == 1
    assert "BLOCK" in ran.out and "1 confirmed trigger" in ran.out
    assert "zzq" in ran.out and "98% vs 3%" in ran.out
    assert f"tunevet show {tmp_path / 'run'} T1" in ran.out
    assert "BLOCK" not in ran.err and "kind" in ran.err and "label = label" in ran.err


def test_json_is_one_object_on_stdout(tunevet, reviews, tmp_path):
    ran = tunevet("scan", reviews, "-o", tmp_path / "run", "--json")
    found = ran.object
    assert ran.code == found["exit_code"] == 1
    assert found["outcome"]["verdict"] == "block" and found["outcome"]["keep"] == 57
    assert [t["rows"] for t in found["triggers"]] == [3]
    assert found["units_redone"] == 3


def test_a_clean_set_passes(tunevet, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,label\n" + "".join(f"plain text {i},{i % 2}\n" for i in range(60)))
    ran = tunevet("scan", path, "-o", tmp_path / "run", "--json")
    assert ran.code == 0 and ran.object["outcome"]["verdict"] == "pass"


def test_the_second_scan_redoes_nothing(tunevet, reviews, tmp_path):
    tunevet("scan", reviews, "-o", tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    ran = tunevet("scan", reviews, "-o", tmp_path / "run")
    assert "Nothing was redone" in ran.err
    after = {p: p.stat().st_mtime_ns for p in before}
    changed = {p.name for p in before if before[p] != after[p]}
    assert changed <= {"manifest.json", "config.toml", ".lock"}


def test_another_setting_redoes_only_what_depends_on_it(tunevet, reviews, tmp_path):
    tunevet("scan", reviews, "-o", tmp_path / "run")
    ran = tunevet("scan", reviews, "-o", tmp_path / "run", "--undecided", "keep", "--json")
    assert ran.object["units_redone"] == 1


def test_unreadable_rows_exit_3_which_outranks_1(tunevet, reviews, tmp_path):
    with reviews.open("ab") as handle:
        handle.write(b"ragged,row,with,too,many\n")
    ran = tunevet("scan", reviews, "-o", tmp_path / "run", "--json")
    assert ran.code == 3
    assert ran.object["outcome"]["verdict"] == "incomplete" and ran.object["outcome"]["blocked"] is True
    assert "1 kept aside" in ran.err
    tolerant = tunevet("scan", reviews, "-o", tmp_path / "run", "--json", "--max-bad-rows", "1")
    assert tolerant.code == 1 and tolerant.object["units_redone"] == 0


def test_nothing_scanned_exits_4(tunevet, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\xff\xfe\n{\n")
    ran = tunevet("scan", path, "-o", tmp_path / "run", "--json")
    assert ran.code == 4 and ran.object["exit_code"] == 4
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["outcome"]["verdict"] == "incomplete"


@pytest.mark.parametrize(
    "words",
    [
        ["--bogus"],
        ["--map", "label=nowhere"],
        ["--map", "label"],
        ["--skip", "no_such_check"],
        ["--limit", "0"],
        ["--engine", "steam"],
        ["--kind", "poem"],
    ],
)
def test_a_request_that_cannot_be_met_exits_2_and_leaves_nothing(tunevet, reviews, tmp_path, words):
    ran = tunevet("scan", reviews, "-o", tmp_path / "run", *words)
    assert ran.code == 2
    assert "Traceback" not in ran.err and ran.out == ""
    assert not (tmp_path / "run").exists()


def test_a_missing_file_exits_2_in_one_sentence(tunevet, tmp_path):
    ran = tunevet("scan", tmp_path / "nowhere.csv", "-o", tmp_path / "run")
    assert ran.code == 2 and ran.err.startswith("error: ") and len(ran.err.strip().splitlines()) == 1


def test_an_empty_file_exits_2(tunevet, tmp_path):
    (tmp_path / "empty.jsonl").write_bytes(b"")
    assert tunevet("scan", tmp_path / "empty.jsonl", "-o", tmp_path / "run").code == 2
    assert not (tmp_path / "run").exists()


def test_a_foreign_folder_is_not_written_to(tunevet, reviews, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    assert tunevet("scan", reviews, "-o", tmp_path / "home").code == 2
    assert os.listdir(tmp_path / "home") == ["letter.txt"]


def test_a_held_run_directory_exits_75(tunevet, reviews, tmp_path):
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / ".lock").open("w") as handle:
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": "2025-01-31T12:00:00+00:00"}, handle)
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_EX)
        ran = tunevet("scan", reviews, "-o", tmp_path / "run")
    assert ran.code == 75 and f"process {os.getpid()} on" in ran.said


def test_a_folder_that_cannot_be_written_exits_74(tunevet, reviews):
    ran = tunevet("scan", reviews, "-o", "/proc/nowhere/run")
    assert ran.code == 74


def test_without_out_a_run_directory_is_made_and_named(tunevet, reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = tunevet("scan", "reviews.csv", "--json").object
    run = Path(found["run"])
    assert run.parts[:2] == ("runs", "reviews") and (run / "verdicts.parquet").exists()


def test_options_overrule_the_configuration_file(tunevet, reviews, tmp_path):
    (tmp_path / "c.toml").write_text('source = "reviews.csv"\nseed = 3\n[review]\nundecided = "keep"\n')
    tunevet("scan", "-c", tmp_path / "c.toml", "--seed", "7", "-o", tmp_path / "run")
    text = (tmp_path / "run" / "config.toml").read_text()
    assert "seed = 7" in text and 'undecided = "keep"' in text and str(reviews) in text


def test_an_unknown_setting_names_the_nearest(tunevet, tmp_path):
    (tmp_path / "c.toml").write_text("sede = 3\n")
    ran = tunevet("scan", "-c", tmp_path / "c.toml")
    assert ran.code == 2 and "did you mean seed" in ran.err


def test_a_stop_on_the_way_leaves_an_incomplete_manifest(tunevet, reviews, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_SECONDS", "not a number")
    ran = tunevet("scan", reviews, "-o", tmp_path / "run")
    assert ran.code == 3 and "decide/all failed" in ran.err
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["outcome"]["verdict"] == "incomplete" and "decide/all failed" in manifest["error"]


def test_row_text_is_never_shown_raw(tunevet, reviews, tmp_path):
    hostile = "evil \x1b[31m\u202e [bold]zzq[/bold] :smile:"
    with reviews.open("a", encoding="utf-8") as handle:
        handle.write(f'"{hostile}",1\n')
    ran = tunevet("scan", reviews, "-o", tmp_path / "run")
    shown = tunevet("show", tmp_path / "run", "60")
    schema = tunevet("schema", reviews, "--rows", "100")
    for text in (ran.out, ran.err, shown.out, schema.out):
        assert "\x1b" not in text and "\u202e" not in text
    assert "⟦U+001B⟧" in shown.out and "[bold]zzq[/bold] :smile:" in shown.out


def test_the_manifest_accounts_for_the_run(tunevet, reviews, tmp_path):
    tunevet("scan", reviews, "-o", tmp_path / "run", "--seed", "5")
    manifest = json.loads(RunDir(tmp_path / "run").manifest.read_text())
    assert manifest["seed"] == 5 and manifest["engine"] == "local" and manifest["outcome"]["exit_code"] == 1
    assert manifest["input"]["files"][0]["records"] == 60
    assert set(manifest["stages"]) == {"ingest", "decide", "clean"}
    assert all(stage["peak_bytes"] > 0 for stage in manifest["stages"].values())
    counts = manifest["counts"]
    assert counts["rows"] == counts["keep"] + counts["review"] + counts["remove"] + counts["unreadable"] == 60
    assert pl.read_parquet(tmp_path / "run" / "verdicts.parquet").height == 60


def test_a_fault_of_ours_exits_3_and_shows_nothing_raw(tunevet, reviews, tmp_path, monkeypatch):
    def broken(run, config, error=""):
        raise RuntimeError("row text \x1b[31m")

    monkeypatch.setattr("audit.outcome.read", broken)
    ran = tunevet("scan", reviews, "-o", tmp_path / "run")
    assert ran.code == 3 and "RuntimeError" in ran.err and "\x1b" not in ran.err


def test_the_mode_of_the_canaries_is_a_setting_of_the_run(tunevet, reviews, tmp_path):
    tunevet("scan", reviews, "-o", tmp_path / "quick")
    tunevet("scan", reviews, "-o", tmp_path / "run", "--canaries", "full")
    modes = [config.load(tmp_path / name / "config.toml").canaries for name in ("quick", "run")]
    assert modes == ["quick", "full"]
    assert tunevet("scan", reviews, "-o", tmp_path / "none", "--canaries", "many").code == 2
