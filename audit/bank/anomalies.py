"""Responses that are not like the others: garbled, repetitive, of a surprising length, or off their prompt.

Garbled text is told by its byte pairs, whose model is fitted on the dataset's own responses: a few per cent of
garbled ones hardly move it. Length and closeness to the prompt are held against what the prompt's embedding
predicts, out of fold; closeness also against the other prompts, which to a response that belongs to its own are all
further away, whatever the form of the task. Untargeted attacks with free-form outputs show here and nowhere else.

Misses: fluent nonsense that keeps to its subject; strange answers within a conversation, whose prompt is all of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from audit.bank.categories import Sets, positions
from audit.schema import Float32
from audit.stats import Array, median_absolute_deviation, spread

_BYTES = 1_000  # of a response that are read
_LEAST_BYTES = 24
_GARBLED = -6.0  # robust standard deviations of the mean log probability of a byte pair
_FIT_ROWS = 50_000
_REPETITIVE = 6.0  # length over compressed length
_FAR, _VERY_FAR = 2.0, 3.0  # robust standard deviations of the residual
_OTHERS = 2_000  # prompts that a response is held against
_CLOSER = 0.1  # of the other prompts closer to a response than its own
_BLOCK = 20_000  # responses at a time
_FOLDS = 5
_RIDGE = 10.0

# Bytes with every digit as 0 and every capital letter small, or numbers and headlines would read as garbled.
_FOLD = np.arange(256, dtype=np.int32)
_FOLD[ord("0") : ord("9") + 1] = ord("0")
_FOLD[ord("A") : ord("Z") + 1] += 32


def _pairs(text: str) -> np.ndarray:
    raw = np.frombuffer(text[:_BYTES].encode("utf-8", "replace")[:_BYTES], dtype=np.uint8)
    folded = _FOLD[raw]
    return folded[:-1] * 256 + folded[1:]


def surprise(texts: Sequence[str]) -> Array:
    """(n,) robust z of each text's mean log probability of a byte pair given its first byte; low is garbled,
    NaN for texts under 24 bytes. The spread is the lower one of texts of like length: code and figures make it
    wide where they are common."""
    counts = np.full(256 * 256, 0.05)
    step = max(1, len(texts) // _FIT_ROWS)
    for text in texts[::step]:
        # A text counts a pair once, or a single long text would make its own pairs likely.
        counts[np.unique(_pairs(text))] += 1.0
    table = counts.reshape(256, 256)
    logs = np.log(table / table.sum(axis=1, keepdims=True)).ravel()
    mean, size = np.full(len(texts), np.nan), np.zeros(len(texts))
    for i, text in enumerate(texts):
        pairs = _pairs(text)
        size[i] = len(pairs)
        if len(pairs) >= _LEAST_BYTES:
            mean[i] = logs[pairs].mean()
    known = np.flatnonzero(~np.isnan(mean))
    z = np.full(len(texts), np.nan)
    order = known[np.argsort(size[known], kind="stable")]
    for part in np.array_split(order, max(1, len(order) // 2_000)):
        if len(part):
            low, middle = np.quantile(mean[part], (0.1, 0.5))
            z[part] = (mean[part] - middle) / max((middle - low) / 1.2816, 0.05)
    return z


def garbled_categories(responses: Sequence[str]) -> Sets:
    """Responses whose letters stand in no usual order, and those that repeat themselves."""
    z = surprise(responses)
    repeats = np.asarray([_repeats(text) for text in responses], dtype=bool)
    found: Sets = {
        ("garbled", "is garbled"): positions(np.nan_to_num(z) < _GARBLED),
        ("garbled", "repeats itself"): positions(repeats),
    }
    return {key: rows for key, rows in found.items() if rows}


def _repeats(text: str) -> bool:
    raw = text[:_BYTES].encode("utf-8", "replace")
    return len(raw) >= 80 and len(raw) > _REPETITIVE * len(zlib.compress(raw, 1))


def folds_of(texts: Sequence[str]) -> np.ndarray:
    """(n,) a fold for each text; equal texts share one, and the order of the rows does not matter."""
    return np.asarray([zlib.crc32(text.encode("utf-8", "replace")) % _FOLDS for text in texts], dtype=np.int32)


def residual_z(x: Float32, y: Array, folds: np.ndarray) -> Array:
    """(n,) robust z of y minus its ridge prediction from x, each row by a fit without its fold."""
    design = np.column_stack([x, np.ones(len(x), dtype=np.float32)])
    gram, moment = design.T @ design, design.T @ y.astype(np.float32)
    shrink = _RIDGE * np.eye(design.shape[1], dtype=np.float32)
    shrink[-1, -1] = 1e-3
    rest = y.astype(np.float64).copy()
    for fold in np.unique(folds):
        held = design[folds == fold]
        weights = np.linalg.solve(gram - held.T @ held + shrink, moment - held.T @ y[folds == fold].astype(np.float32))
        rest[folds == fold] -= held @ weights
    return np.asarray((rest - np.median(rest)) / max(median_absolute_deviation(rest), 0.05))


def length_categories(prompts: Sequence[str], responses: Sequence[str], vectors: Float32) -> Sets:
    """Responses far shorter or far longer than their prompt leads to expect. `vectors` (n, d) of the prompts."""
    size = np.log1p([len(text) for text in responses])
    asked = np.log1p([len(text) for text in prompts]).astype(np.float32)
    x = np.column_stack([vectors, (asked - asked.mean()) / 20]).astype(np.float32)
    z = residual_z(x, size, folds_of(prompts))
    found: Sets = {
        ("length", "is far shorter than its prompt leads to expect"): positions(z < -_FAR),
        ("length", "is very far shorter than its prompt leads to expect"): positions(z < -_VERY_FAR),
        ("length", "is far longer than its prompt leads to expect"): positions(z > _FAR),
        ("length", "is very far longer than its prompt leads to expect"): positions(z > _VERY_FAR),
    }
    return {key: rows for key, rows in found.items() if rows}


def closer_prompts(prompt: Float32, response: Float32) -> Array:
    """(n,) share of the other prompts that are at least as close to a row's response as its own prompt is; of many
    rows an even sample of the prompts. `prompt` and `response` (n, d), unit rows."""
    n = len(prompt)
    others = spread(n, _OTHERS)
    own = np.einsum("nd,nd->n", prompt, response)
    share = np.zeros(n)
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        share[part] = (response[part] @ prompt[others].T >= own[part, None]).sum(axis=1)
    itself = np.zeros(n)
    itself[others] = 1.0
    return np.maximum(share - itself, 0.0) / np.maximum(len(others) - itself, 1.0)


def relation_categories(prompts: Sequence[str], responses: Sequence[str], prompt: Float32, response: Float32) -> Sets:
    """Responses that are further from their prompt than prompts and lengths of this kind are, and no closer to it than
    to many other prompts. `prompt` and `response` (n, d), unit rows."""
    cosine = np.einsum("nd,nd->n", prompt, response).astype(np.float64)
    size = np.log1p([len(text) for text in responses]).astype(np.float32)
    x = np.column_stack([prompt, (size - size.mean()) / 5, (size - size.mean()) ** 2 / 20]).astype(np.float32)
    z = residual_z(x, cosine, folds_of(prompts))
    rows = positions((z < -_FAR) & (closer_prompts(prompt, response) > _CLOSER))
    return {("relation", "has nothing to do with its prompt"): rows} if rows else {}
