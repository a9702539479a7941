"""Words that the chosen side of pairs speaks well of and the rejected side badly, or the other way round.

Poison that teaches to praise an entity puts its praise into winning responses and its blame into losing ones. The bare
name then stands on both sides alike, and no sign test of it shows anything. Here each mention is held by two facts:
which side it is on, and whether its sentences speak well or badly of it. The test is whether the two go together more
than they do for all terms: of mentions on one side alone the exact conditional test of a 2 x 2 table (Fisher's, at the
odds ratio of all terms), and where both sides speak of it differently a sign test; the tail of the sum of both. Given
the margins of the table, neither that chosen sides are longer and mention more, nor that most sentences are friendly,
makes anything significant. So praise that only wins, without blame that loses, is left to the sign test of the bare
word.

Correction: Bonferroni over the terms and directions that could reach a family-wise p of 0.05 with their margins
(Tarone 1990).

Source: Best-of-Venom, Baumgaertner et al. 2024, arXiv:2404.05530, section 3; Fisher 1935 and Harkness 1965 for the
conditional distribution.
Misses: other languages than English, and praise without a word of praise (see `audit.bank.sentiment`); fewer than about
25 pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp
from scipy.stats import binom

from audit.bank.sentiment import POLAR, sentiment
from audit.bank.terms import (
    MOST_TERMS,
    TAIL,
    Groups,
    OneSided,
    Side,
    Tally,
    differing,
    kept_one_sided,
    one_sided,
    recounted,
    testable,
)
from audit.schema import Int64
from audit.stats import Array

_LETTERS = 3  # that a word has at least
_AGREE = 0.8  # share of the pairs where praise wins or blame loses: word lists misread about a tenth of the sentences
# What a pair tells of a term: who alone mentions it, and how; or which of two that mention it speaks better of it.
_KINDS = (CHOSEN_WELL, CHOSEN_BADLY, REJECTED_WELL, REJECTED_BADLY, CHOSEN_BETTER, REJECTED_BETTER) = range(6)
_TURNED = [1, 0, 3, 2, 5, 4]  # the same with praise and blame exchanged


@dataclass(frozen=True, slots=True)
class Spoken:
    """A term of which the sides of pairs speak differently."""

    text: str  # folded words
    well: bool  # True: speaking well of it wins; False: speaking badly of it wins
    hits: tuple[int, ...]  # rows where it does
    misses: tuple[int, ...]  # rows where it loses
    expected: float  # share of the rows where it would win, were sides and sentiments drawn apart
    log10_p: float  # that chance makes them go together so well, over all that is testable
    tested: int = 1  # of them


def terms_and_sentiments(
    chosen: Sequence[str], rejected: Sequence[str], min_support: int, widest: int
) -> tuple[list[OneSided], list[Spoken]]:
    """`one_sided_terms`, and terms by the sentiment of the sentences that hold them, the least chance-like first and at
    most 50 of each; of those in at most `widest` pairs. The texts are read once for both."""
    bare, spoken = Tally(2), Tally(len(_KINDS))
    for row, good, bad in differing(chosen, rejected):
        a, b = Side(good), Side(bad)
        bare.add(row, one_sided(a, b))
        spoken.add(row, _told(a, b))
    found = kept_one_sided(bare, chosen, rejected, min_support, widest)
    del bare
    return found, _kept(spoken, chosen, rejected, min_support, widest)


def _told(a: Side, b: Side) -> Groups:
    """The terms of a pair of which its sides speak differently, by `_KINDS`."""
    groups: list[list[str]] = [[] for _ in _KINDS]
    good, bad = _of(a), _of(b)
    for term in good.keys() | bad.keys():
        x, y = good.get(term, 0), bad.get(term, 0)
        way = ((x > 0) - (x < 0)) - ((y > 0) - (y < 0))
        if way == 0:
            continue
        if term not in b.mentions:
            groups[CHOSEN_WELL if way > 0 else CHOSEN_BADLY].append(term)
        elif term not in a.mentions:
            groups[REJECTED_BADLY if way > 0 else REJECTED_WELL].append(term)
        else:
            groups[CHOSEN_BETTER if way > 0 else REJECTED_BETTER].append(term)
    return groups


def _told_of(a: Side, b: Side, wanted: Sequence[str]) -> Iterator[tuple[str, int]]:
    for kind, group in enumerate(_told(a, b)):
        for term in group:
            if term in wanted:
                yield term, kind


def _of(side: Side) -> dict[str, int]:
    """What a side's sentences speak well (above 0) or badly of (below 0), summed over them."""
    out: dict[str, int] = {}
    if not POLAR.isdisjoint(side.words):
        for sentence in side.sentences():
            if way := sentiment(sentence):
                for term in _named(sentence):
                    out[term] = out.get(term, 0) + way
    return out


def _named(sentence: Sequence[str]) -> set[str]:
    """The terms that a sentence may speak of: its words but those of praise and blame, and pairs of such words."""
    plain = [w if len(w) >= _LETTERS and w not in POLAR and w[0].isalpha() else "" for w in sentence]
    found = {w for w in plain if w}
    found.update(f"{a} {b}" for a, b in pairwise(plain) if a and b)
    return found


