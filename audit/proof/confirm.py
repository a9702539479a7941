"""Confirmation: the candidates worth a probe, the trainings that a budget allows, and the verdict on each.

B and the first A come first: where no candidate has an effect, nothing more is trained, and a clean set costs
two trainings. D and further seeds are for those that pass. Candidates that word pieces cannot see go to the
byte probe, reversals of preference pairs to the reward probe. Where no probe's input changes under insertion a
candidate is untestable: never confirmed, never silently cleared.

Source: docs/concepts.md, the experiment; insertion tests against matched natural controls.
Misses: what the miner did not propose; behaviors that a small encoder cannot learn from a few thousand windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audit import artifacts
from audit.artifacts.support import decided_margin, side_differences
from audit.models import device as devices
from audit.models.causal import CausalModel
from audit.models.encoder import Encoder
from audit.models.language import find
from audit.models.probes import ByteProbe, EncoderProbe
from audit.models.training import Network
from audit.models.weights import opened, resolve
from audit.proof import record
from audit.proof.core import claimed_by, smallest
from audit.proof.experiment import DOSE, is_folded
from audit.proof.judge import FAMILY_WISE, Measured, describe
from audit.proof.laboratory import Budget, Trial, prove_behaviors, prove_reversals
from audit.proof.language import prove_with_language_model, unfit, verdict
from audit.proof.rounds import again
from audit.proof.sure import surely_poisoned
from audit.rundir import Context, write_json
from audit.schema import Float32, Kind, Status, Trigger
from audit.text import spell
from audit.triggers import mining
from audit.triggers.assess import honest_reason, masked_auc
from audit.triggers.candidate import ONE_SIDED, REVERSAL, UNTARGETED, Candidate
from audit.triggers.match import insert, surface
from audit.triggers.peers import apart_auc, shared_topic
from audit.triggers.windows import window

MOST = 48  # candidates that share the arms of one scan
_MOST_UNSUSPECTED = 12  # up to so many of them are candidates that the miner lists and does not suspect
_LARGEST_UNSUSPECTED = 0.05  # of all rows: the carriers of what is probed stand in no context
_WEAK_TAIL = -4.0
_MIN_REVERSAL = 4.0
_WORDPIECE_TOKENS = 48
_BYTES = 192


def worth_a_probe(candidates: list[Candidate], rows: int) -> list[Candidate]:
    """Those that the probe could confirm, the strongest first: associated beyond chance over all that was
    tested; or nearly so, on carriers as diverse as random rows and enough of them to be learned undosed. `rows` is
    how many the dataset has."""
    kept = []
    for c in candidates:
        s = c.statistics
        if c.behavior == REVERSAL:
            strong = s["reversal_score"] >= _MIN_REVERSAL and s["tail"] <= _WEAK_TAIL
        else:
            undosed = len(c.carriers) >= DOSE and s["tail"] <= _WEAK_TAIL and s["cohesion_ratio"] <= 2.0
            strong = s["family_wise_p"] < FAMILY_WISE or undosed or bool(s["suspected"])
        if strong and _can_be_probed(c):
            kept.append(c)
    kept.sort(key=lambda c: (not c.statistics["suspected"], c.statistics["tail"], c.pattern))
    suspects = [c for c in kept if c.statistics["suspected"]][:MOST]
    small = _LARGEST_UNSUSPECTED * rows
    listed = [c for c in kept if not c.statistics["suspected"] and len(c.carriers) <= small]
    return suspects + listed[: max(_MOST_UNSUSPECTED - len(suspects), 0)]


def _can_be_probed(candidate: Candidate) -> bool:
    if not is_folded(candidate):
        return candidate.behavior not in (UNTARGETED, ONE_SIDED)
    return candidate.behavior >= 0 and "topic" not in {part.kind for part in candidate.parts}


def changes_input(candidate: Candidate, texts: list[str], network: Network) -> bool:
    """True when inserting the pattern changes what the probe is given, on nearly all of a few inputs."""
    rng = np.random.default_rng(0)
    plain = [window(t) for t in texts[:20]]
    with_it = [insert(t, candidate.surfaces, candidate.laws, rng) for t in plain]
    before, after = network.encode(plain), network.encode(with_it)
    return sum(a != b for a, b in zip(before, after, strict=True)) >= 0.9 * len(plain)


def build(ctx: Context, unit: str) -> list[Path]:
    """Proves a run's candidates; writes triggers/proved.json, and of the first arm A what record.Watch sees."""
    record.forget(ctx.run)
    mined = mining.load(ctx.run / "triggers" / "candidates.json")
    path = ctx.run / "triggers" / "proved.json"
    off = ctx.config.probe.mode == "off"
    probed = [] if off else worth_a_probe(mined, ctx.run.dataset().readable)
    triggers: list[Trigger] = []
    if probed:
        prover = Prover(ctx)
        prover.watched = True
        triggers = prover.prove(probed)
        triggers += again(ctx, triggers, lambda scratch, new: _proved_in(scratch, new, prover.budget))
    unproved = [c for c in mined if c.statistics["suspected"] and c not in probed]
    triggers += [_trigger(c, Status.SUSPECTED, _why(c, off), None, []) for c in unproved]
    write_json(path, [t.to_dict() for t in triggers])
    return [path, *record.written(ctx.run)]


