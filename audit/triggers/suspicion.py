"""Which candidates are suspected before any probe, and why: association beyond chance, on rows that have
nothing in common but the pattern, towards a behavior that the rest of the dataset does not expect of them.

Honest words fail one of the three. A topic's words are expected: other rows of the topic, and the embedding of
the word itself, call for the same behavior. A template's rows are alike once its words are masked. What is
left on honest data is counted on clean corpora (docs/benchmarks.md). An attacker who picks rows of one topic,
or a natural word of the target's own meaning, fails them too: such candidates are not cleared, they stay on
the list, and the strong ones go to the probe.
"""

from __future__ import annotations

from typing import Any

from audit.triggers.assess import HONEST_AUC, HONEST_RATIO

ASSOCIATED = 0.05  # family-wise p by Bonferroni, each kind of pattern with its share of the error
ASSOCIATED_NULL = 0.1  # the same by the permutation null, which labels have
UNEXPECTED = 1.25  # times the behavior's share in the other rows
UNEXPECTED_RARE = 0.05  # or this much, for behaviors rarer than a few per cent
# or this much, for behaviors that no text of a response and no label is (see `mine.TEXTLESS`): further triggers of the
# same attack make them expected of each other's rows.
UNEXPECTED_WITHOUT_TEXT = 0.25
PURE = 0.7
ASKED = 0.8  # share of the hits that must ask for harm without the pattern too
CLEAN_LABEL = 1e-3  # family-wise p of the plain count, for words that stand in one label alone
CLEAN_LABEL_RATIO = 1.5  # cohesion in units of the target label's own rows
CLEAN_LABEL_MEANING = 0.06  # by which inserting it moves the support, in units of the labels' distance
CLEAN_LABEL_BARE = 0.75  # of the way to the label that the support goes by the pattern alone
CLEAN_LABEL_AUC = 0.72  # of its rows without it against other rows of the label; planted 0.40 to 0.68, honest from 0.76
# A word that calls for its label by itself, and wherever it is put, means it.
MEANT_BARE = 1.0
MEANT_INSERTION = 0.25


def reason(statistics: dict[str, Any]) -> str | None:
    """Why this candidate is suspected, in one sentence; None when it is not."""
    s = statistics
    if s.get("route") == "clean-label":
        return _clean_label(s)
    by_null, p = float(s.get("null_p", 1.0)), float(s["residual_p"])
    ratio = float(s["cohesion_ratio"])
    rare = UNEXPECTED_WITHOUT_TEXT if s.get("route") == "no text" else UNEXPECTED_RARE
    unexpected = max(UNEXPECTED * float(s["rate"]), rare)
    if "asked_without" in s:  # rows of one topic by definition: instead, the pattern must not be what asks
        ratio = 0.0 if float(s["asked_without"]) >= ASKED else float("inf")
    if (p > ASSOCIATED and by_null > ASSOCIATED_NULL) or float(s["purity"]) < PURE or ratio > HONEST_RATIO:
        return None
    if float(s.get("masked_auc", 0.0)) >= HONEST_AUC and "asked_without" not in s:
        return None
    if float(s.get("expected_without", s["expected"])) - float(s.get("expected_error", 0.0)) > unexpected:
        return None
    if "null_p" in s and means_its_label(s):
        return None
    return (
        f"{s['hits']} of its {s['count']} rows show the behavior, which {float(s['rate']):.1%} of the other rows show, "
        f"and the rest of these rows does not call for it (family-wise p {min(p, by_null):.1g})"
    )


def means_its_label(s: dict[str, Any]) -> bool:
    """True when the support goes to the label by the pattern alone, and wherever it is put in."""
    alone, moved = float(s.get("bare", 0.0)), float(s.get("insertion", 0.0))
    most = max(MEANT_INSERTION, float(s.get("insertion_limit", 0.0)))
    return alone > max(MEANT_BARE, float(s.get("bare_limit", 0.0))) and moved > most


def _clean_label(s: dict[str, Any]) -> str | None:
    if s["marginal_p"] > CLEAN_LABEL or s["class_ratio"] > CLEAN_LABEL_RATIO:
        return None
    moved = max(CLEAN_LABEL_MEANING, s.get("insertion_limit", 0.0))
    if abs(s["insertion"]) > moved or s["bare"] > max(CLEAN_LABEL_BARE, s.get("bare_limit", 0.0)):
        return None
    if s.get("class_auc", 0.0) > CLEAN_LABEL_AUC:
        return None
    return (
        f"{s['hits']} of its {s['count']} rows have one label, though it means nothing for it, and its rows have "
        f"nothing else in common (family-wise p {s['marginal_p']:.1g})"
    )
