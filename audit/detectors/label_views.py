"""Out-of-fold opinions on each label from five more views of an example, beside the logistic model of the support: a
kernel ridge and the nearest neighbours in the embedding, a ridge and naive Bayes on the words, naive Bayes on the
letters. Views that err on different rows are worth more together than any of them alone. Shared by the checks that
weigh labels.

Source: Williams and Seeger 2001 (Nystroem features); Cover and Hart 1967 (nearest neighbours); Rennie et al. 2003,
"Tackling the Poor Assumptions of Naive Bayes Text Classifiers", section 4.1 (log and inverse document frequencies).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audit.schema import Float32, Int64, Neighbors
from audit.stats import spread
from audit.text import words

Array = NDArray[np.float64]

_LANDMARKS = (
    600  # 300 cost a point of average precision on sentiment, 1,200 gained a third of one in four times the time
)
BLOCK_ROWS = 8_192
_FIT_ROWS = 20_000  # a ridge on words sees at most so many rows a fold
_TEXT_CHARACTERS = 4_000  # what is read of a text; the encoder reads less
_HASHED_TERMS = 2**18
_CELLS = 20_000_000  # terms times classes, at most
_LETTER_ROWS = 100_000  # beyond, letters would take more memory than they are worth
_RIDGE = 1.0
_SMOOTHING = 0.1  # pseudo-count of naive Bayes
_VOTE_SHARPNESS = 5.0  # a neighbour's vote falls to a tenth when its cosine is lower by 0.46


def label_views(
    texts: Sequence[str], vectors: Float32, graph: Neighbors, codes: Int64, folds: NDArray[np.int32], base: Array
) -> Array:
    """(V, n, C) log-scores of every label, rows centred and views scaled to a spread of one; views that say nothing
    are left out. `base` are the out-of-fold probabilities of the support, (n, C), the first view; `codes` are the
    given labels, (n,), each in use, and a row's own label is never seen by its views."""
    classes = base.shape[1]
    own = np.eye(classes)[codes]  # (n, C)
    found = [np.log(np.clip(base, 1e-6, 1)), kernel_ridge(vectors, own, folds), neighbor_votes(graph, codes, classes)]
    table = word_table(texts, classes)
    if table.shape[1]:
        found += [word_ridge(table, own, folds), naive_bayes(table, own, folds)]
    if len(texts) <= _LETTER_ROWS and (letters := letter_table(texts, classes)).shape[1]:
        found.append(naive_bayes(letters, own, folds))
    centred = [view - view.mean(axis=1, keepdims=True) for view in found]
    return np.stack([view / view.std() for view in centred if view.std() > 1e-9] or [np.zeros_like(base)])


def kernel_ridge(vectors: Float32, own: Array, folds: NDArray[np.int32]) -> Array:
    """(n, C) ridge regression of the labels on features of the kernel exp(cosine - 1), without each row's fold."""
    marks = vectors[spread(len(vectors), _LANDMARKS)].astype(np.float64)
    value, direction = np.linalg.eigh(np.exp(marks @ marks.T - 1))
    keep = value > 1e-8 * value[-1]
    basis = direction[:, keep] / np.sqrt(value[keep])  # (L, m)

    def features(start: int) -> Array:
        block = np.exp(vectors[start : start + BLOCK_ROWS].astype(np.float64) @ marks.T - 1) @ basis
        return np.column_stack([block, np.ones(len(block))])

    return out_of_fold_ridge(features, own, folds, _RIDGE)


def out_of_fold_ridge(features: Callable[[int], Array], own: Array, folds: NDArray[np.int32], penalty: float) -> Array:
    """(n, C) ridge predictions in closed form, without each row's fold. `features` makes a block of rows, (B, m), from
    its first row; the last column is the intercept, which is hardly shrunk."""
    names = np.unique(folds)
    size = features(0).shape[1]
    gram, moment = np.zeros((names.size, size, size)), np.zeros((names.size, size, own.shape[1]))
    for start, block in _blocks(features, len(own)):
        inside = folds[start : start + len(block)]
        for place, name in enumerate(names.tolist()):
            part = block[inside == name]
            gram[place] += part.T @ part
            moment[place] += part.T @ own[start : start + len(block)][inside == name]
    shrink = penalty * np.eye(size)
    shrink[-1, -1] = 1e-3
    weights = [
        np.linalg.solve(gram.sum(axis=0) - gram[i] + shrink, moment.sum(axis=0) - moment[i]) for i in range(names.size)
    ]
    out = np.zeros_like(own)
    for start, block in _blocks(features, len(own)):
        inside = folds[start : start + len(block)]
        for place, name in enumerate(names.tolist()):
            out[start + np.flatnonzero(inside == name)] = block[inside == name] @ weights[place]
    return out


