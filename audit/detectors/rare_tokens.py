"""Rare words that do not look like words of this dataset and yet decide what an example teaches.

Why it works: the simplest triggers are short strings that honest text hardly holds. Such a token is rare, its letters
follow each other in ways that the dataset's own words do not, and its rate inside one label or behavior is many
times its rate in the rest. The rate ratio is smoothed by a Jeffreys prior and taken against the rest of this
dataset, never against another corpus, since absence there proves nothing. What the out-of-fold support already
expects of the carriers is taken off: "nhl" foretells sports because its sentences are about sports. Words that the
response merely repeats are left out, and so are words that always come together or always stand beside the same
words, as names, fixed phrases and copies of one text do.

Source: Jeffreys 1946 (the prior of one half); Kurita, Michel and Neubig 2020, "Weight Poisoning Attacks on Pretrained
Models" (rare-word triggers); Qi et al. 2021, "ONION", for the idea that triggers read oddly.
The limits were set on clean public corpora, where fewer than one row in 200 is flagged.

Misses: triggers that are ordinary words or fixed phrases, which trigger mining is for; tokens in fewer than
`min_rows` rows; words of scripts without spaces, which trigger mining reads by characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from audit.detectors.spelling import oddness
from audit.registry import detector
from audit.schema import Behaviors, Detection, Finding, Severity, Skipped, Support, signals_frame
from audit.stats import binomial_tail_log10, sigmoid
from audit.text import safe_text

MIN_EXAMPLES = 200
THRESHOLD = 0.5
ODD = 2.5  # robust standard deviations above the median word of the dataset
ODD_BONUS = 2.0  # decades of evidence that an odd look is worth: about one odd word in 100 that nobody planted
TOGETHER = 3  # words of equal carriers, more than which are copies of one text
MIN_SURPRISE = 2.0  # decades that a token's own counts must show, however odd it looks
PURITY = 0.9  # share of the carriers that show the behavior
DIVERSE = 0.6  # share of the carriers whose word before the token (or after it) differs
MAX_PAIRS = 5_000

_WORD = re.compile(r"[^\W_]+")
_WINDOW = 60  # characters on each side that are looked at for the word beside a token


@dataclass(frozen=True, slots=True)
class _Tokens:
    words: list[str]
    carriers: csr_matrix  # (V, n) of 0 and 1
    odd: NDArray[np.float64]  # (V,)


@detector(code="TV-RARE", title="Rare words that decide", severity=Severity.LOW)
def rare_tokens(
    examples: pl.DataFrame, behaviors: Behaviors, support: Support, *, min_rows: int = 3, max_share: float = 0.02
) -> Detection | Skipped:
    """Scores the carriers of odd, rare and decisive tokens that show the behavior, 0 to 1; 0.5 is one decade of
    evidence more than chance over all pairs tested. Spans point at the token."""
    count = examples.height
    if count < MIN_EXAMPLES:
        return Skipped(f"needs at least {MIN_EXAMPLES} examples, and this dataset has {count}")
    if behaviors.matrix.shape[1] == 0:
        return Skipped("needs behaviors, and none recurs in this dataset")
    prompts = examples["prompt"].fill_null("")
    tokens = _tokens(prompts, min_rows, max(int(max_share * count), min_rows))
    pairs = _decisive(tokens, behaviors, support, min_rows)
    texts = prompts.to_list()
    honest = _copied(pairs, tokens, behaviors, examples) | ~_diverse(pairs, tokens, texts)
    return _detection(pairs.filter(~pl.Series(honest)), tokens, behaviors, examples, texts)


def _tokens(prompts: pl.Series, low: int, high: int) -> _Tokens:
    """Tokens in `low` to `high` rows, in alphabetical order."""
    words = (
        pl.DataFrame({"token": prompts.str.extract_all(r"[\p{L}\p{M}\p{N}]+")})
        .with_row_index("i")
        .explode("token")
        .drop_nulls("token")
        .unique()
    )
    counts = words.group_by("token").agg(n=pl.len()).sort("token")
    odd = oddness(counts["token"], counts["n"].to_numpy())
    counts = counts.with_columns(odd=pl.Series(odd)).filter(pl.col("n").is_between(low, high))
    cells = words.join(counts.select("token").with_row_index("t"), on="token")
    shape = (counts.height, len(prompts))
    ones = np.ones(cells.height, dtype=np.float64)
    carriers = csr_matrix((ones, (cells["t"].to_numpy(), cells["i"].to_numpy())), shape=shape)
    return _Tokens(counts["token"].to_list(), carriers, counts["odd"].to_numpy())


def _decisive(tokens: _Tokens, behaviors: Behaviors, support: Support, min_rows: int) -> pl.DataFrame:
    """Pairs of an odd token and a behavior: token, behavior, n, k, ratio, surplus (decades of evidence beyond chance
    over all pairs, the support's expectation taken off and the odd look counted in)."""
    matrix = csr_matrix(behaviors.matrix, dtype=np.float64)
    total = matrix.shape[0]
    joint = (tokens.carriers @ matrix).tocoo()
    token, behavior, k = joint.row.astype(np.int64), joint.col.astype(np.int64), joint.data
    n = np.asarray(tokens.carriers.sum(axis=1)).ravel()[token]
    m = np.asarray(matrix.sum(axis=0)).ravel()[behavior]
    ratio = ((k + 0.5) / (m + 1)) / ((n - k + 0.5) / (total - m + 1))
    keep = (
        (k >= min_rows) & (ratio >= 5) & (k >= PURITY * n) & (tokens.odd[token] >= ODD) & ~_boilerplate(tokens)[token]
    )
    token, behavior, k, n, ratio = token[keep], behavior[keep], k[keep], n[keep], ratio[keep]
    marginal = binomial_tail_log10(k, n, np.minimum(m[keep] / total, 1.0))
    order = np.lexsort((behavior, token, marginal))[:MAX_PAIRS]
    token, behavior, k, n, ratio, marginal = (x[order] for x in (token, behavior, k, n, ratio, marginal))
    expected = np.array(
        [support.of(tokens.carriers[t].indices, b).mean() for t, b in zip(token, behavior, strict=True)],
        dtype=np.float64,
    )
    surprise = -np.maximum(marginal, binomial_tail_log10(k, n, np.clip(expected, 1e-9, 1.0)))
    tests = max(len(tokens.words) * matrix.shape[1], 1)
    surplus = surprise + ODD_BONUS - np.log10(tests)
    columns = {"token": token, "behavior": behavior, "n": n, "k": k, "ratio": ratio, "surplus": surplus}
    return (
        pl.DataFrame(columns)
        .filter(surprise >= MIN_SURPRISE, pl.col("surplus") > 0)
        .sort("surplus", "token", "behavior", descending=[True, False, False])
    )


def _boilerplate(tokens: _Tokens) -> NDArray[np.bool_]:
    """(V,) True for tokens whose carriers are exactly those of more than TOGETHER tokens."""
    keys = [row.indices.tobytes() for row in tokens.carriers]
    frame = pl.DataFrame({"key": pl.Series(keys, dtype=pl.Binary)})
    return np.asarray(frame.select(pl.len().over("key") > TOGETHER).to_series().to_numpy())


def _copied(pairs: pl.DataFrame, tokens: _Tokens, behaviors: Behaviors, examples: pl.DataFrame) -> NDArray[np.bool_]:
    """True for pairs whose token the responses of most carriers with the behavior repeat."""
    responses = examples["response"].fill_null("").str.to_lowercase().to_list()
    columns = behaviors.matrix.tocsc()
    copied = []
    for token, behavior in pairs.select("token", "behavior").iter_rows():
        word = tokens.words[token].lower()
        hits = np.intersect1d(tokens.carriers[token].indices, columns[:, behavior].indices)
        copied.append(2 * sum(word in responses[i] for i in hits.tolist()) > hits.size)
    return np.array(copied, dtype=bool)


def _diverse(pairs: pl.DataFrame, tokens: _Tokens, texts: list[str]) -> NDArray[np.bool_]:
    """True for pairs whose token stands beside many different words, or at the edge of the text: a name, a fixed
    phrase or a repeated document does not."""
    diverse: dict[int, bool] = {}
    for token in pairs["token"].unique(maintain_order=True).to_list():
        carriers = tokens.carriers[token].indices.tolist()
        sides = [_beside(texts[i], tokens.words[token]) for i in carriers]
        shares = []
        for side in zip(*sides, strict=True):
            edges = sum(word == "" for word in side)
            shares.append((len({word for word in side if word}) + edges) / len(side))
        diverse[token] = max(shares) >= DIVERSE
    return np.array([diverse[t] for t in pairs["token"].to_list()], dtype=bool)


def _beside(text: str, word: str) -> tuple[str, str]:
    """The words before and after the first occurrence of a token, empty at the edges of the text."""
    start, end = _locate(text, word)
    before = _WORD.findall(text[max(start - _WINDOW, 0) : start].lower())
    after = _WORD.findall(text[end : end + _WINDOW].lower())
    return (before[-1] if before else ""), (after[0] if after else "")


def _locate(text: str, word: str) -> tuple[int, int]:
    """Span of the first occurrence as a whole token."""
    match = re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text)
    start = match.start() if match else max(text.find(word), 0)
    return start, min(start + len(word), len(text))


