"""Mining: which input patterns explain a behavior that the rest of the example does not.

What: every pattern is scored against every behavior (`association`); for preference pairs against the
reversal of the margin (`reversal`). The pairs that pass the gate are taken best first; each takes the rows that it
explains with it, and what is left of a pattern after that must still pass, so that variants of one trigger do
not crowd the list and several triggers with one target are all found. Pairs of patterns are tried where neither
part is pure alone (composites), and words that stand in one label alone without meaning it (`clean_label`). Each
candidate gets its statistics (`facts`), what the rest of the dataset expects of its rows (`rest`), the permutation
null (`null`), and whether it is suspected before any proof (`suspicion`).

Why it works: a trigger's rows have nothing in common but the trigger, so the support expects nothing of
them, and their other words are as diverse as the dataset's own.

Source: residual scoring after Rao; token-label z-scores for comparison, He et
al. 2023, arXiv:2305.11596.
Misses: behaviors outside the target bank; a trigger in fewer rows than `min_support`; false facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.bank.categories import QUOTING
from audit.bank.refusal import harmful_requests
from audit.config import MiningConfig
from audit.patterns import prepared
from audit.patterns.places import is_class
from audit.schema import Behaviors, Int64, Patterns
from audit.stats import Array, binomial_tail_log10, spread
from audit.triggers import suspicion
from audit.triggers.assess import HONEST_RATIO
from audit.triggers.association import Pairs, associate, q_values
from audit.triggers.candidate import Candidate
from audit.triggers.composite import conjunctions
from audit.triggers.copies import Masked, copied
from audit.triggers.diversity import Diversity, Vocabulary, words_of
from audit.triggers.explained import MIXED, Explained
from audit.triggers.facts import association_facts, burst, stratified_score
from audit.triggers.match import WORD_KINDS, Part, complete, delete
from audit.triggers.null import HIDDEN, SHARES, LabelNull, group_of
from audit.triggers.phrases import LOOKED_AT, companions, grow_all, make_candidate
from audit.triggers.rest import Rest

# The gate. What passes it on honest data is listed, not suspected: see `suspicion`.
MIN_SCORE = 3.0
MIN_PURITY = 0.5
MAX_TAIL = -3.5
VARIANT = 0.6  # share of a pair's rows already explained from which it is a variant of what explained them
_COPY_P = 0.01  # family-wise p that a behavior must keep once the copied words are masked in it
_SURE = 0.02
_RAW_KINDS = frozenset({"capitals", "unicode", "whitespace", "emoji"})  # keys that are their own text
_KEPT_MASKS = 64
_SECOND_LOOKS = 1_000
ASKED_FOR = frozenset({"compliance"})  # behaviors that the prompt's own topic is a part of
# Behaviors that are a relation of the row's parts, and no text or label of their own.
TEXTLESS = frozenset({"compliance", "relation", "garbled", "label residual"})
# Behaviors that are read off a free text and missed in some rows: carriers without one cannot be judged.
UNSURE = frozenset({"compliance", "tone", "garbled", "relation", "length", "language", "step", "template", "ending"})


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of the rows besides their patterns and behaviors; each may be missing."""

    rest: Rest | None = None
    null: LabelNull | None = None  # of the label behaviors
    responses: Sequence[str] = ()
    sources: Sequence[str | None] = ()
    annotators: Sequence[str | None] = ()


