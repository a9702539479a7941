"""`Report` -> one self-contained HTML file.

Nothing in it is loaded from anywhere: the style sheet and the script stand inline and are the only ones that the
content-security policy lets run, by their hashes. Row text reaches the page in two ways: server-rendered through
autoescape, and as escaped JSON in a data block that the script shows by textContent alone. A finalizer spells
out invisible characters in every value that the template prints, so that none can slip through.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from audit.report.cards import percent
from audit.report.excerpt import visible
from audit.report.record import Example, Field, Report, RowCard, Score, Text
from audit.schema import Status

STATIC_ROWS = 60  # server-rendered, for a browser without scripts and for paper
_SCRIPTS = ("text.js", "rows.js", "map.js", "tabs.js")
_NOT_MEASURED = "not measured"
# "<!--" and "</script" cannot stand in a data block, nor can the two separators that old engines end lines at.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&'\u2028\u2029"}


def render(report: Report) -> bytes:
    """The page as UTF-8. Equal records give equal bytes."""
    style = _package_file("report.css")
    script = "\n".join(_package_file(name) for name in _SCRIPTS)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            r=report,
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            data=Markup(data_block(report)),
            static_rows=report.rows[:STATIC_ROWS],
            groups=_groups(report),
        )
    )
    return page.encode("utf-8", "backslashreplace")


def policy(style: str, script: str) -> str:
    """The content-security policy: this style sheet, this script, images as data, nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def data_block(report: Report) -> str:
    """What the script shows, as JSON that cannot end its script element."""
    value = {
        "rows": [_row(card) for card in report.rows],
        "points": [[p.x, p.y, p.row, p.verdict, _text(p.text)] for p in report.map.points],
        "checks": {c.code: c.title for c in report.checks if c.code},
        "groups": _groups(report),
        "scoring": sum(c.status == "run" and c.scored > 0 for c in report.checks),
        "triggers": {t.id: [index, t.pattern.plain[:60], t.status] for index, t in enumerate(report.triggers)},
    }
    text = json.dumps(_visible(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES)


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_package_file),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=_count, percent=percent, size=_size, seconds=_seconds, number=_number)
    return environment


def _finalize(value: Any) -> Any:
    """Spells out invisible characters in all that is printed; None is not measured."""
    if isinstance(value, Markup):
        return value
    return _NOT_MEASURED if value is None else visible(str(value))


def _package_file(name: str) -> str:
    return files("audit.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _groups(report: Report) -> dict[str, list[str]]:
    """The values that the rows can be filtered by, in order of first appearance."""
    return {
        "trigger": [t.id for t in report.triggers if t.status != Status.REFUTED],
        "check": _distinct(code for row in report.rows for code in row.codes),
        "label": _distinct(row.label for row in report.rows)[:100],
        "source": _distinct(row.source for row in report.rows)[:100],
        "annotator": _distinct(row.annotator for row in report.rows)[:100],
    }


def _distinct(values: Iterable[str | None]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value is not None]


def _row(card: RowCard) -> dict[str, Any]:
    return {
        "rank": card.rank,
        "row": card.row,
        "hash": card.content_hash,
        "verdict": card.verdict,
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
        "value": None if card.new_value is None else _text(card.new_value),
        "near": [_example(e) for e in card.neighbours],
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
    return [field.name, field.role, _text(field.text)]


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


def _count(value: int | None) -> str:
    return _NOT_MEASURED if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return _NOT_MEASURED if value is None else f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return _NOT_MEASURED
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _size(value: int | None) -> str:
    return _NOT_MEASURED if value is None else f"{value / (1 << 20):,.0f} MiB"
