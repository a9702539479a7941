"""Values of records as JSON may hold them: finite numbers, text of bounded length, lists of bounded length."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from audit.text import safe_text

_TEXT = 500  # characters
_LIST = 200  # entries


def finite_number(value: float | None) -> float | None:
    """The value, or None where it is missing, NaN or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def numbers_and_text(value: Any) -> Any:
    """A value of a JSON file of ours: what is not finite becomes None, text is spelled out and cut, lists are cut."""
    if isinstance(value, float):
        return finite_number(value)
    if isinstance(value, str):
        return safe_text(value, _TEXT)
    if isinstance(value, Mapping):
        return {safe_text(str(k), _TEXT): numbers_and_text(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [numbers_and_text(v) for v in value[:_LIST]]
    return value if value is None or isinstance(value, (bool, int)) else safe_text(str(value), _TEXT)


def fingerprint(text: str) -> str:
    """Hex SHA-256 of a text, lone surrogates included: equal texts can be told to be equal without being shown."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def classes(text: str) -> dict[str, int]:
    """How many characters of each Unicode general category a text holds, categories in alphabetical order.

    >>> classes("Bad\u200bMagic")
    {'Cf': 1, 'Ll': 6, 'Lu': 2}
    """
    return dict(sorted(Counter(unicodedata.category(c) for c in text).items()))