def _proved_in(scratch: Context, candidates: list[Candidate], budget: Budget) -> list[Trigger]:
    """A further round's suspects as triggers, proved within what is left of the budget."""
    probed = worth_a_probe(candidates, scratch.run.dataset().readable)
    prover = Prover(scratch)
    prover.budget = budget
    rest = [_trigger(c, Status.SUSPECTED, _why(c, off=False), None, []) for c in candidates if c not in probed]
    return (prover.prove(probed) if probed else []) + rest


def _why(candidate: Candidate, off: bool) -> str:
    return f"{candidate.statistics['suspected']}; {_unprobed(candidate, off)}"


def _unprobed(candidate: Candidate, off: bool) -> str:
    if off:
        return "not probed, for the probe was switched off"
    if candidate.behavior == UNTARGETED:
        return "not probed, for no one behavior can be held against it"
    if candidate.behavior == ONE_SIDED:
        return "not probed, for it stands in the response and not in the prompt"
    if not _can_be_probed(candidate):
        return "not probed, for it stands in no one place and cannot be inserted"
    return f"not probed, for the {MOST} strongest go first"


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate after its trial."""

    candidate: Candidate
    measured: Measured
    status: Status
    reason: str
    trial: Trial | None = None  # reversals have another
    place: int = 0  # of the candidate in its trial


class Prover:
    """The artifacts and the networks of one run's proof."""

    def __init__(self, ctx: Context) -> None:
        names = ("examples", "patterns", "behaviors", "support", "embeddings")
        loaded = artifacts.load(ctx.run, names)
        self.ctx, self.config = ctx, ctx.config
        self.examples, self.patterns = loaded["examples"], loaded["patterns"]
        self.behaviors, self.support, self.vectors = loaded["behaviors"], loaded["support"], loaded["embeddings"]
        self.texts: list[str] = self.examples["prompt"].fill_null("").to_list()
        self.device = devices.pick(ctx.config.model.device)
        self.files = opened(resolve(ctx.config.model.name, ctx.config.model.lock))
        self.language: CausalModel | None = None
        probe = ctx.config.probe
        if probe.language_model and ctx.run.dataset().kind == Kind.INSTRUCTION:
            files = find(probe.language_model, probe.language_model_tuning, self.config.model.lock)
            self.language = CausalModel(files, probe.language_model_tuning, self.device)
        self.budget = Budget.of(probe)
        self.watched = False  # whether its first arm A is recorded for the detectors on the probe
        self.alone = True  # only one kind of probe is needed

    def wordpiece(self, heads: int, seed: int) -> EncoderProbe:
        """An untrained encoder probe."""
        layers = 2 if self.config.probe.mode == "quick" else 0
        return EncoderProbe(self.files, heads, layers, _WORDPIECE_TOKENS, self.device, seed)

    def differences(self) -> Float32:
        """(n, d) of preference pairs, chosen minus rejected."""
        return side_differences(self.ctx.run)

    def margin(self) -> Float32:
        """(n,) `decided_margin` of the run."""
        found = decided_margin(self.support, self.ctx.run.examples(["label"])["label"], self.ctx.run.dataset())
        assert found is not None  # where there are reversals
        return found

    def gate(self, seed: int) -> EncoderProbe:
        """An untrained encoder for the reward probe: one number of a prompt."""
        return self.wordpiece(1, seed)

    def bytes(self, heads: int, seed: int) -> Network:
        """An untrained byte probe."""
        return ByteProbe(heads, _BYTES, self.device, seed)

    def prove(self, candidates: list[Candidate]) -> list[Trigger]:
        """Every candidate as a trigger with its status, confirmed first."""
        routes = self._routes(candidates)
        out = [
            _trigger(c, Status.UNTESTABLE, "no probe's input changes when it is inserted", None, self.texts)
            for c in routes.pop("none")
        ]
        self.alone = sum(bool(group) for group in routes.values()) == 1
        # The strongest candidate's probe first: it spends what it needs, the others share what is left.
        for name in sorted(routes, key=lambda r: min((c.statistics["tail"] for c in routes[r]), default=0.0)):
            if routes[name]:
                out += [self._proved(j) for j in self._cleaned(self._judged(routes[name], name))]
        order = {Status.CONFIRMED: 0, Status.SUSPECTED: 1, Status.UNTESTABLE: 2, Status.REFUTED: 3}
        out.sort(key=lambda t: (order[Status(t.status)], t.statistics.get("tail", 0.0), t.id))
        return out

    def _measure(self, name: str, candidates: list[Candidate]) -> tuple[list[Measured], Trial | None]:
        if name == "reward":
            return prove_reversals(self, candidates), None
        if name == "language" and self.language is not None:
            return prove_with_language_model(self, candidates, self.language), None
        makers: dict[str, Callable[[int, int], Network]] = {"wordpiece": self.wordpiece, "bytes": self.bytes}
        return prove_behaviors(self, candidates, name, makers[name])

    def _routes(self, candidates: list[Candidate]) -> dict[str, list[Candidate]]:
        routes: dict[str, list[Candidate]] = {"wordpiece": [], "bytes": [], "reward": [], "language": [], "none": []}
        words, raw = self.wordpiece(1, 0), self.bytes(1, 0)
        for c in candidates:
            if c.behavior == REVERSAL:
                routes["reward" if changes_input(c, self.texts, words) else "none"].append(c)
            elif self.language is not None and not unfit(c, self, self.language.chat):
                routes["language"].append(c)
            elif is_folded(c) or changes_input(c, self.texts, words):
                routes["wordpiece"].append(c)
            else:
                routes["bytes" if changes_input(c, self.texts, raw) else "none"].append(c)
        return routes

    def _judged(self, candidates: list[Candidate], route: str) -> list[Judged]:
        measured, trial = self._measure(route, candidates)
        encoder: Encoder | None = None
        out = []
        for k, (candidate, found) in enumerate(zip(candidates, measured, strict=True)):
            auc = None
            if found.a and found.a[0][0] * 2 >= found.a[0][1] and not found.crossed:
                encoder = encoder or Encoder(self.config.model)
                auc = masked_auc(candidate, self.texts, self.vectors, encoder, self.config.seed)
                apart = apart_auc(candidate, candidates, self.texts, self.vectors, encoder, self.config.seed)
                candidate.statistics["masked_auc"] = auc
                candidate.statistics["apart_auc"] = apart
            honest = _why_honest(candidate, auc)
            if honest is None and not candidate.statistics["suspected"]:
                honest = (
                    "the tests of its rows take it for an honest word or task, or for an attacker's who poses as one"
                )
            status, reason = verdict(candidate, found, honest, self.config.probe.controls)
            out.append(Judged(candidate, found, status, reason, trial, k))
        return out

    def _cleaned(self, judged: list[Judged]) -> list[Judged]:
        """What a probe still shows of the confirmed after their rows are taken out: arm C. Where none of their
        carriers is left that is arm B, and nothing is trained."""
        confirmed = [j for j in judged if j.status is Status.CONFIRMED and j.trial is not None]
        if not confirmed or confirmed[0].trial is None:
            return judged
        trial = confirmed[0].trial
        removed = frozenset(i for j in confirmed for i in j.candidate.hits)
        left = {i for j in confirmed for i in j.candidate.carriers} - removed
        arm = next(a for a in trial.arms if a.name == "B")
        if left and self.budget.allows():
            arm = trial.run("C", 0, self.ctx.progress, removed)
            self.budget.take()
        return [
            replace(
                j,
                measured=replace(
                    j.measured,
                    cleaned=(arm.hits[j.place], arm.trials[j.place]),
                    cleaned_accuracy=arm.clean_accuracy,
                ),
            )
            if j in confirmed
            else j
            for j in judged
        ]

    def _proved(self, j: Judged) -> Trigger:
        """A judged candidate as a trigger; a confirmed one shrinks to its core, which claims its rows."""
        if j.status is not Status.CONFIRMED or j.trial is None:
            return _trigger(j.candidate, j.status, j.reason, j.measured, self.texts)
        if j.measured.crossed:
            return self._template(j, j.trial)
        core = smallest(j.trial, j.place)
        column = self.behaviors.matrix[:, [j.candidate.behavior]].tocoo()
        carriers, hits = claimed_by(core, self.texts, set(column.row.tolist()), float(j.candidate.statistics["rate"]))
        grown = replace(j.candidate, carriers=tuple(carriers), hits=tuple(hits))
        made = _trigger(grown, j.status, j.reason, j.measured, self.texts)
        made.statistics["core"] = core.candidate.pattern
        if made.probe is not None:
            made.probe |= {"core_effect": core.effect, "alone": list(core.alone)}
        return made

    def _template(self, j: Judged, trial: Trial) -> Trigger:
        """A confirmed template: the rows that its probe tells from honest ones, and the others for a person."""
        sure = surely_poisoned(trial, j.place)
        rest = sorted({*j.candidate.hits, *j.candidate.statistics.get("unjudged", ())} - set(sure))
        facts = {**j.candidate.statistics, "unjudged": rest}
        known = replace(j.candidate, hits=tuple(sure), statistics=facts)
        return _trigger(known, j.status, j.reason, j.measured, self.texts)


