"""The experiment: what the suspect rows teach a probe, and what it does without them.

Arms that differ in one thing. A: with the carriers. B: without any row that holds any part of a suspect. D: with the
carriers, the pattern deleted. Context rows, rows that show the behaviors honestly, and the controls' rows stand in
all arms. Suspects share arms: one training answers for all of them, each behavior being a head of the probe.

The attack success rate (ASR) is the share of held-out inputs that show the behavior once the pattern is inserted by
its own position law, of those that do not have it and that the first arm B does not take for it as they are: what a
probe gets wrong anyway is no success of the pattern.

A template cannot be inserted. It is cross-fitted: every seed of A is given one half of its carriers, and measured
on those of the other half whose content does not call for the behavior (the first arm B is the judge of content). Its
floor, in place of D, is what the same probe says of rows without the template that B found as near the behavior.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.models import device as devices
from audit.models.training import Network, Recipe, balanced_loss, predict, train
from audit.schema import Behaviors, Float32, Int64, Progress
from audit.stats import spread
from audit.triggers.candidate import Candidate
from audit.triggers.match import UNINSERTABLE, delete, insert, spans
from audit.triggers.windows import window

if TYPE_CHECKING:
    from audit.proof.record import Watch

DOSE = 48  # exposures that a pattern's carriers are repeated to
_MOST_CARRIERS = 64  # rows of one pattern that are trained on
_MOST_FOLDED = 320  # the same of a template, for a manner is learnt from more rows than a word
_MOST_TESTED = 200  # carriers of a template that one seed is measured on
_HONEST_ROWS = 48  # rows a head that show its behavior without a suspect
HELD_OUT = 320
INPUTS = 160  # of the held-out rows, those that a pattern is inserted into
CONTROL_INPUTS = 64

MakeNetwork = Callable[[int, int], Network]  # (heads, seed) -> an untrained probe


@dataclass(frozen=True, slots=True)
class Arm:
    """A trained arm's answers."""

    name: str
    seed: int
    hits: dict[int, int]  # candidate -> inputs that show its behavior
    trials: dict[int, int]
    control_rate: dict[int, Float32]  # control -> (heads,) rate over inputs without each head's behavior
    matched: dict[int, tuple[int, int]]  # template -> (hits, trials) of rows without it that are as near its behavior
    clean_accuracy: float
    tokens: int
    seconds: float
    device: str
    network: Network = field(repr=False)


