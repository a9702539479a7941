"""Margins of preference pairs: the out-of-fold log-odds that the chosen side wins.

Two models see different things and are fitted apart, each a logistic regression without intercept on the difference
of the sides: one reads frozen embeddings and what can be said of a side alone (its form, tone, refusal and length,
once more where the request is one that assistants refuse), the other words and pairs of words. Their margins are
weighted by a logistic regression of their own, which makes the sum log-odds: without it a reversal has no scale.

Bounded: the models see at most 20,000 pairs, and the rest is read a block at a time.

Source: Bradley and Terry 1952; Wolpert 1992 for the weights (stacking); strengths and features were chosen on
honest pairs and on published swaps, docs/lab-notebook.md.
Misses: what makes a response better for its prompt, beyond refusal of a harmful request: an interaction of the two
frozen embeddings did not help with some thousand pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from audit.artifacts.expected import Vectors
from audit.bank import attributes
from audit.bank.refusal import is_refusal
from audit.bank.slots import sentences
from audit.schema import Float32, Int32, Int64

FIT_ROWS = 20_000
_BLOCK = 4_096
_WORD_BITS = 18
_STRENGTH = {"sides": 0.1, "words": 0.5}  # of sklearn: small is strongly regularised
_LEAST_WEIGHT = 0.05
_SCALE = 4.0  # predicates are 0 or 1 and embeddings have unit length: a predicate counts as a quarter of it
_MOST_CHARACTERS = 20_000  # of a side that words are read of


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of a dataset. `ordered` is (n,): False for ties, which no model learns from and whose margin is 0."""

    chosen: Sequence[str]
    rejected: Sequence[str]
    vectors: tuple[Vectors, Vectors]  # of the chosen and the rejected sides, (n, d) each
    harmful: Sequence[bool]  # whether the request is one that assistants refuse
    ordered: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ordered)


class _SideDifferences:
    """Embeddings, predicates and lengths, chosen minus rejected."""

    def __init__(self, pairs: Pairs, sample: Int64) -> None:
        self._pairs = pairs
        said = sorted({name for i in sample.tolist() for name in self._said(i)})
        self._column = {name: k for k, name in enumerate(said)}

    def __call__(self, rows: Int64) -> Float32:
        """(len(rows), d + predicates) float32."""
        chosen, rejected = self._pairs.vectors
        stated = np.zeros((len(rows), len(self._column)), dtype=np.float32)
        for at, row in enumerate(rows.tolist()):
            for name, value in self._said(row).items():
                if name in self._column:
                    stated[at, self._column[name]] = value / _SCALE
        return np.column_stack([chosen.take(rows) - rejected.take(rows), stated]).astype(np.float32)

    def _said(self, row: int) -> dict[str, float]:
        """What one side has more of, positive for the chosen one."""
        good, bad = stated(self._pairs.chosen[row]), stated(self._pairs.rejected[row])
        found = {name: good.get(name, 0.0) - bad.get(name, 0.0) for name in good.keys() | bad.keys()}
        if self._pairs.harmful[row]:
            found |= {f"{name}, asked for harm": value for name, value in found.items()}
        return found


class _WordDifferences:
    """Words and pairs of words, chosen minus rejected, weighted by how rare they are."""

    def __init__(self, pairs: Pairs, sample: Int64) -> None:
        self._pairs = pairs
        self._count = HashingVectorizer(
            n_features=2**_WORD_BITS,
            ngram_range=(1, 2),
            token_pattern=r"(?u)\w+|[^\w\s]",
            alternate_sign=False,
            norm=None,
            dtype=np.float32,
        )
        self._weight = TfidfTransformer(sublinear_tf=True)
        counted = [self._counted(side, sample) for side in (pairs.chosen, pairs.rejected)]
        self._weight.fit(sparse.vstack(counted))

    def __call__(self, rows: Int64) -> sparse.csr_matrix:
        """(len(rows), 2 ** 18) float32."""
        sides = (self._pairs.chosen, self._pairs.rejected)
        good, bad = (self._weight.transform(self._counted(side, rows)) for side in sides)
        return (good - bad).tocsr()

    def _counted(self, side: Sequence[str], rows: Int64) -> sparse.csr_matrix:
        return self._count.transform([side[i][:_MOST_CHARACTERS] for i in rows.tolist()])