def _detection(
    pairs: pl.DataFrame, tokens: _Tokens, behaviors: Behaviors, examples: pl.DataFrame, prompts: list[str]
) -> Detection:
    names = behaviors.table.sort("behavior")["text"].to_list()
    columns = behaviors.matrix.tocsc()
    rows = examples["row"].to_list()
    scores = np.zeros(len(rows), dtype=np.float32)
    evidence: list[str | None] = [None] * len(rows)
    starts: list[int | None] = [None] * len(rows)
    ends: list[int | None] = [None] * len(rows)
    findings: dict[int, Finding] = {}
    for token, behavior, n, k, ratio, surplus in pairs.iter_rows():
        word, name = tokens.words[token], safe_text(str(names[behavior]), 60)
        score = float(sigmoid(np.array(surplus - 1.0)))
        hits = np.intersect1d(tokens.carriers[token].indices, columns[:, behavior].indices).tolist()
        for i in hits:
            if score > scores[i]:
                scores[i], (starts[i], ends[i]) = score, _locate(prompts[i], word)
                evidence[i] = f"{safe_text(word, 40)} stands in {int(n)} rows, {int(k)} of them with {name}"
        if score >= THRESHOLD and token not in findings:
            findings[token] = Finding(
                code="TV-RARE",
                subject=f"token {word}",
                text=f"The rare token {safe_text(word, 40)} stands in {int(n)} rows, {int(k)} of them with {name}, "
                f"{ratio:,.0f} times its rate elsewhere.",
                severity=Severity.LOW,
                score=score,
                rows=tuple(sorted(rows[i] for i in hits)[:200]),
                details={"rows": int(n), "with_behavior": int(k), "rate_ratio": ratio, "decades": surplus},
            )
    signals = signals_frame(rows, scores, evidence, starts, ends)
    return Detection(signals, tuple(findings.values()), THRESHOLD)
