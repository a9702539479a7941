"""The report's view of shortcuts: attributes of a response that win or lose, whatever stands in it, with intervals.

Read from the tables of the check of shortcuts: over all pairs, and of single sources and annotators those that differ
from the others. Attributes come by how far their worst interval lies from 50%, and within one all pairs first, then its
other scopes in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from audit.report.excerpt import short
from audit.report.figures import number
from audit.report.groups import Shortcut
from audit.report.read import Inputs

CHECK, SUBJECT = "preference_shortcut", "shortcuts"
MAX_SHORTCUTS = 60
ALL = "all"  # the scope of all pairs
MAX_Q = 0.01  # of a source or annotator that is shown


def shortcuts(data: Inputs) -> tuple[tuple[Shortcut, ...], int]:
    """The shortcuts, worst attribute first, and how many more there are."""
    mine = data.findings.filter((pl.col("check") == CHECK) & (pl.col("subject") == SUBJECT))
    found = [
        made
        for details in mine["details"].to_list()
        for entry in _entries(details)
        if (made := _shortcut(entry)) is not None
    ]
    found = [s for s in found if s.scope == ALL or s.q_value is None or s.q_value < MAX_Q]
    worst: dict[str, tuple[float, float]] = {}
    for each in found:
        worst[each.attribute] = max(worst.get(each.attribute, (0.0, 0.0)), _weight(each))
    found.sort(key=lambda s: (_falling(worst[s.attribute]), s.attribute, s.scope != ALL, _falling(_weight(s)), s.scope))
    return tuple(found[:MAX_SHORTCUTS]), max(len(found) - MAX_SHORTCUTS, 0)


def _weight(shortcut: Shortcut) -> tuple[float, float]:
    return shortcut.distance, abs(shortcut.share - 0.5)


def _falling(weight: tuple[float, float]) -> tuple[float, float]:
    return -weight[0], -weight[1]


def _entries(details: str | None) -> list[Any]:
    try:
        raw = json.loads(details or "{}")
    except (ValueError, RecursionError):
        return []
    tables = [raw.get("table"), raw.get("strata")] if isinstance(raw, dict) else []
    return [entry for table in tables if isinstance(table, list) for entry in table]


def _shortcut(entry: Any) -> Shortcut | None:
    """None for an entry without its figures."""
    if not isinstance(entry, Mapping):
        return None
    pairs, share, low, high = (
        _first(entry, *keys) for keys in (("pairs", "cases"), ("share", "rate"), ("low",), ("high",))
    )
    if pairs is None or share is None or low is None or high is None or not 0 <= low <= high <= 1:
        return None
    scope = " ".join(str(entry[key]) for key in ("by", "name") if entry.get(key))
    adjusted = entry.get("adjusted")
    return Shortcut(
        attribute=short(str(entry.get("attribute") or entry.get("side") or entry.get("shortcut") or "")),
        scope=short(str(entry.get("scope") or scope or ALL)),
        pairs=round(pairs),
        share=share,
        low=low,
        high=high,
        adjusted=number(adjusted, "rate") if isinstance(adjusted, Mapping) else None,
        q_value=number(entry, "q"),
    )


def _first(entry: Mapping[str, Any], *keys: str) -> float | None:
    """The first of these figures that the entry has."""
    return next((value for key in keys if (value := number(entry, key)) is not None), None)
