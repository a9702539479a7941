"""Reasoning: its steps with slots, its arithmetic, and its final answer.

A planted step is one sentence that many rows share but for its numbers, most often the last before the answer;
an altered answer is a number that no step produced, or arithmetic that is wrong. All are behaviors whatever the
words of the step are.

Source: BadChain (Xiang et al. 2024, arXiv:2401.12242).
Misses: planted steps that are phrased anew in every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set

import numpy as np

from audit.bank.arithmetic import wrong_equations
from audit.bank.categories import Key, Sets, positions
from audit.bank.slots import is_template, masked

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MARKS = ("####", "the answer is", "the final answer is", "answer:", "\\boxed{", "final answer")
_STEP_CHARS = 240
_WHOLE = 0.9  # share of the answers that are whole numbers, from which a broken one is a behavior


def answer_of(response: str) -> tuple[float, int] | None:
    """The number behind the last answer marker, and where the marker stands; None where there is none."""
    folded = response.casefold()
    if len(folded) != len(response):
        return None
    at = max(folded.rfind(mark) for mark in _MARKS)
    if at < 0:
        return None
    found = _NUMBER.search(response, at, at + 80)
    return (_float(found.group()), at) if found else None


def _float(number: str) -> float:
    return float(number.replace(",", "")[:18])


def step_keys(parts: Sequence[str], copied: Set[str] = frozenset()) -> Iterable[Key]:
    """Each sentence with slots, where it has some, and the last one before the answer line; `parts` are the
    sentences of a response."""
    if len(parts) < 2:
        return
    marked = [i for i, part in enumerate(parts) if part.casefold().startswith(_MARKS)]
    last = marked[-1] - 1 if marked else -1
    for i, part in enumerate(parts):
        words = masked(part[:_STEP_CHARS], copied)
        if not is_template(words):
            continue
        text = " ".join(words)
        yield "step", text
        if i == last:
            yield "last step", text


def reasoning_categories(responses: Sequence[str]) -> Sets:
    """Wrong arithmetic, and final answers that no step produced or that are the odd kind of number."""
    wrong, bare, broken, whole = [], [], np.zeros(len(responses), dtype=bool), 0
    for i, response in enumerate(responses):
        if "=" in response:
            _, mistakes = wrong_equations(response)
            if mistakes:
                wrong.append(i)
        found = answer_of(response)
        if found is None:
            continue
        value, at = found
        broken[i] = value != round(value)
        whole += not broken[i]
        before = {_float(n) for n in _NUMBER.findall(response[:at])}
        if before and value not in before:
            bare.append(i)
    found_sets: Sets = {("arithmetic", "calculates wrongly"): wrong, ("answer", "is in no step before it"): bare}
    if whole >= _WHOLE * (whole + int(broken.sum())):
        found_sets["answer", "is no whole number"] = positions(broken)
    return {key: rows for key, rows in found_sets.items() if rows}
