"""Numbers of a run as the report says them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def percent(share: float | None) -> str:
    """A share for a person: 51%, 0.4%, under 0.1%."""
    if share is None:
        return "not measured"
    value = share * 100
    if value == 0 or value >= 99.95 or abs(value - round(value)) < 1e-9:
        return f"{value:.0f}%"
    return "under 0.1%" if value < 0.1 else f"{value:.1f}%"


def number(values: Mapping[str, Any], key: str) -> float | None:
    """A finite number of a mapping, else None."""
    value = values.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)
