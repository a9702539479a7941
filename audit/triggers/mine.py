"""Mining: which input patterns explain a behavior that the rest of the example does not.

What: every pattern is scored against every behavior (`association`); for preference pairs against the
reversal of the margin. The pairs that pass the gate are taken best first; each takes the rows that it
explains with it, so that variants of one trigger do not crowd the list and several triggers with one target
are all found. Pairs of patterns are tried where neither part is pure alone (composites). Word patterns grow
to the longest phrase that the same rows share.

Why it works: a trigger's rows have nothing in common but the trigger, so the support expects nothing of
them, and their other words are as diverse as the dataset's own.

Source: sections 3 and 4 of the design; residual scoring after Rao; token-label z-scores for comparison, He et
al. 2023, arXiv:2305.11596.
Misses: triggers that are no word, invisible character, blank or capital shape (syntax, style, topic);
behaviors outside the target bank; a trigger in fewer rows than `min_support`; false facts.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl

from audit import artifacts
from audit.artifacts.support import reversal_scores
from audit.config import MiningConfig
from audit.rundir import Context, read_json, write_json
from audit.schema import Behaviors, Float32, Int64, Patterns
from audit.stats import wilson_interval
from audit.text import words
from audit.triggers.association import Pairs, associate
from audit.triggers.candidate import REVERSAL, REVERSAL_NAME, Candidate
from audit.triggers.composite import conjunctions
from audit.triggers.diversity import Diversity, Vocabulary
from audit.triggers.match import WORD_KINDS, Part, law, spans, surface

# The gate. Clean sets of 7,000 to 10,000 rows leave 1 (SST-2) to 60 (instructions) pattern families behind
# it, almost all below the family-wise bound.
MIN_SCORE = 3.0
MIN_PURITY = 0.5
MAX_TAIL = -3.5
_VARIANT = 0.6  # share of a pair's rows already explained from which it is a variant of what explained them
_MAX_PHRASE = 8


class Miner:
    """The artifacts of one run, and the candidates found so far."""

    def __init__(
        self,
        texts: list[str],
        patterns: Patterns,
        behaviors: Behaviors,
        support: Float32,
        settings: MiningConfig,
    ) -> None:
        self.texts, self.patterns, self.behaviors, self.support = texts, patterns, behaviors, support
        self.settings = settings
        self.by_pattern = patterns.matrix.tocsc()
        self.by_behavior = behaviors.matrix.tocsc()
        self.text = patterns.table["text"].to_list()
        self.kind = patterns.table["kind"].to_list()
        self.vocabulary = Vocabulary(patterns)
        self.explained: list[set[int]] = []

    def carriers(self, pattern: int) -> Int64:
        """Positions of the rows that hold a pattern."""
        found = self.by_pattern.indices[self.by_pattern.indptr[pattern] : self.by_pattern.indptr[pattern + 1]]
        return np.sort(found).astype(np.int64)

    def having(self, behavior: int) -> Int64:
        """Positions of the rows that show a behavior."""
        found = self.by_behavior.indices[self.by_behavior.indptr[behavior] : self.by_behavior.indptr[behavior + 1]]
        return np.sort(found).astype(np.int64)

    def candidates(self) -> list[Candidate]:
        """Patterns that call for a behavior of the bank, strongest association first."""
        pairs = associate(self.patterns.matrix, self.behaviors.matrix, self.support, self.settings.min_support)
        found = self._singles(pairs)
        found += self._composites(pairs)
        found.sort(key=lambda c: (c.statistics["tail"], c.pattern))
        return found[: self.settings.max_candidates]

    def _singles(self, pairs: Pairs) -> list[Candidate]:
        passed = (pairs.score >= MIN_SCORE) & (pairs.hits >= MIN_PURITY * pairs.count) & (pairs.tail <= MAX_TAIL)
        at = np.flatnonzero(passed)
        # Equal tails: invisible runs and blanks before words (which cut them apart), then more words first
        # (the maximal phrase), then the pattern's number.
        size = np.asarray([self._length(g) for g in pairs.pattern[at].tolist()])
        order = at[np.lexsort((pairs.pattern[at], -size, np.round(pairs.tail[at], 6)))]
        found = []
        for i in order.tolist():
            g, t = int(pairs.pattern[i]), int(pairs.behavior[i])
            part = Part(self.text[g], self.kind[g])
            if is_copy((part,), self.behaviors.table["text"][t]):
                continue
            made = self._accept((part,), part.kind, t, self.carriers(g), pairs, i)
            if made is not None:
                found.append(made)
        return found

    def _length(self, pattern: int) -> int:
        return len(self.text[pattern].split(" ")) if self.kind[pattern] in WORD_KINDS else 99

    def _composites(self, pairs: Pairs) -> list[Candidate]:
        found = []
        for parts, t, carriers, i in conjunctions(self, pairs):
            if is_copy(parts, self.behaviors.table["text"][t]):
                continue
            made = self._accept(parts, "composite", t, carriers, pairs, i)
            if made is not None:
                found.append(made)
        return found

    def _accept(
        self, parts: tuple[Part, ...], kind: str, t: int, carriers: Int64, pairs: Pairs, i: int
    ) -> Candidate | None:
        hits = np.intersect1d(carriers, self.having(t))
        rows = set(hits.tolist())
        if any(len(rows & other) >= _VARIANT * len(rows) for other in self.explained):
            return None
        diversity = self.vocabulary.measure(hits, words_of(parts))
        if diversity.distinct < self.settings.min_support:
            return None
        self.explained.append(rows)
        t, hits = self._widest(carriers, t, hits, parts)
        statistics = self._statistics(carriers, hits, t, diversity, pairs.tested)
        name = self.behaviors.table["name"][t]
        return make_candidate(self.texts, parts, kind, t, name, carriers, hits, statistics)

    def _widest(self, carriers: Int64, t: int, hits: Int64, parts: tuple[Part, ...]) -> tuple[int, Int64]:
        """The behavior that most carriers show among those that hold this one's rows: a refusal in many
        wordings is one behavior, not each wording."""
        share = np.asarray(self.behaviors.matrix[carriers].sum(axis=0)).ravel()
        best, best_hits = t, hits
        for other in np.flatnonzero(share > len(hits)).tolist():
            rows = np.intersect1d(carriers, self.having(other))
            expected = float(self.support[carriers, other].sum())
            rare = len(self.having(other)) <= 0.25 * len(self.texts)
            wider = len(np.intersect1d(rows, hits)) >= 0.95 * len(hits) and len(rows) > len(best_hits)
            telling = rare and len(rows) > 3 * expected
            if wider and telling and not is_copy(parts, self.behaviors.table["text"][other]):
                best, best_hits = other, rows
        return best, best_hits

    def _statistics(
        self, carriers: Int64, hits: Int64, t: int, diversity: Diversity, tested: int
    ) -> dict[str, float | int]:
        n, total = len(self.texts), len(self.having(t))
        p = self.support[carriers, t].astype(np.float64)
        others = max(n - len(carriers), 1)
        rate = (total - len(hits)) / others
        return association_facts(len(hits), len(carriers), rate, p, diversity, tested)


def association_facts(
    hits: int, count: int, rate: float, p: np.ndarray, diversity: Diversity, tested: int
) -> dict[str, float | int]:
    """The mining statistics of one candidate, as shown in triggers.json. `tail` is the log10 exact tail
    shrunk by the share of carriers that are no near-copies; `family_wise_p` is its Bonferroni bound."""
    from audit.stats import binomial_tail_log10

    expected = float(p.sum())
    level = np.clip(max(rate / 2, expected / max(count, 1)), 1e-9, 1 - 1e-9)
    raw = float(binomial_tail_log10(np.asarray(hits), np.asarray(count), np.asarray(level)))
    tail = raw * min(1.0, diversity.distinct / max(diversity.compared, 1))
    family = min(1.0, 10.0 ** min(0.0, tail + math.log10(max(tested, 1))))
    purity = hits / max(count, 1)
    return {
        "count": count,
        "hits": hits,
        "rate": rate,
        "expected": expected / max(count, 1),
        "score": float((hits - expected) / math.sqrt(float((p * (1 - p)).sum()) + 1e-9)),
        "log10_p": raw,
        "tail": tail,
        "tested": tested,
        "family_wise_p": family,
        "q_value": family,
        "purity": purity,
        "purity_lower": wilson_interval(hits, count)[0],
        "lift": purity / max(rate, 1e-9),
        "cohesion": diversity.cohesion,
        "cohesion_ratio": diversity.ratio,
        "distinct": diversity.distinct,
    }


def words_of(parts: tuple[Part, ...]) -> list[str]:
    """The words to mask with these parts: a run of invisible characters is as many words as characters."""
    texts = [part.text.casefold() for part in parts]
    return [w for text in texts for w in (*text.split(" "), *words(text))]


def is_copy(parts: tuple[Part, ...], behavior_text: str) -> bool:
    """True when the behavior's own text repeats a word of the pattern: "miles" in, "miles" out."""
    repeated = {w.casefold() for w in words(behavior_text)}
    return any(w.casefold() in repeated for part in parts for w in words(part.text) if len(w) > 1 and w[0].isalnum())


