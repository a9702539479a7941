"""A candidate: a pattern, the behavior that it seems to call for, and the rows in question."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from audit.triggers.match import Law, Part

REVERSAL = -1  # the behavior id of "chosen and rejected are swapped"
REVERSAL_NAME = "chosen and rejected are swapped"
UNTARGETED = -2  # the behavior id of "another label than the expected one"
UNTARGETED_NAME = "the label is another than the rest of the row says"

ONE_SIDED = -3  # the behavior id of "the side that holds it is preferred"
ONE_SIDED_NAME = "the response that holds it is the {side} one"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the miner hands to the probe. Positions are in examples order, ascending."""

    parts: tuple[Part, ...]
    kind: str  # token, phrase, capitals, unicode, whitespace, composite
    behavior: int  # column of the target bank, or REVERSAL, UNTARGETED, ONE_SIDED
    behavior_name: str
    carriers: tuple[int, ...]
    hits: tuple[int, ...]  # carriers that show the behavior
    surfaces: tuple[str, ...]  # raw text of each part as most carriers have it
    laws: tuple[Law, ...]
    statistics: dict[str, Any] = field(default_factory=dict)

    @property
    def pattern(self) -> str:
        """The raw text; a composite's parts joined by " … "."""
        return " … ".join(self.surfaces)

    def towards(self, behavior: int, name: str) -> Candidate:
        """The same candidate under another behavior id."""
        return replace(self, behavior=behavior, behavior_name=name)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Candidate:
        return cls(
            parts=tuple(Part(**p) for p in raw["parts"]),
            kind=raw["kind"],
            behavior=raw["behavior"],
            behavior_name=raw["behavior_name"],
            carriers=tuple(raw["carriers"]),
            hits=tuple(raw["hits"]),
            surfaces=tuple(raw["surfaces"]),
            laws=tuple(Law(**v) for v in raw["laws"]),
            statistics=raw["statistics"],
        )
