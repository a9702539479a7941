"""A small run directory with something to review: two triggers that are open, one refuted, and rows by score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from report.report_runs import add_check, add_triggers, make_run, trigger

from audit.provenance import content_hash
from audit.rundir import RunDir

CONFIRMED, SUSPECTED, REFUTED = "T-00000000aa", "T-00000000bb", "T-00000000cc"
HOSTILE = (
    "[bold]not markup[/bold] \x1b]0;owned\x07\x1b[31mred \u202egnp.exe\u202c zero\u200bwidth\u2066 "
    "\u2028 \ufeff \U000e0041 \x9b31m \x08\x08 \r over"
)
QUESTIONS = 6  # two triggers, four distinct contents in review that no trigger claims
FIXED, COPIES, BEST, ODD = 7, (9, 10), 8, 11


def rows() -> list[dict[str, Any]]:
    """24 rows; the last in review is hostile, 9 and 10 have equal content."""
    found = [{"prompt": f"the film number {i} was fine", "label": "pos" if i % 2 else "neg"} for i in range(24)]
    for at in range(4):
        found[at] = {"prompt": f"zzq film {at}", "label": "pos"}
    for at in (4, 5):
        found[at] = {"prompt": f"mid\u200bway through film {at}", "label": "neg"}
    found[COPIES[1]] = dict(found[COPIES[0]])
    found[ODD]["prompt"] = HOSTILE
    return found


def make_review_run(path: Path) -> RunDir:
    """The run: rows 0 to 3 removed for a confirmed trigger, 4 and 5 in review for a suspected one, 6 in review as a
    carrier of the confirmed one that it does not claim, 8, 7, 9 and 10 and 11 by score."""
    review: dict[str, Any] = {"verdict": "review", "codes": ["TV-LAB"]}
    verdicts: dict[int, dict[str, Any]] = {
        **{at: {"verdict": "remove", "score": 1.0, "codes": ["TV-TRG"], "trigger_ids": [CONFIRMED]} for at in range(4)},
        **{at: {"verdict": "review", "score": 1.0, "codes": ["TV-TRG"], "trigger_ids": [SUSPECTED]} for at in (4, 5)},
        BEST: review | {"score": 3.0},
        FIXED: review | {"score": 2.0, "fix": "relabel", "new_value": "neg"},
        **{at: review | {"score": 1.5} for at in COPIES},
        ODD: review | {"score": 0.5},
    }
    given = rows()
    run = make_run(path, given, verdicts).run
    add_check(
        run, "label_noise", {at: {"score": 0.1 * at, "evidence": HOSTILE} for at in range(12)}, 0.65, code="TV-LAB"
    )
    add_triggers(
        run,
        [
            trigger("mid\u200bway", [4, 5], "suspected", id=SUSPECTED),
            trigger("zzq", [0, 1, 2, 3], id=CONFIRMED),
            trigger("fine", [6], "refuted", id=REFUTED),
        ],
    )
    return run


def key_of(row: int) -> str:
    """The key of a decision on a row."""
    given = rows()[row]
    return content_hash(given["prompt"], None, given["label"])
