"""What only somebody with the truth can compute: the oracle for style poison, and which poison kept its right label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

Bools = NDArray[np.bool_]
ORACLE_CLEAN = 0.05


def oracle(texts: list[str], poisoned: Bools, seed: int = 0) -> dict[str, float]:
    """Recall, at 5% of the clean rows, of a classifier that is trained on the true poison labels: logistic regression
    on TF-IDF of words, word pairs and character 1- to 5-grams, out of 5 folds. Of what was tried on StyleAttack's
    files the best: words alone had 0.83, with the embedding added 0.89, this 0.91 (with case and spacing folded 0.81,
    0.81 and 0.82)."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=r"(?u)\w+|[^\w\s]")
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 5), sublinear_tf=True, min_df=3)
    x = sparse.hstack([words.fit_transform(texts), characters.fit_transform(texts)]).tocsr()
    score = np.zeros(len(texts))
    for train, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(score, poisoned):
        model = LogisticRegression(C=10.0, max_iter=300).fit(x[train], poisoned[train])
        score[held] = model.decision_function(x[held])
    return {"recall": recall_at(score, poisoned, ORACLE_CLEAN), "clean": ORACLE_CLEAN}


def recall_at(score: NDArray[np.float64], poisoned: Bools, clean_share: float) -> float:
    """Share of the poisoned rows above the cut that at most `clean_share` of the clean rows exceed."""
    clean = np.sort(score[~poisoned])[::-1]
    cut = clean[min(int(clean_share * len(clean)), len(clean) - 1)]
    return float((score[poisoned] > cut).mean())


def label_split(
    labels: list[str], vectors: NDArray[np.float32], poisoned: Bools, flagged: Bools, seed: int = 0
) -> dict[str, Any]:
    """Recall of flipped and of label-consistent poison apart. The truth does not say which poisoned row kept its right
    label, so this is an estimate: the right label is what a classifier says that was fitted on the embeddings of the
    truth's clean rows alone. `accuracy` is that classifier's on clean rows, out of 5 folds, and bounds what the split
    is worth."""
    given = np.asarray(labels)
    clean = np.flatnonzero(~poisoned)
    right = 0.0
    for train, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(clean, given[clean]):
        model = LogisticRegression(C=10.0, max_iter=300).fit(vectors[clean[train]], given[clean[train]])
        right += float((model.predict(vectors[clean[held]]) == given[clean[held]]).sum())
    model = LogisticRegression(C=10.0, max_iter=300).fit(vectors[clean], given[clean])
    at = np.flatnonzero(poisoned)
    kept = model.predict(vectors[at]) == given[at]
    out: dict[str, Any] = {"accuracy": right / len(clean)}
    for name, part in (("flipped", at[~kept]), ("consistent", at[kept])):
        out[name] = {"rows": len(part), "recall": float(flagged[part].mean()) if len(part) else None}
    return out
