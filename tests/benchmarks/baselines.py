"""Published filters on the same rows, embeddings and probabilities that the product sees.

Each returns the positions that it would throw away. Where a paper needs a class and the data has none (responses,
preference pairs), all rows are one class, as the filters' users have to do it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer

Flags = NDArray[np.bool_]

Z_DEVIATIONS = 18.0
SPECTRAL_FACTOR = 1.5
ICA_COMPONENTS = 10
_RESPONSE_DISTANCE = 0.3
_RESPONSE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a filter may look at. Arrays are aligned with `texts`."""

    texts: Sequence[str]
    labels: Sequence[str] | None
    responses: Sequence[str] | None
    vectors: NDArray[np.float32]  # (n, d) unit rows, the whole example
    probability: NDArray[np.float32] | None  # (n, C) out of fold, columns as `classes`
    classes: tuple[str, ...]
    rate: float  # true poison rate; only spectral signatures are told


def z_scores(inputs: Inputs) -> Flags | None:
    """Rows that hold a token whose z-score with the row's label is an outlier.

    z = (p_hat - p0) / sqrt(p0 (1 - p0) / n) with p_hat the share of the token's n occurrences that have the label and
    p0 = 1 / #labels; an outlier is above mean + 18 standard deviations of all z. Tokens are split at white space and
    counted as often as they occur, as in the authors' code.

    Source: He, Xu, Lyu, Wu and Wang 2023, "Mitigating Backdoor Poisoning Attacks through the Lens of Spurious
    Correlation", arXiv:2305.11596, section 4.
    """
    if inputs.labels is None:
        return None
    total: Counter[str] = Counter()
    joint: Counter[tuple[str, str]] = Counter()
    for text, label in zip(inputs.texts, inputs.labels, strict=True):
        tokens = text.split()
        total.update(tokens)
        joint.update((token, label) for token in tokens)
    p0 = 1 / len(set(inputs.labels))
    pairs = list(joint)
    n = np.asarray([total[token] for token, _ in pairs], dtype=np.float64)
    z = (np.asarray([joint[p] for p in pairs]) / n - p0) / np.sqrt(p0 * (1 - p0) / n)
    bound = z.mean() + Z_DEVIATIONS * z.std()
    outliers = {pairs[i] for i in np.flatnonzero(z > bound).tolist()}
    flagged = [
        any((token, label) in outliers for token in text.split())
        for text, label in zip(inputs.texts, inputs.labels, strict=True)
    ]
    return np.asarray(flagged, dtype=bool)


def cleanlab_issues(inputs: Inputs) -> Flags | None:
    """cleanlab's own label issues, default settings, on the out-of-fold probabilities.

    Source: Northcutt, Jiang and Chuang 2021; cleanlab 2.9, filter.find_label_issues.
    """
    if inputs.labels is None or inputs.probability is None:
        return None
    from cleanlab.filter import find_label_issues

    place = {name: i for i, name in enumerate(inputs.classes)}
    given = np.asarray([place[label] for label in inputs.labels])
    probability = inputs.probability.astype(np.float64)
    probability /= probability.sum(axis=1, keepdims=True)
    return np.asarray(find_label_issues(given, probability, n_jobs=1), dtype=bool)


def spectral_signatures(inputs: Inputs) -> Flags:
    """Per class, the rows with the largest squared projection of the centred embedding on the top right singular
    vector; of each class the share 1.5 eps, eps the true poison rate, which a user does not know.

    Source: Tran, Li and Madry 2018, "Spectral Signatures in Backdoor Attacks", algorithm 1.
    """
    out = np.zeros(len(inputs.texts), dtype=bool)
    for rows in _classes(inputs):
        count = min(round(SPECTRAL_FACTOR * inputs.rate * len(rows)), len(rows))
        if count and len(rows) > 1:
            centred = inputs.vectors[rows].astype(np.float64)
            centred -= centred.mean(axis=0)
            top = np.linalg.eigh(centred.T @ centred)[1][:, -1]
            score = (centred @ top) ** 2
            out[rows[np.argsort(-score, kind="stable")[:count]]] = True
    return out


def activation_clustering(inputs: Inputs) -> Flags:
    """Per class, the smaller of two clusters of the embeddings reduced to ten independent components.

    Source: Chen et al. 2018, "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", section 4:
    independent component analysis to 10, k-means with k = 2, relative size.
    """
    out = np.zeros(len(inputs.texts), dtype=bool)
    for rows in _classes(inputs):
        if len(rows) <= 2 * ICA_COMPONENTS:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            reduced = FastICA(ICA_COMPONENTS, random_state=0, max_iter=400).fit_transform(
                inputs.vectors[rows].astype(np.float64)
            )
        cluster = KMeans(2, n_init=10, random_state=0).fit_predict(reduced)
        out[rows[cluster == int(np.bincount(cluster, minlength=2).argmin())]] = True
    return out


def response_clusters(inputs: Inputs) -> Flags | None:
    """Rows whose responses say nearly the same as at least four others': density clusters of TF-IDF vectors of words
    and word pairs, cosine distance at most 0.3. The usual hand-made check of instruction data for planted outputs.

    Source: Ester et al. 1996 (DBSCAN) over TF-IDF; no paper proposes it for poison, so the settings are ours.
    """
    if inputs.responses is None:
        return None
    unique = list(dict.fromkeys(inputs.responses))
    place = {text: i for i, text in enumerate(unique)}
    repeats = np.bincount([place[r] for r in inputs.responses], minlength=len(unique)).astype(float)
    if not any(any(c.isalnum() for c in text) for text in unique):
        return np.zeros(len(inputs.responses), dtype=bool)
    matrix = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+", dtype=np.float32)
    vectors = matrix.fit_transform(unique)
    found = DBSCAN(eps=_RESPONSE_DISTANCE, min_samples=_RESPONSE_ROWS, metric="cosine").fit_predict(
        vectors, sample_weight=repeats
    )
    return np.asarray([found[place[r]] >= 0 for r in inputs.responses], dtype=bool)


def _classes(inputs: Inputs) -> list[NDArray[np.int64]]:
    if inputs.labels is None:
        return [np.arange(len(inputs.texts))]
    labels = np.asarray(inputs.labels)
    return [np.flatnonzero(labels == name) for name in sorted(set(inputs.labels))]


BASELINES: dict[str, Callable[[Inputs], Flags | None]] = {
    "z-score": z_scores,
    "cleanlab": cleanlab_issues,
    "spectral": spectral_signatures,
    "clustering": activation_clustering,
    "tf-idf": response_clusters,
}


def rates(flags: Flags, poisoned: Flags) -> dict[str, float | None]:
    """Recall of the poisoned rows, None without any, and the share of clean rows flagged."""
    return {
        "recall": float(flags[poisoned].mean()) if poisoned.any() else None,
        "clean": float(flags[~poisoned].mean()) if (~poisoned).any() else None,
    }
