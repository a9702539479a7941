"""One JSON object, read strictly: what two readers could understand differently is refused.

Python's own C scanner does the work; hooks refuse duplicate keys at any depth, non-finite numbers and integers
beyond 64 bits, and keep the source text of numbers. Lone surrogates are looked for only where an escape could
have made one, and depth only where there are brackets enough.

Source: RFC 8259 sections 4 (names should be unique), 6 (numbers) and 8.2 (unpaired surrogates): each calls the
behaviour of readers that meet them unpredictable.
Misses: escapes that spell the same text (\\u0041 for A) are equal to every reader and pass.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from audit.config import IngestConfig
from audit.sources.record import Number, Reason, RowError

_SPACE = " \t\r\n"
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class ObjectParser:
    """Parses the bytes of one record to a dict, under the caps of an IngestConfig."""

    def __init__(self, limits: IngestConfig) -> None:
        self._max_depth = limits.max_depth
        self._max_keys = limits.max_keys
        decoder: Any = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
        self._scan = decoder.scan_once

    def __call__(self, raw: bytes) -> dict[str, Any]:
        """Raises RowError with the reason and the position."""
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise RowError(Reason.INVALID_UTF8, f"byte {error.start} of the record is not UTF-8") from None
        start = 0 if text[:1] == "{" else len(text) - len(text.lstrip(_SPACE))
        value = self._value(text, start)
        if type(value) is not dict:
            raise RowError(Reason.NOT_AN_OBJECT, "the record is valid JSON but not an object")
        if raw.count(b"{") + raw.count(b"[") > self._max_depth and _depth(value) > self._max_depth:
            raise RowError(Reason.TOO_DEEP, f"the record nests deeper than {self._max_depth} levels")
        if b"\\u" in raw and _SURROGATE_ESCAPE.search(raw) and _has_surrogate(value):
            raise RowError(Reason.LONE_SURROGATE, "the record holds half of a surrogate pair, which is no character")
        return value

    def _value(self, text: str, start: int) -> Any:
        try:
            value, end = self._scan(text, start)
        except StopIteration as stop:
            raise RowError(Reason.NOT_JSON, f"no JSON value at character {stop.value} of the record") from None
        except json.JSONDecodeError as error:
            where = f"{error.msg.rstrip(': ')} at character {error.pos} of the record"
            raise RowError(Reason.NOT_JSON, where) from None
        except RecursionError:
            raise RowError(Reason.TOO_DEEP, f"the record nests deeper than {self._max_depth} levels") from None
        if end != len(text) and text[end:].strip(_SPACE):
            raise RowError(Reason.TRAILING_DATA, f"more text after the value, from character {end} of the record")
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise RowError(Reason.DUPLICATE_KEY, "a key stands twice in one object; readers keep different ones")
        if len(pairs) > self._max_keys:
            raise RowError(Reason.TOO_MANY_KEYS, f"an object has {len(pairs)} keys, the cap is {self._max_keys}")
        return value


def _integer(text: str) -> Number:
    # Beyond 64 bits some readers round to a double, some keep the value and some refuse the whole file.
    if len(text) > 300:
        _number(text)
    if len(text) > 18 and not (len(text) < 21 and _LEAST <= int(text) <= _MOST):
        raise RowError(Reason.INTEGER_TOO_LARGE, "an integer does not fit 64 bits; readers round it differently")
    return Number(text)


def _number(text: str) -> Number:
    # Only an exponent or hundreds of digits can pass the range of a double.
    if (len(text) > 300 or "e" in text or "E" in text) and not math.isfinite(float(text)):
        raise RowError(Reason.NON_FINITE_NUMBER, "a number is beyond the range of a double")
    return Number(text)


def _constant(text: str) -> Any:
    raise RowError(Reason.NON_FINITE_NUMBER, f"{text} is not a JSON number")


def _depth(value: Any) -> int:
    """Nesting depth; a flat object has depth 1. Iterative: hostile input must not exhaust the stack."""
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, (dict, list)):
            deepest = max(deepest, depth)
            stack += [(child, depth + 1) for child in (item.values() if isinstance(item, dict) else item)]
    return deepest


def _has_surrogate(value: Any) -> bool:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if any("\ud800" <= char <= "\udfff" for char in item):
                return True
        elif isinstance(item, dict):
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            stack += item
    return False


_escape = json.encoder.encode_basestring


def dumps(value: Any) -> str:
    """Compact JSON with sorted keys. Numbers are written as their source text; what JSON has no word for
    (bytes, dates) as text."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return _escape(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{_escape(str(k))}:{dumps(value[k])}" for k in sorted(value, key=str)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, bytes):
        return _escape(value.hex())
    return _escape(str(value))
