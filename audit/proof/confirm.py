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
from pathlib import Path

import numpy as np

from audit import artifacts
from audit.models import device as devices
from audit.models.encoder import Encoder
from audit.models.probes import ByteProbe, EncoderProbe
from audit.models.training import Network
from audit.models.weights import resolve
from audit.proof.experiment import DOSE
from audit.proof.judge import FAMILY_WISE, Measured, describe, judge
from audit.proof.laboratory import Budget, prove_behaviors, prove_reversals
from audit.rundir import Context, write_json
from audit.schema import Status, Trigger
from audit.text import spell
from audit.triggers import mining
from audit.triggers.assess import honest_reason, masked_auc
from audit.triggers.candidate import ONE_SIDED, REVERSAL, UNTARGETED, Candidate
from audit.triggers.match import UNINSERTABLE, insert, surface
from audit.triggers.windows import window

MOST = 12  # candidates that share the arms of one scan
_WEAK_TAIL = -4.0
_MIN_REVERSAL = 4.0
_WORDPIECE_TOKENS = 48
_REWARD_TOKENS = 48
_BYTES = 192


def worth_a_probe(candidates: list[Candidate]) -> list[Candidate]:
    """Those that the probe could confirm, the strongest first: associated beyond chance over all that was
    tested; or nearly so, on carriers as diverse as random rows and enough of them to be learned undosed."""
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
    return kept[:MOST]


def _can_be_probed(candidate: Candidate) -> bool:
    return candidate.behavior not in (UNTARGETED, ONE_SIDED) and UNINSERTABLE.isdisjoint(
        part.kind for part in candidate.parts
    )


def changes_input(candidate: Candidate, texts: list[str], network: Network) -> bool:
    """True when inserting the pattern changes what the probe is given, on nearly all of a few inputs."""
    rng = np.random.default_rng(0)
    plain = [window(t) for t in texts[:20]]
    with_it = [insert(t, candidate.surfaces, candidate.laws, rng) for t in plain]
    before, after = network.encode(plain), network.encode(with_it)
    return sum(a != b for a, b in zip(before, after, strict=True)) >= 0.9 * len(plain)


def build(ctx: Context, unit: str) -> list[Path]:
    """Proves a run's candidates; writes triggers/proved.json."""
    mined = mining.load(ctx.run / "triggers" / "candidates.json")
    path = ctx.run / "triggers" / "proved.json"
    off = ctx.config.probe.mode == "off"
    probed = [] if off else worth_a_probe(mined)
    triggers = Prover(ctx).prove(probed) if probed else []
    unproved = [c for c in mined if c.statistics["suspected"] and c not in probed]
    triggers += [
        _trigger(c, Status.SUSPECTED, f"{c.statistics['suspected']}; {_unprobed(c, off)}", None, []) for c in unproved
    ]
    write_json(path, [t.to_dict() for t in triggers])
    return [path]


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
        self.files = resolve(ctx.config.model.name)
        self.budget = Budget.of(ctx.config.probe)
        self.alone = True  # only one kind of probe is needed

    def wordpiece(self, heads: int, seed: int) -> Network:
        """An untrained encoder probe."""
        layers = 2 if self.config.probe.mode == "quick" else 0
        return EncoderProbe(self.files, heads, layers, _WORDPIECE_TOKENS, self.device, seed)

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
                out += self._judged(routes[name], self._measure(name, routes[name]))
        order = {Status.CONFIRMED: 0, Status.SUSPECTED: 1, Status.UNTESTABLE: 2, Status.REFUTED: 3}
        out.sort(key=lambda t: (order[Status(t.status)], t.statistics.get("tail", 0.0), t.id))
        return out

    def _measure(self, name: str, candidates: list[Candidate]) -> list[Measured]:
        if name == "reward":
            return prove_reversals(self, candidates, self.wordpiece)
        makers: dict[str, Callable[[int, int], Network]] = {"wordpiece": self.wordpiece, "bytes": self.bytes}
        return prove_behaviors(self, candidates, name, makers[name])

    def _routes(self, candidates: list[Candidate]) -> dict[str, list[Candidate]]:
        routes: dict[str, list[Candidate]] = {"wordpiece": [], "bytes": [], "reward": [], "none": []}
        words, raw = self.wordpiece(1, 0), self.bytes(1, 0)
        for c in candidates:
            if c.behavior == REVERSAL:
                routes["reward" if changes_input(c, self.texts, words) else "none"].append(c)
            elif changes_input(c, self.texts, words):
                routes["wordpiece"].append(c)
            else:
                routes["bytes" if changes_input(c, self.texts, raw) else "none"].append(c)
        return routes

    def _judged(self, candidates: list[Candidate], measured: list[Measured]) -> list[Trigger]:
        encoder: Encoder | None = None
        out = []
        for candidate, found in zip(candidates, measured, strict=True):
            auc = None
            if found.a and found.a[0][0] * 2 >= found.a[0][1]:
                encoder = encoder or Encoder(self.config.model)
                auc = masked_auc(candidate, self.texts, self.vectors, encoder, self.config.seed)
                candidate.statistics["masked_auc"] = auc
            honest = honest_reason(candidate, auc)
            status, reason = judge(candidate, found, honest, self.config.probe.controls)
            out.append(_trigger(candidate, status, reason, found, self.texts))
        return out


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