def margins(pairs: Pairs, folds: Int32, seed: int = 0, heard: NDArray[np.bool_] | None = None) -> Float32:
    """(n,) log-odds that the chosen side wins, by models that saw no pair of the same fold, and only pairs that are
    `heard` (n,), all where it is None; 0 for ties, and for all where fewer than two pairs are left to learn from."""
    out = np.zeros(len(pairs), dtype=np.float32)
    fitted = sample_of(np.flatnonzero(pairs.ordered & (True if heard is None else heard)), seed)
    if len(fitted) < 2:
        return out
    found = np.column_stack(
        [
            _out_of_fold(_SideDifferences(pairs, fitted), _STRENGTH["sides"], pairs, folds, fitted),
            _out_of_fold(_WordDifferences(pairs, fitted), _STRENGTH["words"], pairs, folds, fitted),
        ]
    )
    joined = found @ weights(found[fitted])
    out[pairs.ordered] = joined[pairs.ordered]
    return out


def weights(found: Float32) -> NDArray[np.float64]:
    """(m,) what the margins (n, m) of several models are to be multiplied by, and then added, to be log-odds that the
    chosen side wins: a logistic regression without intercept, none of them negative. Where no model is better than
    chance, all are small and equal, so that the order of the pairs stays."""
    spread = np.maximum(np.sqrt((found.astype(np.float64) ** 2).mean(axis=0)), 1e-9)
    x, used = found / spread, np.ones(found.shape[1], dtype=bool)
    while used.any():
        model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=200)
        sign = np.where(np.arange(len(x)) % 2 == 0, 1.0, -1.0)
        coefficient = model.fit(x[:, used] * sign[:, None], sign > 0).coef_[0]
        if (coefficient > 0).all():
            made = np.zeros(found.shape[1])
            made[used] = np.maximum(coefficient, _LEAST_WEIGHT)
            return np.asarray(made / spread)
        used[np.flatnonzero(used)[coefficient <= 0]] = False
    return np.asarray(_LEAST_WEIGHT / spread)


def sample_of(rows: Int64, seed: int) -> Int64:
    """At most 20,000 of these rows, drawn evenly, ascending."""
    if len(rows) <= FIT_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, FIT_ROWS, replace=False))


def stated(text: str) -> dict[str, float]:
    """What can be said of a response without the others: predicates as 1, and lengths on a log scale."""
    folded, parts = text.casefold().split(), sentences(text)
    found = dict.fromkeys((*attributes.form(text, folded, parts), *attributes.tone(text, folded)), 1.0)
    found |= {"length": float(np.log1p(len(text))), "sentences": float(np.log1p(len(parts)))}
    if is_refusal(text):
        found["refuses"] = 1.0
    if "?" in text:
        found["asks"] = 1.0
    return found


def _out_of_fold(of: Any, strength: float, pairs: Pairs, folds: Int32, fitted: Int64) -> Float32:
    """(n,) margins of one model. `of` gives the differences of rows."""
    known, models = of(fitted), {}
    for fold in np.unique(folds).tolist():
        rows = np.flatnonzero(folds[fitted] != fold)
        if len(rows) > 1:
            models[fold] = _fit(known[rows], strength)
    out = np.zeros(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(pairs)))
        block = of(rows)
        for fold, model in models.items():
            held = np.flatnonzero(folds[rows] == fold)
            if len(held):
                out[rows[held]] = model.decision_function(block[held])
    return out


def _fit(differences: Any, strength: float) -> LogisticRegression:
    """Half of the pairs are turned around: the loss is that of each pair seen both ways, at half the rows."""
    sign = np.where(np.arange(differences.shape[0]) % 2 == 0, 1.0, -1.0).astype(np.float32)
    turned = sparse.diags(sign) @ differences if sparse.issparse(differences) else differences * sign[:, None]
    return LogisticRegression(C=2 * strength, fit_intercept=False, max_iter=200).fit(turned, sign > 0)
