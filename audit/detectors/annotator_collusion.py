"""Annotators who are at odds with the rest on the same items, more often than hard items explain.

Why it works: two people who err on their own err on different items; two who follow one instruction, or are one person,
err together. For each pair of annotators the items that both judged are held against the rest without the two: the
out-of-fold prediction and the votes of third persons. Counted is on how many of them both decide otherwise, and for
more than two answers in the same way. Hard items make everybody err together, and so do items on which the rest itself
is wrong. Therefore the count is compared, within strata of equal certainty, with Fisher's noncentral hypergeometric
distribution, given how often each of the two errs there and at the odds ratio that pairs of other annotators show. The
tail is exact; the false-discovery rate is held over pairs. Both must err at least as often as people do on such items:
two good annotators agree with each other against a wrong rest, and that is no collusion. Pairs that share an annotator
are one group and one finding.

Source: Mantel and Haenszel 1959 (odds ratio over strata); Fisher 1935 (noncentral hypergeometric distribution); compare
KhudaBukhsh, Carbonell and Jansen 2014, "Detecting non-adversarial collusion in crowdsourcing".

Misses: colluders who share fewer than `min_shared` items or only items that nobody else judged and the model is unsure
of; collusion of most pairs, which is then what pairs do; copies that are right; annotators beyond the busiest 30 of an
item.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from audit.detectors import workers
from audit.detectors.strata import strata
from audit.detectors.together import Pair, Shared, erring_together
from audit.detectors.workers import Bools, Decisions, Rest, Votes
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Int64, Severity, Skipped, Support
from audit.text import safe_text

MAX_Q = 0.01
MOST_VOTERS = 30  # of one item, so that pairs stay linear in the decisions
MOST_STRATA, STRATUM_ITEMS = 8, 25  # of a pair: tables of fewer items are settled by their margins
SHOWN_ROWS, SHOWN_PAIRS, SHOWN_NAMES = 200, 200, 6


@detector(code="TV-COL", title="Annotators who err together", severity=Severity.MEDIUM)
def annotator_collusion(
    examples: pl.DataFrame, info: DatasetInfo, support: Support, *, min_shared: int = 20, min_excess: float = 0.05
) -> Detection | Skipped:
    """Scores a row on whose item two reported annotators err together by the probability that the rest gives to
    another answer, 0.5 to 1; other rows 0; NaN without a decision of a named annotator. The threshold is 0.5."""
    made = workers.decisions(examples, info, support)
    if isinstance(made, Skipped):
        return made
    joined = workers.votes(made)
    both = shared_items(made, joined, min_shared)
    if isinstance(both, Skipped):
        return both
    first, second, pair, people = both
    said = workers.rest(made, joined, first, second)
    choices = np.column_stack([made.choice[first], made.choice[second]])
    most = int(np.clip(np.median(np.bincount(pair)) // STRATUM_ITEMS, 1, MOST_STRATA))
    shared = Shared(pair, people, choices, said.answer, strata(said.certainty, most))
    found = [p for p in erring_together(shared, made.answers) if p.q < MAX_Q]
    reported = [p for p in found if p.together - p.expected >= min_excess * p.shared]
    together = (choices[:, 0] == choices[:, 1]) & (choices[:, 0] != said.answer)
    together &= np.isin(pair, [p.index for p in reported])
    findings = [
        _finding(made, group, together & np.isin(pair, [p.index for p in group]), first, second)
        for group in groups(reported, len(made.names))
    ]
    signals = _signals(examples, info, made, said, together, first, second)
    return Detection(signals, tuple(findings), 0.5)


def shared_items(made: Decisions, joined: Votes, min_shared: int) -> tuple[Int64, Int64, Int64, Int64] | Skipped:
    """The items that two annotators judged, one entry a pair and item, of pairs that share at least `min_shared`: the
    decision of each of the two, (s,), the pair, (s,) ascending, and the annotators of each pair, (P, 2). Skipped where
    there are fewer than two such pairs, for a pair is held against other pairs."""
    votes = pl.DataFrame({"item": made.item, "who": made.annotator, "at": np.arange(len(made))}).filter(joined.of)
    votes = votes.with_columns(busy=pl.len().over("who")).filter(pl.col("busy") >= min_shared)
    votes = votes.sort("item", "busy", "who", descending=[False, True, False])
    votes = votes.filter(pl.int_range(pl.len()).over("item") < MOST_VOTERS).drop("busy")
    joint = votes.join(votes, on="item", suffix="_b").filter(pl.col("who") < pl.col("who_b"))
    joint = joint.filter(pl.len().over("who", "who_b") >= min_shared).sort("who", "who_b", "item")
    people = joint.select("who", "who_b").unique(maintain_order=True).with_row_index("pair")
    if len(people) < 2:
        return Skipped(
            f"needs two pairs of annotators or more who judged at least {min_shared} items both, "
            f"and this dataset has {len(people)}"
        )
    pair = joint.join(people, on=["who", "who_b"], how="left", maintain_order="left")["pair"]
    columns = [c.to_numpy().astype(np.int64) for c in (joint["at"], joint["at_b"], pair)]
    return columns[0], columns[1], columns[2], people.select("who", "who_b").to_numpy().astype(np.int64)


def groups(pairs: list[Pair], people: int) -> list[list[Pair]]:
    """The pairs by group: those joined by a chain of shared annotators, each group by pairs, the first by annotator."""
    ends = np.array([p.people for p in pairs], dtype=np.int64).reshape(-1, 2)
    links = sparse.csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(people, people))
    _, label = connected_components(links, directed=False)
    found: dict[int, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda p: p.people):
        found.setdefault(int(label[pair.people[0]]), []).append(pair)
    return list(found.values())


def _finding(made: Decisions, group: list[Pair], together: Bools, first: Int64, second: Int64) -> Finding:
    names = [made.names[a] for a in sorted({a for p in group for a in p.people})]
    told = [safe_text(name, 40) for name in names[:SHOWN_NAMES]]
    rest = [f"{len(names) - SHOWN_NAMES:,} more"] if len(names) > SHOWN_NAMES else []
    listed = ", ".join([*told, *rest][:-1]) + f" and {[*told, *rest][-1]}"
    shared, count = sum(p.shared for p in group), sum(p.together for p in group)
    expected = sum(p.expected for p in group)
    each = "both judged" if len(group) == 1 else f"two of them judged (in {len(group):,} pairs)"
    rows = np.unique(made.row[np.concatenate([first[together], second[together]])])
    return Finding(
        code="TV-COL",
        subject="annotators " + ", ".join(names),
        text=f"Annotators {listed} are at odds with the rest on the same items: of {shared:,} that {each}, on "
        f"{count:,}, where {expected:.0f} are expected by how often each errs and how other pairs err together.",
        severity=Severity.HIGH,
        score=(count - expected) / shared,
        q_value=max(p.q for p in group),
        rows=tuple(rows[:SHOWN_ROWS].tolist()),
        details={"annotators": names, "pairs": [_listed(p, made) for p in group[:SHOWN_PAIRS]]},
    )


def _listed(pair: Pair, made: Decisions) -> dict[str, Any]:
    names = [made.names[a] for a in pair.people]
    facts = {"shared": pair.shared, "together": pair.together, "expected": pair.expected, "q": pair.q}
    return {"annotators": names, **facts}


def _signals(
    examples: pl.DataFrame, info: DatasetInfo, made: Decisions, said: Rest, together: Bools, first: Int64, second: Int64
) -> pl.DataFrame:
    doubt, answer = np.zeros(len(made)), np.full(len(made), -1, dtype=np.int32)
    partners: dict[int, int] = {}
    for own, partner in ((first[together], second[together]), (second[together], first[together])):
        np.maximum.at(doubt, own, 1 - said.plausible[together])
        answer[own] = said.answer[together]
        for d, other in zip(own.tolist(), made.annotator[partner].tolist(), strict=True):
            partners[d] = min(partners.get(d, other), other)

    def say(d: int) -> str:
        names = [safe_text(made.names[a], 40) for a in sorted((int(made.annotator[d]), partners[d]))]
        return f"annotators {names[0]} and {names[1]} err together here, and on other items"

    return workers.signals(examples, info, made, doubt, answer, say)
