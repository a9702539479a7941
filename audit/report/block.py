"""The data block of the HTML report: what its script shows and what a decision needs, as JSON.

The script keys a reader's decisions by `key`, a digest of the input's fingerprint and of everything in the report that
can be decided. The same run rendered again has the same key, so decisions in a browser survive it; another run, or
another verdict, has another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from audit.provenance import digest
from audit.report.excerpt import visible
from audit.report.record import Example, Field, Map, Report, RowCard, Score, Sides, Text
from audit.schema import Status

DECISION = "tunevet.decision/1"
_VALUES = 100  # of a column that rows can be filtered by
_VERDICTS = ["keep", "review", "remove", "unreadable"]
# "<!--" and "</script" cannot stand in a data block, nor can the two separators that old engines end lines at.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&'\u2028\u2029"}


def data_block(report: Report) -> str:
    """What the script shows, as JSON that cannot end its script element."""
    return _embed(
        {
            "schema": DECISION,
            "key": key(report),
            "run": report.run,
            "input": report.dataset.fingerprint,
            "kind": report.dataset.kind,
            "extension": report.dataset.extension,
            "labels": report.dataset.labels,
            "editable": report.editable,
            "rows": [_row(card) for card in report.rows],
            "points": _points(report.map),
            "checks": {c.code: [c.title, c.severity] for c in report.checks if c.code},
            "groups": groups(report),
            "people": [person.name for person in report.annotators],
            "scoring": sum(c.status == "run" and c.scored > 0 for c in report.checks),
            "triggers": {
                t.id: [index, t.pattern.plain[:160], t.status, t.rows, t.can_strip]
                for index, t in enumerate(t for t in report.triggers if t.status != Status.REFUTED)
            },
        }
    )


def embed_exact(value: Any) -> str:
    """ASCII JSON for a script element of a data type, for values that must come back as they are."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _embed(value: Any) -> str:
    """JSON for a script element of a data type: invisible characters spelled out, nothing that HTML would read."""
    text = json.dumps(_visible(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES)


def key(report: Report) -> str:
    """16 hex digits that say which input, and which rows and triggers with which verdicts, the report asks about."""
    rows = [[card.content_hash, card.verdict, card.fix_kind] for card in report.rows]
    triggers = [[t.id, t.status] for t in report.triggers]
    return digest({"input": report.dataset.fingerprint, "rows": rows, "triggers": triggers})[:16]


def groups(report: Report) -> dict[str, list[str]]:
    """The values that the rows can be filtered by, in order of first appearance; annotators as in their table."""
    return {
        "trigger": [t.id for t in report.triggers if t.status != Status.REFUTED],
        "check": _distinct(code for row in report.rows for code in row.codes),
        "severity": [s for s in ("high", "medium", "low", "info") if any(row.severity == s for row in report.rows)],
        "label": _distinct(row.label for row in report.rows)[:_VALUES],
        "source": _distinct(row.source for row in report.rows)[:_VALUES],
        "annotator": _annotators(report)[:_VALUES],
    }


def _annotators(report: Report) -> list[str]:
    """The annotators of the rows, those of the table of annotators first, so that each of them can be filtered by."""
    rows = _distinct(row.annotator for row in report.rows)
    listed = {person.name: at for at, person in enumerate(report.annotators)}
    return sorted(rows, key=lambda name: listed.get(name, len(listed)))


def _distinct(values: Iterable[str | None]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value is not None]


def _points(picture: Map) -> list[list[Any]]:
    """A point as [x, y, row, index of its verdict, text]."""
    return [[p.x, p.y, p.row, _VERDICTS.index(p.verdict), _text(p.text)] for p in picture.points]


def _row(card: RowCard) -> dict[str, Any]:
    return {
        "rank": card.rank,
        "row": card.row,
        "hash": card.content_hash,
        "verdict": card.verdict,
        "severity": card.severity,
        "score": None if card.score is None else round(card.score, 4),
        "codes": card.codes,
        "triggers": card.trigger_ids,
        "fields": [_field(f) for f in card.fields],
        "label": card.label,
        "annotator": card.annotator,
        "source": card.source,
        "place": card.place,
        "why": [_text(sentence) for sentence in card.why],
        "scores": [_score(s) for s in card.scores],
        "fix": card.fix,
        "kind": card.fix_kind,
        "value": None if card.new_value is None else _text(card.new_value),
        "near": [_example(e) for e in card.neighbours],
        "sides": None if card.sides is None else _sides(card.sides),
    }


def _sides(sides: Sides) -> dict[str, Any]:
    """What is known of a pair; a response of a list as [rank, side, text]."""
    return {
        "asked": _text(sides.asked),
        "fold": sides.fold,
        "facts": list(sides.facts),
        "swap": sides.can_swap,
        "ranking": [[each.rank, each.side, _text(each.text)] for each in sides.ranking],
        "listed": sides.listed,
    }


def _score(score: Score) -> list[Any]:
    threshold = None if score.threshold is None else float(f"{score.threshold:.4g}")
    return [score.title, score.code, round(score.value, 4), threshold, round(score.below, 4), score.flagged]


def _example(example: Example) -> dict[str, Any]:
    return {
        "row": example.row,
        "similarity": None if example.similarity is None else round(example.similarity, 3),
        "label": example.label,
        "verdict": example.verdict,
        "fields": [_field(f) for f in example.fields],
    }


def _field(field: Field) -> list[Any]:
    """[name, role, text], and the whole text where the report holds it."""
    return [field.name, field.role, _text(field.text), *([_text(field.whole)] if field.whole else [])]


def _text(text: Text) -> list[Any]:
    """[pieces, characters shown, characters in all, offset]; a plain piece is a string, another [text, mark]."""
    pieces = [p.text if not p.mark else [p.text, p.mark] for p in text.pieces]
    return [pieces, text.shown, text.total, text.offset]


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, (list, tuple)):
        return [_visible(v) for v in value]
    if isinstance(value, dict):
        return {visible(str(k)): _visible(v) for k, v in value.items()}
    return value
