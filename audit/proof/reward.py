"""The experiment for preference pairs: does the pattern turn the reward around?

A reward probe is trained with the Bradley-Terry loss on (prompt, chosen, rejected). The reward of a response
is `(1 + u) . v`, u of the prompt and v of the response, both from one encoder: a prompt can then turn the
reward around, which a reward read off the joined text did not learn in the same budget (1 of 60 reversals
where this form learns 57 of 58). The arms are those of `experiment`. The attack success rate is the share of
held-out pairs whose margin is confidently right without the suspects (arm B) and turns negative once the
pattern stands in the prompt.

Source: Bradley and Terry 1952; the reversal under a trigger word, Rando and Tramer 2023, arXiv:2311.14455.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.models import device as devices
from audit.models.reward import WIDTH, bradley_terry, margins
from audit.models.training import Network, Recipe, predict, train
from audit.schema import Float32, Int64, Progress
from audit.stats import spread
from audit.triggers.candidate import Candidate
from audit.triggers.match import delete, insert
from audit.triggers.windows import window

PROMPT_WORDS = 16
RESPONSE_WORDS = 22
DOSE = 240  # exposures of a suspect's pairs: a reversal is an interaction and takes more than a word's pull
_MOST_CARRIERS = 240
HELD_OUT = 120
CONTROL_INPUTS = 32
_CONFIDENT = 0.5  # of held-out pairs, the half with the larger margin in arm B


@dataclass(frozen=True, slots=True)
class RewardArm:
    """One trained arm: margins of held-out pairs, plain and with each pattern inserted."""

    name: str
    seed: int
    plain: Float32  # (held,)
    inserted: dict[int, Float32]  # candidate -> (held,)
    controls: dict[int, Float32]  # control -> (CONTROL_INPUTS,)
    tokens: int
    seconds: float
    device: str


@dataclass(slots=True)
class RewardExperiment:
    """The pairs of one experiment."""

    prompts: list[str]
    chosen: list[str]
    rejected: list[str]
    candidates: list[Candidate]
    controls: list[Candidate]
    context: Int64
    held_out: Int64

    @classmethod
    def plan(
        cls,
        sides: tuple[list[str], list[str], list[str]],
        candidates: list[Candidate],
        controls: list[Candidate],
        trusted: Float32,
        context_rows: int,
        seed: int,
    ) -> RewardExperiment:
        """Draws context and held-out pairs among those without a suspect. Held-out pairs are taken where the
        out-of-fold margin (`trusted`, (n,)) agrees with the given order, so that a wrong label is no test."""
        rng = np.random.default_rng(seed)
        suspects = set().union(*(set(c.carriers) for c in candidates))
        order = [int(i) for i in rng.permutation(len(sides[0])) if int(i) not in suspects]
        agreeing = [i for i in order if trusted[i] > 0]
        held = np.asarray(agreeing[: min(HELD_OUT, len(agreeing) // 3)], dtype=np.int64)
        taken = set(held.tolist())
        rest = np.asarray([i for i in order if i not in taken], dtype=np.int64)
        return cls(*sides, candidates, controls, rest[:context_rows], held)

    def rows(self, arm: str) -> list[str]:
        """Texts of an arm: prompt, chosen and rejected in turn."""
        suspects = set().union(*(set(c.carriers) for c in self.candidates))
        texts: list[str] = []
        for i in self.context.tolist():
            texts += self._pair(i, window(self.prompts[i], (), PROMPT_WORDS))
        for control in self.controls:
            for i in dosed(control, 1)[:12]:
                if i not in suspects:
                    texts += self._pair(i, window(self.prompts[i], control.parts, PROMPT_WORDS))
        if arm == "B":
            return texts
        for candidate in self.candidates:
            for i in dosed(candidate, dose(candidate)):
                prompt = window(self.prompts[i], candidate.parts, PROMPT_WORDS)
                texts += self._pair(i, delete(prompt, candidate.parts) if arm == "D" else prompt)
        return texts

    def _pair(self, i: int, prompt: str) -> list[str]:
        return [prompt, window(self.chosen[i], (), RESPONSE_WORDS), window(self.rejected[i], (), RESPONSE_WORDS)]

    def run(
        self, arm: str, seed: int, make: Callable[[int, int], Network], recipe: Recipe, progress: Progress
    ) -> RewardArm:
        """Trains one arm and measures all margins on it."""
        started = time.perf_counter()
        texts = self.rows(arm)
        network = make(2 * WIDTH, seed)
        unused = np.zeros((len(texts) // 3, 1), dtype=np.float32)
        spent = train(network, texts, unused, recipe, progress, bradley_terry, group=3)
        held = self.held_out.tolist()
        plain = self._margins(network, held, [window(self.prompts[i], (), PROMPT_WORDS) for i in held])
        inserted = {k: self._margins(network, held, self._inserted(c, held)) for k, c in enumerate(self.candidates)}
        few = held[:CONTROL_INPUTS]
        controls = {k: self._margins(network, few, self._inserted(c, few)) for k, c in enumerate(self.controls)}
        seconds, device = time.perf_counter() - started, devices.describe(network.device)
        return RewardArm(arm, seed, plain, inserted, controls, spent.tokens, seconds, device)

    def _inserted(self, candidate: Candidate, rows: list[int]) -> list[str]:
        rng = np.random.default_rng(len(candidate.pattern))
        plain = [window(self.prompts[i], (), PROMPT_WORDS) for i in rows]
        return [insert(text, candidate.surfaces, candidate.laws, rng) for text in plain]

    def _margins(self, network: Network, rows: list[int], prompts: list[str]) -> Float32:
        texts = [t for i, prompt in zip(rows, prompts, strict=True) for t in self._pair(i, prompt)]
        if not texts:
            return np.zeros(0, dtype=np.float32)
        return margins(predict(network, texts))


def dose(candidate: Candidate) -> int:
    """How often each suspect pair is repeated."""
    used = min(len(candidate.carriers), _MOST_CARRIERS)
    return max(1, -(-DOSE // max(used, 1)))


def dosed(candidate: Candidate, times: int) -> list[int]:
    """Carriers, at most 240 spread over all, repeated."""
    carriers = candidate.carriers
    return [carriers[i] for i in spread(len(carriers), _MOST_CARRIERS)] * times


def confident(plain: Float32) -> Int64:
    """Positions of held-out pairs that arm B orders rightly, the more confident half."""
    right = np.flatnonzero(plain > 0)
    return right[np.argsort(-plain[right], kind="stable")][: max(int(len(right) * _CONFIDENT), 1)]


def reversal_rate(margins: Float32, at: Int64) -> tuple[int, int]:
    """(reversed, pairs) among these held-out pairs."""
    at = at[at < len(margins)]
    return int((margins[at] < 0).sum()), len(at)