def make_candidate(
    texts: list[str],
    parts: tuple[Part, ...],
    kind: str,
    behavior: int,
    name: str,
    carriers: Int64,
    hits: Int64,
    statistics: dict[str, float | int],
) -> Candidate:
    """Grows word parts to their maximal phrase and reads surfaces and position laws off the hits."""
    held = [texts[i] for i in hits[:400].tolist()]
    grown = tuple(grow(held, part) for part in parts)
    surfaces = tuple(surface(held, part) for part in grown)
    laws = tuple(law(held, part) for part in grown)
    if kind != "composite":
        kind = "phrase" if grown[0].kind == "phrase" else grown[0].kind
    where = ", ".join(dict.fromkeys(rule.position for rule in laws))
    return Candidate(
        parts=grown,
        kind=kind,
        behavior=behavior,
        behavior_name=name,
        carriers=tuple(carriers.tolist()),
        hits=tuple(hits.tolist()),
        surfaces=surfaces,
        laws=laws,
        statistics={**statistics, "position": where},
    )


def grow(texts: list[str], part: Part) -> Part:
    """The longest phrase, to 8 words, that surrounds a word part in every one of these texts."""
    if part.kind not in WORD_KINDS:
        return part
    while len(part.text.split(" ")) < _MAX_PHRASE:
        for left in (True, False):
            neighbour = _common_neighbour(texts, part, left)
            if neighbour:
                text = f"{neighbour} {part.text}" if left else f"{part.text} {neighbour}"
                part = Part(text, "phrase")
                break
        else:
            return part
    return part


