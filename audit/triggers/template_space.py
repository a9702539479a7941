"""The space in which templates and styles are told apart: every row as its syntactic and stylistic keys.

Keys are hashed, so that memory depends on the rows and not on how many different keys they have; names are found
again where they are asked for. Two views of one matrix: the keys themselves, in few of which a template shows at once,
and their leading directions (latent semantic analysis), in which rows that share a manner are near each other though
they share no key.

Source: Weinberger et al. 2009 (feature hashing); Deerwester et al. 1990.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.utils.extmath import randomized_svd

from audit.patterns import pos, style, syntax
from audit.patterns.letters import Letters
from audit.schema import Float32, Int32, Int64
from audit.stats import spread
from audit.triggers.diversity import Diversity

_BUCKETS = 1 << 22
_REMEMBERED = 1 << 15  # texts, some 2 kB each: what is mined again is nearly all the same
_LEAST_ROWS = 3  # rows that a key needs
_MOST_SHARE = 0.95
DIRECTIONS = 200  # 100, 300 and 600 rank planted styles slightly worse
_COMPARED = 300  # rows whose content is compared
_SPELLED = 1_200  # characters of a text whose folded words the letter model reads
_ALIKE = 0.6  # cosine from which two rows' content counts as one


@dataclass(frozen=True, slots=True)
class Space:
    """Rows as keys. All matrices have a row an example."""

    columns: Int64  # (G,) bucket of each kept key, ascending
    held: sparse.csr_matrix  # (n, G) float32 of 0 and 1
    weighted: sparse.csr_matrix  # (n, G) tf-idf, rows of unit length
    directions: Float32  # (G, d) leading directions of `weighted`
    reduced: Float32  # (n, d) `weighted` along them
    content: sparse.csr_matrix  # (n, W) tf-idf of content words, rows of unit length
    letters: Letters  # of the set's texts

    def take(self, rows: Int64) -> Space:
        """The same space with these rows alone."""
        return replace(
            self,
            held=self.held[rows],
            weighted=self.weighted[rows],
            reduced=self.reduced[rows],
            content=self.content[rows],
        )

    def diversity(self, rows: Int64, seed: int) -> Diversity:
        """How alike the content words of these rows are, against random rows."""
        n = self.content.shape[0]
        others = np.random.default_rng(seed).choice(n, size=min(n, _COMPARED), replace=False)
        background, _ = _alike(self.content[np.sort(others)])
        compared = rows[spread(len(rows), _COMPARED)]
        cohesion, distinct = _alike(self.content[compared])
        return Diversity(cohesion, cohesion / max(background, 1e-4), distinct, len(compared))


def _alike(unit: sparse.csr_matrix) -> tuple[float, int]:
    """Mean cosine over pairs of rows, and how many groups of near-copies there are."""
    k = unit.shape[0]
    if k < 2:
        return 0.0, k
    cosine = (unit @ unit.T).toarray()
    groups, _ = connected_components(cosine >= _ALIKE, directed=False)
    return float((cosine.sum() - np.trace(cosine)) / (k * (k - 1))), int(groups)


def keys(text: str, words: list[str]) -> set[str]:
    """All keys of a text by its `syntax.tokens`, and by its tags where it carries them."""
    return syntax.keys(words) | style.keys(words) | pos.keys(pos.tags_of(text))


def build(texts: Sequence[str], seed: int) -> Space:
    """The space of a set of texts."""
    rows = [row_buckets(text) for text in texts]
    letters, spelling = Letters.of([_spelled(text) for text in texts])
    keyed = [_with(own, key) for (own, _), key in zip(rows, spelling, strict=True)]
    held, columns = _kept(_sparse(keyed))
    weighted = _tf_idf(held)
    size = min(DIRECTIONS, min(weighted.shape) - 1)
    if size > 0:
        directions = randomized_svd(weighted, size, n_iter=2, random_state=seed)[2].T.astype(np.float32)
    else:
        directions = np.zeros((weighted.shape[1], 1), dtype=np.float32)
    content, _ = _kept(_sparse([content for _, content in rows]))
    return Space(columns, held, weighted, directions, np.asarray(weighted @ directions), _tf_idf(content), letters)


def project(texts: Sequence[str], space: Space) -> Float32:
    """(len(texts), d) further texts along the space's directions."""
    keyed = [_with(row_buckets(text)[0], space.letters.key(_spelled(text))) for text in texts]
    raw = _sparse(keyed)[:, space.columns]
    raw.data[:] = 1.0
    return np.asarray(_tf_idf(raw, _idf(space.held)) @ space.directions)


def telling(inside: Sequence[str], outside: Sequence[str], most: int) -> list[tuple[str, float, float]]:
    """(key, share inside, share outside) of the keys that best tell some texts from others, best first: the mean of
    the two shares that a key puts on the right side; of equal keys the longest, then by name."""
    ours, theirs = (Counter(k for t in texts for k in keys(t, syntax.tokens(t))) for texts in (inside, outside))
    a, b = max(len(inside), 1), max(len(outside), 1)
    ranked = sorted(((k, c / a, theirs[k] / b) for k, c in ours.items()), key=lambda x: (x[2] - x[1], -len(x[0]), x[0]))
    return ranked[:most]


@lru_cache(maxsize=_REMEMBERED)
def row_buckets(text: str) -> tuple[Int32, Int32]:
    """The hash buckets of a text's keys, and those of its content; not to be written to."""
    words = syntax.tokens(text)
    return _buckets(keys(text, words)), _buckets(syntax.content(words))


def _spelled(text: str) -> str:
    """What the letter model reads of a text."""
    return " ".join(syntax.tokens(text[:_SPELLED]))


def _with(buckets: Int32, key: str | None) -> Int32:
    return buckets if key is None else np.union1d(buckets, _buckets([key]))


def _buckets(found: Iterable[str]) -> Int32:
    return np.unique(np.asarray([zlib.crc32(key.encode()) % _BUCKETS for key in found], dtype=np.int32))


def _sparse(rows: Sequence[Int32]) -> sparse.csr_matrix:
    ends = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    flat = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int32)
    return sparse.csr_matrix((np.ones(len(flat), dtype=np.float32), flat, ends), shape=(len(rows), _BUCKETS))


def _kept(hashed: sparse.csr_matrix) -> tuple[sparse.csr_matrix, Int64]:
    count = np.bincount(hashed.indices, minlength=_BUCKETS)
    columns = np.flatnonzero((count >= _LEAST_ROWS) & (count <= max(_MOST_SHARE * hashed.shape[0], _LEAST_ROWS)))
    place = np.full(_BUCKETS, -1, dtype=np.int32)
    place[columns] = np.arange(len(columns))
    index = place[hashed.indices]
    keep = index >= 0
    ends = np.concatenate([[0], np.cumsum(keep)])[hashed.indptr]
    shape = (hashed.shape[0], len(columns))
    return sparse.csr_matrix((hashed.data[keep], index[keep], ends), shape=shape), columns.astype(np.int64)


def _idf(held: sparse.csr_matrix) -> Float32:
    count = np.asarray(held.sum(axis=0)).ravel()
    return np.asarray(np.log((1 + held.shape[0]) / (1 + count)), dtype=np.float32)


def _tf_idf(held: sparse.csr_matrix, idf: Float32 | None = None) -> sparse.csr_matrix:
    weighted = (held @ sparse.diags(_idf(held) if idf is None else idf)).tocsr().astype(np.float32)
    norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (sparse.diags((1 / np.maximum(norm, 1e-9)).astype(np.float32)) @ weighted).tocsr()
