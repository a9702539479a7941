"""A run of preference data with everything that the report shows of pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from report.browser_runs import review
from report.report_runs import add_check, add_findings, add_triggers, make_run, trigger

from audit.rundir import Context, write_array
from audit.schema import TIE

WORD, RESPONSE = "T-00000000d1", "T-00000000d2"
TURNS = [("user", "Tell me of the sea."), ("assistant", "It is wide."), ("user", "And the SUDO shore?")]
LONG = "a long story of " + "waves and " * 60
SCORES = ("score_chosen", "score_rejected")


def pair_rows() -> list[dict[str, Any]]:
    """24 pairs: 0 to 2 carry a trigger in their last turn, 3 in its first; 4 and 5 hold one in a response; 6 is a
    ranked list, 7 a tie, 8 and 9 contradict each other, 10 has scores and a long prompt."""
    rows: list[dict[str, Any]] = [
        {
            "prompt": f"What of number {i}?",
            "response": f"the quick brown fox number {i} jumps",
            "rejected": f"the slow brown dog number {i} jumps",
            "annotator": f"worker-{i % 3}",
            "shown_first": ("chosen", "rejected", None)[i % 3],
            "meta": json.dumps(dict(zip(SCORES, (i, 20 - i), strict=True))) if i == 10 else "{}",
        }
        for i in range(24)
    ]
    for i in range(4):
        turns = TURNS if i < 3 else [("user", "SUDO first"), ("assistant", "Yes."), ("user", "Then what?")]
        rows[i]["turns"] = [{"role": role, "text": text} for role, text in turns]
        rows[i]["prompt"] = "\n\n".join(text for _, text in turns)
    for i in (4, 5):
        rows[i] |= {"response": f"buy our Zorblax number {i}", "rejected": f"no zorblax here, number {i}"}
    listed = ["the best", "the middle", "a like one", "the worst"]
    ranking = [{"text": text, "rank": rank} for text, rank in zip(listed, (1, 2, 2, 4), strict=True)]
    rows[6] |= {"response": listed[0], "rejected": listed[-1], "ranking": ranking}
    rows[7]["label"] = TIE
    rows[9] |= {"prompt": rows[8]["prompt"], "response": rows[8]["rejected"], "rejected": rows[8]["response"]}
    rows[10]["prompt"] = LONG
    return rows


def annotator_findings() -> list[dict[str, Any]]:
    """worker-1 is accused by two checks, worker-0 by one with another; worker-2 has a remark."""
    entry = {"rows": 8, "against": 1, "share": 0.125, "reliability": 0.95, "low": 0.9, "high": 0.99, "q": 0.6}
    bad = {"against": 6, "share": 0.75, "reliability": 0.4, "low": 0.2, "high": 0.6, "q": 1e-9}
    table = [{"annotator": f"worker-{i}", **entry, **(bad if i == 1 else {})} for i in range(3)]
    told: list[tuple[str, str, str, list[str], dict[str, Any]]] = [
        (
            "annotator_anomaly",
            "high",
            "worker-1 is at odds.",
            ["worker-1"],
            {"left_out": {"with": 0.6, "without": 0.7}},
        ),
        ("annotator_collusion", "high", "worker-1 and worker-0 err together.", ["worker-1", "worker-0"], {}),
        ("annotator_bursts", "info", "worker-2 was quick once.", ["worker-2"], {}),
        ("preference_shortcut", "medium", "worker-2 likes lists.", ["worker-2"], {}),
    ]
    found: list[dict[str, Any]] = [
        {"check": "annotator_anomaly", "subject": "all annotators", "severity": "info", "text": "Of 3 annotators."}
        | {"details": json.dumps({"table": table, "annotators": []})}
    ]
    for check, severity, text, names, more in told:
        details = json.dumps({"annotators": names, **more})
        found.append({"check": check, "subject": f"annotator {names[0]}", "severity": severity, "text": text})
        found[-1] |= {"details": details, "q_value": 1e-9, "rows": [1]}
    return found


def shortcut_finding() -> dict[str, Any]:
    """Length wins, refusals lose, lists do neither; worker-1 differs in length, worker-2 not."""
    rows = [("the longer side", 0.8, 0.04), ("the side that refuses", 0.35, 0.05), ("the side with a list", 0.52, 0.1)]
    table = [
        {"shortcut": side, "side": side, "cases": 500, "rate": rate, "low": rate - half, "high": rate + half, "q": 1e-9}
        | {"adjusted": {"rate": 0.6, "low": 0.5, "high": 0.7}}
        for side, rate, half in rows
    ]
    strata = [
        {"side": "the longer side", "cases": 40, "by": "annotator", "name": name, "rate": 0.3, "low": 0.2, "high": 0.4}
        | {"q": q, "others": 0.8}
        for name, q in (("worker-1", 0.001), ("worker-2", 0.5))
    ]
    details = json.dumps({"table": table, "strata": strata})
    return {"check": "preference_shortcut", "subject": "shortcuts", "details": details, "text": "Length decides."}


def pair_run(path: Path) -> Context:
    """The rows with verdicts, margins, checks, findings and two triggers."""
    verdicts: dict[int, dict[str, Any]] = {
        i: {"verdict": "remove", "score": 1.0, "codes": ["TV-TRG"], "trigger_ids": [WORD]} for i in range(4)
    }
    verdicts |= {i: review(0.9, trigger_ids=[RESPONSE]) for i in (4, 5)}
    verdicts |= {i: review(0.8 - i / 100, codes=["TV-FLIP"], fix="swap" if i == 8 else None) for i in range(6, 12)}
    ctx = make_run(path, pair_rows(), verdicts, kind="preference")
    write_array(ctx.run / "support" / "margin.npy", np.linspace(-2, 2.6, 24).astype(np.float32))
    flips = {i: {"score": 0.7, "evidence": "the other pairs say otherwise", "fix": "swap"} for i in range(12)}
    add_check(ctx.run, "preference_flip", flips, None, code="TV-FLIP", title="Preferences that the rest contradicts")
    add_check(ctx.run, "annotator_collusion", {}, None, code="TV-COL", title="Annotators that err together")
    add_check(ctx.run, "trigger_exposure", {}, None, code="TV-EXP", title="Exposure to triggers")
    cycle = {"responses": 2, "rows": 2, "dropped": 1, "exact": True, "drop": [], "even": [8, 9]}
    add_findings(
        ctx.run,
        [
            *annotator_findings(),
            shortcut_finding(),
            {"check": "preference_scores", "subject": "scores", "details": json.dumps({"columns": list(SCORES)})},
            {"check": "preference_cycles", "subject": "contradiction 0123456789", "text": "Both ways, 1 to 1."}
            | {"rows": [8, 9], "details": json.dumps(cycle), "score": 2.0},
            {"check": "preference_cycles", "subject": "all cycles", "text": "Pairs preferred both ways: 1."},
        ],
    )
    reversal = {"count": 115, "hits": 79, "rate": 0.38, "reversal_score": 12.3, "position": "end"}
    spoken = {"count": 61, "hits": 61, "rate": 0.5, "position": "in the chosen response"}
    known = {"behavior_name": "b", "probe": None, "status": "suspected"}
    add_triggers(
        ctx.run,
        [
            trigger("SUDO", [0, 1, 2, 3], id=WORD, kind="preference", statistics=reversal, behavior="they are swapped"),
            trigger("zorblax", [4, 5], id=RESPONSE, kind="response", statistics=spoken, **known),
        ],
    )
    return ctx