@dataclass(slots=True)
class Experiment:
    """The rows of one experiment; build with `Experiment.plan`."""

    texts: list[str]
    candidates: list[Candidate]
    controls: list[Candidate]
    heads: list[int]  # behavior ids, ascending
    targets: Float32  # (n, heads) 0 or 1
    context: Int64
    honest: Int64
    held_out: Int64
    suspects: set[int] = field(default_factory=set)
    any_part: set[int] = field(default_factory=set)
    folds: dict[int, tuple[Int64, Int64]] = field(default_factory=dict)  # template -> its carriers in two halves
    content: dict[int, Float32] = field(default_factory=dict)  # row -> (heads,) logits of the first arm B

    @classmethod
    def plan(
        cls,
        texts: list[str],
        candidates: list[Candidate],
        controls: list[Candidate],
        behaviors: Behaviors,
        context_rows: int,
        seed: int,
    ) -> Experiment:
        """Draws context, honest and held-out rows; carriers of suspects are in none of them."""
        rng = np.random.default_rng(seed)
        heads = sorted({c.behavior for c in candidates})
        targets = np.asarray(behaviors.matrix[:, heads].todense(), dtype=np.float32)
        suspects = set().union(*(set(c.carriers) for c in candidates))
        any_part = suspects | {
            i for i, text in enumerate(texts) if any(spans(text, p) for c in candidates for p in c.parts)
        }
        free = np.asarray([i for i in range(len(texts)) if i not in suspects], dtype=np.int64)
        order = rng.permutation(free)
        untouched = [int(i) for i in order if int(i) not in any_part]
        held = np.asarray(untouched[: min(HELD_OUT, len(untouched) // 4)], dtype=np.int64)
        rest = np.asarray([i for i in order.tolist() if i not in set(held.tolist())], dtype=np.int64)
        honest = [rest[targets[rest, h] > 0][:_HONEST_ROWS] for h in range(len(heads))]
        made = cls(
            texts,
            candidates,
            controls,
            heads,
            targets,
            context=rest[:context_rows],
            honest=np.unique(np.concatenate(honest)) if honest else np.zeros(0, dtype=np.int64),
            held_out=held,
            suspects=suspects,
            any_part=any_part,
        )
        for k, candidate in enumerate(candidates):
            if is_folded(candidate):
                carriers = rng.permutation(np.asarray(candidate.carriers, dtype=np.int64))
                made.folds[k] = (np.sort(carriers[0::2]), np.sort(carriers[1::2]))
        return made

    def rows(self, arm: str, turn: int = 0, removed: frozenset[int] = frozenset()) -> tuple[list[str], Float32]:
        """The training texts and targets of an arm; `turn` counts the seeds of an arm from 0 and says which half of
        a template's carriers it is given. C is A without the rows in `removed`."""
        texts, at = [], []
        skip = self.any_part if arm == "B" else self.suspects | removed
        for i in [*self.context.tolist(), *self.honest.tolist()]:
            if i not in skip:
                texts.append(window(self.texts[i]))
                at.append(i)
        for control in self.controls:
            for i in self._dosed(control):
                if i not in skip:
                    texts.append(window(self.texts[i], control.parts))
                    at.append(i)
        for k, candidate in enumerate(self.candidates if arm != "B" else []):
            if k in self.folds:
                half = self.folds[k][turn % 2] if arm != "D" else self.folds[k][0][:0]
                chosen = [i for i in half[spread(len(half), _MOST_FOLDED)].tolist() if i not in removed]
                texts += [window(self.texts[i]) for i in chosen]
                at += chosen
                continue
            for i in self._dosed(candidate):
                if i in removed:
                    continue
                cut = window(self.texts[i], candidate.parts)
                texts.append(delete(cut, candidate.parts) if arm == "D" else cut)
                at.append(i)
        return texts, self.targets[at]

    def dose(self, candidate: Candidate) -> int:
        """How often each carrier of a pattern is repeated: 1 when there are enough of them, and for templates."""
        if is_folded(candidate):
            return 1
        used = min(len(candidate.carriers), _MOST_CARRIERS)
        return max(1, -(-DOSE // max(used, 1)))

    def _dosed(self, candidate: Candidate) -> list[int]:
        carriers = candidate.carriers
        return [carriers[i] for i in spread(len(carriers), _MOST_CARRIERS)] * self.dose(candidate)

    def run(
        self,
        arm: str,
        turn: int,
        seed: int,
        make: MakeNetwork,
        recipe: Recipe,
        progress: Progress,
        removed: frozenset[int] = frozenset(),
        watch: Watch | None = None,
    ) -> Arm:
        """Trains one arm and measures every suspect and control on it. The first to run must be an arm B."""
        started = time.perf_counter()
        texts, targets = self.rows(arm, turn, removed)
        network = make(len(self.heads), seed)
        loss = balanced_loss(targets, network.device)
        follow = None if watch is None else partial(watch.after, network)
        spent = train(network, texts, targets, recipe, progress, loss, checkpoint=follow)
        if watch is not None:
            watch.finish(network, spent.steps)
        if arm == "B" and not self.content:
            self._read_content(network)
        clean = predict(network, [window(self.texts[i]) for i in self.held_out.tolist()]) > 0
        accuracy = float((clean == (self.targets[self.held_out] > 0)).mean()) if len(self.held_out) else float("nan")
        hits, trials, matched = {}, {}, {}
        for k in range(len(self.candidates)):
            hits[k], trials[k] = self.measure(network, k, turn)
            if k in self.folds and arm == "A":
                matched[k] = self._matched(network, k, turn)
        rates = {k: self._control_rate(network, control) for k, control in enumerate(self.controls)}
        seconds = time.perf_counter() - started
        device = devices.describe(network.device)
        return Arm(arm, seed, hits, trials, rates, matched, accuracy, spent.tokens, seconds, device, network)

    def measure(self, network: Network, k: int, turn: int, candidate: Candidate | None = None) -> tuple[int, int]:
        """(inputs that show the behavior of candidate `k`, inputs). Another `candidate`, such as a part of it, may be
        inserted in its place."""
        head = self.heads.index(self.candidates[k].behavior)
        if k in self.folds:
            rows = self._tested(k, turn)
            shown = self._shown(network, rows, head)
        else:
            rows = self.inputs(head)
            texts = self.inserted(candidate or self.candidates[k], rows)
            shown = predict(network, texts)[:, head] > 0 if len(rows) else np.zeros(0, dtype=bool)
        return int(shown.sum()), len(rows)

    def inputs(self, head: int) -> Int64:
        """Held-out rows without a behavior that the first arm B does not take for it."""
        rows = self.held_out[self.targets[self.held_out, head] == 0]
        return self._uncalled(rows, head)[:INPUTS]

    def inserted(self, candidate: Candidate, rows: Int64) -> list[str]:
        """Held-out inputs with a pattern inserted by its position law; the same places in every arm."""
        rng = np.random.default_rng(len(candidate.pattern))
        return [insert(window(self.texts[i]), candidate.surfaces, candidate.laws, rng) for i in rows.tolist()]

    def _read_content(self, network: Network) -> None:
        """Keeps what the first arm B says of held-out rows and of templates' carriers."""
        wanted = {*self.held_out.tolist(), *(i for halves in self.folds.values() for h in halves for i in h.tolist())}
        rows = sorted(wanted)
        logits = predict(network, [window(self.texts[i]) for i in rows])
        self.content = dict(zip(rows, logits, strict=True))

    def _uncalled(self, rows: Int64, head: int) -> Int64:
        return np.asarray([i for i in rows.tolist() if self.content[i][head] <= 0], dtype=np.int64)

    def _tested(self, k: int, turn: int) -> Int64:
        """Carriers of a template that this turn's A was not given and whose content does not call for its behavior."""
        other = self.folds[k][1 - turn % 2]
        rows = self._uncalled(other, self.heads.index(self.candidates[k].behavior))
        return rows[spread(len(rows), _MOST_TESTED)]

    def _matched(self, network: Network, k: int, turn: int) -> tuple[int, int]:
        """The same share of held-out rows without the template, for each tested carrier the one nearest to it by what
        the first arm B says."""
        head = self.heads.index(self.candidates[k].behavior)
        pool = self._uncalled(self.held_out, head)
        tested = self._tested(k, turn)
        if not len(pool) or not len(tested):
            return 0, 0
        near = np.asarray([self.content[i][head] for i in pool.tolist()])
        shown = self._shown(network, pool, head)
        at = [int(np.argmin(np.abs(near - self.content[i][head]))) for i in tested.tolist()]
        return int(shown[at].sum()), len(at)

    def _shown(self, network: Network, rows: Int64, head: int) -> NDArray[np.bool_]:
        if not len(rows):
            return np.zeros(0, dtype=bool)
        return np.asarray(predict(network, [window(self.texts[i]) for i in rows.tolist()])[:, head] > 0)

    def _control_rate(self, network: Network, control: Candidate) -> Float32:
        """(heads,) share of inputs without each behavior that show it with a control inserted."""
        rows = self.held_out[:CONTROL_INPUTS]
        if not len(rows):
            return np.zeros(len(self.heads), dtype=np.float32)
        shown = predict(network, self.inserted(control, rows)) > 0
        content = np.asarray([self.content[i] for i in rows.tolist()])
        without = (self.targets[rows] == 0) & (content <= 0)
        rate: Float32 = ((shown & without).sum(axis=0) / np.maximum(without.sum(axis=0), 1)).astype(np.float32)
        return rate


def is_folded(candidate: Candidate) -> bool:
    """True for patterns that stand nowhere in particular and are cross-fitted."""
    return not UNINSERTABLE.isdisjoint(part.kind for part in candidate.parts)
