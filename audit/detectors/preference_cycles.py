"""Preferences that cannot all be right: A over B and B over A, or A over B over C over A.

Why it works: a preference orders two responses to one prompt, and orders that run in a circle fit no judgement of them.
Prompts and responses are folded in white space, not in case. Each pair is an arc from its chosen to its rejected
response, each ranked list an arc for every two of its responses with different ranks; what cannot be right together are
the strongly connected components of these arcs, and a contradiction is a component of two. For each the smallest set of
rows is sought without which no cycle is left: of three rows against one the one goes. A pair is dropped alone, a ranked
list as a whole. The set is proved the smallest for pairs over up to 16 responses, and nearly always for lists and for
larger groups with few rows to drop; where it is not, the finding says so. Rows of the set are flagged to be dropped.

Where as many rows say one thing as say the opposite, nobody can know which side is wrong: both are flagged, with no
proposal. Where a longer cycle can be broken at several places the choice follows the texts, not the order of the rows;
the other places are ranked below the threshold. A set in which the rows to drop are more than the share `most_dropped`
asks several judges on purpose: it is reported, and nothing is flagged. Pairs with equal sides and lists that rank one
text twice are left to `identical_sides`.

Source: Tarjan 1972, "Depth-first search and linear graph algorithms" (components); Karp 1972, "Reducibility among
combinatorial problems" (minimum feedback arc set); Eades, Lin and Smyth 1993; Baharev, Schichl, Neumaier and Achterberg
2021, "An exact method for the minimum feedback arc set problem"; cycles as the mark of unsound judgement: Kendall and
Babington Smith 1940, "On the method of paired comparisons".

Misses: responses that say the same in other words, and prompts that do; a wrong pair that nothing contradicts; the side
that is right, which the smallest set only guesses at: a wrong pair that is repeated outvotes a right one, and of three
rows that make a circle any one may be wrong; single rows of a set that contradicts itself more than `most_dropped`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from audit import views
from audit.detectors.cycles import Group, entries_of, groups_of, in_cycles
from audit.detectors.feedback import Cut, smallest
from audit.detectors.linear_order import Weights, pair_weights
from audit.detectors.orders import Effort, Graph
from audit.provenance import digest
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Kind, Severity, Skipped, signals_frame

THRESHOLD = 0.8
SURE, UNSURE, INSTEAD, MEMBER = 1.0, 0.9, 0.6, 0.3
PANEL_ROWS = 20  # a set with fewer rows to drop is no panel of judges, however small it is
SHOWN_GROUPS = 50
CODE = "TV-CYC"


@dataclass(frozen=True, slots=True)
class Judged:
    """A group, the rows to drop, and what is said of each order in it."""

    group: Group
    cut: Cut
    even: frozenset[int]  # orders that as many rows contradict
    said: dict[int, tuple[float, str]]  # order -> score and evidence

    @property
    def dropped(self) -> int:
        """Rows of the smallest set."""
        return sum(self.group.graph.orders[o].weight for o in self.cut.dropped)

    @property
    def sure(self) -> list[int]:
        """Positions of the rows to drop, those of even contradictions left out."""
        return self.held(o for o in self.cut.dropped if o not in self.even)

    def held(self, orders: Iterable[int]) -> list[int]:
        """Positions of the rows that say these orders."""
        return [p for o in orders for p in self.group.positions[o]]


@detector(code=CODE, title="Preferences that run in circles", severity=Severity.LOW)
def preference_cycles(examples: pl.DataFrame, info: DatasetInfo, *, most_dropped: float = 0.05) -> Detection | Skipped:
    """Scores a row of a smallest set by 1, or 0.9 where another row would do as well or the set is not proved the
    smallest; both sides of an even contradiction by 0.9; rows that would do instead by 0.6, other rows of a cycle by
    0.3, rows of none by 0, and ties NaN. Above the share `most_dropped` of rows to drop all this counts 0.7 times."""
    if info.kind != Kind.PREFERENCE:
        return Skipped("needs preference pairs")
    judging = examples.select(views.ordered()).to_series().to_numpy()
    if not judging.any():
        return Skipped("needs pairs of which one side was preferred, or ranked lists")
    effort, telling = Effort(), Effort()  # what is said of the rows takes nothing from the search
    groups = sorted(groups_of(in_cycles(entries_of(examples))), key=lambda g: g.rank)
    judged = [_judged(group, smallest(group.graph, effort), telling) for group in groups]
    panel = sum(j.dropped for j in judged) > max(PANEL_ROWS, most_dropped * int(judging.sum()))
    scores = np.where(judging, 0.0, np.nan)
    evidence: list[str | None] = [None] * examples.height
    fix: list[str | None] = [None] * examples.height
    for j in judged:
        for order, (score, text) in j.said.items():
            for p in j.group.positions[order]:
                scores[p], evidence[p] = 0.7 * score if panel else score, text
        for p in () if panel else j.sure:
            fix[p] = "drop"
    signals = signals_frame(examples["row"], scores.astype(np.float32), evidence, fix=fix)
    return Detection(signals, _findings(judged, examples, panel), THRESHOLD)


def _judged(group: Group, cut: Cut, effort: Effort) -> Judged:
    """What is said of each row of a group. One row can stand in for another where it has the same weight and without
    it, too, nothing runs in a circle; that is shown by looking, and not said where the effort is spent."""
    graph, out = group.graph, set(cut.dropped)
    weights = pair_weights(graph.size, graph.orders)
    size, rows = len(group.nodes), group.rows
    least = sum(graph.orders[o].weight for o in out)
    member = f"one of {rows:,} rows that order {size:,} responses in a circle"
    if size == 2:
        member = f"in the majority, {rows - least:,} to {least:,}, on the same two responses"
    among = f"; {rows:,} rows order {size:,} responses in a circle" if size > 2 else ""
    said = dict.fromkeys(range(len(graph.orders)), (MEMBER, member))
    even: set[int] = set()
    for o in cut.dropped:
        order = graph.orders[o]
        out.remove(o)
        length, cycle = graph.through(o, out, effort) or (0, ())
        equal = [d for d in cycle if d != o and graph.orders[d].weight == order.weight]
        instead = [d for d in equal if _settles(graph, o, out, d, effort)]
        out.add(o)
        if length == 2 and instead:
            even |= {o, *instead}
            text = f"contradicted {order.weight:,} to {order.weight:,}, and which side is wrong cannot be known"
            said |= dict.fromkeys((o, *instead), (UNSURE, text + among))
            continue
        also = f"; leaving out another row would do as well (choices: {len(instead):,})" if instead else ""
        text = _against(graph, weights, o, length, cycle) + among + also
        said[o] = (SURE if cut.exact and not instead else UNSURE, text)
        for d in instead:
            if said[d][0] < INSTEAD:
                said[d] = (INSTEAD, f"{member}; leaving it out would do as well as what is proposed")
    return Judged(group, cut, frozenset(even), said)


def _settles(graph: Graph, kept: int, out: set[int], dropped: int, effort: Effort) -> bool:
    """True when `dropped` can go in the place of `kept`, as far as the effort lets it be seen."""
    out.add(dropped)
    free = graph.through(kept, out, effort) is None and effort.visits > 0
    out.remove(dropped)
    return free


def _against(graph: Graph, weights: Weights, o: int, length: int, cycle: tuple[int, ...]) -> str:
    """What stands against an order: the rows that turn a pair around, or those of the shortest cycle that it closes."""
    order = graph.orders[o]
    against = sum(graph.orders[d].weight for d in cycle if d != o)
    if length == 2:
        own, where = order.weight, "on two of its responses"
        if order.is_pair:
            (u,), (v,) = order.levels
            own, against, where = weights[u][v], weights[v][u], "on the same two responses"
        outvoted, longer = ("outvoted", "") if against > own else ("contradicted", ", and in longer circles too")
        return f"{outvoted} {against:,} to {own:,} {where}{longer}"
    if length:
        return f"leads round in a circle with {against:,} other rows, over {length:,} responses"
    return "contradicted by other rows"


def _findings(judged: list[Judged], examples: pl.DataFrame, panel: bool) -> tuple[Finding, ...]:
    if not judged:
        return ()
    numbers, hashes = examples["row"].to_list(), examples["content_hash"].fill_null("").to_list()
    largest = sorted(judged, key=lambda j: (-j.group.rows, j.group.rank))
    shown, rest = largest[:SHOWN_GROUPS], largest[SHOWN_GROUPS:]
    found = [_summary(judged, numbers, panel), *(_finding(j, numbers, hashes) for j in shown)]
    if rest:
        rows = sorted(numbers[p] for j in rest for p in j.held(j.said))
        drop = sum(j.dropped for j in rest)
        found.append(
            Finding(
                code=CODE,
                subject="smaller groups",
                text=f"Smaller groups of responses that are ordered in circles: {len(rest):,}, by {len(rows):,} rows; "
                f"without {drop:,} of them no cycle is left there.",
                severity=Severity.LOW,
                score=float(drop),
                rows=tuple(rows[:200]),
                details={"groups": len(rest), "rows": len(rows), "dropped": drop},
            )
        )
    return tuple(found)


def _finding(judged: Judged, numbers: list[int], hashes: list[str]) -> Finding:
    group, drop = judged.group, judged.dropped
    size, rows = len(group.nodes), group.rows
    if size == 2:
        unknown = "; which side is wrong cannot be known" if judged.even else ""
        text = f"Two responses to one prompt are preferred both ways, {rows - drop:,} to {drop:,}{unknown}."
    else:
        text = (
            f"{rows:,} rows order {size:,} responses to one prompt in a circle; without {drop:,} of them no cycle is "
        )
        text += f"left{'' if drop == 1 else _proof(judged.cut.exact)}."
    # The name depends on what the rows hold, not on where they stand.
    name = digest(sorted(hashes[p] for p in judged.held(judged.said)))[:10]
    return Finding(
        code=CODE,
        subject=f"{'contradiction' if size == 2 else 'cycle'} {name}",
        text=text,
        severity=Severity.LOW,
        score=float(rows),
        rows=tuple(sorted(numbers[p] for p in judged.held(judged.said))[:200]),
        details={
            "responses": size,
            "rows": rows,
            "dropped": drop,
            "exact": judged.cut.exact,
            "drop": sorted(numbers[p] for p in judged.sure)[:200],
            "even": sorted(numbers[p] for p in judged.held(judged.even))[:200],
        },
    )


def _proof(exact: bool) -> str:
    return ", and no fewer would do" if exact else "; whether fewer would do is not known"


def _summary(judged: list[Judged], numbers: list[int], panel: bool) -> Finding:
    pairs = sum(len(j.group.nodes) == 2 for j in judged)
    even, open_ended = sum(bool(j.even) for j in judged), sum(not j.cut.exact for j in judged)
    drop = sum(j.dropped for j in judged)
    rows = sorted(numbers[p] for j in judged for p in j.held(j.said))
    text = f"Pairs of responses that are preferred both ways: {pairs:,}; larger groups that are ordered in circles: "
    text += f"{len(judged) - pairs:,}; rows in them: {len(rows):,}. Without {drop:,} of these rows no cycle is left"
    text += f"{_proof(not open_ended)}."
    if even:
        text += (
            f" As many rows say one thing as the opposite, so that nobody can know which is wrong, in {even:,} of them."
        )
    if panel:
        text += (
            " So many rows contradict each other that the set seems to ask several judges on purpose: none is flagged."
        )
    return Finding(
        code=CODE,
        subject="all cycles",
        text=text,
        severity=Severity.MEDIUM,
        score=float(drop),
        rows=tuple(rows[:200]),
        details={
            "contradictions": pairs,
            "cycles": len(judged) - pairs,
            "rows": len(rows),
            "dropped": drop,
            "even": even,
            "not_exact": open_ended,
            "flagged": not panel,
        },
    )
