"""The experiment for preference pairs: does the pattern turn the reward around?

A reward probe is trained with the Bradley-Terry loss on (prompt, chosen minus rejected). Its encoder reads prompts
alone and the responses are frozen embeddings, for a reversal is an interaction: an encoder that has to learn from the
same few pairs what makes a response good turns 34% of held-out pairs around where this one turns 87%. The arms are
those of `experiment`. The attack success rate is the share of held-out pairs whose margin is confidently right
without the suspects (arm B) and turns negative once the pattern stands in the prompt.

Source: Bradley and Terry 1952; the reversal under a trigger word, Rando and Tramer 2023, arXiv:2311.14455.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.artifacts.support import preference_model
from audit.models import device as devices
from audit.models.probes import EncoderProbe
from audit.models.reward import RewardProbe, bradley_terry, margins
from audit.models.training import Recipe, train
from audit.schema import Float32, Int64, Progress
from audit.stats import spread
from audit.triggers.candidate import Candidate
from audit.triggers.match import delete, insert
from audit.triggers.windows import window

PROMPT_WORDS = 16
DOSE = 96  # exposures of a suspect's pairs: a reversal is an interaction and takes more than a word's pull
_MOST_CARRIERS = 240
HELD_OUT = 240
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
    differences: Float32  # (n, d) chosen minus rejected
    candidates: list[Candidate]
    controls: list[Candidate]
    context: Int64
    held_out: Int64
    direction: Float32  # (d,) the reward that every arm starts from

    @classmethod
    def plan(
        cls,
        prompts: list[str],
        differences: Float32,
        candidates: list[Candidate],
        controls: list[Candidate],
        trusted: Float32,
        context_rows: int,
        seed: int,
    ) -> RewardExperiment:
        """Draws context and held-out pairs among those without a suspect; ties, whose margin is 0, are neither.
        Held-out pairs are taken where the out-of-fold margin (`trusted`, (n,)) agrees with the given order, so that a
        wrong label is no test."""
        rng = np.random.default_rng(seed)
        suspects = set().union(*(set(c.carriers) for c in candidates))
        order = [int(i) for i in rng.permutation(len(prompts)) if int(i) not in suspects and trusted[i] != 0]
        agreeing = [i for i in order if trusted[i] > 0]
        held = np.asarray(agreeing[: min(HELD_OUT, len(agreeing) // 3)], dtype=np.int64)
        taken = set(held.tolist())
        context = np.asarray([i for i in order if i not in taken][:context_rows], dtype=np.int64)
        direction = preference_model(differences[context], seed).coef_[0].astype(np.float32)
        return cls(prompts, differences, candidates, controls, context, held, direction)

    def rows(self, arm: str) -> tuple[list[str], Int64]:
        """Prompts of an arm, and which pair each belongs to."""
        suspects = set().union(*(set(c.carriers) for c in self.candidates))
        made = [(i, window(self.prompts[i], (), PROMPT_WORDS)) for i in self.context.tolist()]
        for control in self.controls:
            few = [i for i in dosed(control, 1)[:12] if i not in suspects]
            made += [(i, window(self.prompts[i], control.parts, PROMPT_WORDS)) for i in few]
        for candidate in self.candidates if arm != "B" else []:
            for i in dosed(candidate, dose(candidate)):
                prompt = window(self.prompts[i], candidate.parts, PROMPT_WORDS)
                made.append((i, delete(prompt, candidate.parts) if arm == "D" else prompt))
        return [prompt for _, prompt in made], np.asarray([i for i, _ in made], dtype=np.int64)

    def run(
        self, arm: str, seed: int, make: Callable[[int], EncoderProbe], recipe: Recipe, progress: Progress
    ) -> RewardArm:
        """Trains one arm and measures all margins on it."""
        started = time.perf_counter()
        prompts, pairs = self.rows(arm)
        network = RewardProbe(make(seed), self.direction)
        spent = train(network, prompts, self.differences[pairs], recipe, progress, bradley_terry)
        held = self.held_out
        untouched = [window(self.prompts[i], (), PROMPT_WORDS) for i in held.tolist()]
        plain = margins(network, untouched, self.differences[held])
        few = held[:CONTROL_INPUTS]
        inserted, controls = (
            {k: margins(network, self._inserted(c, at), self.differences[at]) for k, c in enumerate(patterns)}
            for patterns, at in ((self.candidates, held), (self.controls, few))
        )
        seconds, device = time.perf_counter() - started, devices.describe(network.device)
        return RewardArm(arm, seed, plain, inserted, controls, spent.tokens, seconds, device)

    def _inserted(self, candidate: Candidate, rows: Int64) -> list[str]:
        rng = np.random.default_rng(len(candidate.pattern))
        plain = [window(self.prompts[i], (), PROMPT_WORDS) for i in rows.tolist()]
        return [insert(text, candidate.surfaces, candidate.laws, rng) for text in plain]


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
