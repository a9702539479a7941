"""The cleaner as a weapon: honest rows whose flipped near copies an attacker plants, and what becomes of them.

`python -m benchmarks.weapon RUN` takes the rows and embeddings of a finished run of clean classification data, plants
0.1, 1 and 5% of flipped copies, 4 and 10 of each victim, and counts the honest rows that a plain filter (cleanlab on
out-of-fold logistic regression) would remove, beside those that ours removes, holds or speaks against.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from audit.artifacts.expected import Predictors, Vectors
from audit.artifacts.neighbors import top_k
from audit.artifacts.support import grouped_folds, label_codes, label_probabilities
from audit.bank import conflicts
from audit.decide import Check, check_laws, decide
from audit.detectors.label_noise import label_noise
from audit.detectors.near_duplicates import near_duplicates
from audit.provenance import content_hash
from audit.schema import EXAMPLES, DatasetInfo, Detection, Float32, Severity, Support, Verdict

Embed = Callable[[Sequence[str]], Float32]
SHARES = (0.001, 0.01, 0.05)
COPIES = (4, 10)
_BUDGET = 0.02


@dataclass(frozen=True)
class Damage:
    """What became of the honest rows. Victims are among them."""

    rows: int  # honest ones
    planted: int
    victims: int
    plain_victims: int  # that the plain filter removes
    plain_others: int  # honest rows beside the victims that it removes
    plain_before: int  # honest rows that it removes without any attack
    removed: int  # by ours, without a person
    accused_victims: int  # victims that our label check flags, or proposes to relabel
    flagged_others: int  # honest rows beside them that it flags
    asked_victims: int  # held for a person
    asked_others: int
    copies_asked: int  # planted copies held for a person


def flipped_copies(
    examples: pl.DataFrame, share: float, copies: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, list[int]]:
    """Near copies with another label, one or two words changed, and the rows that they are of. At least one copy."""
    count = max(round(share * len(examples)), 1)
    texts, labels = examples["prompt"].to_list(), examples["label"].to_list()
    long = [i for i, text in enumerate(texts) if len(text.split()) >= 8]
    victims = rng.choice(long, max(count // copies, 1), replace=False).tolist()
    names = sorted(set(labels))
    made = []
    for at in range(count):
        victim = victims[at % len(victims)]
        others = [name for name in names if name != labels[victim]]
        made.append((_edited(texts[victim], rng), others[victim % len(others)]))
    return table([text for text, _ in made], [label for _, label in made], len(examples)), victims


def _edited(text: str, rng: np.random.Generator) -> str:
    """The text with a word left out, said twice, or two swapped, where it does not say what is meant."""
    words = text.split()
    at = int(rng.integers(len(words) - 1))
    way = int(rng.integers(3))
    if way == 0:
        return " ".join([*words[:at], *words[at + 1 :]])
    if way == 1:
        return " ".join([*words[: at + 1], words[at], *words[at + 1 :]])
    return " ".join([*words[:at], words[at + 1], words[at], *words[at + 2 :]])


def table(texts: Sequence[str], labels: Sequence[str], start: int = 0) -> pl.DataFrame:
    """Examples of a classification set, EXAMPLES."""
    columns: dict[str, Any] = dict.fromkeys(EXAMPLES, [None] * len(texts))
    columns |= {"row": range(start, start + len(texts)), "prompt": list(texts), "label": list(labels)}
    columns["content_hash"] = [content_hash(text, label) for text, label in zip(texts, labels, strict=True)]
    return pl.DataFrame(columns, schema=EXAMPLES)


def damage(
    honest: pl.DataFrame, info: DatasetInfo, vectors: Float32, embed: Embed, share: float, copies: int, seed: int = 0
) -> Damage:
    """One attack on honest rows whose embeddings are `vectors`, judged by the plain filter and by ours."""
    rng = np.random.default_rng(seed)
    planted, victims = flipped_copies(honest, share, copies, rng)
    examples = pl.concat([honest.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64)), planted])
    known = np.concatenate([vectors, embed(planted["prompt"].to_list())]).astype(np.float32)
    codes = label_codes(examples, info.labels)
    own = np.arange(len(honest))
    victim = np.isin(own, victims)
    plain, before = _plain(known, codes)[own], _plain(vectors, codes[: len(honest)])
    ours = judged(examples, replace(info, rows=len(examples), readable=len(examples)), known, codes)
    removed, asked, accused, flagged = (ours[name][own] for name in ("removed", "asked", "accused", "flagged"))
    return Damage(
        rows=len(honest),
        planted=len(planted),
        victims=len(victims),
        plain_victims=int(plain[victim].sum()),
        plain_others=int(plain[~victim].sum()),
        plain_before=int(before.sum()),
        removed=int(removed.sum()),
        accused_victims=int(accused[victim].sum()),
        flagged_others=int(flagged[~victim].sum()),
        asked_victims=int(asked[victim].sum()),
        asked_others=int(asked[~victim].sum()),
        copies_asked=int(ours["asked"][len(honest) :].sum()),
    )


def _plain(vectors: Float32, codes: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) what a plain filter removes: cleanlab on out-of-fold probabilities, copies in any fold."""
    from cleanlab.filter import find_label_issues

    model = LogisticRegression(C=10.0, max_iter=200)
    probability = cross_val_predict(model, vectors, codes, cv=5, method="predict_proba")
    return np.asarray(find_label_issues(codes.astype(np.int64), probability, n_jobs=1))