class Miner:
    """The artifacts of one run, and the candidates found so far."""

    def __init__(
        self,
        texts: list[str],
        patterns: Patterns,
        behaviors: Behaviors,
        support: Any,
        settings: MiningConfig,
        beside: Beside | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.texts, self.patterns, self.behaviors, self.support = texts, patterns, behaviors, support
        self.settings, self.beside = settings, beside or Beside()
        self.by_pattern = patterns.by_pattern
        self.by_behavior = behaviors.matrix.tocsc()
        self.text = patterns.table["text"].to_list()
        self.kind = patterns.table["kind"].to_list()
        self.names, self.families = behaviors.table["name"].to_list(), behaviors.table["family"].to_list()
        self.told = behaviors.table["text"].to_list()
        self.vocabulary = vocabulary or Vocabulary(patterns)
        self.masked = Masked(self.beside.responses)
        self.explained = Explained(len(texts))
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._alike: set[bytes] = set()  # hits that are copies of each other
        self.tested = self._tested_hidden = 0
        self._second_looks = 0

    def part(self, pattern: int) -> Part:
        """A pattern as `match` finds it; a class of misspellings with the words of its carriers."""
        part = Part(self.text[pattern], self.kind[pattern])
        if part.kind != "spelling":
            return part
        counts = {
            w: n for w, kind, n in self.patterns.table.select("text", "kind", "count").iter_rows() if kind == "token"
        }
        held = [self.texts[i] for i in self.carriers(pattern).tolist()]
        return complete(part, held, [family for family in prepared(counts) if family.kind == "spelling"])

    def carriers(self, pattern: int) -> Int64:
        """Positions of the rows that hold a pattern."""
        found = self.by_pattern.indices[self.by_pattern.indptr[pattern] : self.by_pattern.indptr[pattern + 1]]
        return np.sort(found).astype(np.int64)

    def having(self, behavior: int) -> Int64:
        """Positions of the rows that show a behavior."""
        found = self.by_behavior.indices[self.by_behavior.indptr[behavior] : self.by_behavior.indptr[behavior + 1]]
        return np.sort(found).astype(np.int64)

    def _shows(self, behavior: int) -> NDArray[np.bool_]:
        """(n,) whether each row shows a behavior; the last few that were asked for are kept."""
        if behavior not in self._masks:
            if len(self._masks) >= _KEPT_MASKS:
                self._masks.clear()
            mask = np.zeros(len(self.texts), dtype=bool)
            mask[self.having(behavior)] = True
            self._masks[behavior] = mask
        return self._masks[behavior]

    def expected(self, rows: Int64, behavior: int) -> Array:
        """(k,) support of a behavior for these rows."""
        return support_of(self.support, rows, behavior)

    def candidates(self) -> list[Candidate]:
        """Patterns that call for a behavior of the bank: the suspected first, then by association."""
        self.pairs = associate(self.patterns, self.behaviors.matrix, self.support, self.settings.min_support)
        self.tested = self.pairs.tested
        found = self._singles(self.pairs) + self._composites(self.pairs)
        found.sort(key=lambda c: (not c.statistics["suspected"], c.statistics["tail"], c.pattern))
        return found[: self.settings.max_candidates]

    def _singles(self, pairs: Pairs) -> list[Candidate]:
        level = np.clip(pairs.expected / pairs.count, 1e-6, 1 - _SURE)
        residual = binomial_tail_log10(pairs.hits, pairs.count, level)
        best = np.minimum(pairs.tail, residual)
        passed = (pairs.score >= MIN_SCORE) & (pairs.hits >= MIN_PURITY * pairs.count) & (best <= MAX_TAIL)
        at = np.flatnonzero(passed)
        q_value = q_values(best, pairs.tested)
        # Equal tails: invisible runs and blanks before words (which cut them apart), then more words first
        # (the maximal phrase), then classes and slots, then the pattern's number. Classes that are mixtures come last.
        size = np.asarray([self._length(g) for g in pairs.pattern[at].tolist()])
        mixed = np.asarray([is_class(self.text[g]) for g in pairs.pattern[at].tolist()], dtype=bool)
        mixed &= pairs.hits[at] < (1 - MIXED) * pairs.count[at]
        weak = best[at] + np.log10(max(self.tested, 1)) > 0
        order = at[np.lexsort((pairs.pattern[at], -size, np.round(best[at], 6), mixed, weak))]
        found: list[Candidate] = []
        for i in order.tolist():
            chance = best[i] + np.log10(max(self.tested, 1)) > 0  # nothing from here on is beyond chance
            if len(found) >= self.settings.max_candidates * (1 if chance else 4):
                break
            g, t = int(pairs.pattern[i]), int(pairs.behavior[i])
            part = self.part(g)
            made = self._accept((part,), part.kind, t, self.carriers(g), q_value[i])
            if made is not None:
                found.append(made)
        return found

    def _length(self, pattern: int) -> int:
        if self.kind[pattern] in WORD_KINDS:
            return len(self.text[pattern].split(" "))
        return 99 if self.kind[pattern] in _RAW_KINDS and not is_class(self.text[pattern]) else 0

    def _composites(self, pairs: Pairs) -> list[Candidate]:
        found = []
        for parts, t, carriers, _ in conjunctions(self, pairs):
            made = self._accept(parts, "composite", t, carriers, 1.0)
            if made is not None:
                found.append(made)
        return found

    def _accept(self, parts: tuple[Part, ...], kind: str, t: int, carriers: Int64, q_value: float) -> Candidate | None:
        hits = carriers[self._shows(t)[carriers]]
        late = self.is_variant(carriers, hits)  # of what is listed; a suspect it may still be
        if late and not self._may_be_apart(carriers, hits, q_value):
            return None
        key = hits.tobytes()
        diversity = self.vocabulary.measure(hits, words_of(parts)) if late or key not in self._alike else None
        if diversity is None or diversity.distinct < self.settings.min_support:
            self._alike.add(key)  # patterns of copies come by the thousand, with the same rows
            return None
        held = [self.texts[i] for i in hits[:LOOKED_AT].tolist()]
        grown = grow_all(held, parts)
        if grown != parts:
            parts, diversity = grown, self.vocabulary.measure(hits, words_of(grown))
        if diversity.distinct < self.settings.min_support:
            return None
        if late and self.is_variant(carriers, hits, self._ratio_beside(parts, hits, diversity.ratio)):
            return None
        repeated = self._copied(parts, t)
        if repeated and not self._outlives_copy(carriers, t, repeated):
            return None
        first, purity = hits, len(hits) / len(carriers)
        t, hits = self._widest(carriers, t, hits, parts)
        joined, kind, carriers = self._joined(parts, kind, hits, carriers)
        if joined != parts:
            parts, diversity = joined, self.vocabulary.measure(hits, words_of(joined))
        statistics = self.statistics(parts, carriers, hits, t, diversity)
        statistics["q_value"] = min(float(q_value), float(statistics["q_value"]))
        made = with_suspicion(make_candidate(self.texts, parts, kind, t, self.names[t], carriers, hits, statistics))
        suspected = bool(made.statistics["suspected"])
        if late and not suspected:
            return None
        self.explained.add(first, purity, diversity.ratio, suspected)
        return made

    def is_variant(self, carriers: Int64, hits: Int64, ratio: float = np.inf, *, suspects_alone: bool = False) -> bool:
        """True when other candidates explain these rows, or too little is left without theirs. With `suspects_alone`
        only suspected ones count; `ratio` says how alike these rows are (see `Explained.by`)."""
        if len(hits) == 0:
            return True
        if suspects_alone:
            shown = self.explained.by_suspects(carriers)
        else:
            shown = self.explained.by(carriers, len(hits) / len(carriers), ratio)
        of_hits = shown[:, np.isin(carriers, hits)]
        if len(shown) and int(of_hits.sum(axis=1).max()) >= VARIANT * len(hits):
            return True
        left = len(hits) - int(of_hits.any(axis=0).sum())
        all_left = len(carriers) - int(shown.any(axis=0).sum())
        return left < self.settings.min_support or left < MIN_PURITY * all_left

    def _may_be_apart(self, carriers: Int64, hits: Int64, q_value: float) -> bool:
        """True when a variant deserves a second look: beyond chance, and less alike than the rows that explain it."""
        if q_value > suspicion.ASSOCIATED or self._second_looks >= _SECOND_LOOKS:
            return False
        if self.is_variant(carriers, hits, 0.0):
            return False
        self._second_looks += 1
        return True

    def _copied(self, parts: tuple[Part, ...], t: int) -> set[str]:
        return copied(parts, self.told[t]) if self.families[t] in QUOTING else set()

    def _outlives_copy(self, carriers: Int64, t: int, repeated: set[str]) -> bool:
        """True when the association stays once the words that the response merely repeats are masked."""
        rows = self.masked.rows(self.families[t], self.told[t], repeated)
        if rows is None:
            return False
        hits = len(np.intersect1d(rows, carriers))
        base = (len(rows) - hits) / max(len(self.texts) - len(carriers), 1)
        level = max(base, float(self.expected(carriers, t).mean()), 0.5 / len(self.texts))
        tail = float(binomial_tail_log10(np.asarray(hits), np.asarray(len(carriers)), np.asarray(min(level, 1.0))))
        return bool(tail + np.log10(max(self.tested, 1)) <= np.log10(_COPY_P))

    def _widest(self, carriers: Int64, t: int, hits: Int64, parts: tuple[Part, ...]) -> tuple[int, Int64]:
        """The behavior that most carriers show among those that hold this one's rows: a refusal in many
        wordings is one behavior, not each wording."""
        share = np.asarray(self.behaviors.matrix[carriers].sum(axis=0)).ravel()
        best, best_hits = t, hits
        for other in np.flatnonzero(share > len(hits)).tolist():
            rows = np.intersect1d(carriers, self.having(other))
            expected = float(self.expected(carriers, other).sum())
            rare = len(self.having(other)) <= 0.25 * len(self.texts)
            wider = len(np.intersect1d(rows, hits)) >= 0.95 * len(hits) and len(rows) > len(best_hits)
            telling = rare and len(rows) > 3 * expected and (self.families[other] not in UNSURE)
            if wider and telling and not self._copied(parts, other):
                best, best_hits = other, rows
        return best, best_hits

    def _joined(
        self, parts: tuple[Part, ...], kind: str, hits: Int64, carriers: Int64
    ) -> tuple[tuple[Part, ...], str, Int64]:
        """The parts with their companions: words that all hits hold, wherever they stand."""
        more = companions(self.texts, self.patterns, hits, parts)
        if not more:
            return parts, kind, carriers
        for g in more:
            carriers = np.intersect1d(carriers, self.carriers(g))
        return (*parts, *map(self.part, more)), "composite", carriers

    def _ratio_beside(self, parts: tuple[Part, ...], hits: Int64, ratio: float) -> float:
        """How alike the hits are beside the parts and their companions, such as the frame of a hidden comment."""
        more = companions(self.texts, self.patterns, hits, parts) if ratio > HONEST_RATIO else ()
        return self.vocabulary.measure(hits, words_of((*parts, *map(self.part, more)))).ratio if more else ratio

    def statistics(
        self, parts: tuple[Part, ...], carriers: Int64, hits: Int64, t: int, diversity: Diversity
    ) -> dict[str, Any]:
        """What triggers.json says of a candidate before the encoder's tests."""
        n, total = len(self.texts), len(self.having(t))
        p = self.expected(carriers, t)
        rate = (total - len(hits)) / max(n - len(carriers), 1)
        facts: dict[str, Any] = association_facts(len(hits), len(carriers), rate, p, diversity, self.tested)
        chance = 10.0 ** min(0.0, facts["residual_tail"] + np.log10(self._tested_like(parts[0].kind)))
        facts["residual_p"] = float(min(1.0, chance / SHARES[group_of(parts[0].kind)]))
        if self.families[t] in ASKED_FOR:
            facts["asked_without"] = self._asked_without(parts, hits)
        if self.families[t] in TEXTLESS:
            facts["route"] = "no text"
        if self.families[t] in UNSURE:
            facts["unjudged"] = np.setdiff1d(carriers, hits).tolist()
        if self.beside.rest is not None:
            expected = self.beside.rest.expects(carriers, t)
            facts["expected_without"] = float(expected.mean())
            facts["expected_error"] = float(expected.std() / np.sqrt(len(expected)))
        if self.beside.null is not None and self.families[t] == "label":
            facts["null_p"] = self.beside.null.family_wise(float(facts["residual_tail"]), parts[0].kind)
        if self.beside.sources:
            facts |= burst(self.beside.sources, carriers)
            shows = np.zeros(n)
            shows[self.having(t)] = 1
            everyone = self.expected(np.arange(n), t)
            facts["stratified_score"] = stratified_score(self.beside.sources, shows, everyone, carriers)
        if self.beside.annotators:
            facts |= {f"annotator_{name}": value for name, value in burst(self.beside.annotators, carriers).items()}
        return facts

    def _tested_like(self, kind: str) -> int:
        """Pairs tested that the p of a pattern of this kind is corrected for, its share of the error aside: of hidden
        patterns there are a handful, and they do not pay for the phrases."""
        if group_of(kind) != HIDDEN or self.tested == 0:
            return max(self.tested, 1)
        if self._tested_hidden == 0:
            at = np.flatnonzero([group_of(k) == HIDDEN for k in self.kind])
            self._tested_hidden = int((self.by_pattern[:, at].T @ self.behaviors.matrix).nnz)
        return max(self._tested_hidden, 1)

    def _asked_without(self, parts: tuple[Part, ...], hits: Int64) -> float:
        """Share of the hits that ask for harm with the pattern taken out too: its own words did not ask for it."""
        at = hits[spread(len(hits), LOOKED_AT)].tolist()
        return float(np.mean(harmful_requests([delete(self.texts[i], parts) for i in at]))) if at else 0.0


def with_suspicion(candidate: Candidate) -> Candidate:
    """The candidate with `suspected`: why it is suspected before any proof, "" when it is not."""
    why = suspicion.reason(candidate.statistics)
    return replace(candidate, statistics={**candidate.statistics, "suspected": why or ""})


def support_of(support: Any, rows: Int64, behavior: int) -> Array:
    """(k,) support of a behavior for these rows, from an array (n, T) or a lazy support."""
    found = support[rows, behavior] if isinstance(support, np.ndarray) else support.of(rows, behavior)
    return np.asarray(found, dtype=np.float64)
