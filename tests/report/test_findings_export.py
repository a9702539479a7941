"""findings.jsonl by its published schema."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hostile_rows import HOSTILE
from jsonschema import Draft202012Validator, ValidationError
from machine_runs import export_of, word_run
from report_runs import add_findings, make_run

from audit.report import findings
from audit.rundir import read_json
from audit.text import is_invisible

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "findings-schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def lines(export):
    return [json.loads(line) for line in findings.render(export).decode("ascii").splitlines()]


def test_the_schema_is_one_and_names_its_version():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == findings.SCHEMA
    assert SCHEMA["required"] == list(SCHEMA["properties"]) and SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize("redacted", [False, True])
def test_every_line_is_valid(tmp_path, redacted):
    ctx, _ = word_run(tmp_path)
    found = lines(export_of(ctx, redacted))
    assert len(found) == len(pl.read_parquet(ctx.run.findings)) == 7
    for record in found:
        VALIDATOR.validate(record)
        assert record["redacted"] is redacted


def test_the_schema_refuses_what_is_not_a_finding(tmp_path):
    ctx, _ = word_run(tmp_path)
    good = lines(export_of(ctx))[0]
    for change in ({"schema": "tunevet.finding/2"}, {"severity": "fatal"}, {"extra": 1}, {"rows": [-1]}):
        with pytest.raises(ValidationError):
            VALIDATOR.validate({**good, **change})
    with pytest.raises(ValidationError):
        VALIDATOR.validate({name: value for name, value in good.items() if name != "trigger"})


def test_trigger_findings_carry_their_proof(tmp_path):
    ctx, _ = word_run(tmp_path)
    raw = {t["id"]: t for t in read_json(ctx.run.triggers)}
    found = [r for r in lines(export_of(ctx)) if r["trigger"]]
    assert {r["trigger"]["status"] for r in found} == {"confirmed", "suspected", "refuted"}
    for record in found:
        told, was = record["trigger"], raw[record["trigger"]["id"]]
        assert record["id"] == f"trigger-{told['id']}"
        assert told["pattern"] == was["pattern"] and told["rows"] == len(was["rows"])
        assert told["proof"]["asr_a"] == was["probe"]["asr_a"]
        assert told["proof"]["intervals"] == was["probe"]["intervals"]
        assert told["proof"]["controls"] == was["probe"]["controls"]
        assert told["statistics"]["q_value"] == was["statistics"]["q_value"]


def test_the_most_severe_come_first_and_rows_have_places(tmp_path):
    ctx, _ = word_run(tmp_path)
    found = lines(export_of(ctx))
    order = ["high", "medium", "low", "info"]
    assert [r["severity"] for r in found] == sorted((r["severity"] for r in found), key=order.index)
    for record in found:
        assert [p["row"] for p in record["places"]] == record["rows"][:20]
        assert all(p["line"] == p["row"] + 1 and p["file"] == "reviews.jsonl" for p in record["places"])


def test_hostile_text_stays_on_its_line_and_is_visible(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": text, "label": "a"} for text in HOSTILE])
    add_findings(
        ctx.run,
        [
            {"text": text, "subject": text, "details": json.dumps({text: text}), "q_value": float("nan")}
            for text in HOSTILE
        ],
    )
    found = lines(export_of(ctx))
    assert len(found) == len(HOSTILE)
    for record in found:
        VALIDATOR.validate(record)
        assert not any(is_invisible(c) or c == "\n" for c in record["text"] + record["subject"])
        assert record["q_value"] is None


def test_rendering_twice_gives_the_same_bytes(tmp_path):
    ctx, _ = word_run(tmp_path)
    assert findings.render(export_of(ctx)) == findings.render(export_of(ctx))


def test_the_documented_fields_are_those_of_the_schema():
    page = (DOCS / "findings.md").read_text(encoding="utf-8")
    table = page.split("| Field | Meaning |", 1)[1].split("\n\n", 1)[0]
    assert [row.split("`")[1] for row in table.splitlines()[2:]] == list(SCHEMA["properties"])
