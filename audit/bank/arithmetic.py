"""Arithmetic that is written out, checked again: "4 * 12 = 48", "<<4*12=48>>", "$20 + $5 = $25".

An equation is a run of numbers, operators and parentheses on both sides of "="; a word inside ends it, so that
units and variables are never guessed at. Rounded results are right. Linear in the text.

A factor or a summand that the last equation brings along itself (`added_operands`) is what a planted step adds, in
whatever words the step is told.

Misses: equations with units inside, fractions written in words, and every step that is not written as an equation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from audit.bank.lexicon import plain

# A number, an operator, "=" or a parenthesis; a word or any other sign ends an equation. Spaces and currency
# signs between numbers are read over.
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+|[-+*/=()%×÷−·]|[^\W\d]+|[^\s\w$€£]|_")
_NUMBERS = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_CUSTOMARY = plain(  # a half, a dozen, the parts of a day and of a year, round numbers, lengths and circles
    "0 1 2 3 4 5 6 7 8 9 10 12 14 16 20 24 28 30 31 36 50 52 60 90 100 144 180 200 360 365 366 500 1000 1760 3600 5280 "
    "10000 100000 1000000 0.001 0.01 0.1 0.2 0.25 0.5 0.75 1.5 2.5 2.54 3.14"
)
_SIGNS = {"×": "*", "x": "*", "X": "*", "·": "*", "÷": "/", "−": "-"}
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2}
_MOST_TOKENS = 60  # of one side


def wrong_equations(text: str) -> tuple[int, int]:
    """How many equations of a text were checked, and how many of them are wrong."""
    checked = wrong = 0
    for left, right in _equations(text):
        a, b = _value(left), _value(right)
        if a is None or b is None:
            continue
        checked += 1
        wrong += not _agree(a, b, right)
    return checked, wrong


def added_operands(text: str, given: str) -> set[str]:
    """What the last equation of a text reckons with though neither `given` nor an equation before it tells the number:
    {"* 3.7"}, {"+ 17"}. An operand of a product or a sum is the same on either side. Customary numbers, such as a
    dozen or the minutes of an hour, and the shares that a percentage stands for, are none."""
    equations = _equations(text, after_mark=True) if "=" in text else []
    if not equations:
        return set()
    known = {_plain(number) for number in _NUMBERS.findall(given)}
    known |= _CUSTOMARY | _shares(known)
    known.update(_plain(right[0]) for _, right in equations[:-1])
    last = equations[-1][0]
    found = set()
    for i, token in enumerate(last):
        if _NUMBERS.fullmatch(token) and _plain(token) not in known:
            before = last[i - 1] if i and last[i - 1] in _RANK else ""
            after = last[i + 1] if i + 1 < len(last) and last[i + 1] in "*+" else ""
            if before or after:
                found.add(f"{before or after} {_plain(token)}")
    return found


def _shares(numbers: Iterable[str]) -> set[str]:
    """What is reckoned with where a text says so many per cent: the share, and one more or less by it."""
    percents = [float(number) for number in numbers if len(number) <= 6]
    return {_plain(f"{share:.6f}") for x in percents for share in (x / 100, abs(1 - x / 100), 1 + x / 100, 100 - x)}


def _plain(number: str) -> str:
    """A number without the commas between its thousands and the zeros that say nothing."""
    whole, dot, rest = number.replace(",", "").partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{rest}" if dot and rest else "")


def _equations(text: str, *, after_mark: bool = False) -> list[tuple[list[str], list[str]]]:
    """Sides of equations with an operation on the left and one number on the right. `after_mark`: also those behind a
    colon, whose first number may be the end of a ratio or of a time."""
    found: list[tuple[list[str], list[str]]] = []
    sides: list[list[str]] = [[]]
    blocked = False  # a word stood before this run: its first side may be the rest of something
    for raw in [*_TOKEN.findall(text), "\n"]:
        token = _SIGNS.get(raw, raw)
        if token == "=":
            sides.append([])
        elif token[0].isdigit() or (token[0] == "." and len(token) > 1) or token in "+-*/()%":
            sides[-1].append(token)
        else:
            found += _pairs(sides, blocked)
            blocked = (token.isalpha() and len(token) == 1) or token in ("^_" if after_mark else "^:_")
            sides = [[]]
    return found


def _pairs(sides: list[list[str]], blocked: bool) -> list[tuple[list[str], list[str]]]:
    pairs = []
    for i in range(1, len(sides)):
        left, right = sides[i - 1], sides[i]
        whole = _is_number(right) or (i < len(sides) - 1 and _is_number(right[:1]))
        # "3 / 1 / 4" is mostly three by a quarter, but not always.
        clear = left.count("/") < 2 or "(" in left
        started = left and clear and left[0] not in "+*/)%" and not (blocked and i == 1)
        if started and whole and any(t in _RANK for t in left[1:]):
            pairs.append((left, right))
    return pairs


def _is_number(side: list[str]) -> bool:
    return (len(side) == 1 and (side[0][0].isdigit() or side[0][0] == ".")) or (len(side) == 2 and side[1] == "%")


def _number(token: str) -> float | None:
    """None for what may be no number: clock times and codes with a leading 0, commas that part no thousands."""
    whole, *thousands = token.partition(".")[0].split(",")
    if any(len(part) != 3 for part in thousands) or (len(whole) > 1 and whole[0] == "0") or len(token) > 18:
        return None
    return float(token.replace(",", ""))


def _value(side: list[str]) -> float | None:
    """The value of an expression by operator precedence; None where it is none."""
    if not side or len(side) > _MOST_TOKENS:
        return None
    numbers: list[float] = []
    operators: list[str] = []
    wants = True  # a number comes next
    for token in side:
        if token == "(" and wants:
            operators.append(token)
        elif token == ")" and not wants and "(" in operators:
            while operators[-1] != "(":
                if not _apply(numbers, operators.pop()):
                    return None
            operators.pop()
        elif token == "%" and not wants:
            numbers[-1] /= 100
        elif token in _RANK and not wants:
            while operators and operators[-1] != "(" and _RANK[operators[-1]] >= _RANK[token]:
                if not _apply(numbers, operators.pop()):
                    return None
            operators.append(token)
            wants = True
        elif (token[0].isdigit() or token[0] == ".") and wants:
            value = _number(token)
            if value is None:
                return None
            numbers.append(value)
            wants = False
        else:
            return None
    while operators:
        if operators[-1] == "(" or not _apply(numbers, operators.pop()):
            return None
    return numbers[0] if len(numbers) == 1 and math.isfinite(numbers[0]) else None


def _apply(numbers: list[float], operator: str) -> bool:
    if len(numbers) < 2:
        return False
    b, a = numbers.pop(), numbers.pop()
    if operator == "/" and b == 0:
        return False
    numbers.append({"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0}[operator])
    return True


def _agree(a: float, b: float, shown: list[str]) -> bool:
    """Equal, or equal as rounded: up or down in the last digit shown, or a percentage for its share."""
    digits = len(shown[0].partition(".")[2])
    step = 10.0**-digits * (0.01 if shown[-1] == "%" else 1.0)
    near = abs(a - b) < step * (1 + 1e-9) and (digits > 0 or a != round(a))
    return near or any(math.isclose(a * scale, b, rel_tol=5e-3, abs_tol=1e-9) for scale in (1, 100, 0.01, -1))
