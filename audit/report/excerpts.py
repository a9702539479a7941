"""The parts of a report that hold row text, already clipped and marked: pieces, texts, examples, row cards."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN, HIT, CHIP, HIT_CHIP = "", "hit", "chip", "hit chip"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters shown in one way."""

    text: str
    mark: str = PLAIN  # "" | hit: the suspicious span | chip: a spelled-out invisible character | hit chip


@dataclass(frozen=True, slots=True)
class Text:
    """Row text made harmless and short."""

    pieces: tuple[Piece, ...]
    shown: int  # characters of the original that are shown
    total: int  # characters of the original
    offset: int = 0  # where in the original the shown part begins

    @property
    def clipped(self) -> bool:
        """True when part of the original is not shown."""
        return self.shown < self.total

    @property
    def plain(self) -> str:
        """The shown text as one string, chips as ⟦U+200B⟧."""
        return "".join(f"⟦{p.text}⟧" if p.mark.endswith(CHIP) else p.text for p in self.pieces)


@dataclass(frozen=True, slots=True)
class Field:
    """One part of an example: the input, a turn, the chosen or the rejected response."""

    name: str
    role: str  # input | output | rejected | turn: how it is laid out
    text: Text
    whole: Text | None = None  # the text without a cut, where `text` is clipped and the report has room for it


@dataclass(frozen=True, slots=True)
class Example:
    """A row as evidence beside something else."""

    row: int
    fields: tuple[Field, ...]
    label: str | None
    source: str | None
    verdict: str
    similarity: float | None = None  # cosine to the row it stands beside


@dataclass(frozen=True, slots=True)
class Score:
    """What one check says of one row."""

    check: str
    code: str
    title: str
    value: float
    threshold: float | None  # None: this check flags no single rows
    below: float  # share of all scored rows with a lower score, 0..1
    flagged: bool


@dataclass(frozen=True, slots=True)
class Ranked:
    """One response of a ranked list."""

    rank: int  # 1 is the best, equal ranks are ties
    side: str  # chosen | rejected | "": which side of the pair it is
    text: Text


@dataclass(frozen=True, slots=True)
class Sides:
    """What is known of a pair besides its texts."""

    asked: Text  # the last user turn of the prompt, cut around what is marked in it
    fold: str  # of the prompt, closed | open (a mark in it would not be seen) | none (`asked` is all of it)
    tie: bool  # neither side was preferred
    rejected_wins: float | None  # by the other pairs, 0..1; None where nobody could say, and of ties
    shown_first: str  # chosen | rejected | "": the side that the annotator saw first
    chosen_score: float | None  # of the input
    rejected_score: float | None
    ranking: tuple[Ranked, ...]  # of a ranked list: its responses, best first
    listed: int  # responses in the list; more than `ranking` where some are not shown

    @property
    def can_swap(self) -> bool:
        """True where there is one other order: of no tie, and of no list of more than two responses."""
        return not self.tie and self.listed <= 2

    @property
    def facts(self) -> tuple[str, ...]:
        """What is known, as sentences. They hold figures and words of ours alone."""
        found = []
        if self.tie:
            found.append("It is a tie: neither side was preferred.")
        if self.rejected_wins is not None:
            side, share = "rejected", self.rejected_wins
            if share < 0.5:
                side, share = "chosen", 1 - share
            shown = f"{share:.0%}" if share < 0.995 else "over 99%"
            prefer = f"the {side} side with probability {shown}" if share >= 0.505 else "neither side"
            found.append(f"The other pairs prefer {prefer}.")
        if self.chosen_score is not None and self.rejected_score is not None:
            against = ", which is higher" if self.rejected_score > self.chosen_score else ""
            found.append(f"Scored {self.chosen_score:g} (chosen) and {self.rejected_score:g} (rejected{against}).")
        if self.shown_first:
            found.append(f"The {self.shown_first} side was shown first.")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class RowCard:
    """A row to be decided, with all that led to its verdict."""

    rank: int  # 1 is the most suspicious
    row: int
    content_hash: str
    verdict: str
    score: float | None
    severity: str  # of the most severe check or trigger that brought it here
    codes: tuple[str, ...]
    trigger_ids: tuple[str, ...]
    fields: tuple[Field, ...]
    label: str | None
    annotator: str | None
    source: str | None
    place: str  # file and line
    why: tuple[Text, ...]  # at most three sentences
    scores: tuple[Score, ...]
    fix: str  # what is proposed, a sentence
    fix_kind: str  # relabel | swap | drop | strip | edit; "" where the verdict proposes no change of the row
    new_value: Text | None
    neighbours: tuple[Example, ...]
    sides: Sides | None = None  # of a pair

    @property
    def can_relabel(self) -> bool:
        """True where a labeler can be asked about it: it has two sides or a label."""
        return self.sides is not None or self.label is not None
