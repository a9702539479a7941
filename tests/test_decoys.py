"""Decoy floods: rows that trip weak checks by the thousand push no real group out of sight."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from decided_runs import make_run, trigger

from audit.config import build
from audit.decide import decide
from audit.remedies.ranking import Check, flagged
from audit.remedies.told import trigger_findings
from audit.report.alarms import alarms, below_the_cut
from audit.report.collect import _queue
from audit.report.read import Inputs
from audit.rundir import Context, write_frame
from audit.schema import FINDINGS, NoProgress, Severity, Status, signals_frame

DECOYS, POISON, HONEST = 50_000, 50, 10_000
WEAK = {
    "unicode_anomaly": ("TV-UNI", Severity.MEDIUM, 0.6),
    "role_tags": ("TV-ROL", Severity.MEDIUM, 0.6),
    "whitespace_anomaly": ("TV-WSP", Severity.LOW, 0.6),
    "rare_tokens": ("TV-RARE", Severity.LOW, 0.5),
    "near_duplicates": ("TV-DUP", Severity.LOW, 0.8),
}
_TOP = 20


def check(name, code, severity, threshold, rows, scores):
    return Check(name, code, severity, threshold, signals_frame(rows, scores))


@pytest.fixture(scope="module")
def flood():
    """50,000 decoys, each flagged by one to five weak checks at a high score, and 50 rows that one check doubts."""
    rng = np.random.default_rng(0)
    trips = rng.random((DECOYS, len(WEAK))) < 0.6
    checks = []
    for at, (name, (code, severity, threshold)) in enumerate(WEAK.items()):
        rows = np.flatnonzero(trips[:, at])
        checks.append(check(name, code, severity, threshold, rows, rng.uniform(threshold, 1.0, len(rows))))
    poison = list(range(DECOYS, DECOYS + POISON))
    checks.append(check("label_noise", "TV-LBL", Severity.LOW, 0.5, poison, [0.55] * POISON))
    return checks, poison


def test_fifty_thousand_decoys_leave_room_in_the_review_budget(flood):
    checks, poison = flood
    count = DECOYS + POISON + HONEST
    budget = int(0.02 * count)
    ledger = pl.DataFrame(
        {"row": range(count), "reason": [None] * count}, schema={"row": pl.Int64, "reason": pl.String}
    )
    found = decide(ledger, {row: str(row) for row in range(count)}, checks, [], budget)
    review = found.filter(pl.col("verdict") == "review")["row"].to_list()
    assert len(review) == budget and set(poison) <= set(review)
    assert set(found["verdict"]) == {"keep", "review"}


def test_a_group_that_one_check_sees_stands_among_the_first_twenty(flood):
    checks, poison = flood
    order = [row for row, _ in flagged(checks, 1_000)]
    assert min(order.index(row) for row in poison) < _TOP


def test_without_a_flood_the_most_urgent_row_comes_first_whichever_check_it_is_of():
    strong = check("a", "TV-A", Severity.LOW, 0.5, range(30), np.linspace(0.9, 0.95, 30))
    weak = check("b", "TV-B", Severity.LOW, 0.5, range(30, 60), np.linspace(0.6, 0.7, 30))
    assert {row for row, _ in flagged([strong, weak], 10)[:30]} == set(range(30))
    assert {row for row, _ in flagged([strong, weak], 5)[:30]} != set(range(30))  # twelve times as many as places


def finding(check_name, code, number, severity, score):
    record = {"id": f"{check_name}-{number:05}", "code": code, "check": check_name, "subject": f"group {number}"}
    facts = {"score": score, "q_value": None, "severity": str(severity), "text": "Some rows.", "rows": [0]}
    return {**record, **facts, "details": "{}"}


@pytest.fixture
def run(tmp_path):
    source = tmp_path / "data.jsonl"
    lines = [{"text": f"a plain row number {i}", "label": "a" if i % 2 else "b"} for i in range(60)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return make_run(source, tmp_path / "run", lambda row: {"codes": ["TV-UNI"]} if row < 40 else {})


def inputs(run):
    return Inputs(Context(run, build({"source": "x"}), NoProgress()))


def test_findings_are_ranked_by_group_so_that_no_check_fills_the_first_twenty(run):
    records = [
        finding(name, code, number, Severity.MEDIUM, 1_000.0 - number)
        for name, (code, _, _) in WEAK.items()
        for number in range(400)
    ]
    records.append(finding("annotator_anomaly", "TV-ANN", 0, Severity.MEDIUM, 0.3))
    records.append(finding("near_duplicates", "TV-DUP", 9_999, Severity.LOW, 1e9))
    suspect = trigger(1, range(POISON), "cf", status=Status.SUSPECTED, score=2.0)
    known = pl.concat([pl.DataFrame(records, schema=FINDINGS), trigger_findings([suspect])])
    write_frame(run.findings, known.sample(fraction=1.0, shuffle=True, seed=3))
    ranked = inputs(run).findings
    assert ranked["check"][0] == "triggers" and "annotator_anomaly" in ranked["check"][:_TOP].to_list()
    first = ranked.filter(pl.col("check") == "role_tags")["id"].to_list()
    assert first[0] == "role_tags-00000" and first == sorted(first)
    assert ranked["severity"].to_list()[-1] == "low" and len(ranked) == len(known)


def test_the_report_says_how_many_groups_and_rows_lie_below_the_cut(run):
    [told] = below_the_cut(inputs(run), 3, 1_200, 1)
    assert told.text.plain == (
        "Below the cut: 3 triggers, 1,200 findings, 1 cluster of copies are not shown one by one; 40 flagged rows are "
        "kept, for lack of room in the review budget."
    )
    assert [h.text.plain for h in below_the_cut(inputs(run), 1, 0, 0)] == [
        "Below the cut: 1 trigger is not shown one by one; 40 flagged rows are kept, for lack of room in the review "
        "budget."
    ]


def test_what_waits_is_named_by_its_title(run):
    verdicts = pl.read_parquet(run.verdicts)
    waits = pl.when(pl.col("row") < 9)
    told = verdicts.with_columns(
        verdict=waits.then(pl.lit("review")).otherwise("verdict"),
        codes=waits.then(pl.lit(["TV-CON"])).otherwise("codes"),
    )
    write_frame(run.verdicts, told)
    assert "Contradicting copies (9)" in _queue(inputs(run)).plain


def test_alarms_stand_on_the_overview(run):
    slices = [{**finding("slices", "TV-SLI", n, Severity.MEDIUM, 0.5), "text": f"Slice {n} shrinks."} for n in range(5)]
    others = [
        {**finding(name, code, 0, Severity.INFO, 1.0), "text": f"About {name}."}
        for name, code in (("conflicts", "TV-CON"), ("borderline", "TV-BRD"))
    ]
    write_frame(run.findings, pl.DataFrame([*slices, *others], schema=FINDINGS))
    assert [h.text.plain for h in alarms(inputs(run))] == [
        *(f"Slice {n} shrinks." for n in range(3)),
        "2 more slices shrink abnormally.",
        "About conflicts.",
        "About borderline.",
    ]
