"""Texts as sets of shingles (runs of three words), MinHash bands over them, and exact Jaccard similarity of pairs. All
on flat arrays: no loop over rows.

Source: Broder 1997; Leskovec, Rajaraman and Ullman 2020, chapter 3. With 24 bands of 3 hashes a pair at similarity
0.8 shares a band with probability 1 - (1 - 0.8^3)^24 > 0.9999, at 0.3 with 0.48; what is shared by chance is
removed by `jaccard`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from audit.text import UNSPACED

WORDS = 3
BANDS, ROWS = 24, 3
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_LETTER = r"\p{L}\p{N}\p{M}_"
_WORD = rf"[{UNSPACED}]|[{_LETTER}&&[^{UNSPACED}]]+|[^{_LETTER}\s]"


@dataclass(frozen=True, slots=True)
class Shingles:
    """The shingles of n texts, flat."""

    text_hash: NDArray[np.uint64]  # (n,) of the folded text: equal texts, equal hashes
    flat: NDArray[np.uint64]  # (total,) shingle hashes, distinct and ascending within a text
    offsets: NDArray[np.int64]  # (n + 1,) text i holds flat[offsets[i]:offsets[i + 1]]


def shingle(texts: pl.Series, run: int = WORDS) -> Shingles:
    """Folds case and white space, splits into words (characters, in scripts that set no spaces between words) and
    hashes every run of `run` words (of all words in a shorter text). A text without any word has one shingle, the
    hash of the text itself."""
    folded = texts.fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    whole = folded.hash(seed=1).to_numpy()
    frame = pl.DataFrame({"text": folded}).with_row_index("i")
    words = (
        frame.with_columns(word=pl.col("text").str.extract_all(_WORD))
        .select("i", "word")
        .explode("word")
        .drop_nulls("word")
    )
    hashed = words.select("i", h=pl.col("word").hash(seed=2))
    owner = hashed["i"].to_numpy().astype(np.int64)
    word = hashed["h"].to_numpy()
    counts = np.bincount(owner, minlength=len(whole))
    return _runs(whole, owner, word, counts, run)


def _runs(
    whole: NDArray[np.uint64], owner: NDArray[np.int64], word: NDArray[np.uint64], counts: NDArray[np.int64], run: int
) -> Shingles:
    starts = np.concatenate([[0], np.cumsum(counts)])
    place = np.arange(owner.size) - starts[owner]
    valid = place <= np.maximum(counts[owner] - run, 0)
    mixed = np.zeros(owner.size, dtype=np.uint64)
    for step in range(run):
        ahead = np.minimum(np.arange(owner.size) + step, max(owner.size - 1, 0))
        inside = place + step < counts[owner]
        mixed = mixed * _PRIME + np.where(inside, word[ahead], np.uint64(0))
    mixed ^= mixed >> np.uint64(29)
    empty = np.flatnonzero(counts == 0)
    owners = np.concatenate([owner[valid], empty])
    values = np.concatenate([mixed[valid], whole[empty]])
    order = np.lexsort((values, owners))
    owners, values = owners[order], values[order]
    keep = np.ones(owners.size, dtype=bool)
    keep[1:] = (owners[1:] != owners[:-1]) | (values[1:] != values[:-1])
    owners, values = owners[keep], values[keep]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(whole)))])
    return Shingles(whole, values, offsets.astype(np.int64))


def band_pairs(shingles: Shingles) -> NDArray[np.int64]:
    """Candidate pairs, (m, 2) positions: texts that share a band, each linked to the next and to the first of its
    band in the order of their hashes, so that the candidates do not depend on the order of the rows."""
    count = shingles.text_hash.size
    if count < 2:
        return np.empty((0, 2), dtype=np.int64)
    rng = np.random.default_rng(20240)
    multipliers = rng.integers(1, 2**63, size=(BANDS, ROWS), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    pairs = []
    for band in range(BANDS):
        key = np.zeros(count, dtype=np.uint64)
        for multiplier in multipliers[band]:
            scrambled = shingles.flat * multiplier
            scrambled ^= scrambled >> np.uint64(32)
            key = key * _PRIME + np.minimum.reduceat(scrambled * _PRIME, shingles.offsets[:-1])
        order = np.lexsort((shingles.text_hash, key))
        same = key[order][1:] == key[order][:-1]
        pairs.append(np.column_stack([order[:-1][same], order[1:][same]]))
        first = np.maximum.accumulate(np.where(np.concatenate([[True], ~same]), np.arange(count), 0))
        pairs.append(np.column_stack([order[first[1:][same]], order[1:][same]]))
    edges = np.sort(np.concatenate(pairs), axis=1).astype(np.int64)
    return np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)


def jaccard(shingles: Shingles, pairs: NDArray[np.int64], block: int = 20_000) -> NDArray[np.float64]:
    """Exact Jaccard similarity of each pair, (m,), 0 to 1."""
    sizes = np.diff(shingles.offsets)
    result = np.zeros(len(pairs))
    for low in range(0, len(pairs), block):
        part = pairs[low : low + block]
        left, right = sizes[part[:, 0]], sizes[part[:, 1]]
        number = np.arange(len(part))
        ids = np.concatenate([np.repeat(number, left), np.repeat(number, right)])
        values = np.concatenate([_gather(shingles, part[:, 0]), _gather(shingles, part[:, 1])])
        order = np.lexsort((values, ids))
        ids, values = ids[order], values[order]
        twice = (ids[1:] == ids[:-1]) & (values[1:] == values[:-1])
        shared = np.bincount(ids[1:][twice], minlength=len(part))
        result[low : low + block] = shared / np.maximum(left + right - shared, 1)
    return result


def _gather(shingles: Shingles, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The shingles of these texts, one after another."""
    lengths = np.diff(shingles.offsets)[positions]
    starts = np.repeat(shingles.offsets[positions] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return np.asarray(shingles.flat[starts + np.arange(lengths.sum())])
