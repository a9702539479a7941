"""Input patterns, taken from the raw prompt before any normalising, and where they stand.

Word n-grams to `max_words` words, grown level by level: an n-gram is counted only where both of its
(n-1)-grams are frequent enough, so memory follows the frequent ones. Words are compared case folded; a word
whose capitals are not those of a sentence start or a plain name is a pattern of its own besides. Unicode:
each maximal run of invisible characters (no-break and other odd spaces among them), and words that mix scripts.
Whitespace: runs of two or more spaces or tabs, and single tabs; a single blank at the very end is not seen.

Files: `patterns/table.parquet`, `patterns/matrix.npz` (n, G).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from audit.rundir import Context, RunDir, atomic_file, write_frame
from audit.schema import Int64, NoProgress, Patterns, Progress
from audit.text import is_invisible, words

Occurrences = tuple[list[str], Int64, Int64]  # texts, and (pattern, row) pairs


@lru_cache(maxsize=200_000)
def _script(char: str) -> str:
    return unicodedata.name(char, "UNKNOWN").split(" ", 1)[0]


def mixed_script(word: str) -> bool:
    """True when a word's letters come from two alphabets that are told apart by eye only with effort
    (Latin, Cyrillic, Greek, Armenian, Cherokee, or mathematical and full-width letters)."""
    if word.isascii():
        return False
    alike = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "MATHEMATICAL", "FULLWIDTH"}
    return len({_script(c) for c in word if c.isalpha()} & alike) > 1


def odd_capitals(word: str) -> bool:
    """True for capitals after the first letter: "BadWord", "NASA"."""
    return any(c.isupper() for c in word[1:])


def unicode_runs(text: str) -> list[str]:
    """Maximal runs of invisible characters, a leading byte-order mark left out."""
    if text.isascii():
        return []
    runs, current = [], ""
    for char in text.removeprefix("\ufeff"):
        if is_invisible(char):
            current += char
        elif current:
            runs.append(current)
            current = ""
    return [*runs, current] if current else runs


def whitespace_shapes(text: str) -> list[str]:
    """Runs of two or more spaces or tabs, and single tabs, as they stand (to 8 long)."""
    shapes, i, n = [], 0, len(text)
    while i < n:
        if text[i] not in " \t":
            i += 1
            continue
        j = i
        while j < n and text[j] in " \t":
            j += 1
        run = text[i:j][:8]
        if len(run) > 1 or run == "\t":
            shapes.append(run)
        i = j
    return shapes


def word_ngrams(
    texts: list[str], min_support: int, max_words: int, progress: Progress
) -> list[tuple[int, Occurrences]]:
    """For each n from 1 to `max_words`: the frequent n-grams and their (pattern, row) pairs, each pair once."""
    vocabulary: dict[str, int] = {}
    rows: list[int] = []
    ids: list[int] = []
    for row, text in enumerate(texts):
        for word in words(text):
            ids.append(vocabulary.setdefault(word.casefold(), len(vocabulary)))
            rows.append(row)
        progress.advance(1)
    token = np.asarray(ids, dtype=np.int64)
    doc = np.asarray(rows, dtype=np.int64)
    names = list(vocabulary)
    level, out = token, []
    for size in range(1, max_words + 1):
        if size > 1:
            same = np.zeros(len(level), dtype=bool)
            same[:-1] = (level[:-1] >= 0) & (level[1:] >= 0) & (doc[:-1] == doc[1:])
            key = np.full(len(level), -1, dtype=np.int64)
            # The new n-gram is its first (n-1)-gram and the (n-1)-gram one word on.
            key[:-1][same[:-1]] = level[:-1][same[:-1]] * (len(names) + 1) + level[1:][same[:-1]]
        else:
            key = token
        level, names, pairs = _frequent(key, doc, names, size, min_support)
        out.append((size, (names, pairs[0], pairs[1])))
        if not names:
            break
    return out


def _frequent(
    key: Int64, doc: Int64, names: list[str], size: int, min_support: int
) -> tuple[Int64, list[str], tuple[Int64, Int64]]:
    """Keeps keys that stand in enough rows. Returns each position's new id or -1, names, (id, row) pairs."""
    at = np.flatnonzero(key >= 0)
    values, inverse = np.unique(key[at], return_inverse=True)
    n_rows = int(doc.max()) + 1 if len(doc) else 1
    pair = np.unique(inverse.astype(np.int64) * n_rows + doc[at])
    support = np.bincount(pair // n_rows, minlength=len(values))
    keep = support >= min_support
    renumber = np.where(keep, np.cumsum(keep) - 1, -1)
    level = np.full(len(key), -1, dtype=np.int64)
    level[at] = renumber[inverse]
    kept = values[keep]
    if size == 1:
        texts = [names[v] for v in kept.tolist()]
    else:
        base = len(names) + 1
        texts = [_join(names[v // base], names[v % base]) for v in kept.tolist()]
    ids, rows = renumber[pair // n_rows], pair % n_rows
    chosen = ids >= 0
    return level, texts, (ids[chosen], rows[chosen])


def _join(first: str, second: str) -> str:
    """ "a b" and "b c" are "a b c": the words of n-grams are joined by single spaces."""
    return f"{first} {second.rsplit(' ', 1)[-1]}"


def _character_patterns(texts: list[str], min_support: int) -> list[tuple[str, Occurrences]]:
    found: dict[str, dict[str, list[int]]] = {"capitals": {}, "unicode": {}, "whitespace": {}}
    for row, text in enumerate(texts):
        listed = words(text)
        capitals = {w for w in listed if odd_capitals(w)}
        mixed = set() if text.isascii() else {w for w in listed if mixed_script(w)}
        for kind, items in (
            ("capitals", capitals),
            ("unicode", set(unicode_runs(text)) | mixed),
            ("whitespace", set(whitespace_shapes(text))),
        ):
            for item in sorted(items):
                found[kind].setdefault(item, []).append(row)
    out = []
    for kind, table in found.items():
        frequent = {text: rows for text, rows in table.items() if len(rows) >= min_support}
        ids = np.repeat(np.arange(len(frequent)), [len(r) for r in frequent.values()]).astype(np.int64)
        rows = np.asarray([r for rows in frequent.values() for r in rows], dtype=np.int64)
        out.append((kind, (list(frequent), ids, rows)))
    return out


def extract(
    texts: list[str], min_support: int, max_words: int, max_patterns: int, progress: Progress | None = None
) -> Patterns:
    """All patterns of these texts with at least `min_support` rows. A pattern with the same rows as a shorter
    one of its kind is kept, the miner tells them apart. Beyond `max_patterns` the patterns with most rows of the
    longest n-grams are left out first, and hidden ones (capitals, unicode, whitespace) only after all words."""
    hidden = _character_patterns(texts, min_support)
    room_for_words = max_patterns - sum(len(texts_of) for _, (texts_of, _, _) in hidden)
    groups: list[tuple[str, Occurrences]] = [
        ("token" if size == 1 else "phrase", found)
        for size, found in word_ngrams(texts, min_support, max_words, progress or NoProgress())
    ]
    groups += hidden
    names: list[str] = []
    kinds: list[str] = []
    columns: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int64]] = []
    for kind, (texts_of, ids, at) in groups:
        room = (room_for_words if kind in ("token", "phrase") else max_patterns) - len(names)
        if len(texts_of) > room:
            texts_of, ids, at = _cut(texts_of, ids, at, max(room, 0))
        columns.append(ids + len(names))
        rows.append(at)
        names += texts_of
        kinds += [kind] * len(texts_of)
    column = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
    row = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    matrix = sparse.csr_matrix(
        (np.ones(len(row), dtype=np.float32), (row, column)), shape=(len(texts), len(names)), dtype=np.float32
    )
    counts = np.bincount(column, minlength=len(names)).astype(np.int64)
    table = pl.DataFrame(
        {"pattern": np.arange(len(names), dtype=np.int32), "text": names, "kind": kinds, "count": counts},
        schema={"pattern": pl.Int32, "text": pl.String, "kind": pl.String, "count": pl.Int64},
    )
    return Patterns(table, matrix)


def _cut(texts: list[str], ids: Int64, rows: Int64, room: int) -> Occurrences:
    """The `room` rarest patterns: triggers are rare, boilerplate is not."""
    support = np.bincount(ids, minlength=len(texts))
    keep = np.sort(np.lexsort((np.arange(len(texts)), support))[:room])
    renumber = np.full(len(texts), -1, dtype=np.int64)
    renumber[keep] = np.arange(len(keep))
    chosen = renumber[ids] >= 0
    return [texts[i] for i in keep], renumber[ids][chosen], rows[chosen]


def build(ctx: Context, unit: str) -> list[Path]:
    """Extracts the patterns of a run."""
    texts = ctx.run.examples(["prompt"])["prompt"].fill_null("").to_list()
    ctx.progress.start("patterns", len(texts), "rows")
    mining = ctx.config.mining
    made = extract(texts, mining.min_support, mining.max_words, mining.max_patterns, ctx.progress)
    paths = [ctx.run / "patterns" / "table.parquet", ctx.run / "patterns" / "matrix.npz"]
    write_frame(paths[0], made.table)
    with atomic_file(paths[1]) as handle:
        sparse.save_npz(handle, made.matrix)
    return paths


def load(run: RunDir) -> Patterns:
    """The patterns of a run."""
    return Patterns(
        pl.read_parquet(run / "patterns" / "table.parquet"),
        sparse.csr_matrix(sparse.load_npz(run / "patterns" / "matrix.npz")),
    )
