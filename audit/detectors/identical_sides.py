"""Preference pairs whose two sides are the same text or nearly: they teach nothing, or little, and often betray a
broken pipeline. Ranked lists that rank one text twice.

Why it works: a pair says which of two responses is better, so equal responses carry no preference, and a list that
puts one text at two ranks contradicts itself: both are flagged to be dropped. Sides that differ only in case or white
space come next, with no proposal: where the prompt asks for capitals or for a layout, they differ in what was judged.
Below the threshold stand sides whose similarity (twice the longest common subsequence over both lengths, after folding
case and white space) is at least `near`, with what differs as evidence. They are listed and not flagged: in the
published sets that were looked at each of them was an honest edit, one side being the other with a word corrected, a
clause left out or another mark at its end. At 0.9 about one word in ten differs; from 0.8 to 0.9 stand free rewrites,
whose likeness says nothing. Texts beyond 10,000 characters are compared by words, and those beyond 20,000 words not at
all, which the finding counts; pairs whose lengths alone keep them below `near` are left out, which loses none.

Source: equal sides are reported of published preference sets, in one of which 144 of 220 were equal (camel-ai/owl,
issue 592); Hyyrö 2004, "Bit-parallel LCS-length computation revisited" (the similarity, by RapidFuzz).

Misses: sides that say the same in other words or with their sentences in another order; near copies among the inner
responses of a ranked list.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import count

import numpy as np
import polars as pl
from rapidfuzz.distance import LCSseq, Levenshtein

from audit import views
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Kind, Severity, Skipped, signals_frame
from audit.text import safe_text, spell, word_spans, words

THRESHOLD = 0.8
EQUAL, FOLDED, NEARLY = 1.0, 0.9, 0.7  # the last times the similarity
LONG_CHARACTERS = 10_000  # takes a millisecond
MOST_WORDS = 20_000  # takes 20
_SHOWN_WORDS = 5_000  # what differs in longer sides is not looked for
_SHOWN_CHANGES = 3
_ROUNDING = 1e-9  # a length that is exactly the bound is rounded to either side

Span = tuple[int, int]


@detector(code="TV-SAME", title="Pairs with equal sides", severity=Severity.LOW, version=3)
def identical_sides(examples: pl.DataFrame, info: DatasetInfo, *, near: float = 0.9) -> Detection | Skipped:
    """Scores a pair 1 where both sides are equal, 0.9 where they are equal but for case and white space, 0.7 times
    their similarity where that is at least `near`, else 0, and NaN for ties. A ranked list scores 1 where one text
    stands at two ranks, 0.9 where that holds but for case and white space."""
    if info.kind != Kind.PREFERENCE:
        return Skipped("needs preference pairs")
    if examples["rejected"].null_count() == examples.height:
        return Skipped("needs the rejected responses, which this dataset has not")
    frame = examples.select(
        "row",
        "response",
        "rejected",
        "ranking",
        ordered=views.ordered(),
        left=_folded("response"),
        right=_folded("rejected"),
    ).with_row_index("i")
    judged = frame.filter("ordered")
    scores = np.where(frame["ordered"].to_numpy(), 0.0, np.nan)
    evidence: list[str | None] = [None] * frame.height
    fix: list[str | None] = [None] * frame.height
    unlike = judged.filter(pl.col("left") != pl.col("right"))
    nearly, skipped = _nearly(unlike, near)
    for i, alike, said in nearly:
        scores[i], evidence[i] = NEARLY * alike, said
    for i in judged.filter(pl.col("left") == pl.col("right"))["i"]:
        scores[i] = FOLDED
        evidence[i] = "both sides are the same but for case and white space, which may be what was judged"
    for i in judged.filter(pl.col("response") == pl.col("rejected"))["i"]:
        scores[i], evidence[i], fix[i] = EQUAL, "both sides are the same text", "drop"
    twice = _twice(judged)
    for i, (score, said) in twice.items():
        scores[i], evidence[i], fix[i] = score, said, "drop" if score == EQUAL else None
    signals = signals_frame(frame["row"], scores.astype(np.float32), evidence, fix=fix)
    lists = frame["i"].is_in(list(twice))
    findings = _findings(signals.filter(~lists), signals.filter(lists), judged.height, skipped, near)
    return Detection(signals, findings, THRESHOLD)


def similarity(left: str, right: str, least: float) -> float:
    """Twice the longest common subsequence over both lengths, 0..1, and 0 below `least`; NaN where the texts are too
    long to be compared. By characters, and by words for long texts."""
    one: Sequence[Hashable] = left
    two: Sequence[Hashable] = right
    if max(len(left), len(right)) > LONG_CHARACTERS:
        one, two = _coded(words(left), words(right))
        if max(len(one), len(two)) > MOST_WORDS:
            return math.nan
    total = len(one) + len(two)
    if not total:
        return 1.0
    # In whole numbers: the share itself, as a cutoff, loses texts that are alike just as much as asked for.
    enough = math.ceil(least * total / 2 - _ROUNDING)
    return 2 * int(LCSseq.similarity(one, two, score_cutoff=enough)) / total


def difference(chosen: str, rejected: str) -> str:
    """What the chosen side says otherwise, word by word, spelled safely: `"colour" for "color"; without "very"`; ""
    where that is more than can be shown."""
    one, two = _coded(words(chosen), words(rejected))
    changes: list[tuple[Span, Span]] = []
    if max(len(one), len(two)) <= _SHOWN_WORDS:
        for op in Levenshtein.opcodes(one, two):
            if op.tag == "equal":
                continue
            mine, theirs = (op.src_start, op.src_end), (op.dest_start, op.dest_end)
            if changes and changes[-1][0][1] == mine[0] and changes[-1][1][1] == theirs[0]:
                (start, _), (begin, _) = changes.pop()
                mine, theirs = (start, mine[1]), (begin, theirs[1])
            changes.append((mine, theirs))
        if not changes:
            return "other white space between words and marks"
    told = [_change(_quoted(chosen, mine), _quoted(rejected, theirs)) for mine, theirs in changes[:_SHOWN_CHANGES]]
    more = len(changes) - len(told)
    return "; ".join(told) + (f"; and {more:,} more" if more > 0 else "")


def _change(mine: str, theirs: str) -> str:
    if mine and theirs:
        return f"{mine} for {theirs}"
    return f"with {mine}" if mine else f"without {theirs}"


def _quoted(text: str, span: Span) -> str:
    """The words of this span as they stand in the text, in quotation marks, code points named where that is short."""
    if span[0] == span[1]:
        return ""
    spans = word_spans(text)
    held = text[spans[span[0]][0] : spans[span[1] - 1][1]]
    return f'"{spell(held) if len(held) <= 16 else safe_text(held, 40)}"'


def _coded(left: list[str], right: list[str]) -> tuple[list[int], list[int]]:
    """Words as numbers, equal words alike: RapidFuzz compares hashes, and these never clash."""
    number = dict(zip(dict.fromkeys(left + right), count(), strict=False))
    return [number[w] for w in left], [number[w] for w in right]


def _nearly(unlike: pl.DataFrame, near: float) -> tuple[list[tuple[int, float, str]], int]:
    """Index, similarity and evidence of each pair that is at least `near` alike, and how many were too long to tell."""
    one, two = pl.col("left").str.len_chars().cast(pl.Float64), pl.col("right").str.len_chars().cast(pl.Float64)
    # No common subsequence is longer than the shorter text. By words the bound is another: long texts are not left out.
    possible = 2 * pl.min_horizontal(one, two) >= near * (one + two) - _ROUNDING
    long = pl.max_horizontal(one, two) > LONG_CHARACTERS
    found, skipped = [], 0
    columns = unlike.filter(possible | long).select("i", "left", "right", "response", "rejected")
    for i, left, right, chosen, rejected in columns.iter_rows():
        alike = similarity(left, right, near)
        if math.isnan(alike):
            skipped += 1
        elif alike > 0:
            said = difference(chosen, rejected)
            found.append((i, alike, f"{_percent(alike)} alike" + (f"; the chosen side: {said}" if said else "")))
    return found, skipped


def _percent(alike: float) -> str:
    """The share in per cent, never 100%.

    >>> _percent(0.9999)
    '99%'
    """
    return f"{math.floor(100 * alike)}%"


def _twice(judged: pl.DataFrame) -> dict[int, tuple[float, str]]:
    """Index of each ranked list that puts one text at two ranks -> score and evidence."""
    lists = judged.filter(pl.col("ranking").is_not_null()).select("i", "ranking").explode("ranking").unnest("ranking")
    lists = lists.drop_nulls().with_columns(folded=_folded("text"))
    found: dict[int, tuple[float, str]] = {}
    for column, score, how in (("folded", FOLDED, " but for case and white space"), ("text", EQUAL, "")):
        held = lists.group_by("i", column).agg(low=pl.col("rank").min(), high=pl.col("rank").max())
        held = (
            held.filter(pl.col("low") < pl.col("high"))
            .sort("low", "high")
            .unique("i", keep="first", maintain_order=True)
        )
        for i, low, high in held.select("i", "low", "high").iter_rows():
            found[i] = (score, f"one text stands at ranks {low} and {high}{how}")
    return found


def _findings(pairs: pl.DataFrame, lists: pl.DataFrame, judged: int, skipped: int, near: float) -> tuple[Finding, ...]:
    scored = pairs.filter(pl.col("score").is_not_nan() & (pl.col("score") > 0))
    flagged = scored.filter(pl.col("score") >= THRESHOLD)
    equal = int((scored["score"] == EQUAL).sum())
    alike = scored.filter(pl.col("score") < THRESHOLD).sort("score", "row", descending=[True, False])
    found = []
    if len(flagged):
        text = f"{equal:,} of {judged:,} pairs have equal sides and teach nothing"
        text += f"; equal but for case and white space: {len(flagged) - equal:,}." if len(flagged) > equal else "."
        details = {"pairs": len(flagged), "equal": equal}
        found.append(_finding("equal sides", text, Severity.LOW, flagged["row"], judged, details))
    if len(alike) or skipped:
        text = f"{len(alike):,} of {judged:,} pairs have sides that are at least {near:.0%} alike and not equal. What "
        text += "differs may be what was judged, so they are listed and not flagged."
        text += f" Too long to be compared: {skipped:,}." if skipped else ""
        details = {"pairs": len(alike), "too_long": skipped}
        found.append(_finding("nearly equal sides", text, Severity.INFO, alike["row"], judged, details))
    if len(lists):
        text = f"{len(lists):,} ranked lists put one text at two ranks, and contradict themselves."
        found.append(_finding("lists", text, Severity.LOW, lists["row"], judged, {"lists": len(lists)}))
    return tuple(found)


def _finding(
    subject: str, text: str, severity: Severity, rows: pl.Series, judged: int, details: dict[str, int]
) -> Finding:
    share = len(rows) / max(judged, 1)
    return Finding("TV-SAME", subject, text, severity, share, rows=tuple(rows.head(200)), details=details)


def _folded(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
