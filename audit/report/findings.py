"""`Export` -> report/findings.jsonl: one finding a line, by the published schema docs/findings-schema.json.

A finding is about a trigger, an annotator, a cluster or the set; what is about single rows stands in
verdicts.parquet and signals/. Findings of triggers carry the trigger's figures and its proof.
"""

from __future__ import annotations

import json
from typing import Any

from audit.report.exports import Export, Item, Place, TriggerFacts
from audit.text import safe_text

SCHEMA = "tunevet.finding/1"
_TEXT = 2_000  # characters of any one string


def render(export: Export) -> bytes:
    """ASCII JSON lines with sorted keys, the most severe finding first."""
    return b"".join(line(export, item) for item in export.items)


def line(export: Export, item: Item) -> bytes:
    """One finding as a line."""
    text = json.dumps(record(export, item), sort_keys=True, ensure_ascii=True, allow_nan=False)
    return text.encode("ascii") + b"\n"


def record(export: Export, item: Item) -> dict[str, Any]:
    """One finding as the schema names it. Text has its invisible characters spelled out."""
    return {
        "schema": SCHEMA,
        "id": item.id,
        "code": item.code,
        "check": item.check,
        "title": item.title,
        "subject": safe_text(item.subject, _TEXT),
        "severity": str(item.severity),
        "score": item.score,
        "q_value": item.q_value,
        "text": safe_text(item.text, _TEXT),
        "rows": list(item.rows),
        "places": [place(export, p) for p in item.places],
        "details": item.details,
        "trigger": None if item.trigger is None else trigger(item.trigger, export.redacted),
        "dataset": safe_text(export.report.dataset.name, _TEXT),
        "input": export.report.dataset.fingerprint,
        "version": export.report.version,
        "redacted": export.redacted,
    }


def place(export: Export, where: Place) -> dict[str, Any]:
    """Where a row stands: `line` in formats of lines, `record` in the others, both 1-based."""
    return {
        "row": where.row,
        "content_hash": where.content_hash or None,
        "file": safe_text(export.files[where.file].path, _TEXT) if export.files else "",
        "line": where.line,
        "record": where.ordinal if where.line is None else None,
    }


def trigger(facts: TriggerFacts, redacted: bool) -> dict[str, Any]:
    """A trigger's figures; under redaction without pattern, parts and reason."""
    return {
        "id": facts.id,
        "status": facts.status,
        "kind": facts.kind,
        "looks_honest": facts.looks_honest,
        "pattern": None if redacted else safe_text(facts.pattern, _TEXT),
        "parts": None if redacted else [safe_text(part, _TEXT) for part in facts.parts],
        "pattern_sha256": facts.pattern_sha256,
        "pattern_characters": facts.pattern_characters,
        "pattern_classes": facts.pattern_classes,
        "behavior": safe_text(facts.behavior, _TEXT),
        "rows": facts.rows,
        "share": facts.share,
        "reason": None if redacted else safe_text(facts.reason, _TEXT),
        "statistics": facts.statistics,
        "proof": facts.proof,
    }
