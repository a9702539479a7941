"""The report's view of characters: every channel that the checks of raw text found, with its code points.

Code points are counted in the first rows of a finding alone, so that the cost does not grow with the data.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from audit.report.excerpt import Span, excerpt, name_of, short
from audit.report.groups import Channel, CodePoint
from audit.report.read import Inputs
from audit.report.record import Example
from audit.report.rows import example
from audit.schema import Severity
from audit.text import is_invisible

CHECKS = ("unicode_anomaly", "whitespace_anomaly", "hidden_channel", "role_tags")
MAX_CHANNELS = 40
_LOOKED = 50  # rows of a finding whose characters are counted
_POINTS = 8
_EXAMPLES = 3
_EXAMPLE_BYTES = 320
_CHARS = 20_000  # of each text that is looked at


def channels(data: Inputs) -> tuple[Channel, ...]:
    """Findings about characters and hidden text, most severe first, then most rows."""
    mine = data.findings.filter(pl.col("check").is_in(CHECKS))
    found = [_channel(data, record) for record in mine.head(MAX_CHANNELS).iter_rows(named=True)]
    order = [str(s) for s in Severity][::-1]
    return tuple(sorted(found, key=lambda c: (order.index(c.severity), -c.rows, c.name)))


def _channel(data: Inputs, record: Mapping[str, Any]) -> Channel:
    rows = [row for row in record["rows"] or [] if row in data.by_row]
    details = json.loads(record["details"] or "{}")
    count = int(details.get("rows") or len(rows))
    looked = rows[:_LOOKED]
    severity = record["severity"] if record["severity"] in set(Severity) else str(Severity.INFO)
    return Channel(
        name=short(record["subject"]),
        check=record["check"],
        code=record["code"] or "",
        severity=severity,
        style=bool(details.get("house_style")),
        rows=count,
        share=count / max(data.info.readable, 1),
        text=excerpt(record["text"] or "", (), 400),
        points=_points(data.texts(looked).values()),
        looked=len(looked),
        examples=_examples(data, record["check"], rows),
    )


def _points(records: Iterable[Mapping[str, Any]]) -> tuple[CodePoint, ...]:
    """The characters that cannot be seen, and how often each stands in these rows."""
    counts: Counter[str] = Counter()
    for record in records:
        for field in ("prompt", "response", "rejected"):
            text = (record[field] or "")[:_CHARS]
            if not text.isascii() or not text.isprintable():
                counts.update(c for c in text if is_invisible(c))
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_POINTS]
    return tuple(CodePoint(f"U+{ord(c):04X}", unicodedata.name(c, name_of(c)).lower(), n) for c, n in most)


def _examples(data: Inputs, check: str, rows: list[int]) -> tuple[Example, ...]:
    """The first rows, cut around the span that the check points at."""
    chosen = rows[:_EXAMPLES]
    spans = _spans(data, check, chosen)
    texts = data.texts(chosen)
    return tuple(example(data, texts, row, budget=_EXAMPLE_BYTES, spans=spans.get(row, ())) for row in chosen)


def _spans(data: Inputs, check: str, rows: list[int]) -> dict[int, list[Span]]:
    signals = next((s for s in data.signals if s.check.name == check), None)
    if signals is None:
        return {}
    found = signals.frame.filter(pl.col("row").is_in(rows) & pl.col("start").is_not_null())
    return {row: [(start, end)] for row, start, end in found.select("row", "start", "end").iter_rows()}