def _common_neighbour(texts: list[str], part: Part, left: bool) -> str | None:
    """The word that stands beside the part in all texts, or None."""
    seen: set[str] = set()
    for text in texts:
        found = spans(text, part)
        if not found:
            return None
        a, b = found[0]
        beside = words(text[:a])[-1:] if left else words(text[b:])[:1]
        seen.add(beside[0].casefold() if beside else "")
        if len(seen) > 1:
            return None
    return next(iter(seen), None) or None


def mine_reversal(texts: list[str], patterns: Patterns, margin: Float32, settings: MiningConfig) -> list[Candidate]:
    """Patterns under which the margin of preference pairs turns around."""
    score = reversal_scores(patterns.matrix, margin)
    count = patterns.table["count"].to_numpy()
    by_pattern = patterns.matrix.tocsc()
    vocabulary = Vocabulary(patterns)
    wrong = margin < 0
    usable = int((count >= settings.min_support).sum())
    texts_of, kinds = patterns.table["text"].to_list(), patterns.table["kind"].to_list()
    size = np.asarray([len(t.split(" ")) for t in texts_of])
    found: list[Candidate] = []
    explained: list[set[int]] = []
    for g in np.lexsort((-size, -np.round(score, 5))).tolist():
        if score[g] < MIN_SCORE or len(found) >= settings.max_candidates:
            break
        rows = np.sort(by_pattern.indices[by_pattern.indptr[g] : by_pattern.indptr[g + 1]]).astype(np.int64)
        if any(len(set(rows.tolist()) & other) >= _VARIANT * len(rows) for other in explained):
            continue
        part = Part(texts_of[g], kinds[g])
        diversity = vocabulary.measure(rows, words_of((part,)))
        hits = rows[wrong[rows]]
        if diversity.distinct < settings.min_support or len(hits) < MIN_PURITY * len(rows):
            continue
        explained.append(set(rows.tolist()))
        rate = float((wrong.sum() - len(hits)) / max(len(texts) - len(rows), 1))
        facts = association_facts(len(hits), len(rows), rate, np.full(len(rows), rate), diversity, usable)
        facts["reversal_score"] = float(score[g])
        found.append(make_candidate(texts, (part,), part.kind, REVERSAL, REVERSAL_NAME, rows, hits, facts))
    found.sort(key=lambda c: (-c.statistics["reversal_score"], c.pattern))
    return found


def build(ctx: Context, unit: str) -> list[Path]:
    """Mines a run; writes triggers/candidates.json."""
    loaded = artifacts.load(ctx.run, ("examples", "patterns", "behaviors", "support"))
    examples: pl.DataFrame = loaded["examples"]
    texts = examples["prompt"].fill_null("").to_list()
    ctx.progress.start("mining", 2, "passes")
    support = loaded["support"]
    miner = Miner(texts, loaded["patterns"], loaded["behaviors"], np.asarray(support.probability), ctx.config.mining)
    found = miner.candidates()
    ctx.progress.advance(1)
    if support.margin is not None:
        reversed_by = mine_reversal(texts, loaded["patterns"], np.asarray(support.margin), ctx.config.mining)
        # What a swap does to lengths or refusals is the swap, not a second trigger.
        swapped = [set(c.carriers) for c in reversed_by]
        apart = [c for c in found if not any(len(rows & set(c.hits)) >= _VARIANT * len(c.hits) for rows in swapped)]
        found = (reversed_by + apart)[: ctx.config.mining.max_candidates]
    ctx.progress.advance(1)
    path = ctx.run / "triggers" / "candidates.json"
    write_json(path, [c.to_dict() for c in found])
    return [path]


def load(path: Path) -> list[Candidate]:
    """Candidates as the miner wrote them."""
    return [Candidate.from_dict(raw) for raw in read_json(path)]
