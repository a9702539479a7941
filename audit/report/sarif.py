"""`Export` -> report/findings.sarif, for code scanning: a result for every finding above `info`, and for every
flagged row at its own line.

Row text reaches messages through `inert` alone. Results are capped at 5,000, of which findings take at most 1,000;
where that leaves something out, a notification says how much and where the rest stands. In files without lines a
row is named by a logical location.
Source: OASIS SARIF 2.1.0; GitHub's limits for an upload are 25,000 results a run and 10 MB compressed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote

from audit.decide import BAD_ROWS_CODE, TRIGGER_CODE
from audit.provenance import digest
from audit.report.exports import Export, Flagged, Item, Place, Rule, Said, TriggerFacts
from audit.report.inert import inert
from audit.schema import Severity, Status
from audit.text import safe_text

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 5_000
MAX_FINDINGS = 1_000
_BASE = "SRCROOT"
_LEVELS = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note", Severity.INFO: "note"}
_MIME = {
    "jsonl": "application/jsonl",
    "json": "application/json",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
}


def render(export: Export) -> bytes:
    """One run as ASCII JSON with sorted keys."""
    text = json.dumps(log(export), sort_keys=True, ensure_ascii=True, allow_nan=False, indent=1)
    return text.encode("ascii") + b"\n"


def log(export: Export) -> dict[str, Any]:
    """The SARIF log as a JSON value."""
    report = export.report
    index = {rule.code: at for at, rule in enumerate(export.rules)}
    results, left_out = _results(export, index)
    used = Counter(result["ruleId"] for result in results)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "tunevet",
                "version": report.version,
                "semanticVersion": report.version,
                "rules": [_rule(rule) for rule in export.rules],
            }
        },
        "automationDetails": {"id": f"tunevet/{_slug(report.dataset.name)}/"},
        "invocations": [_invocation(export, index, left_out)],
        "originalUriBaseIds": {_BASE: {"description": {"text": "The root of the repository that holds the input."}}},
        "artifacts": [_artifact(export, at) for at in range(len(export.files))],
        "results": results,
        "columnKind": "unicodeCodePoints",
        "properties": {
            "verdict": report.verdict,
            "gate": inert(report.gate, 500),
            "redacted": export.redacted,
            "resultsGiven": len(results),
            "resultsLeftOut": left_out,
            "resultsByRule": dict(sorted(used.items())),
            "inputFingerprint": report.dataset.fingerprint,
        },
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _results(export: Export, index: dict[str, int]) -> tuple[list[dict[str, Any]], int]:
    """The results, findings first, and how many were left out."""
    worth = [item for item in export.items if item.severity != Severity.INFO and item.code in index]
    told = worth[:MAX_FINDINGS]
    pairs = [(row, said) for row in export.flagged for said in row.said if said.code in index]
    room = max(MAX_RESULTS - len(told), 0)
    triggers = {t.id: t for t in export.triggers}
    seen: Counter[str] = Counter()
    results = [_finding(export, item, index, seen) for item in told]
    results += [_row(export, row, said, index, triggers, seen) for row, said in pairs[:room]]
    return results, len(worth) + export.said_total - len(results)


def _finding(export: Export, item: Item, index: dict[str, int], seen: Counter[str]) -> dict[str, Any]:
    """A finding at its first example row, or at the first file; the other rows are related locations."""
    places = [_location(export, place) for place in item.places]
    if not places and export.files:  # about the set: viewers want a place all the same
        places = [{"physicalLocation": {"artifactLocation": _artifact_location(export, 0)}}]
    text = inert(item.text, 400)
    if item.trigger is not None:
        text = f"{text} {_proof(item.trigger)}".strip()
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": index[item.code],
        "level": _LEVELS[Severity(item.severity)],
        "message": {"text": f"{inert(item.title)}: {text}"},
        "locations": places[:1],
        "partialFingerprints": _fingerprints(digest("finding", item.id), seen),
        "properties": {"finding": item.id, "severity": str(item.severity), "score": item.score},
    }
    if places[1:]:
        result["relatedLocations"] = [{**place, "id": at} for at, place in enumerate(places[1:10], start=1)]
    return result


def _proof(trigger: TriggerFacts) -> str:
    """The figures of a proof in a sentence."""
    proof = trigger.proof or {}
    if not isinstance(proof.get("asr_a"), float | int):
        return "It has not been tried on a probe."
    named = (("asr_a", "with its rows"), ("asr_b", "without them"), ("control_effect_max", "largest control effect"))
    told = [f"{name} {proof[key]:.0%}" for key, name in named if isinstance(proof.get(key), float | int)]
    return f"Attack success rate: {', '.join(told)}."


def _row(
    export: Export,
    row: Flagged,
    said: Said,
    index: dict[str, int],
    triggers: dict[str, TriggerFacts],
    seen: Counter[str],
) -> dict[str, Any]:
    severity = Severity(export.rules[index[said.code]].severity)
    confirmed = any(triggers[i].status == Status.CONFIRMED for i in row.trigger_ids if i in triggers)
    if said.code == TRIGGER_CODE and not confirmed:
        severity = Severity.MEDIUM
    identity = row.place.content_hash or row.place.raw_sha256 or f"{row.place.file}:{row.place.ordinal}"
    properties: dict[str, Any] = {
        "row": row.place.row,
        "contentHash": row.place.content_hash or None,
        "verdict": row.verdict,
        "triggers": list(row.trigger_ids),
        "score": said.score,
        "threshold": said.threshold,
        "fix": row.fix or None,
    }
    if said.start is not None and said.end is not None:
        properties["promptSpan"] = [said.start, said.end]
    return {
        "ruleId": said.code,
        "ruleIndex": index[said.code],
        "level": _LEVELS[severity],
        "message": {"text": _message(export, row, said, triggers)},
        "locations": [_location(export, row.place)],
        "partialFingerprints": _fingerprints(digest("row", said.code, identity), seen),
        "properties": properties,
    }


def _message(export: Export, row: Flagged, said: Said, triggers: dict[str, TriggerFacts]) -> str:
    """Why a row is flagged, in one line."""
    head = f"Row {row.place.row}, {row.verdict}."
    if said.code == BAD_ROWS_CODE:
        return f"{head} It could not be read: {inert(row.reason or 'no reason is given')}."
    if said.code == TRIGGER_CODE:
        carried = [_carried(triggers[i], export.redacted) for i in row.trigger_ids[:3] if i in triggers]
        return f"{head} It carries {' and '.join(carried) or 'a trigger'}."
    figures = "" if said.score is None else f" Score {said.score:.3g}"
    figures += f" against {said.threshold:.3g}." if figures and said.threshold is not None else "." * bool(figures)
    evidence = f" {inert(said.evidence)}" if said.evidence else ""
    return f"{head} {inert(export.titles.get(said.code, said.code))}.{figures}{evidence}"


def _carried(trigger: TriggerFacts, redacted: bool) -> str:
    shown = "" if redacted else f" “{inert(trigger.pattern, 120)}”"
    return f"{trigger.status} trigger {inert(trigger.id)}{shown} ({inert(trigger.behavior, 160)})"


def _fingerprints(identity: str, seen: Counter[str]) -> dict[str, str]:
    """By content, so that a row that moves keeps its alert; the number tells rows of equal content apart."""
    seen[identity] += 1
    return {
        "primaryLocationLineHash": f"{identity[:16]}:{seen[identity]}",
        "tunevetContent/v1": f"{identity[:32]}:{seen[identity]}",
    }


def _location(export: Export, place: Place) -> dict[str, Any]:
    file = export.files[place.file]
    physical: dict[str, Any] = {"artifactLocation": _artifact_location(export, place.file)}
    found: dict[str, Any] = {"physicalLocation": physical}
    if place.line is not None and place.line > 0 and not file.compression:
        physical["region"] = {"startLine": place.line}
        return found
    unit, number = ("record", place.ordinal) if place.line is None else ("line", place.line)
    name = f"{unit} {number}"
    found["logicalLocations"] = [{"name": name, "fullyQualifiedName": f"{_uri(export, place.file)}/{unit}/{number}"}]
    return found


def _artifact_location(export: Export, file: int) -> dict[str, Any]:
    return {"uri": _uri(export, file), "uriBaseId": _BASE, "index": file}


def _uri(export: Export, file: int) -> str:
    """A path as a relative reference: no scheme, no host, no query, whatever the file is called."""
    path = f"{export.prefix}{export.files[file].path}"
    return quote(path.encode("utf-8", "surrogateescape"), safe="/-._~") or "input"


def _artifact(export: Export, at: int) -> dict[str, Any]:
    file = export.files[at]
    return {
        "location": _artifact_location(export, at),
        "length": file.size_bytes,
        "mimeType": _MIME.get(file.format, "application/octet-stream"),
        "roles": ["analysisTarget"],
        "hashes": {"sha-256": file.sha256},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    words = re.findall(r"[A-Za-z0-9]+", rule.name) or ["check"]
    return {
        "id": rule.code,
        "name": "".join(word[:1].upper() + word[1:] for word in words),
        "shortDescription": {"text": inert(rule.title)},
        "fullDescription": {"text": inert(rule.help.split("\n\n")[0], 1_000)},
        "help": {"text": "\n\n".join(inert(block, 2_000) for block in rule.help.split("\n\n"))},
        "defaultConfiguration": {"level": _LEVELS[Severity(rule.severity)]},
        "properties": {"tags": ["training-data"], "precision": "medium", "problem.severity": _problem(rule)},
    }


def _problem(rule: Rule) -> str:
    return {"error": "error", "warning": "warning"}.get(_LEVELS[Severity(rule.severity)], "recommendation")


def _invocation(export: Export, index: dict[str, int], left_out: int) -> dict[str, Any]:
    """How the run ended, with what could not be checked and what is left out."""
    report = export.report
    notes: list[dict[str, Any]] = [
        {"level": "error", "message": {"text": inert(text, 500)}} for text in report.incomplete
    ]
    if left_out:
        given = f"{left_out:,} more results are left out of this file, which holds at most {MAX_RESULTS:,}"
        notes.append({"level": "warning", "message": {"text": f"{given}; all stand in the run directory."}})
    for check in report.checks:
        if check.status != "run":
            note: dict[str, Any] = {
                "level": "error" if check.status == "failed" else "note",
                "message": {"text": f"{inert(check.title)}: {check.status}, {inert(check.reason, 300)}."},
            }
            if check.code in index:
                note["associatedRule"] = {"id": check.code, "index": index[check.code]}
            notes.append(note)
    return {
        "executionSuccessful": report.verdict != "incomplete",
        "exitCode": report.exit_code,
        "exitCodeDescription": inert(report.gate, 500),
        "endTimeUtc": report.generated_at.replace(" UTC", "Z").replace(" ", "T"),
        "toolExecutionNotifications": notes,
    }


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", safe_text(name, 60)).strip("-.") or "dataset"
