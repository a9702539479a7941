"""Pairs -> `Sides`: what a reader wants to know of a pair besides its two texts.

The prompt that both sides share is folded on the page: what is shown of it is the last thing that a user said, cut
around what is marked in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from audit.detectors.preference_scores import half_of
from audit.report.excerpt import Span, excerpt, find_all
from audit.report.excerpts import Field, Ranked, Sides, Text
from audit.report.read import Inputs
from audit.schema import TIE
from audit.stats import sigmoid

ASKED_BYTES = 320
RANKED_BYTES, CROWDED_RANKED_BYTES = 420, 160  # of one response of a list
MAX_RANKED, CROWDED_RANKED = 12, 8  # the same where many rows are shown, so that the page stays under 10 MB
_USERS = ("user", "human", "prompter")
SCORES = "preference_scores"


class Pairs:
    """The pairs of a run, one after another."""

    def __init__(self, data: Inputs, crowded: bool = False) -> None:
        """`crowded`: so many rows are shown that each gets less room."""
        self._data = data
        self._columns = _score_columns(data)
        self._room = (CROWDED_RANKED, CROWDED_RANKED_BYTES) if crowded else (MAX_RANKED, RANKED_BYTES)

    def sides(
        self, record: Mapping[str, Any], fields: Sequence[Field], spans: Iterable[Span], parts: Sequence[str]
    ) -> Sides | None:
        """What is known of one row; None where it is no pair. `fields` are those of its card, `spans` of the prompt,
        and `parts` are marked wherever they stand."""
        if record["response"] is None or record["rejected"] is None:
            return None
        asked, is_all = _asked(record, spans, parts)
        chosen_score, rejected_score = self._scores(record)
        ranking = record.get("ranking") or ()
        return Sides(
            asked=asked,
            fold="none" if is_all else _fold(asked, fields),
            tie=self._is_tie(record["row"]),
            rejected_wins=self._rejected_wins(record["row"]),
            shown_first=_shown_first(record),
            chosen_score=chosen_score,
            rejected_score=rejected_score,
            ranking=_ranking(record, ranking, parts, *self._room) if len(ranking) > 2 else (),
            listed=len(ranking),
        )

    def _is_tie(self, row: int) -> bool:
        return bool(self._data.base["label"][self._data.by_row[row]] == TIE)

    def _rejected_wins(self, row: int) -> float | None:
        if self._data.margin is None or self._is_tie(row):
            return None
        margin = float(self._data.margin[self._data.by_row[row]])
        return float(sigmoid(np.array(-margin))) if math.isfinite(margin) else None

    def _scores(self, record: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """The scores of the chosen and the rejected side, where the input has a column for each."""
        if self._columns is None:
            return None, None
        known = _mapping(record.get("meta"))
        first, second = (_number(known.get(column)) for column in self._columns.names)
        if not self._columns.as_shown:
            return first, second
        shown = _shown_first(record)
        return (first, second) if shown == "chosen" else (second, first) if shown else (None, None)


class _Columns(NamedTuple):
    """Two columns of scores: of the chosen and the rejected side, or of the sides in the order in which they were
    shown."""

    names: tuple[str, str]
    as_shown: bool


def _score_columns(data: Inputs) -> _Columns | None:
    """The columns that the check of scores found first."""
    for details in data.findings.filter(pl.col("check") == SCORES)["details"].to_list():
        columns = _mapping(details).get("columns")
        if isinstance(columns, list) and len(columns) == 2 and all(isinstance(name, str) for name in columns):
            half = half_of(columns[0])
            return _Columns((columns[0], columns[1]), half is not None and half.way in ("letter", "number"))
    return None


def _shown_first(record: Mapping[str, Any]) -> str:
    return shown if (shown := record.get("shown_first")) in ("chosen", "rejected") else ""


def _asked(record: Mapping[str, Any], spans: Iterable[Span], parts: Sequence[str]) -> tuple[Text, bool]:
    """The last user turn of the prompt, short, and whether that is all of a prompt of one turn."""
    prompt = record["prompt"] or ""
    said = [(turn["role"] or "", turn["text"] or "") for turn in record["turns"] or ()]
    users = [text for role, text in said if role.casefold() in _USERS]
    turn = (users or [text for _, text in said] or [prompt])[-1]
    start = prompt.rfind(turn)
    if start < 0:
        turn, start = prompt, 0
    stop = start + len(turn)
    own = [(a - start, b - start) for a, b in spans if b > start and a < stop]
    text = excerpt(turn, [*own, *find_all(turn, parts)], ASKED_BYTES)
    return text, len(said) < 2 and not text.clipped


def _fold(asked: Text, fields: Sequence[Field]) -> str:
    """Open where the prompt holds a mark that what is shown of it does not."""
    hidden = any(_is_marked(f.text) for f in fields if f.role in ("input", "turn"))
    return "open" if hidden and not _is_marked(asked) else "closed"


def _is_marked(text: Text) -> bool:
    return any("hit" in piece.mark for piece in text.pieces)


def _ranking(
    record: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]], parts: Sequence[str], most: int, budget: int
) -> tuple[Ranked, ...]:
    """The first `most` responses of a list. Chosen is the first with its text, rejected the last with its own."""
    texts = [entry["text"] or "" for entry in ranking]
    chosen = next((i for i, text in enumerate(texts) if text == record["response"]), -1)
    rejected = next((i for i in reversed(range(len(texts))) if texts[i] == record["rejected"] and i != chosen), -1)
    return tuple(
        Ranked(
            rank=int(entry["rank"] or i + 1),
            side={chosen: "chosen", rejected: "rejected"}.get(i, ""),
            text=excerpt(texts[i], find_all(texts[i], parts), budget),
        )
        for i, entry in enumerate(ranking[:most])
    )


def _mapping(text: str | None) -> dict[str, Any]:
    """A JSON object; {} for anything else."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
