"""Preference pairs whose chosen side an out-of-fold reward model finds the worse one.

Why it works: a reward model trained on the other pairs gives each pair a margin, the log-odds that its chosen side
wins. Swapped pairs have their margin reversed, so they gather at the low end. People agree with each other on 62 to
75% of such pairs, and so does the best model: a low margin ranks a pair and proves nothing about it. This check
therefore flags no row; what an annotator does as a whole is tested by `annotator_anomaly`.

Source: Wang et al. 2024, "Secrets of RLHF in Large Language Models Part II: Reward Modeling", section 2 (preference
strength as a detector of wrong pairs); agreement of annotators: Bai et al. 2022.

Misses: any single swapped pair, as evidence; swaps that follow a rule which the reward model learns as well.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Finding, Kind, Severity, Skipped, Support, signals_frame
from audit.stats import sigmoid, wilson_interval

MIN_ROWS = 50


@detector(code="TV-FLIP", title="Preferences that the rest contradicts", severity=Severity.LOW)
def preference_flip(
    examples: pl.DataFrame, info: DatasetInfo, support: Support, *, shown: float = 0.5
) -> Detection | Skipped:
    """Scores every pair by the out-of-fold probability that its rejected side wins. Pairs above `shown` carry their
    evidence and the fix swap; the threshold is infinite, for this is a ranking."""
    if info.kind != Kind.PREFERENCE or support.margin is None:
        return Skipped("needs preference pairs and their out-of-fold margins")
    count = examples.height
    if count < MIN_ROWS:
        return Skipped(f"needs at least {MIN_ROWS} pairs, and this dataset has {count}")
    score = sigmoid(-support.margin.astype(np.float64))
    evidence = [
        f"the rejected side wins with probability {s:.0%} by the other pairs" if s > shown else None for s in score
    ]
    fix = ["swap" if s > shown else None for s in score]
    signals = signals_frame(examples["row"], score.astype(np.float32), evidence, fix=fix)
    against = int((support.margin < 0).sum())
    low, high = wilson_interval(against, count)
    finding = Finding(
        code="TV-FLIP",
        subject="margins",
        text=f"The other pairs contradict {against:,} of {count:,} pairs ({low:.0%} to {high:.0%}); people disagree "
        "on 25 to 38% of such pairs, so this ranks pairs and proves no single one wrong.",
        severity=Severity.INFO,
        score=against / count,
        rows=tuple(signals.sort("score", "row", descending=[True, False])["row"].head(200)),
        details={"contradicted": against, "accuracy": support.accuracy},
    )
    return Detection(signals, (finding,))
