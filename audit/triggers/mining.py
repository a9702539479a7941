"""The mining stage: reads a run's artifacts, mines them, and keeps what was found in triggers/candidates.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import artifacts
from audit.artifacts import tags
from audit.artifacts.behaviors import decided_sides
from audit.artifacts.support import attribute_differences, decided_margin, label_codes, vectors
from audit.models.encoder import Encoder
from audit.rundir import Context, read_json, write_json
from audit.schema import Int32
from audit.triggers.candidate import Candidate
from audit.triggers.clean_label import clean_label
from audit.triggers.meaning import Meaning
from audit.triggers.mine import VARIANT, Beside, Miner
from audit.triggers.null import LabelNull
from audit.triggers.one_sided import mine_one_sided
from audit.triggers.rest import Rest
from audit.triggers.reversal import mine_reversal
from audit.triggers.second_look import look_again
from audit.triggers.sides import Sides
from audit.triggers.templates import find_templates
from audit.triggers.topics import mine_topics
from audit.triggers.untargeted import mine_free_form, mine_untargeted

_NAMES = ("examples", "patterns", "behaviors", "support")


def build(ctx: Context, unit: str) -> list[Path]:
    """Mines a run; writes triggers/candidates.json."""
    loaded = artifacts.load(ctx.run, _NAMES)
    examples: pl.DataFrame = loaded["examples"]
    texts = examples["prompt"].fill_null("").to_list()
    ctx.progress.start("mining", 6, "passes")
    support, patterns, behaviors = loaded["support"], loaded["patterns"], loaded["behaviors"]
    rest = Rest(support.expected.predictors, behaviors.matrix)
    beside = _beside(ctx, loaded, texts, rest)
    ctx.progress.advance(1)
    miner = Miner(texts, patterns, behaviors, support, ctx.config.mining, beside)
    found = miner.candidates()
    ctx.progress.advance(1)
    meaning = Meaning(Encoder(ctx.config.model), rest, texts, ctx.config.seed)
    if "label" in miner.families:
        one_label = clean_label(miner, miner.pairs, meaning)
        seen = {(c.parts, c.behavior) for c in one_label}
        found = one_label + [c for c in found if (c.parts, c.behavior) not in seen]
    ctx.progress.advance(1)
    if ctx.config.mining.templates:
        written = tags.load(ctx.run, texts) if ctx.config.mining.tagger else texts
        found = find_templates(written, behaviors, support, predictors=rest.predictors, seed=ctx.config.seed) + found
    ctx.progress.advance(1)
    if support.label_probability is not None:
        found += mine_untargeted(miner, _codes(ctx, examples), np.asarray(support.label_probability))
    found = mine_free_form(miner, found)
    found += mine_topics(miner, support.expected.predictors.vectors, ctx.config.seed)
    found = look_again(found, meaning, support.expected.predictors.vectors, ctx.config.seed)
    ctx.progress.advance(1)
    margin = decided_margin(support, examples["label"], ctx.run.dataset())
    if margin is not None:
        reversed_by = mine_reversal(texts, patterns, margin, ctx.config.mining, ctx.config.seed)
        # What a swap does to lengths or refusals is the swap, not a second trigger.
        swapped = [set(c.carriers) for c in reversed_by]
        apart = [c for c in found if not any(len(rows & set(c.hits)) >= VARIANT * len(c.hits) for rows in swapped)]
        found = reversed_by + apart
        if support.margin is not None:
            sides = _sides(ctx, examples, meaning.encoder)
            found += mine_one_sided(*sides.texts, miner.vocabulary, ctx.config.mining, sides)
        found.sort(key=lambda c: not c.statistics["suspected"])
    ctx.progress.advance(1)
    path = ctx.run / "triggers" / "candidates.json"
    write_json(path, [c.to_dict() for c in found[: ctx.config.mining.max_candidates]])
    return [path]


def load(path: Path) -> list[Candidate]:
    """Candidates as the miner wrote them."""
    return [Candidate.from_dict(raw) for raw in read_json(path)]


def _sides(ctx: Context, examples: pl.DataFrame, encoder: Encoder) -> Sides:
    chosen, rejected = (vectors(ctx.run, name) for name in ("response", "rejected"))
    assert chosen is not None and rejected is not None  # where there is a margin
    return Sides(decided_sides(examples), (chosen, rejected), attribute_differences(examples), encoder, ctx.config.seed)


def _codes(ctx: Context, examples: pl.DataFrame) -> Int32:
    return label_codes(examples, ctx.run.dataset().labels)


def _beside(ctx: Context, loaded: dict[str, Any], texts: list[str], rest: Rest) -> Beside:
    examples, support, null = loaded["examples"], loaded["support"], None
    labels = ctx.run.dataset().labels
    if support.label_probability is not None and len(labels) > 1:
        null = LabelNull(
            loaded["patterns"].matrix,
            loaded["patterns"].table["kind"].to_list(),
            _codes(ctx, examples),
            np.asarray(support.label_probability),
            ctx.config.mining.min_support,
            ctx.config.seed,
        )
    responses = examples["response"].fill_null("").to_list() if examples["response"].null_count() < len(texts) else []
    return Beside(
        rest=rest,
        null=null,
        responses=responses,
        sources=examples["source"].to_list() if examples["source"].n_unique() > 1 else (),
        annotators=examples["annotator"].to_list() if examples["annotator"].n_unique() > 1 else (),
    )