def judged(
    examples: pl.DataFrame, info: DatasetInfo, vectors: Float32, codes: NDArray[Any], guarded: bool = True
) -> dict[str, NDArray[np.bool_]]:
    """(n,) each: what ours removes, asks a person about, flags, and accuses (flags it or would relabel it).
    `guarded` False leaves near copies that contradict each other in the fits."""
    graph = top_k(vectors, 10)
    groups = conflicts.groups(examples, info.kind, info.shape, graph)
    if not guarded:
        groups = np.full_like(groups, conflicts.NO_GROUP)
    folds = grouped_folds(graph, len(examples), 5, 0, examples["prompt"])
    lengths = examples["prompt"].str.len_chars().to_numpy()
    heard = groups == conflicts.NO_GROUP
    x = Predictors.of(Vectors([vectors]), lengths)
    probability = label_probabilities(x, codes, folds, len(info.labels), 0, heard)
    support = Support(None, folds, label_probability=probability, disputed=groups)  # type: ignore[arg-type]
    labels = label_noise(examples, info, vectors, graph, support)
    copies = near_duplicates(examples, info, graph)
    assert isinstance(labels, Detection) and isinstance(copies, Detection)
    checks = [
        Check("label_noise", "TV-LBL", Severity.LOW, labels.threshold, labels.signals),
        Check("near_duplicates", "TV-DUP", Severity.LOW, copies.threshold, copies.signals),
    ]
    rows = examples["row"].to_list()
    ledger = pl.DataFrame({"row": rows, "reason": [None] * len(rows)}, schema={"row": pl.Int64, "reason": pl.String})
    disputed = {row: group for row, group in zip(rows, groups.tolist(), strict=True) if group >= 0}
    hashes = dict(zip(rows, examples["content_hash"].to_list(), strict=True))
    verdicts = decide(ledger, hashes, checks, [], int(_BUDGET * len(rows)), disputed)
    check_laws(verdicts, len(rows), [], pl.DataFrame(schema={"row": pl.Int64}))
    said = verdicts["verdict"].to_numpy()
    over = labels.signals["score"].fill_nan(-1.0).to_numpy() >= labels.threshold
    relabel = (labels.signals["fix"].fill_null("") == "relabel").to_numpy()
    removed, asked = said == Verdict.REMOVE, said == Verdict.REVIEW
    return {"removed": removed, "asked": asked, "accused": over | relabel, "flagged": over}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of clean classification data")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    from audit import artifacts
    from audit.config import ModelConfig
    from audit.models.encoder import Encoder
    from audit.rundir import RunDir

    run = RunDir(options.run)
    held = artifacts.load(run, ["examples", "info", "embeddings"])
    encoder = Encoder(ModelConfig(device="cpu"))
    for share in SHARES:
        for copies in COPIES:
            for seed in range(options.seeds):
                honest = (held["examples"], held["info"], held["embeddings"])
                found = damage(*honest, lambda texts: encoder.encode(list(texts)), share, copies, seed)
                print(json.dumps({"share": share, "copies": copies, "seed": seed, **found.__dict__}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
