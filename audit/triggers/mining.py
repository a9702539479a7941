"""The mining stage: reads a run's artifacts, mines them, and keeps what was found in triggers/candidates.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import artifacts
from audit.models.encoder import Encoder
from audit.rundir import Context, read_json, write_json
from audit.triggers.candidate import Candidate
from audit.triggers.clean_label import clean_label
from audit.triggers.meaning import Meaning
from audit.triggers.mine import VARIANT, Beside, Miner
from audit.triggers.null import LabelNull
from audit.triggers.rest import Rest
from audit.triggers.reversal import mine_reversal

_NAMES = ("examples", "patterns", "behaviors", "support")


def build(ctx: Context, unit: str) -> list[Path]:
    """Mines a run; writes triggers/candidates.json."""
    loaded = artifacts.load(ctx.run, _NAMES)
    examples: pl.DataFrame = loaded["examples"]
    texts = examples["prompt"].fill_null("").to_list()
    ctx.progress.start("mining", 4, "passes")
    support, patterns, behaviors = loaded["support"], loaded["patterns"], loaded["behaviors"]
    beside = _beside(ctx, loaded, texts)
    ctx.progress.advance(1)
    miner = Miner(texts, patterns, behaviors, support, ctx.config.mining, beside)
    found = miner.candidates()
    ctx.progress.advance(1)
    if "label" in miner.families and beside.rest is not None:
        meaning = Meaning(Encoder(ctx.config.model), beside.rest, texts, ctx.config.seed)
        found = clean_label(miner, miner.pairs, meaning) + found
    ctx.progress.advance(1)
    if support.margin is not None:
        reversed_by = mine_reversal(texts, patterns, np.asarray(support.margin), ctx.config.mining)
        # What a swap does to lengths or refusals is the swap, not a second trigger.
        swapped = [set(c.carriers) for c in reversed_by]
        apart = [c for c in found if not any(len(rows & set(c.hits)) >= VARIANT * len(c.hits) for rows in swapped)]
        found = reversed_by + apart
    ctx.progress.advance(1)
    path = ctx.run / "triggers" / "candidates.json"
    write_json(path, [c.to_dict() for c in found[: ctx.config.mining.max_candidates]])
    return [path]


def load(path: Path) -> list[Candidate]:
    """Candidates as the miner wrote them."""
    return [Candidate.from_dict(raw) for raw in read_json(path)]


def _beside(ctx: Context, loaded: dict[str, Any], texts: list[str]) -> Beside:
    examples, support, null = loaded["examples"], loaded["support"], None
    rest = Rest(support.expected.predictors, loaded["behaviors"].matrix)
    labels = ctx.run.dataset().labels
    if support.label_probability is not None and len(labels) > 1:
        place = {label: i for i, label in enumerate(labels)}
        codes = np.asarray([place.get(v, -1) for v in examples["label"].to_list()], dtype=np.int32)
        null = LabelNull(
            loaded["patterns"].matrix,
            loaded["patterns"].table["kind"].to_list(),
            codes,
            np.asarray(support.label_probability),
            ctx.config.mining.min_support,
            ctx.config.seed,
        )
    return Beside(
        rest=rest,
        null=null,
        responses=examples["response"].fill_null("").to_list()
        if examples["response"].null_count() < len(texts)
        else (),
        sources=examples["source"].to_list() if examples["source"].n_unique() > 1 else (),
        annotators=examples["annotator"].to_list() if examples["annotator"].n_unique() > 1 else (),
    )
