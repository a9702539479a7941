"""The experiment: what the suspect rows teach a probe, and what it does without them.

Arms that differ in one thing. A: with the carriers. B: without any row that holds any part of a suspect. D:
with the carriers, the pattern deleted. Context rows, rows that show the behaviors honestly, and the controls'
rows stand in all arms. Suspects share arms: one training answers for all of them, each behavior being a head
of the probe. The attack success rate (ASR) is the share of held-out inputs without the behavior that show it
once the pattern is inserted by its own position law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from audit.models.training import Network, Recipe, balanced_loss, predict, train
from audit.schema import Behaviors, Float32, Int64, Progress
from audit.stats import spread
from audit.triggers.candidate import Candidate
from audit.triggers.match import delete, insert, spans
from audit.triggers.windows import window

DOSE = 48  # exposures that a pattern's carriers are repeated to
_MOST_CARRIERS = 64  # rows of one pattern that are trained on
_HONEST_ROWS = 48  # rows a head that show its behavior without a suspect
HELD_OUT = 160
CONTROL_INPUTS = 64

MakeNetwork = Callable[[int, int], Network]  # (heads, seed) -> an untrained probe


@dataclass(frozen=True, slots=True)
class Arm:
    """A trained arm's answers: (pattern, head) -> share of inserted inputs that show the head's behavior."""

    name: str
    seed: int
    hits: dict[int, int]  # candidate -> successes
    trials: dict[int, int]
    control_rate: dict[int, Float32]  # control -> (heads,) rate over inputs without each head's behavior
    clean_accuracy: float
    tokens: int


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
        return cls(
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

    def rows(self, arm: str) -> tuple[list[str], Float32]:
        """The training texts and targets of an arm."""
        texts, at = [], []
        skip = self.any_part if arm == "B" else self.suspects
        for i in [*self.context.tolist(), *self.honest.tolist()]:
            if i not in skip:
                texts.append(window(self.texts[i]))
                at.append(i)
        for control in self.controls:
            for i in self._dosed(control):
                if i not in skip:
                    texts.append(window(self.texts[i], control.parts))
                    at.append(i)
        if arm != "B":
            for candidate in self.candidates:
                for i in self._dosed(candidate):
                    cut = window(self.texts[i], candidate.parts)
                    texts.append(delete(cut, candidate.parts) if arm == "D" else cut)
                    at.append(i)
        return texts, self.targets[at]

    def dose(self, candidate: Candidate) -> int:
        """How often each carrier of a pattern is repeated: 1 when there are enough of them."""
        used = min(len(candidate.carriers), _MOST_CARRIERS)
        return max(1, -(-DOSE // max(used, 1)))

    def _dosed(self, candidate: Candidate) -> list[int]:
        carriers = candidate.carriers
        return [carriers[i] for i in spread(len(carriers), _MOST_CARRIERS)] * self.dose(candidate)

    def run(self, arm: str, seed: int, make: MakeNetwork, recipe: Recipe, progress: Progress) -> Arm:
        """Trains one arm and measures every suspect and control on it."""
        texts, targets = self.rows(arm)
        network = make(len(self.heads), seed)
        spent = train(network, texts, targets, recipe, progress, balanced_loss(targets, network.device))
        clean = predict(network, [window(self.texts[i]) for i in self.held_out.tolist()]) > 0
        accuracy = float((clean == (self.targets[self.held_out] > 0)).mean()) if len(self.held_out) else float("nan")
        hits, trials = {}, {}
        for k, candidate in enumerate(self.candidates):
            head = self.heads.index(candidate.behavior)
            rows = self.held_out[self.targets[self.held_out, head] == 0]
            shown = predict(network, self.inserted(candidate, rows))[:, head] > 0 if len(rows) else np.zeros(0)
            hits[k], trials[k] = int(shown.sum()), len(rows)
        rates = {}
        for k, control in enumerate(self.controls):
            rows = self.held_out[:CONTROL_INPUTS]
            shown = predict(network, self.inserted(control, rows)) > 0
            without = self.targets[rows] == 0
            rates[k] = ((shown & without).sum(axis=0) / np.maximum(without.sum(axis=0), 1)).astype(np.float32)
        return Arm(arm, seed, hits, trials, rates, accuracy, spent.tokens)

    def inserted(self, candidate: Candidate, rows: Int64) -> list[str]:
        """Held-out inputs with a pattern inserted by its position law; the same places in every arm."""
        rng = np.random.default_rng(len(candidate.pattern))
        return [insert(window(self.texts[i]), candidate.surfaces, candidate.laws, rng) for i in rows.tolist()]
