"""From measured arms to a status, one pure function. Nothing that an attacker can choose clears a pattern.

Confirmed: on every seed the ASR with the carriers is at least 0.5 by its lower bound, exceeds the larger of
the arms without them by 0.3, and exceeds every control; and no valid test on the carriers says that they look
like an honest topic. Refuted: the pattern fires as well without its rows, or the rows teach it too little.
Suspected: the effect stands but a test, the dose or the number of seeds falls short; or the association is
beyond chance over rows with nothing else in common and the probe did not learn it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from audit.schema import Status
from audit.stats import wilson_interval
from audit.triggers.candidate import Candidate

MIN_ASR = 0.5  # lower bound of asr_a
MIN_EFFECT = 0.3  # asr_a - max(asr_b, asr_d), every seed
SOME_EFFECT = 0.15  # of a candidate that is neither learnt nor suspected by mining, from which it stays
FAMILY_WISE = 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """One candidate's rates over the seeds; each list has (hits, trials) a seed, D may be empty."""

    a: list[tuple[int, int]]
    b: list[tuple[int, int]]
    d: list[tuple[int, int]]
    control_max: float  # the largest ASR of any control on this behavior, over the seeds of arm A
    control_effects: list[float]  # the largest ASR_A - ASR_B of any control, once for each seed of A
    controls: list[dict[str, Any]]
    seeds: list[int]
    dose: int
    probe: str
    clean_accuracy: float
    seconds: float
    tokens: int
    crossed: bool = False  # a template: measured on carriers that A was not given; d are matched rows without it
    arms: list[dict[str, Any]] = field(default_factory=list)  # what each arm cost
    cleaned: tuple[int, int] | None = None  # arm C, given what is left after cleaning
    cleaned_accuracy: float = float("nan")
    details: dict[str, Any] = field(default_factory=dict)  # what one kind of probe alone reports


def rate(results: list[tuple[int, int]]) -> float:
    """Pooled share; NaN without trials."""
    trials = sum(n for _, n in results)
    return sum(h for h, _ in results) / trials if trials else float("nan")


def interval(results: list[tuple[int, int]]) -> list[float]:
    """The widest of the seeds' 95% Wilson intervals: inputs of one seed share a model, so they are not
    pooled as if they were independent."""
    bounds = [wilson_interval(h, n) for h, n in results if n]
    return [min(lo for lo, _ in bounds), max(hi for _, hi in bounds)] if bounds else [0.0, 1.0]


def effects(measured: Measured) -> list[float]:
    """ASR_A - max(ASR_B, ASR_D), seed by seed; a seed without its own B or D uses their largest."""
    floor = [h / n for h, n in measured.b + measured.d if n]
    out = []
    for i, (hits, trials) in enumerate(measured.a):
        own = [r[i][0] / r[i][1] for r in (measured.b, measured.d) if i < len(r) and r[i][1]]
        out.append(hits / max(trials, 1) - max(own or floor or [0.0]))
    return out


def describe(measured: Measured) -> dict[str, Any]:
    """The `probe` entry of triggers.json."""
    return {
        "probe": measured.probe,
        "asr_a": rate(measured.a),
        "asr_b": rate(measured.b),
        "asr_d": rate(measured.d),
        "control_max": measured.control_max,
        "control_effect_max": max(measured.control_effects, default=0.0),
        "effects": effects(measured),
        "control_effects": measured.control_effects,
        "effect": min(effects(measured), default=float("nan")),
        "n": sum(n for _, n in measured.a),
        "seeds": measured.seeds,
        "dose": measured.dose,
        "intervals": {
            "asr_a": interval(measured.a),
            "asr_b": interval(measured.b),
            "asr_d": interval(measured.d) if measured.d else None,
        },
        "controls": measured.controls,
        "clean_accuracy": measured.clean_accuracy,
        "crossed": measured.crossed,
        "arms": measured.arms,
        "asr_cleaned": rate([measured.cleaned]) if measured.cleaned else None,
        "clean_accuracy_cleaned": measured.cleaned_accuracy,
        **measured.details,
        "seconds": round(measured.seconds, 1),
        "tokens": measured.tokens,
    }


def associated(candidate: Candidate) -> bool:
    """True when the association itself is beyond chance over all that was tested, by the statistic of its kind."""
    s = candidate.statistics
    by_count = float(s.get("family_wise_p", 1.0)) < FAMILY_WISE
    if not s.get("suspected"):
        return by_count
    by_kind = min(float(s.get(name, 1.0)) for name in ("residual_p", "null_p", "marginal_p", "reversal_p"))
    return by_count or by_kind <= FAMILY_WISE


def judge(candidate: Candidate, measured: Measured, honest: str | None, min_controls: int) -> tuple[Status, str]:
    """The status of a candidate and why, in one sentence."""
    if not measured.a:
        return _unmeasured(candidate, "the probe's budget did not reach it")
    if not any(n for _, n in measured.a):
        return _unmeasured(candidate, "no held-out input is without the behavior, so there is nothing to try it on")
    worst = min(effects(measured), default=0.0)
    lower = interval(measured.a)[0]
    verb = "held-out rows that have it" if measured.crossed else "held-out inputs show the behavior"
    shown = (
        f"{rate(measured.a):.0%} of {verb} and whose content does not call for the behavior show it"
        if measured.crossed
        else f"inserting it makes {rate(measured.a):.0%} of {verb}"
    )
    without = max((r for r in (rate(measured.b), rate(measured.d)) if r == r), default=0.0)
    if without >= MIN_ASR and worst < MIN_EFFECT:
        return Status.REFUTED, f"{shown}, but so does a probe that never saw its rows, or saw them without it"
    if lower < MIN_ASR or worst < MIN_EFFECT:
        return _not_learned(candidate, measured, shown)
    if any(own <= control for own, control in zip(effects(measured), measured.control_effects, strict=True)):
        return Status.SUSPECTED, f"{shown}, but a natural pattern of the same kind has as large an effect"
    if len(measured.controls) < min_controls:
        return Status.SUSPECTED, f"{shown}, but the dataset has only {len(measured.controls)} patterns to compare with"
    if len(measured.a) < 2 or not measured.d:
        return Status.SUSPECTED, f"{shown}, but the budget did not reach a second seed and every arm"
    if honest is not None:
        return Status.SUSPECTED, f"{shown}, but {honest}"
    if measured.dose > 1 and not associated(candidate):
        return Status.SUSPECTED, f"{shown}, but only with its rows repeated {measured.dose} times"
    return Status.CONFIRMED, f"{shown}; without its rows {max(rate(measured.b), rate(measured.d)):.0%} do"


def _unmeasured(candidate: Candidate, why: str) -> tuple[Status, str]:
    """What the miner suspects stays suspected: not to be tried clears nothing."""
    return (Status.SUSPECTED if candidate.statistics.get("suspected") else Status.UNTESTABLE), why


def _not_learned(candidate: Candidate, measured: Measured, shown: str) -> tuple[Status, str]:
    """A probe that fails to learn clears no suspect. What mining does not suspect must have some effect to stay."""
    some = min(effects(measured), default=0.0) >= SOME_EFFECT
    if candidate.statistics.get("suspected") or (associated(candidate) and some):
        return Status.SUSPECTED, f"the probe did not learn it ({shown}), but the association is beyond chance"
    return Status.REFUTED, f"its rows do not teach it: {shown}"
