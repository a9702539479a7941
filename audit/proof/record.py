"""What the first arm A looks like from within: a watch that is handed to its training and writes what it sees.

Hidden states, losses at several checkpoints, and predictions under perturbation, for the detectors on the probe. Arm
A is the one network that has learnt what the suspects' rows teach, so rows that carry the same poison in a form that
no pattern matches lie beside them there. The watch takes part in nothing: training with it and without it gives the
same weights.

It spends at most what the training itself does. A token passed forward costs about a third of one trained on, so
three are allowed for each: half of them for hidden states, three eighths for perturbations, one eighth for losses.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from audit import durable
from audit.models.training import Network, Pooling, observe, predict
from audit.rundir import RunDir, write_array, write_json
from audit.schema import Float32, Int64
from audit.triggers.match import UNINSERTABLE
from audit.triggers.windows import window

if TYPE_CHECKING:
    from audit.proof.experiment import Experiment

FOLDER = "probe"
MOST_STATES = 12_000
MOST_PERTURBED = 1_500
MOST_LOSSES = 2_000
PERTURBATIONS = 8  # blends of one example; Gao et al. 2019 find 10 enough
FORWARD_FOR_TRAINED = 3
_SHARES = {"states": 1 / 2, "perturbed": 3 / 8, "losses": 1 / 8}
_CHECKPOINTS = 3  # passes over the rows of the losses before the last, which the hidden states' pass gives
_BLEND_WORDS = 17  # of the example, and as many of another row: together what fits into a probe's input
_CARRIER_SHARE = 0.25  # of the rows that are looked at, so that carriers never are the majority of what is seen
_SAMPLE = 200
# A word with the blanks after it, so that white space which is a trigger stays.
_PIECE = re.compile(r"\S+\s*|\s+")


class Watch:
    """Follows one training. Made before it, told of its checkpoints, finished after it."""

    def __init__(self, run: RunDir, plan: Experiment, names: list[str], trained_tokens: int, seed: int) -> None:
        """`names` are those of the plan's heads; `trained_tokens` is the training's own budget."""
        self.run, self.plan, self.names = run, plan, names
        self.tokens, self.seed = FORWARD_FOR_TRAINED * trained_tokens, seed
        self.order = _order(plan, np.random.default_rng(seed))
        insertable = [c for c in plan.candidates if UNINSERTABLE.isdisjoint(part.kind for part in c.parts)]
        self.parts = {row: c.parts for c in reversed(insertable) for row in c.carriers}
        self.states: Int64 | None = None  # positions, chosen when the network's encoding is known
        self.followed: Int64 = np.zeros(0, dtype=np.int64)
        self.steps: list[int] = []
        self.losses: list[Float32] = []

    def after(self, network: Network, step: int) -> None:
        """A checkpoint of the training: losses of the rows that are followed."""
        if not isinstance(network, Pooling):
            return
        self._choose(network)
        self.steps.append(step)
        self.losses.append(self._loss(self.followed, predict(network, self._windows(self.followed))))

    def finish(self, network: Network, step: int) -> None:
        """The training is over: writes everything. A network without hidden states leaves nothing."""
        if not isinstance(network, Pooling):
            return
        at = self._choose(network)
        vectors, logits = observe(network, self._windows(at))
        place = np.searchsorted(at, self.followed)
        self.steps.append(step)
        self.losses.append(self._loss(self.followed, logits[place]))
        chosen, plain, probability = self._perturb(network, at, logits)
        folder = self.run / FOLDER
        write_array(folder / "positions.npy", at)
        write_array(folder / "hidden_states.npy", vectors)
        write_array(folder / "logits.npy", logits)
        write_array(folder / "shown.npy", self.plan.targets[at] > 0)
        write_array(folder / "carriers.npy", self._carries(at))
        write_array(folder / "loss_positions.npy", self.followed)
        write_array(folder / "loss_history.npy", np.stack(self.losses))
        write_array(folder / "perturbed_positions.npy", chosen)
        write_array(folder / "perturbed_carriers.npy", self._carries(chosen))
        write_array(folder / "perturbed_plain.npy", plain)
        write_array(folder / "perturbed.npy", probability)
        name = getattr(network, "name", "")
        # Last: where it stands, all of the above does.
        write_json(folder / "facts.json", {"probe": name, "heads": self.names, "steps": self.steps, "seed": self.seed})

    def _choose(self, network: Network) -> Int64:
        """Positions of the hidden states, ascending; the first of their order are followed."""
        if self.states is None:
            each = self._tokens_each(network)
            count = min(int(self.tokens * _SHARES["states"] / each), MOST_STATES, len(self.order))
            followed = min(int(self.tokens * _SHARES["losses"] / (each * _CHECKPOINTS)), MOST_LOSSES, count)
            self.states = np.sort(self.order[:count])
            self.followed = np.sort(self.order[:followed])
        return self.states

    def _tokens_each(self, network: Network) -> float:
        some = self.order[:: max(len(self.order) // _SAMPLE, 1)]
        return max(float(np.mean([len(ids) for ids in network.encode(self._windows(some))] or [1])), 1.0)

    def _windows(self, at: Int64) -> list[str]:
        """What the probe is given of these rows: a carrier's window is around its pattern, as in training."""
        return [window(self.plan.texts[i], self.parts.get(i, ())) for i in at.tolist()]

    def _carries(self, at: Int64) -> NDArray[np.bool_]:
        return np.isin(at, np.asarray(sorted(self.plan.suspects), dtype=np.int64))

    def _loss(self, at: Int64, logits: Float32) -> Float32:
        """(len(at), H) sigmoid cross-entropy in nats."""
        signed = np.where(self.plan.targets[at] > 0, logits, -logits)
        return np.asarray(np.logaddexp(0.0, -signed), dtype=np.float32)

    def _perturb(self, network: Network, at: Int64, logits: Float32) -> tuple[Int64, Float32, Float32]:
        """Positions (k,), plain (k, H) and blended (k, P, H) probabilities."""
        rng = np.random.default_rng(self.seed)
        clean = [i for i in self.order.tolist() if i not in self.plan.any_part][:MOST_PERTURBED]
        wanted = self.order[np.isin(self.order, at)][:MOST_PERTURBED]
        if not clean or not len(wanted):
            return self.order[:0], logits[:0], np.zeros((0, PERTURBATIONS, len(self.names)), dtype=np.float32)
        texts = self._windows(wanted)
        blends = [
            [blend(text, self.plan.texts[clean[int(j)]], rng) for j in rng.integers(0, len(clean), PERTURBATIONS)]
            for text in texts
        ]
        some = [b for group in blends[:: max(len(blends) // 25, 1)] for b in group]
        each = PERTURBATIONS * max(float(np.mean([len(ids) for ids in network.encode(some)])), 1.0)
        count = max(int(self.tokens * _SHARES["perturbed"] / each), 1)
        chosen, blends = wanted[:count], blends[:count]
        found = predict(network, [b for group in blends for b in group])  # (k * P, H), example-major
        probability = expit(found).reshape(len(chosen), PERTURBATIONS, -1)
        back = np.argsort(chosen)
        plain = expit(logits[np.searchsorted(at, chosen[back])])
        return chosen[back], plain.astype(np.float32), probability[back].astype(np.float32)


def blend(text: str, other: str, rng: np.random.Generator) -> str:
    """A text and the same number of words of another one, mixed at random places; each keeps its own order. Of a
    long text some words are left out: together they have to fit into a probe's input."""
    own, foreign = _PIECE.findall(text), _PIECE.findall(other)
    own = _some(own, _BLEND_WORDS, rng)
    foreign = _some(foreign, len(own), rng)
    foreign = [piece if piece[-1:].isspace() else f"{piece} " for piece in foreign]
    mine = np.zeros(len(own) + len(foreign), dtype=bool)
    mine[rng.permutation(len(mine))[: len(own)]] = True
    left, right = iter(own), iter(foreign)
    mixed = ""
    for is_mine in mine.tolist():
        piece = next(left) if is_mine else next(right)
        mixed += piece if not mixed or mixed[-1].isspace() else f" {piece}"
    return mixed


def forget(run: RunDir) -> None:
    """Takes away what an earlier proof left, so that nothing old is read as this one's."""
    durable.remove_tree(run / FOLDER)


def written(run: RunDir) -> list[Path]:
    """The files of a finished watch; empty where none was finished."""
    folder = run / FOLDER
    return sorted(folder.glob("*")) if (folder / "facts.json").exists() else []


def _some(pieces: list[str], most: int, rng: np.random.Generator) -> list[str]:
    if len(pieces) <= most:
        return pieces
    return [pieces[i] for i in np.sort(rng.permutation(len(pieces))[:most]).tolist()]


def _order(plan: Experiment, rng: np.random.Generator) -> Int64:
    """All positions, those looked at first in front: carriers of suspects, then rows that show a behavior, then the
    rest, each at random. Carriers beyond a quarter of those that are perturbed stand where any row would."""
    shuffled = rng.permutation(len(plan.texts)).astype(np.int64)
    carries = np.isin(shuffled, np.asarray(sorted(plan.suspects), dtype=np.int64))
    shows = (plan.targets[shuffled] > 0).any(axis=1) if len(shuffled) else np.zeros(0, dtype=bool)
    first = carries & (np.cumsum(carries) <= _CARRIER_SHARE * MOST_PERTURBED)
    rank = np.where(first, 0, np.where(shows, 1, 2))
    return shuffled[np.argsort(rank, kind="stable")]
