"""`Report` -> JSON for machines: the whole record, row text as strings with invisible characters spelled out."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from audit.report.record import Report, Text


def render(report: Report) -> bytes:
    """The record as ASCII JSON with sorted keys; `schema_version` says how to read it."""
    text = json.dumps(plain(report), sort_keys=True, ensure_ascii=True, allow_nan=False, indent=1)
    return text.encode("ascii") + b"\n"


def plain(value: Any) -> Any:
    """Records as dictionaries; a Text as its visible string and its length before clipping."""
    if isinstance(value, Text):
        return {"text": value.plain, "characters": value.total, "shown": value.shown}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value