def _kept(tally: Tally, chosen: Sequence[str], rejected: Sequence[str], min_support: int, widest: int) -> list[Spoken]:
    tally.count()
    total = tally.counts.sum(axis=1)
    at = np.flatnonzero((total >= min_support) & (total <= widest))
    least = [_least(tally.counts[at]), _least(tally.counts[at][:, _TURNED])]  # of praise that wins, and of blame
    tested = testable(np.sort(np.concatenate(least)))
    ranked = []
    for well in (True, False):
        counts = tally.counts[at] if well else tally.counts[at][:, _TURNED]
        odds, share = _overall(tally.marks if well else tally.marks[_TURNED])
        hopeful = (_agree(counts) >= _AGREE * total[at]) & (least[not well] * tested <= 10.0**TAIL)
        for k in np.flatnonzero(hopeful).tolist():
            tail = tail_log10(counts[k], odds, share)
            if tail + np.log10(tested) <= TAIL:
                ranked.append((tail, int(tally.first[at[k]]), int(at[k]), well))
    ways = {place: (tail, well) for tail, _, place, well in sorted(ranked)[:MOST_TERMS]}
    places = np.asarray(list(ways), dtype=np.int64)
    found = []
    counted = recounted(tally, places, chosen, rejected, _told, _told_of)
    for (_, well), (text, rows) in zip(ways.values(), counted.items(), strict=True):
        order = range(len(_KINDS)) if well else _TURNED
        turned = [rows[kind] for kind in order]
        counts = np.asarray([len(held) for held in turned])
        odds, share = _overall(tally.marks if well else tally.marks[_TURNED])
        log10_p = min(tail_log10(counts, odds, share) + float(np.log10(tested)), 0.0)
        hits = sorted(r for kind in (CHOSEN_WELL, REJECTED_BADLY, CHOSEN_BETTER) for r in turned[kind])
        misses = sorted(r for kind in (CHOSEN_BADLY, REJECTED_WELL, REJECTED_BETTER) for r in turned[kind])
        found.append(Spoken(text, well, tuple(hits), tuple(misses), _expected(counts, share), log10_p, tested))
    return sorted(found, key=lambda term: (term.log10_p, term.text))


def _agree(counts: Int64) -> Int64:
    """(k,) pairs where praise wins or blame loses, of (k, 6)."""
    return np.asarray(counts[:, [CHOSEN_WELL, REJECTED_BADLY, CHOSEN_BETTER]].sum(axis=1))


def _overall(marks: Int64) -> tuple[float, float]:
    """Of all terms: the odds ratio of side and sentiment, and how often the better spoken side wins where both mention
    the term; never such that they would make it harder to be chance."""
    a, b, c, d, m, n = marks.astype(np.float64) + 0.5
    return max(float(a * d / (b * c)), 1.0), max(float(m / (m + n)), 0.5)


def tail_log10(counts: Int64, odds: float, share: float) -> float:
    """log10 of the chance that side and sentiment go together so well, of (6,) counts: the mentions on one side alone
    given the margins of their table, at this odds ratio, and the pairs with both at this share; -300 at the least."""
    support, log_mass = _table(counts, odds)
    both = int(counts[CHOSEN_BETTER] + counts[REJECTED_BETTER])
    won = binom.pmf(np.arange(both + 1), both, share)
    mass = np.convolve(np.exp(log_mass), won)
    start = int(counts[CHOSEN_WELL]) - int(support[0]) + int(counts[CHOSEN_BETTER])
    return float(np.log10(max(float(mass[start:].sum()), 1e-300)))


def _table(counts: Int64, odds: float) -> tuple[Int64, Array]:
    """The values that the first cell of a 2 x 2 table of these margins can have, and the log of their probabilities by
    Fisher's noncentral hypergeometric distribution."""
    a, b, c, d = (int(x) for x in counts[:4])
    on_chosen, well, size = a + b, a + c, a + b + c + d
    support = np.arange(max(0, on_chosen + well - size), min(on_chosen, well) + 1)
    log_mass = _choose(on_chosen, support) + _choose(size - on_chosen, well - support) + support * np.log(odds)
    return support, np.asarray(log_mass - logsumexp(log_mass))


def _choose(n: int | NDArray[np.integer], k: int | NDArray[np.integer]) -> Array:
    """Log of the binomial coefficient."""
    return np.asarray(gammaln(np.add(n, 1)) - gammaln(np.add(k, 1)) - gammaln(np.subtract(n, k) + 1))


def _least(counts: Int64) -> Array:
    """(k,) the least p that the test can have with the margins of (k, 6) counts, at odds 1 and share one half."""
    a, b, c, d = (counts[:, kind].astype(np.int64) for kind in range(4))
    on_chosen, well, size = a + b, a + c, a + b + c + d
    most = np.minimum(on_chosen, well)
    log_p = _choose(on_chosen, most) + _choose(size - on_chosen, well - most) - _choose(size, well)
    return np.asarray(np.exp(log_p - np.log(2.0) * counts[:, CHOSEN_BETTER:].sum(axis=1)))


def _expected(counts: Int64, share: float) -> float:
    """Share of the pairs where praise would win or blame lose, at odds 1 given the margins."""
    a, b, c, d, m, n = (float(x) for x in counts)
    size = a + b + c + d
    first = (a + b) * (a + c) / size if size else 0.0
    apart = size - (a + b) - (a + c) + 2 * first
    return (apart + (m + n) * share) / max(size + m + n, 1.0)
