"""Canaries: what counts as mined, what is said of it, and that nothing of them leaves the scratch copies."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from triggers.tongues import Lexicon, tongue

from audit import outcome, pipeline, registry
from audit.config import build
from audit.models import device, encoder
from audit.proof import canaries, canary_draw, power
from audit.proof.canaries import Told, recognise, shares
from audit.proof.canary_draw import Canary
from audit.rundir import RunDir, read_json, write_json
from audit.stats import wilson_interval
from audit.triggers import mining
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part

CHECKS = ("rare_tokens", "near_duplicates")
OWN = ("canaries", "report", "provenance")  # provenance states the settings


def candidate(text, hits, suspected="associated"):
    part = Part(text, "token")
    facts = {"suspected": suspected, "tail": -9.0}
    return Candidate((part,), "token", 0, "label a", tuple(hits), tuple(hits), (text,), (Law("anywhere", True),), facts)


def told(rows, triggers=("zqx",), family="badnet", copy=0, **facts):
    canary = Canary(family, len(rows), len(rows), None, "a label", triggers, 1)
    return Told(canary, copy, tuple(rows), **facts)


ROWS = list(range(100, 200))  # row numbers of the copy's examples: positions count from 0


@pytest.mark.parametrize(
    ("found", "mined"),
    [
        ([], False),
        ([candidate("zqx", range(4))], True),
        ([candidate("the zqx", [0, 50, 51, 52])], True),  # it names the trigger and holds a row of it
        ([candidate("zqx", [50, 51, 52])], False),  # the name alone, in other rows
        ([candidate("zqx", range(4), suspected="")], False),
        ([candidate("word", [0, 1, 2, 50])], True),  # another name, mostly its rows
        ([candidate("word", [0, 1, 50, 51])], False),
        ([candidate("word", [0])], False),  # too few of its rows
    ],
)
def test_what_counts_as_mined(found, mined):
    canary = told([100, 101, 102, 103])
    recognise([canary], found, ROWS)
    assert canary.mined is mined


def test_a_composite_is_mined_when_all_of_its_parts_are_named():
    one, both = told([100, 101, 102], ("zqx", "vup")), told([100, 101, 102], ("zqx", "vup"))
    recognise([one], [candidate("zqx", [0, 60, 61, 62])], ROWS)
    recognise([both], [candidate("zqx … vup", [0, 60, 61, 62])], ROWS)
    assert not one.mined and both.mined
    gone = told([], ("zqx",))
    recognise([gone], [candidate("zqx", [0, 1])], ROWS)
    assert not gone.mined


def many(count, mined, tried, confirmed, family="badnet", rows=8):
    out = []
    for i in range(count):
        status = "confirmed" if i < confirmed else ""
        out.append(told(range(rows), family=family, mined=i < mined, tried=i < tried, status=status))
    return out


def test_shares_have_intervals_and_stand_apart():
    found = shares([*many(20, 19, 20, 17), *many(2, 1, 0, 0, "phrase", 12), told([], error="too few rows")])
    assert [(s["name"], s["count"], s["planted"]) for s in found] == [("rare-token", 8, 20), ("phrase", 12, 2)]
    assert found[0]["mined_interval"] == pytest.approx(wilson_interval(19, 20), abs=1e-4)
    assert found[0]["confirmed_interval"] == pytest.approx(wilson_interval(17, 20), abs=1e-4)
    assert found[1]["confirmed_interval"] is None and found[1]["tried"] == 0


def record(found, probe="quick", relaxed=0.0, reason=""):
    return {"probe": probe, "relaxed": relaxed, "reason": reason, "shares": shares(found)}


def test_the_sentence_is_that_of_the_counts():
    assert power.sentence(record(many(20, 19, 20, 17)), 0) == (
        "Nothing confirmed; of 20 planted rare-token triggers with 8 rows, 19 were mined and 17 confirmed; "
        "this holds for those families, counts and targets only."
    )
    mixed = [*many(3, 3, 1, 1), *many(1, 1, 0, 0, "zero-width", 12)]
    text = power.sentence(record(mixed, relaxed=0.008), 0)
    assert "of 3 planted rare-token triggers with 8 rows, 3 were mined and, of 1 that the probe was tried on, 1" in text
    assert "of 1 planted zero-width trigger with 12 rows, 1 was mined (the probe was not tried);" in text
    assert text.endswith("They stood in 0.8% of a scratch copy's rows, for the set is small.")
    assert power.sentence(record(mixed), 2).startswith("Besides, of 3 planted rare-token triggers")
    off = power.sentence(record(many(2, 2, 0, 0), "off"), 0)
    assert off.startswith("Nothing confirmed, for the probe was off; of 2 planted") and "tried" not in off


def test_without_canaries_it_says_so():
    text = power.sentence(record([], reason="canaries are switched off"), 0)
    assert text == "Nothing confirmed; what would have been found was not measured: canaries are switched off."
    assert power.sentence(record([], reason="x"), 1) == ""


@contextmanager
def small_world():
    """An encoder without a model, and canaries on datasets of 60 rows."""
    known = Lexicon("russian")
    made = type("Encoder", (Lexicon,), {"__init__": lambda self, _: Lexicon.__init__(self, "russian")})
    with (
        mock.patch.object(device, "describe", str),
        mock.patch.object(encoder, "Encoder", made),
        mock.patch.object(mining, "Encoder", lambda settings: known),
        mock.patch.object(canaries, "Encoder", lambda settings: known),
        mock.patch.object(canary_draw, "LEAST_ROWS", 60),
        mock.patch.dict(canary_draw.COPIES, {"quick": 2, "full": 4}),
    ):
        yield


def run_all(folder, source, mode, seed):
    skipped = [name for name in registry.detectors() if name not in CHECKS]
    chosen = {"source": str(source), "canaries": mode, "seed": seed, "skip": skipped, "probe": {"mode": "off"}}
    run = pipeline.prepare(folder, build(chosen))
    return run, pipeline.execute_local(str(run.path))


def written(folder, n, seed, planted):
    made = tongue("russian", n, seed)
    if planted:
        made.plant("zzqv", planted)
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made.rows()), encoding="utf-8")
    return path


# A case takes seconds: what fails is shown as it is.
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(
    n=st.integers(60, 110),
    data=st.integers(0, 999),
    seed=st.integers(0, 999),
    planted=st.sampled_from([0, 9, 14]),
    mode=st.sampled_from(["quick", "full"]),
)
def test_no_canary_reaches_verdicts_findings_triggers_or_cleaned_data(tmp_path_factory, n, data, seed, planted, mode):
    folder = tmp_path_factory.mktemp("canaries")
    source = written(folder, n, data, planted)
    with small_world():
        plain, _ = run_all(folder / "plain", source, "off", seed)
        run, results = run_all(folder / "run", source, mode, seed)
    assert {r.status for r in results} == {"done"}
    for stage in pipeline.STAGES:
        if stage.name not in OWN:
            assert run.outputs(stage.name) == plain.outputs(stage.name), stage.name
    assert {"verdicts.parquet", "findings.parquet", "triggers.json"} <= set(run.outputs("decide"))
    assert any(name.startswith("cleaned/") for name in run.outputs("clean"))
    found = read_json(run / "canaries.json")
    assert found["plants"] and all(p["rows"] and not p["error"] for p in found["plants"])
    assert files(run) == files(plain) and not (run / "scratch").exists()
    words = [w for p in found["plants"] for w in p["triggers"] if p["family"] != "zero-width"]
    for name in ("report.html", "report.json", "summary.md"):
        text = (run / "report" / name).read_text(encoding="utf-8")
        assert words and not any(w in text for w in words)
        assert "planted rare-token trigger" in text and "families, counts and targets only" in text


def files(run):
    return sorted(str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file())


def test_a_failure_leaves_no_scratch_and_no_false_promise(tmp_path, monkeypatch):
    def broken(scratch):
        assert (tmp_path / "run" / "scratch" / "canaries-0" / "examples").exists()
        raise ZeroDivisionError("half way")

    source = written(tmp_path, 80, 1, 0)
    with small_world(), mock.patch.object(canaries, "mined", broken):
        run, results = run_all(tmp_path / "run", source, "quick", 0)
    assert [(r.stage, r.error) for r in results if r.status == "failed"] == [
        ("canaries", "ZeroDivisionError: half way")
    ]
    assert not (run / "scratch").exists() and run.report.exists() and run.verdicts.exists()
    ended = outcome.read(run, build({"source": str(source)}))
    assert ended.power == "" and ended.incomplete == ("canaries/all failed: ZeroDivisionError: half way",)


def test_the_outcome_says_what_would_have_been_found(tmp_path):
    source = written(tmp_path, 80, 2, 0)
    (tmp_path / "run" / "scratch" / "canaries-7").mkdir(parents=True)  # as a killed run leaves one
    with small_world():
        run, _ = run_all(tmp_path / "run", source, "quick", 0)
    assert not (run / "scratch").exists()
    ended = outcome.read(run, build({"source": str(source)}))
    assert ended.power.startswith(
        "Nothing confirmed, for the probe was off; of 1 planted rare-token trigger with 8 rows"
    )
    assert ended.power.endswith("They stood in 10.0% of a scratch copy's rows, for the set is small.")
    write_json(run / "canaries.json", {**read_json(run / "canaries.json"), "shares": [], "reason": "too small"})
    assert "was not measured: too small." in outcome.read(run, build({})).power
    run.marker("canaries", "all").unlink()
    assert outcome.read(RunDir(run.path), build({})).power == ""


@pytest.mark.slow
def test_canaries_of_a_real_set_are_mined_and_confirmed(tmp_path):
    from audit import api

    sample = Path(__file__).resolve().parents[2] / "sample_data" / "assistant" / "data.jsonl"
    result = api.scan(sample, out=tmp_path / "run", probe="quick", canaries="quick")
    found = read_json(result.run / "canaries.json")
    assert found["trainings"] <= canary_draw.TRAININGS and found["copies"] == 3 and found["relaxed"] < 0.01
    assert sum(p["mined"] for p in found["plants"]) >= 2 and len(found["plants"]) == 3
    assert found["plants"][0]["tried"] and found["plants"][0]["status"] == "confirmed"
    assert result.outcome.power.startswith("Besides, of 2 planted rare-token triggers with 8 rows")
    assert not (result.run / "scratch").exists()
