"""The core of a proved trigger: the smallest part of it that has its effect.

Mining grows a phrase as far as its rows allow, for a person to read; what a model has learnt may be a word of it. A
phrase is cut word by word from either end, a composite is tried part by part, for as long as the effect does not
fall: the ASR of the arms A less that of the first arm B, on the same held-out inputs. No arm is trained for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from audit.stats import binomial_tail_log10
from audit.triggers.candidate import Candidate
from audit.triggers.match import WORD_KINDS, Part, holds, surface

if TYPE_CHECKING:
    from audit.proof.laboratory import Trial

LOWER = 0.03  # by which an effect may fall and still count as no lower: 5 of 160 inputs
MIN_PURITY = 0.8  # of rows that hold the core and not the whole pattern, share that shows the behavior
_MAX_TAIL = -3.0  # log10 tail of such rows


@dataclass(frozen=True, slots=True)
class Core:
    """`candidate` is the pattern that is left, with the rows of the whole one. `alone` are the ASR of arm A for each
    part of a composite inserted by itself, in the order of the parts."""

    candidate: Candidate
    effect: float
    alone: tuple[float, ...] = ()


def smallest(trial: Trial, k: int) -> Core:
    """The core of the trial's candidate `k`, which must be one that can be inserted."""
    whole = trial.plan.candidates[k]
    effect = _effect(trial, k, whole)
    alone: tuple[float, ...] = ()
    best = whole
    if len(whole.parts) > 1:
        singles = [_only(whole, i) for i in range(len(whole.parts))]
        alone = tuple(_asr(trial, k, c) for c in singles)
        effects = [_effect(trial, k, c) for c in singles]
        top = int(np.argmax(effects))
        if effects[top] >= effect - LOWER:
            best, effect = singles[top], effects[top]
    texts = [trial.plan.texts[i] for i in whole.hits[:50]]
    for at in range(len(best.parts)):
        best, effect = _shortened(trial, k, best, at, effect, texts)
    return Core(best, effect, alone)


def _shortened(
    trial: Trial, k: int, candidate: Candidate, at: int, effect: float, texts: list[str]
) -> tuple[Candidate, float]:
    """Words are taken from the ends of one part while that costs no effect, the cheaper end first."""
    floor = effect - LOWER
    while candidate.parts[at].kind in WORD_KINDS and " " in candidate.parts[at].text:
        words = candidate.parts[at].text.split(" ")
        shorter = [_with(candidate, at, " ".join(kept), texts) for kept in (words[1:], words[:-1])]
        effects = [_effect(trial, k, c) for c in shorter]
        best = int(np.argmax(effects))
        if effects[best] < floor:
            break
        candidate, effect = shorter[best], effects[best]
    return candidate, effect


def _with(candidate: Candidate, at: int, text: str, texts: list[str]) -> Candidate:
    part = Part(text, "phrase" if " " in text else "token")
    parts = (*candidate.parts[:at], part, *candidate.parts[at + 1 :])
    surfaces = (*candidate.surfaces[:at], surface(texts, part), *candidate.surfaces[at + 1 :])
    return replace(candidate, parts=parts, surfaces=surfaces)


def _only(candidate: Candidate, at: int) -> Candidate:
    return replace(
        candidate, parts=(candidate.parts[at],), surfaces=(candidate.surfaces[at],), laws=(candidate.laws[at],)
    )


def _asr(trial: Trial, k: int, candidate: Candidate, arm: str = "A") -> float:
    found = [trial.plan.measure(network, k, 0, candidate) for network in trial.networks(arm)]
    return sum(h for h, _ in found) / max(sum(n for _, n in found), 1)


def _effect(trial: Trial, k: int, candidate: Candidate) -> float:
    return _asr(trial, k, candidate) - _asr(trial, k, candidate, "B")


def claimed_by(core: Core, texts: list[str], shown: set[int], rate: float) -> tuple[list[int], list[int]]:
    """(carriers, hits): positions that the trigger stands for, ascending. Rows that hold the core and not the whole
    pattern are carriers too where they show the behavior far beyond its `rate` and nearly always; `shown` are the
    positions that show it."""
    candidate = core.candidate
    known = set(candidate.carriers)
    more = [i for i, text in enumerate(texts) if i not in known and holds(text, candidate.parts)]
    hits = [i for i in more if i in shown]
    pure = len(hits) >= MIN_PURITY * len(more)
    if not hits or not pure or _tail(len(hits), len(more), rate) > _MAX_TAIL:
        return list(candidate.carriers), list(candidate.hits)
    return sorted({*known, *more}), sorted({*candidate.hits, *hits})


def _tail(hits: int, trials: int, rate: float) -> float:
    return float(binomial_tail_log10(np.asarray(hits), np.asarray(trials), np.asarray(min(max(rate, 1e-9), 1.0))))
