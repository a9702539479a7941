"""Runs in which hostile sequences stand in every place that a report, a screen or a file takes text from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from decided_runs import make_run
from report.report_runs import add_check, add_findings, add_triggers, trigger
from text_sinks.hostile_sequences import SEQUENCES, SURROGATES

from audit.provenance import digest
from audit.rundir import Context, RunDir, write_bytes, write_json
from audit.schema import NoProgress

NAMES = tuple(SEQUENCES)
PLANTED = tuple(f"{text}Q{at:03d}" for at, text in enumerate(SEQUENCES.values()))  # the mark says that it came through
COUNT = len(PLANTED)
TRIGGERS = range(0, COUNT, 2)


def at(number: int) -> str:
    """A planted text; any number will do."""
    return PLANTED[number % COUNT]


def mark(number: int) -> str:
    """What stands behind the planted text of this number."""
    return f"Q{number % COUNT:03d}"


def file_name(text: str) -> str:
    """A text as far as a file may be called so."""
    return text.replace("/", "∕").replace("\x00", "").strip(".")[:60].rstrip("\n") or "x"


def write_input(folder: Path, kind: str = "classification") -> Path:
    """A folder with a hostile name that holds a file for each sequence, with a row of hostile values in each."""
    home = folder / f"in\x1b[31m\u202e{chr(0x200B)}\n::error::x"
    home.mkdir(parents=True)
    for i in range(COUNT):
        (home / f"{i:03d}{file_name(at(i))}.jsonl").write_bytes(json.dumps(record(i, kind)).encode() + b"\n")
    bad = b"".join(json.dumps({"text": text, "label": text}).encode() + b"\n" for text in SURROGATES.values())
    (home / "bad.jsonl").write_bytes(bad + "".join(f'{{"{text}": \n' for text in PLANTED[:20]).encode())
    return home


def record(i: int, kind: str) -> dict[str, Any]:
    """Row `i`, which has a column with a hostile name as well."""
    known = {"source": at(i + 2), "annotator": at(i + 3), "id": at(i + 4), "created_at": at(i + 5), f"c{at(i + 6)}": i}
    if kind == "preference":
        return {"prompt": at(i), "chosen": at(i + 1), "rejected": at(i + 7), **known}
    return {"text": at(i), "label": at(i + 1), **known}


def hostile_run(folder: Path, kind: str = "classification", **settings: Any) -> RunDir:
    """A real ingest of that input, with verdicts, triggers, checks and findings of hostile words."""
    mapping = {"text": "text", "label": "label"} if kind == "classification" else {}
    source = write_input(folder, kind)
    values: dict[str, Any] = {"ingest": {"kind": kind, "map": mapping}, "name": at(41), **settings}
    run = make_run(source, folder / f"run\x1b]0;{chr(0x202E)}", _judged, **values)
    readable = run.examples(["row"])["row"].to_list()
    number = {row: i for i, row in enumerate(readable)}
    said = {row: _said(i) for row, i in number.items()}
    add_check(run, "label_noise", said, 0.5, code="TV-LBL", title=at(12), source=at(13), misses=at(14), reason=at(15))
    add_check(run, "strip", {}, None, status="skipped", reason=at(16), code="TV-STR", title=at(17))
    failed = {"stage": "detect", "unit": "rare_tokens", "error": f"ValueError: cannot read {at(18)}"}
    write_json(run / "failed" / "detect-rare_tokens.json", failed)
    add_findings(run, [_finding(i, readable) for i in range(COUNT)])
    add_triggers(run, [_trigger(i, readable) for i in TRIGGERS])
    write_bytes(run / "cleaned" / f"{file_name(at(8))}.jsonl", b'{"text": "x", "label": "1"}\n')
    for stage, unit in (("ingest", "all"), ("decide", "all"), ("detect", "label_noise"), ("mine", "all")):
        write_json(run.marker(stage, unit), {"key": "k", "outputs": {}, "seconds": 0.25, "peak_bytes": 90 << 20})
    return run


def context(run: RunDir) -> Context:
    """A run as the report's stage is given it."""
    from audit import config as configuration

    return Context(run, configuration.load(run.config), NoProgress())


def _judged(row: int) -> dict[str, Any]:
    ids = [_id(row)] if row % 2 == 0 else []
    verdict = "remove" if row % 4 == 0 else "review"
    told = {"fix": "relabel", "new_value": at(row + 9), "codes": ["TV-LBL", at(row + 10)], "trigger_ids": ids}
    return {"verdict": verdict, "score": 1 - row / 999, **told}


def _said(i: int) -> dict[str, Any]:
    return {"score": 0.9, "evidence": at(i + 11), "fix": "relabel", "new_value": at(i + 12), "start": 0, "end": 1}


def _finding(i: int, rows: list[int]) -> dict[str, Any]:
    check = ("near_duplicates", "unicode_anomaly", "annotator_anomaly", "outliers")[i % 4]
    details = json.dumps({at(i + 1): at(i + 2), "pattern": at(i + 3)})
    severity = ("high", "medium", "low")[i % 3]
    told = {"check": check, "severity": severity, "subject": at(i), "text": f"It says {at(i + 1)}.", "details": details}
    return {"id": f"f{i:03d}", "rows": [rows[i % len(rows)]], **told}


def _id(row: int) -> str:
    return f"T-{digest(str(row))[:10]}"


def _trigger(i: int, rows: list[int]) -> Any:
    made = trigger(at(i), [rows[i % len(rows)]], "suspected" if i % 4 else "confirmed", id=_id(i))
    made.parts, made.display = [at(i), at(i + 1)], at(i)
    made.behavior = f'the response opens with "{at(i + 1)}"'
    made.behavior_name, made.reason, made.kind = made.behavior, f"its rows teach {at(i + 2)}", "phrase"
    made.statistics |= {
        "suspected": at(i + 3),
        "burst": at(i + 4),
        "by_source": {at(i + 5): 3},
        "features": [at(i + 6)],
    }
    made.probe["controls"] = [{"pattern": at(i + 7), "asr": 0.02, "count": 5, "hits": 1} for _ in range(3)]
    return made
