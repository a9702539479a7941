"""The report's view of preferences that run in circles: groups of responses that cannot all be ordered as they are,
with the rows of each and which of them the smallest repair leaves out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from audit.report.excerpt import excerpt, short
from audit.report.groups import Circle
from audit.report.read import Inputs
from audit.report.record import Text
from audit.report.rows import example

CHECK = "preference_cycles"
MAX_CIRCLES = 20
_ROWS = 8  # of a group, the ones to leave out first
_BYTES = 260
_GROUP = re.compile(r"(?:contradiction|cycle) [0-9a-f]+")


def circles(data: Inputs) -> tuple[tuple[Circle, ...], Text | None]:
    """The groups with the most rows, and what the check says of all of them; None where it found none."""
    mine = data.findings.filter(pl.col("check") == CHECK).to_dicts()
    groups = [record for record in mine if _GROUP.fullmatch(record["subject"])]
    said = next((record["text"] for record in mine if record["subject"] == "all cycles"), None)
    groups.sort(key=lambda record: (-(record["score"] or 0.0), record["subject"]))
    made = tuple(_circle(data, record) for record in groups[:MAX_CIRCLES])
    return made, None if said is None else excerpt(said, (), 800)


def _circle(data: Inputs, record: Mapping[str, Any]) -> Circle:
    details = json.loads(record["details"] or "{}")
    drop, even = ({row for row in details.get(key) or () if isinstance(row, int)} for key in ("drop", "even"))
    rows = [row for row in record["rows"] or () if row in data.by_row]
    shown = sorted(rows, key=lambda row: (row not in drop, row not in even, row))[:_ROWS]
    texts = data.texts(shown)
    return Circle(
        subject=short(record["subject"]),
        text=excerpt(record["text"] or "", (), 400),
        rows=int(details.get("rows") or len(rows)),
        members=tuple(example(data, texts, row, budget=_BYTES) for row in shown),
        drop=tuple(sorted(drop.intersection(shown))),
        even=tuple(sorted(even.intersection(shown))),
    )