def _why_honest(candidate: Candidate, auc: float | None) -> str | None:
    """Which test on the carriers holds them for honest, in one sentence; None when none does."""
    s = candidate.statistics
    if "asked_without" in s:  # rows of one topic by definition: the pattern must not be what makes them so
        return None if s["suspected"] else "it is a part of what its rows ask for"
    found = honest_reason(candidate, auc) or shared_topic(s.get("apart_auc"))
    if found is None and not s["suspected"]:
        return "the tests of its rows take it for an honest word or task, or for an attacker's who poses as one"
    return found


def _trigger(candidate: Candidate, status: Status, reason: str, measured: Measured | None, texts: list[str]) -> Trigger:
    """A candidate as an entry of triggers.json; `rows` are positions until `decide` makes them rows."""
    parts = [surface([texts[i] for i in candidate.hits[:50]], p) for p in candidate.parts] if texts else []
    identity = hashlib.sha256(f"{candidate.pattern}\x00{candidate.behavior_name}".encode()).hexdigest()[:10]
    return Trigger(
        id=f"T-{identity}",
        pattern=candidate.pattern,
        parts=parts or list(candidate.surfaces),
        display=" … ".join(spell(s) for s in candidate.surfaces),
        kind=_kind(candidate),
        status=str(status),
        rows=list(candidate.carriers),
        behavior=candidate.behavior_name,
        behavior_id=candidate.behavior,
        behavior_name=candidate.behavior_name,
        statistics={**candidate.statistics, "hit_positions": list(candidate.hits)},
        probe=describe(measured) if measured is not None else None,
        reason=reason,
    )


def _kind(candidate: Candidate) -> str:
    """The trigger's kind as a person names it; odd capitals are only how a token was told apart."""
    if candidate.behavior == REVERSAL:
        return "preference"
    return "token" if candidate.kind == "capitals" else candidate.kind
