"""Preference data as it was judged: two responses in the order in which they were shown, and who won; or a list of
responses, and which of them was chosen.

Chosen is the winner and rejected the loser, whichever stood first; a tie is a pair without an order, first side first.
Of a list of more than two responses the chosen one is ranked 1 and all others 2.

Source: the columns of the published sets that `audit.sources.winner` names, Summarize from Feedback (summaries and
choice), and of arenas with one column a verdict (winner_model_a, winner_model_b, winner_tie).
Misses: three and more responses in columns of their own; several judgements of one pair in one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from audit.schema import Kind
from audit.sources.record import Reason, RowError
from audit.sources.shapes import Family, Mapped, Parts, RowReader, Shape, kind_of
from audit.sources.sides import ANSWER_KEYS, Path, both_sides, inner, opening, pair, prompt_of, spoken, text_at
from audit.sources.winner import Judge, judge_of

TWO, LIST = "two-responses", "response-list"  # names of shapes

PROMPT = (
    "prompt",
    "question",
    "instruction",
    "query",
    "context",
    "history",
    "input",
    "user_input",
    "post",
    "article",
    "messages",
    "conversation",
    "conversations",
    "info",
    "orig_instruction",
)
_STEMS = (
    "response",
    "answer",
    "completion",
    "output",
    "generation",
    "candidate",
    "summary",
    "reply",
    "model_output",
    "orig_response",
    "assistant",
)
_WINNER = (
    "winner",
    "preference",
    "preferred",
    "choice",
    "better_response_id",
    "better_response",
    "better",
    "chosen_index",
    "preferred_response",
    "chosen_response",
    "best_response",
    "best",
    "verdict",
    "judgment",
    "judgement",
    "vote",
    "human_preference",
    "orig_preference",
    "winning_side",
    "better_index",
    "preferred_index",
    "winner_index",
    "chosen",
)
_STRENGTH = ("overall_preference", "preference_strength")
_A_WINS = ("winner_model_a", "a_wins", "response_a_wins", "a_is_better", "is_a_better", "prefers_a")
_PAIRWISE = ("rejected", "dispreferred", "non_preferred_output")  # then the winner stands in a column of its own
_ANSWERED = ("response", "completion", "output", "answer", "chosen", *_PAIRWISE)
LISTS = (
    "responses",
    "completions",
    "answers",
    "candidates",
    "generations",
    "outputs",
    "summaries",
    "responses_and_scores",
    "candidate_responses",
    "model_responses",
)


def side_paths(fields: Mapping[str, Any], mapping: Mapped) -> list[Path]:
    """Where the responses of a row stand, as they were shown: in columns of their own, or in a list. Raises RowError
    for less than two."""
    if "response_a" in mapping:
        return [inner(fields, (mapping[role],), ANSWER_KEYS) for role in ("response_a", "response_b")]
    column = mapping["responses"]
    value = fields.get(column)
    if value is None:
        raise RowError(Reason.MISSING_FIELD, f"{column} is missing or null")
    if not isinstance(value, list):
        raise RowError(Reason.WRONG_TYPE, f"{column} is {kind_of(value)}, not a list of responses")
    if len(value) < 2:
        raise RowError(Reason.MISSING_FIELD, f"{column} holds {len(value)} responses, and an order needs two")
    return [inner(fields, (column, at), ANSWER_KEYS) for at in range(len(value))]


def judged(fields: Mapping[str, Any], mapping: Mapped) -> tuple[list[Path], Judge]:
    """Where the responses of a row stand, and how it says which of them won. Raises RowError."""
    paths = side_paths(fields, mapping)
    return paths, judge_of(mapping, len(paths))


def chosen_first(paths: list[Path], won: int | None) -> list[Path]:
    """The responses with the winner first and the others in their order; a tie stays as it was shown."""
    return paths if not won else [paths[won], *paths[:won], *paths[won + 1 :]]


def _reader(mapping: Mapped) -> RowReader:
    def read(fields: Mapping[str, Any]) -> Parts:
        paths, judge = judged(fields, mapping)
        won = judge.order(fields)
        before = opening(fields, mapping)
        if len(paths) == 2:
            before, first, second = both_sides(fields, before, *paths)
            return pair(before, first, second, won)
        said = [text_at(fields, path) for path in chosen_first(paths, won)]
        if won is None:
            return pair(before, said[0], said[1], None)._replace(ranking=[(text, 1) for text in said])
        ranking = [(text, 1 if at == 0 else 2) for at, text in enumerate(said)]
        return Parts(prompt_of(before), said[0], said[-1], None, spoken(before), ranking)

    return read


def _conversations(mapping: Mapped) -> RowReader:
    """Two whole conversations: what both open with is the prompt."""
    read_pair = _reader(mapping)

    def read(fields: Mapping[str, Any]) -> Parts:
        first = mapping["response_a"]
        if not isinstance(fields.get(first), list):
            raise RowError(Reason.WRONG_TYPE, f"{first} is {kind_of(fields.get(first))}, not messages")
        return read_pair(fields)

    return read


def _family(first: str, second: str, without: tuple[str, ...] = (), **names: tuple[str, ...]) -> Family:
    return Family({"response_a": (first,), "response_b": (second,), **names}, without)


def _families() -> tuple[Family, ...]:
    """response_a and response_b, responseA, response_0 and response_1, response_1 and response_2, response1 …; a third
    one beside them says that they are no pair."""
    found = []
    for stem in _STEMS:
        for joint in (f"{stem}_", stem):
            found.append(_family(f"{joint}a", f"{joint}b", (f"{joint}c",)))
            found.append(_family(f"{joint}0", f"{joint}1", (f"{joint}2",)))
            found.append(_family(f"{joint}1", f"{joint}2", (f"{joint}0", f"{joint}3")))
    return tuple(found)


def _scored(family: Family) -> Family:
    """The same columns with a score for each."""
    names = dict(family.names)
    for role, score in (("response_a", "score_a"), ("response_b", "score_b")):
        side = family.names[role][0]
        end = side.rsplit("_", 1)[-1] if "_" in side else side[-1]
        names[score] = (f"{side}_score", f"{side}_rating", f"score_{end}", f"rating_{end}", f"reward_{end}")
    return replace(family, names=names)


_CONVERSATIONS = (_family("conversation_a", "conversation_b"), _family("conv_a", "conv_b"))
_SHP = _family("human_ref_a", "human_ref_b", a_wins=("labels",))
_PAIRS = _families()
_LETTERS = tuple(f for f in _PAIRS if f.names["response_a"][0].endswith("a"))


def _two(judge: Mapping[str, tuple[str, ...]], specific: float, families: tuple[Family, ...] = _PAIRS) -> Shape:
    return Shape(
        TWO,
        Kind.PREFERENCE,
        {"prompt": PROMPT, "response_a": (), "response_b": (), **judge},
        {"system": ("system", "system_prompt"), "input": ("input",), **_beside(judge)},
        specific,
        _reader,
        families,
        without=_PAIRWISE,
        beside={"input": "instruction"},
    )


def _talk(judge: Mapping[str, tuple[str, ...]], specific: float, families: tuple[Family, ...]) -> Shape:
    return Shape(
        TWO,
        Kind.PREFERENCE,
        {"response_a": (), "response_b": (), **judge},
        _beside(judge),
        specific,
        _conversations,
        families,
        without=_PAIRWISE,
    )


def _list(judge: Mapping[str, tuple[str, ...]], specific: float) -> Shape:
    return Shape(
        LIST,
        Kind.PREFERENCE,
        {"prompt": PROMPT, "responses": LISTS, **judge},
        {"system": ("system", "system_prompt"), "input": ("input",)},
        specific,
        _reader,
        without=_ANSWERED,
        beside={"input": "instruction"},
    )


def _beside(judge: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return {"b_wins": ("winner_model_b",), "tied": ("winner_tie",)} if "a_wins" in judge else {}


_SCORES: Mapping[str, tuple[str, ...]] = {"score_a": (), "score_b": ()}
_BOTH = (*_PAIRS, *_CONVERSATIONS)

# What numbers of a winner count from is told by the columns of the sides; else by what the rows hold, for rows that
# count from 1 are not read by the shape that counts from 0. A column that is merely called a label says less.
SHAPES: tuple[Shape, ...] = (
    _two({"strength": _STRENGTH}, 1.0),
    _two({"winner": _WINNER}, 1.0),
    _two({"a_wins": _A_WINS}, 1.0),
    _two({"a_wins": ()}, 1.0, (_SHP,)),
    _two({"winner_from_0": _WINNER}, 0.98),
    _two({"winner_from_1": _WINNER}, 0.98),
    _two({"winner": ("label", "labels")}, 0.9),
    _two({"winner_from_0": ("label", "labels")}, 0.88, _LETTERS),
    _two({"winner_from_1": ("label", "labels")}, 0.88, _LETTERS),
    _two(_SCORES, 0.85, tuple(_scored(f) for f in (*_PAIRS, _SHP))),
    _talk({"winner": _WINNER}, 0.993, _CONVERSATIONS),
    _talk({"winner_from_0": _WINNER}, 0.98, _BOTH),
    _talk({"winner_from_1": _WINNER}, 0.98, _BOTH),
    _talk({"strength": _STRENGTH}, 0.98, _BOTH),
    _talk({"a_wins": _A_WINS}, 0.98, _BOTH),
    _talk(_SCORES, 0.85, tuple(_scored(f) for f in _CONVERSATIONS)),
    _list({"winner": _WINNER}, 0.98),
    _list({"winner_from_0": _WINNER}, 0.97),
    _list({"winner_from_1": _WINNER}, 0.97),
)
