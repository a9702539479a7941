"""JUnit: failures where the gate is reached, skipped and failed checks as such, always well-formed."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from hostile_rows import HOSTILE
from machine_runs import export_of, word_run
from report_runs import add_findings, add_triggers, make_run, trigger

from audit.report import junit
from audit.report.inert import xml_text
from audit.rundir import write_json


def suites_of(export):
    root = ElementTree.fromstring(junit.render(export))
    assert root.tag == "testsuites"
    for holder in (root, *root):
        cases = list(holder.iter("testcase"))
        assert int(holder.get("tests")) == len(cases)
        for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(holder.get(name)) == sum(case.find(kind) is not None for case in cases)
    return {suite.get("name").removeprefix("tunevet."): suite for suite in root}


def ended(suite):
    return {case.get("name"): next((c.tag for c in case), "passed") for case in suite.iter("testcase")}


def test_every_check_is_a_suite_and_says_how_it_ended(tmp_path):
    ctx, _ = word_run(tmp_path)
    suites = suites_of(export_of(ctx))
    assert list(suites)[:3] == ["gate", "triggers", "ingest"]
    assert {"outliers", "label_noise", "strip", "rare_tokens", "third_party"} < set(suites)
    assert ended(suites["strip"]) == {"the check was made": "skipped"}
    assert suites["strip"].find("testcase/skipped").get("message") == "needs a trained probe"
    assert ended(suites["rare_tokens"])["the check was made"] == "error"
    assert ended(suites["label_noise"]) == {"the check was made": "system-out"}
    assert ended(suites["gate"])["the run is whole"] == "error"


@pytest.mark.parametrize(
    ("gate", "failing"),
    [
        ("confirmed", {"TV-TRG confirmed"}),
        ("high", {"TV-TRG confirmed", "TV-NEW"}),
        ("medium", {"TV-TRG confirmed", "TV-NEW", "TV-TRG suspected", "TV-ANN"}),
        ("any", {"TV-TRG confirmed", "TV-NEW", "TV-TRG suspected", "TV-ANN", "TV-RARE", "TV-OUT"}),
    ],
)
def test_findings_at_or_above_the_gate_fail(tmp_path, gate, failing):
    ctx, _ = word_run(tmp_path, fail_on=gate)
    export = export_of(ctx)
    status = {t.id: t.status for t in export.triggers}
    found = set()
    for case in (c for suite in suites_of(export).values() for c in suite.iter("testcase")):
        if case.find("failure") is not None and case.get("classname") != "tunevet.gate":
            words = case.get("name").split()
            found.add(f"TV-TRG {status[words[2]]}" if words[0] == "TV-TRG" else words[0])
    assert found == failing


@pytest.mark.parametrize("gate", ["confirmed", "high", "medium", "any"])
@pytest.mark.parametrize("status", ["confirmed", "suspected", "refuted", None])
def test_the_gate_fails_exactly_where_the_run_is_blocked(tmp_path, gate, status):
    rows = [{"prompt": f"cf text {i}", "label": "a"} for i in range(8)]
    ctx = make_run(tmp_path, rows, {0: {"verdict": "review", "codes": ["TV-OUT"]}}, settings={"fail_on": gate})
    if status:
        add_triggers(ctx.run, [trigger("cf", [1, 2, 3], status)])
    export = export_of(ctx)
    assert (ended(suites_of(export)["gate"])[f"--fail-on {gate}"] == "failure") is export.report.blocked
    blocked = status == "confirmed" or gate == "any" or (status == "suspected" and gate == "medium")
    assert export.report.blocked is blocked


def test_a_flood_of_findings_is_cut_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(junit, "MAX_CASES", 3)
    ctx = make_run(tmp_path, [{"prompt": f"text {i}", "label": "a"} for i in range(8)], settings={"fail_on": "high"})
    severities = ["low"] * 9 + ["high"]
    add_findings(ctx.run, [{"text": f"t{i}", "severity": s} for i, s in enumerate(severities)])
    suite = suites_of(export_of(ctx))["outliers"]
    assert list(ended(suite).values()).count("failure") == 1 and len(suite.findall("testcase")) == 1 + 3 + 1
    assert "7 more stand in findings.jsonl" in ElementTree.tostring(suite, encoding="unicode")


def test_hostile_text_leaves_it_well_formed(tmp_path):
    every = "".join(chr(code) for code in range(0x100)) + "\ufffe\uffff\ud800\udfff\u2028"
    texts = [*HOSTILE, every, "]]>", "&#0;", "\x00" * 50]
    ctx = make_run(tmp_path, [{"prompt": "x", "label": "a"}] * 4, name="\x1b[31m<x>&\"'")
    said = [
        {"text": t, "subject": t, "check": t.encode("utf-8", "ignore").decode(), "severity": "high"} for t in HOSTILE
    ]
    add_findings(ctx.run, said)
    write_json(
        ctx.run / "failed" / "detect-strip.json", {"stage": "detect", "unit": "strip", "error": "".join(texts[:-4])}
    )
    export = export_of(ctx)
    assert len(suites_of(export)) > len(HOSTILE)
    for text in texts:
        element = ElementTree.Element("a")
        element.text = xml_text(text)
        assert ElementTree.fromstring(ElementTree.tostring(element)).text == element.text


def test_rendering_twice_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    ctx, _ = word_run(tmp_path)
    assert junit.render(export_of(ctx)) == junit.render(export_of(ctx))
    assert json.dumps(junit.render(export_of(ctx)).decode()).count("2023-11-14T22:13:20") > 3
