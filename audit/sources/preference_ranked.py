"""Preference data as a ranked list: several responses to one prompt, each with its rank or its score.

The row stays one row: the best response is chosen, the worst one rejected, and all of them stand in the ranking, best
first. Ranks are made anew from the order (1, 2, 2, 4), so ranks from 0, shares of ranks and scores come out alike.
Where all are equal the row is a tie.

Source: the columns of UltraFeedback (completions with overall_score), Nectar (answers with rank), the Stack Exchange
preferences (answers with pm_score), GPT-4-LLM (responses_and_scores), and distilabel (generations and ratings).
Misses: a list that gives the order by the places of the responses, best first (such a `ranking` is read as the ranks of
the responses in their order); responses that are conversations.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from audit.schema import TIE, Kind
from audit.sources.preference_votes import LISTS, PROMPT, side_paths
from audit.sources.record import Reason, RowError
from audit.sources.shapes import Mapped, Parts, Ranking, RowReader, Shape, kind_of
from audit.sources.sides import Path, named, opening, prompt_of, spoken, text_at, value_at
from audit.sources.winner import number

RANKED = "ranked"  # the name of the shape
RANKS = ("rank", "ranking")  # keys of a response; lower is better
SCORES = ("overall_score", "score", "rating", "reward", "pm_score", "overall_rating")  # higher is better


def order_paths(fields: Mapping[str, Any], mapping: Mapped) -> tuple[list[Path], bool]:
    """Where the ranks or scores of a row's responses stand, in their order, and whether higher is better. Raises
    RowError where not every response has one."""
    responses = mapping["responses"]
    count = len(fields[responses])
    for role in ("ranks", "scores"):
        if role in mapping:
            column = mapping[role]
            value = fields.get(column)
            if not isinstance(value, list):
                what = Reason.MISSING_FIELD if value is None else Reason.WRONG_TYPE
                raise RowError(what, f"{column} is {kind_of(value)}, not a list of {role}")
            if len(value) != count:
                raise RowError(Reason.WRONG_TYPE, f"{column} holds {len(value)} {role} for {count} responses")
            return [(column, at) for at in range(count)], role == "scores"
    for key in (*RANKS, *SCORES):
        held = [isinstance(item, Mapping) and key in item for item in fields[responses]]
        if all(held):
            return [(responses, at, key) for at in range(count)], key in SCORES
    raise RowError(Reason.MISSING_FIELD, f"{responses} holds responses without rank and score")


def ranked(fields: Mapping[str, Any], mapping: Mapped) -> list[tuple[Path, int]]:
    """Where the responses of a row stand, best first, with their ranks; equal ones in the order of the record. Raises
    RowError."""
    texts = side_paths(fields, mapping)
    paths, higher = order_paths(fields, mapping)
    values = [number(value_at(fields, path), named(path)) * (-1 if higher else 1) for path in paths]
    order = sorted(range(len(texts)), key=lambda at: values[at])
    best = [values[at] for at in order]
    return [(texts[at], 1 + _before(best, values[at])) for at in order]


def _before(ascending: list[Decimal], value: Decimal) -> int:
    """How many values are smaller."""
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


def _reader(mapping: Mapped) -> RowReader:
    def read(fields: Mapping[str, Any]) -> Parts:
        ranking: Ranking = [(text_at(fields, path), rank) for path, rank in ranked(fields, mapping)]
        before = opening(fields, mapping)
        tied = ranking[0][1] == ranking[-1][1]
        first, last = ranking[0][0], ranking[1 if tied else -1][0]
        return Parts(prompt_of(before), first, last, TIE if tied else None, spoken(before), ranking)

    return read


def _shape(order: Mapping[str, tuple[str, ...]], specific: float) -> Shape:
    return Shape(
        RANKED,
        Kind.PREFERENCE,
        {"prompt": PROMPT, "responses": LISTS, **order},
        {"system": ("system", "system_prompt"), "input": ("input",)},
        specific,
        _reader,
        without=("chosen", "rejected", "response", "completion", "output", "answer"),
        beside={"input": "instruction"},
    )


SHAPES: tuple[Shape, ...] = (
    _shape({"ranks": ("ranks", "rank", "ranking", "rankings")}, 0.99),
    _shape({"scores": ("scores", "score", "ratings", "rating", "rewards", "overall_score", "overall_scores")}, 0.98),
    _shape({}, 0.97),
)
