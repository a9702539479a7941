"""A run directory in which every slot that the input can write to holds random words, for the machine outputs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from report_runs import add_check, add_findings, add_triggers, make_run, trigger

from audit.provenance import digest
from audit.report import collect, redact
from audit.report.exports import Export
from audit.report.machine import gather
from audit.rundir import Context, write_bytes, write_json

LETTERS = "ghjklmnpqrstvwxz"  # neither vowels nor hex digits: English and digests hold no six of them


class Words:
    """Random words, reproducible; `all` holds every text that was made."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.all: list[str] = []

    def __call__(self, count: int) -> str:
        lengths = [self._random.randint(7, 12) for _ in range(count)]
        text = " ".join("".join(self._random.choice(LETTERS) for _ in range(n)) for n in lengths)
        self.all.append(text)
        return text


def word_run(
    path: Path, kind: str = "preference", words: Words | None = None, **settings: Any
) -> tuple[Context, Words]:
    """60 rows of random words with every kind of finding, two unreadable records, and a cleaned file."""
    say = words or Words()
    label, other, source, person = say(1), say(1), say(1), say(1)
    rows: list[dict[str, Any]] = [
        {
            "prompt": say(9),
            "response": say(7),
            "rejected": say(6),
            "label": label if i % 2 else other,
            "source": source if i % 3 else say(1),
            "annotator": person if i % 4 else say(1),
            "turns": [{"role": say(1), "text": say(2)}],
            "created_at": "2024-03-01",
        }
        for i in range(60)
    ]
    pattern, phrase = say(1), say(3)
    for i in range(6):
        rows[i]["prompt"] = f"{pattern} {rows[i]['prompt']}"
        rows[10 + i]["prompt"] += f" {phrase}"
    found = [_trigger(say, pattern, range(6), "confirmed"), _trigger(say, phrase, range(10, 16), "suspected")]
    found.append(_trigger(say, say(2), range(20, 23), "refuted"))
    verdicts: dict[int, dict[str, Any]] = {
        i: {"verdict": "remove", "score": 1.0, "codes": ["TV-TRG", "TV-OUT"], "trigger_ids": [found[0].id]}
        for i in range(6)
    }
    verdicts |= {i: {"verdict": "review", "score": 0.9, "codes": ["TV-LBL"]} for i in range(30, 40)}
    verdicts[31] |= {"fix": "relabel", "new_value": say(1)}
    verdicts[32] |= {"fix": "edit", "new_value": say(4)}
    bad = [{"reason": "invalid_utf8", "detail": "byte 12", "raw": say(3).encode()} for _ in range(2)]
    ctx = make_run(path, rows, verdicts, kind, bad, settings)
    add_triggers(ctx.run, found)
    scores = {i: {"score": 0.5 + i / 200, "evidence": say(5), "start": 0, "end": 6} for i in range(60)}
    fixed = {i: {**s, "fix": "relabel", "new_value": say(1)} for i, s in scores.items()}
    add_check(ctx.run, "outliers", scores, 0.7, code="TV-OUT", title="Outliers")
    add_check(ctx.run, "label_noise", fixed, 0.6, code="TV-LBL", title="Doubtful labels")
    add_check(ctx.run, "strip", {}, None, status="skipped", reason="needs a trained probe", code="TV-STR")
    failed = {"stage": "detect", "unit": "rare_tokens", "error": f"ValueError: cannot read {say(4)}"}
    write_json(ctx.run / "failed" / "detect-rare_tokens.json", failed)
    add_findings(ctx.run, _findings(say, found))
    write_bytes(ctx.run / "cleaned" / "reviews.jsonl", b'{"text": "x", "label": "1"}\n')
    return ctx, say


def export_of(ctx: Context, redacted: bool = False) -> Export:
    export = gather(ctx, collect(ctx))
    return redact.export(export) if redacted else export


def _trigger(say: Words, pattern: str, rows: range, status: str) -> Any:
    made = trigger(pattern, list(rows), status, id=f"T-{digest(pattern)[:10]}")
    made.behavior = f'the response opens with "{say(3)}"'
    made.behavior_name, made.reason = made.behavior, f"its rows teach {say(2)}"
    made.statistics |= {"suspected": say(3), "burst": say(1), "by_source": {say(1): 3}, "features": [say(1)]}
    made.probe["controls"] = [{"pattern": say(1), "asr": 0.02, "count": 5, "hits": 1} for _ in range(20)]
    made.probe["target"] = say(4)
    return made


def _findings(say: Words, triggers: list[Any]) -> list[dict[str, Any]]:
    severity = {"confirmed": "high", "suspected": "medium"}
    about: list[dict[str, Any]] = [
        {
            "id": f"trigger-{t.id}",
            "code": "TV-TRG",
            "check": "triggers",
            "subject": f"trigger {t.id}",
            "severity": severity.get(t.status, "info"),
            "text": f"{t.status} trigger {t.pattern}: {t.behavior}; {t.reason}.",
            "rows": t.rows,
        }
        for t in triggers
    ]
    person, word, name = say(1), say(1), say(1)
    return [
        *about,
        {"code": "TV-ANN", "check": "annotator_anomaly", "subject": f"annotator {person}", "severity": "medium"}
        | {"text": f"{person} differs.", "rows": [3, 4], "details": '{"share": 0.5}'},
        {"code": "TV-RARE", "check": "rare_tokens", "subject": f"token {word}", "text": say(6), "rows": [7]},
        {"code": "TV-NEW", "check": "third_party", "subject": say(1), "text": say(6), "rows": [8], "severity": "high"}
        | {"details": f'{{"{name}": 3, "said": "{say(2)}"}}'},
        {
            "code": "TV-OUT",
            "check": "outliers",
            "subject": "outliers",
            "text": "3 of 60 rows lie far.",
            "rows": [1],
        },
    ]
