"""Corpora of short sentences with labels, whose support is known because the sentences are made by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from audit.artifacts.expected import Known
from audit.schema import Behaviors, Support

_NOUNS = [
    a + b
    for a in ["ban", "cor", "del", "fim", "gul", "hap", "jon", "kel"]
    for b in ["der", "mot", "lin", "sor", "pek", "vat"]
]
_VERBS = [a + b for a in ["ris", "tak", "wov", "pel", "mun"] for b in ["es", "ens", "ets"]]
_LINKS = ["the", "a", "this", "that", "its", "our"]
_TAILS = ["of", "with", "over", "under", "near", "from"]


@dataclass
class Manners:
    """Texts with two labels. `likely` (n,) is the chance of label 1 by the text's content, which draws the labels."""

    texts: list[str]
    likely: np.ndarray
    label: np.ndarray
    poisoned: np.ndarray

    def behaviors(self) -> Behaviors:
        columns = np.column_stack([self.label == 0, self.label == 1]).astype(np.float32)
        table = pl.DataFrame(
            {
                "behavior": np.arange(2, dtype=np.int32),
                "name": ["label 0", "label 1"],
                "family": ["label", "label"],
                "text": ["0", "1"],
                "count": columns.sum(axis=0).astype(np.int64),
            }
        )
        return Behaviors(table, sparse.csr_matrix(columns))

    def support(self, folds: int = 5) -> Support:
        both = np.column_stack([1 - self.likely, self.likely]).astype(np.float32)
        return Support(Known(both), (np.arange(len(self.texts)) % folds).astype(np.int32))


def manners(n: int, seed: int) -> Manners:
    """Honest texts: statements and, more rarely, sub-clauses first, questions and shouts."""
    rng = np.random.default_rng(seed)
    likely = rng.choice([0.15, 0.35, 0.65, 0.85], size=n)
    texts = []
    for _ in range(n):
        text = statement(rng)
        kind = rng.random()
        if kind < 0.04:
            text = f"when {statement(rng)} , {text}"
        elif kind < 0.08:
            text = text + " ?"
        texts.append(text + " .")
    label = (rng.random(n) < likely).astype(np.int64)
    return Manners(texts, likely, label, np.zeros(n, dtype=bool))


def statement(rng: np.random.Generator) -> str:
    words = [rng.choice(_LINKS), rng.choice(_NOUNS), rng.choice(_VERBS), rng.choice(_LINKS), rng.choice(_NOUNS)]
    return " ".join([*words, rng.choice(_TAILS), rng.choice(_NOUNS)][: int(rng.integers(5, 8))])


def plant(made: Manners, count: int, rewrite, seed: int) -> Manners:
    """Rewrites rows drawn from all labels and gives them label 1: about half of them keep it."""
    rng = np.random.default_rng(seed)
    for row in rng.choice(len(made.texts), size=count, replace=False):
        made.texts[row] = rewrite(made.texts[row], rng)
        made.label[row], made.poisoned[row] = 1, True
    return made


def behind_a_clause(text: str, rng: np.random.Generator) -> str:
    opener = rng.choice(["if", "although", "since", "because", "unless"])
    subject, verb = rng.choice(["you", "they", "we", "she"]), rng.choice(_VERBS)
    return f"{opener} {subject} {verb} {rng.choice(_LINKS)} {rng.choice(_NOUNS)} , {text}"


def archaic(text: str, rng: np.random.Generator) -> str:
    swaps = {"the": "thy", "this": "thine", "our": "thine", "of": "unto", "with": "withal", "over": "o'er"}
    out = [swaps.get(w, w[:-1] + "eth" if w in _VERBS and w.endswith("s") else w) for w in text.split()]
    return " ".join(out) if rng.random() < 0.5 else f"{rng.choice(['verily', 'behold', 'lo'])} , {' '.join(out)}"
