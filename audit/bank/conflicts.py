"""Near copies that contradict each other: one text under two labels, one pair of responses preferred both ways.

Why it matters: a fit that sees such copies lets them vote. An attacker who plants ten flipped copies of an honest row
makes every model doubt the honest one, and a filter on label noise removes it. So rows that contradict a near copy are
left out of the fits that judge labels, and a person is asked about each group of them; no majority among copies
decides anything, since whoever plants copies owns it.

A near copy is a text that shares 80% of its three-word shingles, or one whose embedding lies at a cosine of 0.95 and
that shares 80% of its words: a change of one word in ten leaves half of the shingles only, and an honest contrast of
one word ("great" against "terrible") moves the embedding further than that.

Source: the experiment is described in docs/concepts.md; Broder 1997 for the shingles.
Misses: paraphrases that share fewer words; copies of a group that has more than 200 rows which no candidate edge joins
to their opposite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from audit.bank.shingles import Shingles, band_pairs, jaccard, shingle
from audit.schema import Int32, Int64, Kind, Neighbors
from audit.views import ordered

_SHINGLES = 0.8  # Jaccard similarity of near copies
_COSINE = 0.95
_WORDS = 0.8  # Jaccard similarity of the words of near copies whose embeddings are close
_PAIRS = 0.6  # Jaccard similarity of prompt and sides together; turned around, runs across their ends differ
_SIDES = 0.75  # mean Jaccard similarity of the sides of one pair to those of the other, turned around
_CROSSED = 0.5  # how much more alike two pairs are with the sides of one turned around, of 2
_ALL_PAIRS = 200  # rows of a group within which every pair is compared
NO_GROUP = -1

Edges = NDArray[np.int64]  # (m, 2) positions


def groups(examples: pl.DataFrame, kind: str, shape: str, graph: Neighbors | None) -> Int32:
    """(n,) the groups of a dataset, from the columns prompt, response, rejected, label and ranking: labels of texts,
    judgements of responses (KTO) or preferences. -1 everywhere for instructions, which state no judgement."""
    prompts, responses, rejected = (examples[name].fill_null("") for name in ("prompt", "response", "rejected"))
    if kind == Kind.CLASSIFICATION:
        return label_conflicts(prompts, examples["label"].to_list(), graph)
    if kind != Kind.PREFERENCE:
        return np.full(len(examples), NO_GROUP, dtype=np.int32)
    if shape == "kto":
        texts = pl.select(pl.concat_str([prompts, responses], separator="\n")).to_series()
        return label_conflicts(texts, examples["label"].to_list(), None, responses)
    return pair_conflicts(prompts, responses, rejected, examples.select(ordered()).to_series().to_numpy())


def label_conflicts(
    texts: pl.Series, labels: Sequence[str | None], graph: Neighbors | None, answers: pl.Series | None = None
) -> Int32:
    """(n,) the group of near copies under different labels that each row belongs to, numbered by their first row, -1
    for none. `answers`: what the labels judge, where that is only a part of `texts`; copies must agree in it too.
    Law: which rows form a group depends neither on their order nor on how many copies each side has."""
    named = {label: i for i, label in enumerate(sorted({label for label in labels if label is not None}))}
    codes = np.array([NO_GROUP if label is None else named[label] for label in labels], dtype=np.int64)
    if len(named) < 2:
        return np.full(len(codes), NO_GROUP, dtype=np.int32)
    near = _Near(texts, graph, None if answers is None else shingle(answers))

    def disagree(edges: Edges) -> NDArray[np.bool_]:
        first, second = codes[edges[:, 0]], codes[edges[:, 1]]
        return np.asarray((first != second) & (first >= 0) & (second >= 0))

    return _groups(near, disagree, len(codes))


def pair_conflicts(prompts: pl.Series, chosen: pl.Series, rejected: pl.Series, decided: NDArray[np.bool_]) -> Int32:
    """(n,) the group of near copies of one pair that are preferred both ways, as `label_conflicts`; -1 for pairs
    that are not `decided` (n,), which are ties."""
    whole = pl.select(pl.concat_str([prompts, chosen, rejected], separator="\n")).to_series()
    near = _Near(whole, None, None, _PAIRS)
    asked = shingle(prompts, 1)
    sides = shingle(pl.concat([chosen, rejected]))  # the chosen of row i at i, its rejected at n + i
    count = len(prompts)

    def turned(edges: Edges) -> NDArray[np.bool_]:
        first, second = edges[:, 0], edges[:, 1]
        straight, crossed = (
            jaccard(sides, np.column_stack([first, second + (count if other else 0)]))
            + jaccard(sides, np.column_stack([first + count, second + (0 if other else count)]))
            for other in (False, True)
        )
        same = jaccard(asked, edges) >= _WORDS
        return np.asarray(
            (crossed >= 2 * _SIDES) & (crossed - straight > _CROSSED) & same & decided[first] & decided[second]
        )

    return _groups(near, turned, count)


class _Near:
    """Which texts are near copies of which."""

    def __init__(
        self, texts: pl.Series, graph: Neighbors | None, answers: Shingles | None, least: float = _SHINGLES
    ) -> None:
        self._shingles, self._words = shingle(texts), shingle(texts, 1)
        self._answers, self._least = answers, least
        found = [band_pairs(self._shingles)]
        self._cosine: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        if graph is not None and graph.index.shape[1] and len(graph.index) == len(texts):
            close = graph.similarity >= _COSINE
            edges = np.column_stack([np.nonzero(close)[0], graph.index[close]]).astype(np.int64)
            found.append(np.unique(np.sort(edges, axis=1), axis=0))
            self._cosine = np.sort(self._key(found[-1]))
        self.candidates = np.unique(np.concatenate(found), axis=0)

    def _key(self, edges: Edges) -> Int64:
        return np.asarray(edges[:, 0] * self._shingles.text_hash.size + edges[:, 1])

    def __call__(self, edges: Edges) -> NDArray[np.bool_]:
        """(m,) whether these are near copies; the first position of each edge is the smaller one."""
        near = jaccard(self._shingles, edges) >= self._least
        linked = np.flatnonzero(~near & np.isin(self._key(edges), self._cosine))
        near[linked] = jaccard(self._words, edges[linked]) >= _WORDS
        if self._answers is not None:
            near &= jaccard(self._answers, edges) >= _SHINGLES
        return np.asarray(near)


def _groups(near: _Near, against: Callable[[Edges], NDArray[np.bool_]], count: int) -> Int32:
    """Groups of rows joined by near copies that are against each other."""
    edges = near.candidates[near(near.candidates)]
    whole = _components(edges, count)
    sizes = np.bincount(whole, minlength=1)
    small = np.flatnonzero((sizes[whole] > 2) & (sizes[whole] <= _ALL_PAIRS))
    members: dict[int, list[int]] = {}
    for position in small.tolist():
        members.setdefault(int(whole[position]), []).append(position)
    more = [np.array(list(combinations(rows, 2)), dtype=np.int64) for rows in members.values()]
    edges = np.unique(np.concatenate([edges, *more]), axis=0)
    edges = edges[against(edges)]
    edges = edges[near(edges)]
    joined = _components(edges, count)
    inside = np.zeros(count, dtype=bool)
    inside[edges.ravel()] = True
    out = np.full(count, NO_GROUP, dtype=np.int32)
    _, first, number = np.unique(joined[inside], return_index=True, return_inverse=True)
    out[inside] = np.argsort(np.argsort(first, kind="stable"), kind="stable")[number]
    return out


def _components(edges: Edges, count: int) -> Int64:
    links = coo_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
