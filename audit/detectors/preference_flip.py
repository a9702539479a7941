"""Preference pairs that are likely the wrong way round, ranked, and how many of them there are.

Why it works: a reward model trained on the other pairs gives each pair a margin, the log-odds that its chosen side
wins. Swapped pairs have their margin reversed. Where margins are sure, honest pairs hardly contradict them, and so the
share that does estimates the rate of swapped pairs, of all and of each annotator; with it a margin becomes the
probability that the pair is the wrong way round. People agree with each other on 62 to 75% of such pairs, and so does
the best model: a single pair is ranked and not proven. This check therefore flags no row; what an annotator does as a
whole is tested by `annotator_anomaly`.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning" (noise rates from confident examples); Dawid and Skene
1979 (rates by annotator); Wang et al. 2024, "Secrets of RLHF in Large Language Models Part II: Reward Modeling",
section 2 (preference strength as a detector of wrong pairs); agreement of annotators: Bai et al. 2022.

Misses: any single swapped pair, as evidence; swaps that follow a rule which the reward model learns as well; the rate
where the margins are hardly better than chance, whose interval is then wide.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.artifacts.support import decided_margin
from audit.detectors.flip_rate import FlipRate, estimate
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Kind, Severity, Skipped, Support, signals_frame
from audit.stats import sigmoid, wilson_interval
from audit.views import ordered

MIN_ROWS = 50
_OTHER = {"true": "false", "false": "true"}  # judgements of single responses
MOST_NAMED = 100  # annotators whose rate the finding holds


@detector(code="TV-FLIP", title="Preferences that the rest contradicts", severity=Severity.LOW, version=3)
def preference_flip(
    examples: pl.DataFrame, info: DatasetInfo, support: Support, *, shown: float = 0.5
) -> Detection | Skipped:
    """Scores every pair by the probability that it is the wrong way round, 0 to 1; NaN for ties. Pairs whose rejected
    side the other pairs prefer with a probability above `shown` carry their evidence and the fix swap (KTO: relabel);
    the threshold is infinite, for this is a ranking."""
    whole = decided_margin(support, examples["label"], info)
    if info.kind != Kind.PREFERENCE or whole is None:
        return Skipped("needs preference pairs and their out-of-fold margins")
    single = support.margin is None
    pairs = examples.select(pl.col("label").is_not_null() if single else ordered()).to_series().to_numpy()
    count = int(pairs.sum())
    if count < MIN_ROWS:
        return Skipped(f"needs at least {MIN_ROWS} pairs with an order, and this dataset has {count}")
    margin = whole.astype(np.float64)[pairs]
    found = estimate(margin, examples["annotator"].filter(pl.Series(pairs)).to_list())
    against = sigmoid(-margin)
    score = np.full(examples.height, np.nan, dtype=np.float32)
    score[pairs] = found.flipped
    evidence: list[str | None] = [None] * examples.height
    for at, a, f in zip(np.flatnonzero(pairs).tolist(), against.tolist(), found.flipped.tolist(), strict=True):
        if a > shown:
            told = "the others call for the other judgement" if single else "the other pairs prefer the rejected side"
            evidence[at] = (
                f"{told} with probability {a:.0%}; at the estimated rate of wrong ones this one is the wrong way round "
                f"with probability {f:.0%}"
            )
    fix = [("relabel" if single else "swap") if e else None for e in evidence]
    other = [_OTHER[label] if single and e else None for e, label in zip(evidence, examples["label"], strict=True)]
    signals = signals_frame(examples["row"], score, evidence, fix=fix, new_value=other)
    return Detection(signals, (_finding(signals, margin, found, support),))


def _finding(signals: pl.DataFrame, margin: NDArray[np.float64], found: FlipRate, support: Support) -> Finding:
    count, against = len(margin), int((margin < 0).sum())
    low, high = wilson_interval(against, count)
    rates = sorted(((r, n) for n, r in found.by_annotator.items() if n is not None), key=lambda x: (-x[0], x[1]))
    ranked = signals.filter(pl.col("score").is_not_nan()).sort("score", "row", descending=[True, False])
    return Finding(
        code="TV-FLIP",
        subject="margins",
        text=f"About {found.rate:.1%} of the pairs are estimated to be the wrong way round ({found.low:.1%} to "
        f"{found.high:.1%}). The other pairs contradict {against:,} of {count:,} pairs ({low:.0%} to {high:.0%}); "
        "people disagree on 25 to 38% of such pairs, so this ranks pairs and proves no single one wrong.",
        severity=Severity.INFO,
        score=found.rate,
        rows=tuple(ranked["row"].head(200)),
        details={
            "contradicted": against,
            "accuracy": support.accuracy,
            # Named as label noise is: where it is surely above one per cent, the budget of review widens.
            "noise_rate": found.rate,
            "noise_rate_lower": found.low,
            "noise_rate_upper": found.high,
            "by_annotator": [{"annotator": n, "noise_rate": r} for r, n in rates[:MOST_NAMED]],
        },
    )