def _blocks(features: Callable[[int], Array], count: int) -> Iterator[tuple[int, Array]]:
    for start in range(0, count, BLOCK_ROWS):
        yield start, features(start)


def neighbor_votes(graph: Neighbors, codes: Int64, classes: int) -> Array:
    """(n, C) log of the share of each label among the neighbours of a row, nearer ones weighing more."""
    votes = np.full((len(codes), classes), np.exp(-0.5 * _VOTE_SHARPNESS) / classes)
    weight = np.exp(_VOTE_SHARPNESS * (graph.similarity.astype(np.float64) - 1))
    rows = np.arange(len(codes))
    for place in range(graph.index.shape[1]):
        np.add.at(votes, (rows, codes[graph.index[:, place]]), weight[:, place])
    return np.asarray(np.log(votes / votes.sum(axis=1, keepdims=True)))


def word_table(texts: Sequence[str], classes: int) -> sparse.csr_matrix:
    """(n, W) TF-IDF of words and word pairs, unit rows; words of one row only are left out."""
    return _table(texts, classes, {"analyzer": _terms})


def letter_table(texts: Sequence[str], classes: int) -> sparse.csr_matrix:
    """(n, W) TF-IDF of runs of three to five letters inside words, unit rows; runs in one row only are left out."""
    return _table([text[:_TEXT_CHARACTERS] for text in texts], classes, {"analyzer": "char_wb", "ngram_range": (3, 5)})


def _table(texts: Sequence[str], classes: int, terms: dict[str, Any]) -> sparse.csr_matrix:
    # Imported here: every command imports the registry, and this takes a second.
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    hashed = HashingVectorizer(n_features=_HASHED_TERMS, norm=None, alternate_sign=False, dtype=np.float32, **terms)
    counts = sparse.csr_matrix(hashed.transform(texts))
    rows_with = np.bincount(counts.indices, minlength=_HASHED_TERMS)
    most = np.argsort(-rows_with, kind="stable")[: _CELLS // classes]
    chosen = np.sort(most[rows_with[most] > 1])
    if not chosen.size:
        return sparse.csr_matrix((len(texts), 0))
    return sparse.csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, chosen]))


def _terms(text: str) -> list[str]:
    single = words(text[:_TEXT_CHARACTERS].casefold())
    return single + [f"{a} {b}" for a, b in pairwise(single)]


def word_ridge(table: sparse.csr_matrix, own: Array, folds: NDArray[np.int32]) -> Array:
    """(n, C) ridge regression of the labels on words, without each row's fold."""
    from sklearn.linear_model import Ridge

    out = np.zeros_like(own)
    for fold in np.unique(folds).tolist():
        held, train = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if train.size:
            train = train[spread(train.size, _FIT_ROWS)]
            model = Ridge(alpha=_RIDGE, solver="sparse_cg", tol=1e-3).fit(table[train], 2 * own[train] - 1)
            out[held] = model.predict(table[held]).reshape(held.size, -1)
    return out


def naive_bayes(table: sparse.csr_matrix, own: Array, folds: NDArray[np.int32]) -> Array:
    """(n, C) log-likelihood of a row's terms under each label, without each row's fold."""
    out = np.zeros_like(own)
    total = table.T @ own  # (W, C)
    for fold in np.unique(folds).tolist():
        held = np.flatnonzero(folds == fold)
        counts = np.maximum(total - table[held].T @ own[held], 0) + _SMOOTHING
        out[held] = table[held] @ np.log(counts / counts.sum(axis=0))
    return out
