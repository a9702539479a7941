"""Answers -> decisions: what the labelers of a row say together, and how far they agree.

A row is settled by the answer of more than half of its labelers, and of at least the share that is asked for; otherwise
it stays in the queue, which holds it back. Whoever agrees with the record has it accepted, the other order is a swap,
a tie or two bad sides reject the pair, another label is an edit. A record that is a tie itself has no order to be
swapped: where labelers give it one, it stays queued, for no decision writes an order into it.

Law: the decisions depend on the set of answers, never on their order.

Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability" (nominal data, values missing).
Misses: labelers who agree because they share a mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from audit.remedies.decisions import ACCEPT, EDIT, QUEUE, REJECT, ROW, SWAP, Decision
from audit.remedies.relabel import BOTH_BAD, Question
from audit.remedies.relabel_answers import Answer
from audit.schema import TIE
from audit.stats import wilson_interval

MAJORITY = 0.5  # a settled answer has more than this share
_NO_ORDER = "the record is a tie, and the labelers give it an order, which no decision writes"


@dataclass(frozen=True, slots=True)
class Settled:
    """What the labelers of one row come to."""

    question: Question
    votes: tuple[tuple[str, int], ...]  # answer, labelers; the most frequent first
    answer: str | None  # None: they do not agree
    decision: str  # accept | swap | reject | edit | queue
    why: str


@dataclass(frozen=True, slots=True)
class Labeler:
    """One labeler's answers beside those of the record and of the majority."""

    name: str
    answers: int
    as_given: int  # that agree with the record
    settled: int  # about rows that the labelers settled
    with_majority: int  # of these, with what was settled


@dataclass(frozen=True, slots=True)
class Votes:
    """All rows that were answered, by their number in the input, and the agreement over them. Law: `decisions` counts
    every row once."""

    rows: tuple[Settled, ...]
    labelers: tuple[Labeler, ...]
    alpha: float | None  # Krippendorff's, nominal; None where no row has two answers, or all answers are one
    percent: float | None  # share of pairs of answers to one row that are equal

    @property
    def queued(self) -> tuple[Settled, ...]:
        """Rows that stay in the queue."""
        return tuple(row for row in self.rows if row.decision == QUEUE)

    def summary(self) -> dict[str, Any]:
        """The figures, for machines."""
        settled = [row for row in self.rows if row.answer is not None]
        agree = sum(row.answer == row.question.given for row in settled)
        low, high = wilson_interval(agree, len(settled))
        return {
            "rows": len(self.rows),
            "answers": sum(labeler.answers for labeler in self.labelers),
            "decisions": dict(sorted(Counter(row.decision for row in self.rows).items())),
            "settled": len(settled),
            "as_given": agree,
            "as_given_interval": [low, high] if settled else None,
            "alpha": self.alpha,
            "percent_agreement": self.percent,
            "labelers": [
                {name: getattr(labeler, name) for name in Labeler.__dataclass_fields__} for labeler in self.labelers
            ],
        }


def settle(questions: Mapping[str, Question], answers: Iterable[Answer], agree: float = MAJORITY) -> Votes:
    """The votes of the answered rows. `agree`, MAJORITY..1: the least share of a row's labelers that settles it."""
    ordered = sorted(answers, key=lambda a: (questions[a.key].row, a.labeler))
    by_row = [list(said) for _, said in groupby(ordered, key=lambda a: a.key)]
    rows = tuple(_settle(questions[said[0].key], said, agree) for said in by_row)
    units = [[answer.answer for answer in said] for said in by_row]
    return Votes(rows, _labelers(ordered, {row.question.key: row for row in rows}), alpha(units), percent(units))


def decisions(votes: Votes, reviewer: str, decided_at: str, fingerprint: str, run: str) -> list[Decision]:
    """One decision a row, in row order."""
    made = []
    for row in votes.rows:
        edit = row.decision == EDIT
        made.append(
            Decision(
                subject=ROW,
                key=row.question.key,
                decision=row.decision,
                field="label" if edit else "",
                value=(row.answer or "") if edit else "",
                why=row.why,
                reviewer=reviewer,
                decided_at=decided_at,
                row=row.question.row,
                input=fingerprint,
                run=run,
            )
        )
    return made


def _settle(question: Question, said: Sequence[Answer], agree: float) -> Settled:
    votes = sorted(Counter(answer.answer for answer in said).items(), key=lambda vote: (-vote[1], vote[0]))
    best, most = votes[0]
    share = most / len(said)
    if share <= MAJORITY or share < agree:
        why = f"re-labelled, and the {len(said)} labelers do not agree"
        return Settled(question, tuple(votes), None, QUEUE, why)
    decision = _decision(question, best)
    if decision == QUEUE:
        return Settled(question, tuple(votes), None, QUEUE, _NO_ORDER)
    why = f"re-labelled, {most} of {len(said)}: {_words(question, best)}"
    return Settled(question, tuple(votes), best, decision, why)


def _decision(question: Question, answer: str) -> str:
    if answer == question.given:
        return ACCEPT
    if not question.is_pair:
        return EDIT
    if answer in (TIE, BOTH_BAD):
        return REJECT
    return QUEUE if question.given == TIE else SWAP


def _words(question: Question, answer: str) -> str:
    """What an answer says, without naming a side by its place on the labeler's page."""
    if answer == question.given:
        return "as in the data"
    if not question.is_pair:
        return "another label"
    return {TIE: "no difference", BOTH_BAD: "both sides are bad"}.get(answer, "the rejected side is better")


def _labelers(answers: Sequence[Answer], rows: Mapping[str, Settled]) -> tuple[Labeler, ...]:
    """By how many answers they gave, then by name."""
    found = []
    for name, said in groupby(sorted(answers, key=lambda a: a.labeler), key=lambda a: a.labeler):
        mine = [(answer.answer, rows[answer.key]) for answer in said]
        settled = [(answer, row.answer) for answer, row in mine if row.answer is not None]
        as_given = sum(answer == row.question.given for answer, row in mine)
        found.append(Labeler(name, len(mine), as_given, len(settled), sum(a == b for a, b in settled)))
    return tuple(sorted(found, key=lambda labeler: (-labeler.answers, labeler.name)))


def percent(units: Sequence[Sequence[str]]) -> float | None:
    """Share of the pairs of answers to one row that are equal; None where no row has two."""
    pairs = sum(len(unit) * (len(unit) - 1) for unit in units)
    equal = sum(count * (count - 1) for unit in units for count in Counter(unit).values())
    return equal / pairs if pairs else None


def alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha for nominal data: 1 minus the disagreement that is seen over the one that chance expects. A
    unit holds the answers to one row; those with fewer than two do not count. None where nothing can be compared, or
    where all answers are the same, so that chance expects no disagreement.

    >>> alpha([["a", "a"], ["b", "b"], ["a", "b"], ["b", "a"]])
    0.125
    """
    counted = [Counter(unit) for unit in units if len(unit) > 1]
    total: Counter[str] = Counter()
    seen = 0.0
    for unit in counted:
        size = unit.total()
        total.update(unit)
        seen += sum(count * (size - count) for count in unit.values()) / (size - 1)
    n = total.total()
    chance = sum(count * (n - count) for count in total.values())
    return 1.0 - (n - 1) * seen / chance if chance else None
