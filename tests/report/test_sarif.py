"""SARIF 2.1.0: the structure of the standard for the objects that we write, and what a viewer makes of it."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote, urlsplit

import pytest
from hostile_rows import HOSTILE
from jsonschema import Draft202012Validator
from machine_runs import export_of, word_run
from report_runs import add_check, add_findings, make_run

from audit import registry
from audit.report import sarif
from audit.report.inert import inert
from audit.report.machine import source_prefix
from audit.rundir import read_json, write_json
from audit.text import is_invisible

MESSAGE = {"text": {"type": "string", "minLength": 1}, "id": {"type": "string"}, "arguments": {"type": "array"}}
COUNT = {"type": "integer", "minimum": 0}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
BAG = {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}}


def record(required, **properties):
    """An object of the standard: it refuses properties that the standard does not name."""
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def several(item, least=0, unique=False):
    return {"type": "array", "items": item, "minItems": least, "uniqueItems": unique}


TEXT = record(["text"], **MESSAGE)
MULTIFORMAT = record(["text"], text={"type": "string"}, markdown={"type": "string"})
URI = {"type": "string", "pattern": r"^[A-Za-z0-9._~%/-]+$"}
PLACE_OF_ARTIFACT = record([], uri=URI, uriBaseId={"type": "string"}, index=COUNT, description=TEXT)
REGION = record(["startLine"], startLine={"type": "integer", "minimum": 1})
LOCATION = record(
    [],
    id=COUNT,
    physicalLocation=record(["artifactLocation"], artifactLocation=PLACE_OF_ARTIFACT, region=REGION),
    logicalLocations=several(record([], name={"type": "string"}, fullyQualifiedName={"type": "string"}), unique=True),
)
RULE = record(
    ["id"],
    id={"type": "string"},
    name={"type": "string"},
    shortDescription=MULTIFORMAT,
    fullDescription=MULTIFORMAT,
    help=MULTIFORMAT,
    defaultConfiguration=record([], level=LEVEL),
    properties=BAG,
)
NOTIFICATION = record(
    ["message"], message=TEXT, level=LEVEL, associatedRule=record([], id={"type": "string"}, index=COUNT)
)
RESULT = record(
    ["message"],
    ruleId={"type": "string"},
    ruleIndex=COUNT,
    level=LEVEL,
    message=TEXT,
    locations=several(LOCATION),
    relatedLocations=several(LOCATION, unique=True),
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties=BAG,
)
DRIVER = record(
    ["name"],
    name={"type": "string"},
    version={"type": "string"},
    semanticVersion={"type": "string"},
    rules=several(RULE, unique=True),
)
INVOCATION = record(
    ["executionSuccessful"],
    executionSuccessful={"type": "boolean"},
    exitCode={"type": "integer"},
    exitCodeDescription={"type": "string"},
    endTimeUtc={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    toolExecutionNotifications=several(NOTIFICATION),
)
ARTIFACT = record(
    [],
    location=PLACE_OF_ARTIFACT,
    length=COUNT,
    mimeType={"type": "string", "pattern": "[^/]+/.+"},
    roles=several({"enum": ["analysisTarget"]}, unique=True),
    hashes={"type": "object", "additionalProperties": {"type": "string"}},
)
RUN = record(
    ["tool"],
    tool=record(["driver"], driver=DRIVER),
    automationDetails=record([], id={"type": "string"}),
    invocations=several(INVOCATION),
    originalUriBaseIds={"type": "object", "additionalProperties": PLACE_OF_ARTIFACT},
    artifacts=several(ARTIFACT, unique=True),
    results=several(RESULT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    properties=BAG,
)
LOG = record(
    ["version", "runs"], **{"$schema": {"type": "string"}, "version": {"const": "2.1.0"}, "runs": several(RUN, 1)}
)
VALIDATOR = Draft202012Validator(LOG)


def log_of(export):
    return json.loads(sarif.render(export).decode("ascii"))


def run_of(export):
    return log_of(export)["runs"][0]


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize("kind", ["classification", "preference"])
def test_it_has_the_structure_of_the_standard(tmp_path, kind, redacted):
    ctx, _ = word_run(tmp_path, kind)
    log = log_of(export_of(ctx, redacted))
    VALIDATOR.validate(log)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        for place in result["locations"]:
            at = place["physicalLocation"]["artifactLocation"]
            assert run["artifacts"][at["index"]]["location"]["uri"] == at["uri"]
            assert at["uriBaseId"] in run["originalUriBaseIds"]


def test_the_structure_refuses_what_the_standard_does(tmp_path):
    ctx, _ = word_run(tmp_path)
    for break_it in (
        lambda run: run["results"][0].pop("message"),
        lambda run: run["results"][0].update(ruleid="x"),
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["results"][0]["locations"][0]["physicalLocation"]["region"].update(startLine=0),
        lambda run: run["invocations"][0].pop("executionSuccessful"),
    ):
        log = log_of(export_of(ctx))
        break_it(log["runs"][0])
        assert not VALIDATOR.is_valid(log)


def test_every_check_is_a_rule_with_its_documentation(tmp_path):
    ctx, _ = word_run(tmp_path)
    rules = {rule["id"]: rule for rule in run_of(export_of(ctx))["tool"]["driver"]["rules"]}
    assert {"TV-TRG", "TV-BAD"} < set(rules)
    for check in registry.detectors().values():
        rule = rules[check.code]
        assert rule["shortDescription"]["text"] == check.title
        assert "Misses:" in rule["help"]["text"] and len(rule["fullDescription"]["text"]) > 20


def test_rows_stand_at_their_own_line_with_a_level_by_severity(tmp_path):
    ctx, _ = word_run(tmp_path)
    results = [r for r in run_of(export_of(ctx))["results"] if "row" in r["properties"]]
    by = {(r["properties"]["row"], r["ruleId"]): r for r in results}
    assert set(by) == {(i, c) for i in range(6) for c in ("TV-TRG", "TV-OUT")} | {
        *((i, "TV-LBL") for i in range(30, 40)),
        *((i, "TV-BAD") for i in (60, 61)),
    }
    for (row, _), result in by.items():
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == row + 1
    assert by[(0, "TV-TRG")]["level"] == "error" and by[(60, "TV-BAD")]["level"] == "warning"
    assert "It could not be read: invalid_utf8." in by[(60, "TV-BAD")]["message"]["text"]
    assert by[(0, "TV-OUT")]["properties"]["promptSpan"] == [0, 6]


def test_findings_stand_at_their_first_row_and_info_is_left_to_the_report(tmp_path):
    ctx, _ = word_run(tmp_path)
    found = [r for r in run_of(export_of(ctx))["results"] if "finding" in r["properties"]]
    assert [r["level"] for r in found] == ["error", "error", "warning", "warning", "note", "note"]
    assert sorted(r["ruleId"] for r in found) == ["TV-ANN", "TV-NEW", "TV-OUT", "TV-RARE", "TV-TRG", "TV-TRG"]
    first = next(r for r in found if r["ruleId"] == "TV-TRG")
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
    assert [p["physicalLocation"]["region"]["startLine"] for p in first["relatedLocations"]] == [2, 3, 4, 5, 6]
    assert "with its rows 96%, without them 4%" in first["message"]["text"]


def test_a_finding_about_the_set_stands_at_its_first_file(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": f"x {i}", "label": "a"} for i in range(4)])
    add_findings(ctx.run, [{"code": "TV-BAD", "check": "ingest", "text": "2 records.", "severity": "medium"}])
    (result,) = run_of(export_of(ctx))["results"]
    (place,) = result["locations"]
    at = {"uri": "reviews.jsonl", "uriBaseId": "SRCROOT", "index": 0}
    assert place == {"physicalLocation": {"artifactLocation": at}}


def test_fingerprints_follow_content_and_not_the_line(tmp_path):
    rows = [{"prompt": f"text {i}", "label": "a"} for i in range(6)]
    marks = {}
    for name, order in (("a", rows), ("b", rows[::-1])):
        flagged = {i: {"verdict": "review", "codes": ["TV-OUT"], "score": 0.9} for i in range(6)}
        ctx = make_run(tmp_path / name, order, flagged)
        add_check(ctx.run, "outliers", {i: {"score": 0.9} for i in range(6)}, 0.5, code="TV-OUT")
        results = run_of(export_of(ctx))["results"]
        marks[name] = {order[r["properties"]["row"]]["prompt"]: r["partialFingerprints"] for r in results}
    assert marks["a"] == marks["b"] and len({str(m) for m in marks["a"].values()}) == 6


def test_equal_rows_have_fingerprints_of_their_own(tmp_path):
    flagged = {i: {"verdict": "review", "codes": ["TV-OUT"]} for i in range(3)}
    ctx = make_run(tmp_path, [{"prompt": "the same", "label": "a"}] * 3, flagged)
    marks = [r["partialFingerprints"]["primaryLocationLineHash"] for r in run_of(export_of(ctx))["results"]]
    assert len(marks) == 3 and [m.split(":")[1] for m in marks] == ["1", "2", "3"]
    assert len({m.split(":")[0] for m in marks}) == 1


def test_a_flood_is_capped_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sarif, "MAX_RESULTS", 12)
    ctx, _ = word_run(tmp_path)
    run = run_of(export_of(ctx))
    assert len(run["results"]) == run["properties"]["resultsGiven"] == 12
    assert run["properties"]["resultsLeftOut"] == 6 + 24 - 12
    notes = [n["message"]["text"] for n in run["invocations"][0]["toolExecutionNotifications"]]
    assert any("18 more results are left out" in note for note in notes)


def test_rows_beyond_the_cap_share_it_among_triggers_and_codes(tmp_path, monkeypatch):
    monkeypatch.setattr("audit.report.machine.MAX_ROWS", 4)
    ctx, _ = word_run(tmp_path)
    export = export_of(ctx)
    assert export.flagged_total == 18 and len(export.flagged) == 4
    assert {said.code for row in export.flagged for said in row.said} == {"TV-TRG", "TV-OUT", "TV-LBL", "TV-BAD"}


def test_checks_that_could_not_be_made_are_notifications(tmp_path):
    ctx, _ = word_run(tmp_path)
    invocation = run_of(export_of(ctx))["invocations"][0]
    by_level = {}
    for note in invocation["toolExecutionNotifications"]:
        by_level.setdefault(note["level"], []).append(note["message"]["text"])
    assert not invocation["executionSuccessful"] and invocation["exitCode"] == 3
    assert any("needs a trained probe" in text for text in by_level["note"])
    assert any("ValueError" in text for text in by_level["error"])


@pytest.mark.parametrize("form", ["parquet", "arrow", "json"])
def test_files_without_lines_have_logical_locations(tmp_path, form):
    ctx, _ = word_run(tmp_path)
    info = read_json(ctx.run / "dataset.json")
    info["files"][0] |= {"path": f"part one/a&b #1.{form}", "format": form}
    write_json(ctx.run / "dataset.json", info)
    (ctx.run / "cleaned" / "reviews.jsonl").unlink()
    log = log_of(export_of(ctx))
    VALIDATOR.validate(log)
    row = next(r for r in log["runs"][0]["results"] if r["properties"].get("row") == 31)
    place = row["locations"][0]
    assert "region" not in place["physicalLocation"]
    uri = place["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"part%20one/a%26b%20%231.{form}" and unquote(urlsplit(uri).path) == f"part one/a&b #1.{form}"
    assert place["logicalLocations"] == [{"name": "record 32", "fullyQualifiedName": f"{uri}/record/32"}]


def test_paths_are_relative_to_the_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "data" / "v1"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("{}\n")
    assert source_prefix(str(folder / "train.jsonl")) == source_prefix(str(folder)) == "data/v1/"
    assert source_prefix(str(tmp_path)) == "" == source_prefix("owner/name@main")


def test_hostile_text_is_no_markup_in_a_message(tmp_path):
    rows = [{"prompt": text, "label": "a"} for text in HOSTILE]
    flagged = {i: {"verdict": "review", "codes": ["TV-OUT"], "score": 0.9} for i in range(len(rows))}
    ctx = make_run(tmp_path, rows, flagged, name="<img src=x>[a](javascript:b){0}")
    evidence = {i: {"score": 0.9, "evidence": text} for i, text in enumerate(HOSTILE)}
    add_check(ctx.run, "outliers", evidence, 0.5, code="TV-OUT", title="<b>Outliers</b>")
    log = log_of(export_of(ctx))
    VALIDATOR.validate(log)
    results = log["runs"][0]["results"]
    assert len(results) == len(HOSTILE)
    for result in results:
        text = result["message"]["text"]
        assert not set(text) & set("<>[]{}`|\n") and not any(is_invisible(c) for c in text)
        assert not re.search(r"://|www\.|javascript:|@", text, re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_inert_text_is_one_line_without_markup(text):
    shown = inert(text, 10_000)
    assert not set(shown) & set("<>[]{}`@|\\&\n\r\t") and not any(is_invisible(c) for c in shown)
    assert "//" not in re.sub(r"(?<!:)//", "", shown)


def test_the_largest_file_stays_under_ten_megabytes(tmp_path):
    word = "".join(chr(0x10000 + i) for i in range(400))
    rows = [{"prompt": f"{i} {word}", "label": "a"} for i in range(sarif.MAX_RESULTS)]
    flagged = {i: {"verdict": "review", "codes": ["TV-OUT"], "score": 0.9} for i in range(len(rows))}
    ctx = make_run(tmp_path, rows, flagged, optional=False)
    add_check(ctx.run, "outliers", {i: {"score": 0.9, "evidence": word} for i in range(len(rows))}, 0.5, code="TV-OUT")
    content = sarif.render(export_of(ctx))
    assert len(json.loads(content)["runs"][0]["results"]) == sarif.MAX_RESULTS
    assert len(content) < 25_000_000  # GitHub's 10 MB are after gzip
