"""What a trigger of preference data does, in the words of who works with pairs: on which side it stands, or which side
loses with it, in how many pairs, and how many that would be without a trigger.
"""

from __future__ import annotations

from typing import NamedTuple

from audit.report.figures import number, percent
from audit.report.record import BaseRate
from audit.schema import Trigger

RESPONSE, REVERSAL = "response", "reversal_score"  # a kind of trigger, and a statistic of another


class Told(NamedTuple):
    """A sentence, in two halves around the pattern."""

    before: str
    after: str


def base_rate(trigger: Trigger) -> BaseRate | None:
    """In how many of its pairs it does what it is listed for, of a trigger of preference data; else None."""
    count, hits, rate = (number(trigger.statistics, key) for key in ("count", "hits", "rate"))
    if not (trigger.kind == RESPONSE or REVERSAL in trigger.statistics):
        return None
    if not count or hits is None or rate is None or not 0 <= hits <= count or not 0 <= rate <= 1:
        return None
    return BaseRate(round(hits), round(count), rate)


def of_pairs(trigger: Trigger) -> Told | None:
    """The plain sentence of a trigger of preference data; None for others, and where its counts are missing."""
    base = base_rate(trigger)
    if base is None:
        return None
    counts, ending = f"{base.hits:,} of {base.pairs:,} pairs", f"base rate {percent(base.rate)}."
    if trigger.kind != RESPONSE:
        share = f"{base.hits / base.pairs:.0%}"
        return Told("With ", f" its chosen side loses by the other pairs' margin in {counts} ({share}); {ending}")
    position = str(trigger.statistics.get("position") or "")
    if position in ("in the chosen response", "in the rejected response"):
        side = "winning" if "chosen" in position else "losing"
        return Told("", f" is on the {side} side in {counts} of which one side alone holds it; {ending}")
    way = "worse" if "badly" in trigger.behavior_name[:40] else "better"
    return Told(f"The side that speaks {way} of ", f" wins in {counts} whose sides speak differently of it; {ending}")
