"""The training loop: one for all probes, whatever the network and the loss.

A network maps a list of encoded texts to (B, H) logits. The loss says what they mean: behaviors as
independent classes (sigmoid cross-entropy), or two sides of a pair (Bradley-Terry).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audit.models import device as devices
from audit.schema import Float32, Progress

Encoded = Sequence[list[int]]
CHECKPOINTS = (0.125, 0.25, 0.5)  # shares of a training: what poison teaches is learned early
_MOST_WEIGHT = 20.0
_HEAD_RATE = 10.0  # the new head learns so many times faster than the pretrained layers


class Network(Protocol):
    """What the loop trains: `encode` once, `logits` every step."""

    device: torch.device

    def encode(self, texts: list[str]) -> list[list[int]]: ...

    def logits(self, encoded: Encoded) -> Tensor: ...

    def module(self) -> nn.Module: ...


@runtime_checkable
class Pooling(Network, Protocol):
    """A network whose hidden states can be looked at: one vector a text, from which the logits are made."""

    def states(self, encoded: Encoded) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a probe is trained. `tokens` bounds what one training spends, repeats included."""

    learning_rate: float
    batch_rows: int
    epochs: int
    tokens: int
    seed: int


def balanced_loss(targets: Float32, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """`classes_loss` with each head's positives weighted up to its negatives, at most 20 times: a rare
    behavior then has the same threshold as a common one."""
    positive = targets.sum(axis=0)
    weight = np.clip((len(targets) - positive) / np.maximum(positive, 1), 1.0, _MOST_WEIGHT)
    scale = torch.from_numpy(weight.astype(np.float32)).to(device)

    def loss(logits: Tensor, goal: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(logits.float(), goal, pos_weight=scale)

    return loss


@dataclass(frozen=True, slots=True)
class Spent:
    """What one training cost."""

    tokens: int
    steps: int
    final_loss: float


def classes_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid cross-entropy over heads. Shapes (B, H), (B, H)."""
    known = ~torch.isnan(targets)
    losses = nn.functional.binary_cross_entropy_with_logits(logits.float(), torch.nan_to_num(targets), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)


def train(
    network: Network,
    texts: list[str],
    targets: Float32,
    recipe: Recipe,
    progress: Progress,
    loss: Callable[[Tensor, Tensor], Tensor] = classes_loss,
    group: int = 1,
    checkpoint: Callable[[int], None] | None = None,
) -> Spent:
    """Trains on (texts, targets). `group` texts in a row make one example (2 for pairs: chosen, rejected),
    with one row of `targets` an example. Deterministic by seed on one device; stops within the token budget.
    `checkpoint` is called with the steps done at CHECKPOINTS of the way, in evaluation mode; it changes nothing.
    On a GPU that runs out of memory a step is made of smaller parts, which come to the same gradients.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    encoded = network.encode(texts)
    n = len(encoded) // group
    module = network.module()
    module.train()
    body = [p for name, p in module.named_parameters() if p.requires_grad and not name.startswith("head")]
    head = [p for name, p in module.named_parameters() if name.startswith("head")]
    optimiser = torch.optim.AdamW(
        [{"params": body, "rate": 1.0}, {"params": head, "rate": _HEAD_RATE}], weight_decay=0.01
    )
    cost = np.asarray([sum(len(encoded[group * i + j]) for j in range(group)) for i in range(n)], dtype=np.int64)
    plan = _within(
        [b for _ in range(recipe.epochs) for b in _batches(cost, recipe.batch_rows, rng)], cost, recipe.tokens
    )
    last, room = 0.0, recipe.batch_rows
    looks = {max(round(share * len(plan)), 1) for share in CHECKPOINTS} if checkpoint is not None else set()
    for step, batch in enumerate(plan):
        for setting in optimiser.param_groups:
            setting["lr"] = recipe.learning_rate * setting["rate"] * _schedule(step, len(plan))
        texts_of = [[encoded[group * i + j] for j in range(group)] for i in batch]
        last, room = _gradients(network, texts_of, torch.from_numpy(targets[batch]), loss, optimiser, room)
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        progress.advance(int(cost[batch].sum()))
        if checkpoint is not None and step + 1 in looks:
            module.eval()
            checkpoint(step + 1)
            module.train()
    module.eval()
    return Spent(int(sum(cost[b].sum() for b in plan)), len(plan), last)


def _gradients(
    network: Network,
    texts: Sequence[Encoded],
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    room: int,
) -> tuple[float, int]:
    """Leaves the gradients of one batch, worked through in parts of at most `room` examples; returns its loss and the
    room that there was. Parts count by their known targets, so their gradients add up to those of the whole; random
    numbers are drawn anew from the same state when a part did not fit."""
    total = max(int((~torch.isnan(targets)).sum()), 1)
    state = devices.random_state(network.device)
    while True:
        optimiser.zero_grad(set_to_none=True)
        value = 0.0
        try:
            for start in range(0, len(texts), room):
                goal = targets[start : start + room]
                share = int((~torch.isnan(goal)).sum()) / total if room < len(texts) else 1.0
                if share == 0:
                    continue
                with devices.precision(network.device):
                    logits = network.logits([ids for each in texts[start : start + room] for ids in each])
                part = loss(logits, goal.to(network.device)) * share
                part.backward()  # type: ignore[no-untyped-call]
                value += float(part.detach())
            return value, room
        except torch.cuda.OutOfMemoryError:
            if min(room, len(texts)) == 1:
                raise
        room = (min(room, len(texts)) + 1) // 2
        devices.make_room()
        devices.restore(network.device, state)


def predict(network: Network, texts: list[str], batch_rows: int = 64) -> Float32:
    """(len(texts), H) logits, aligned with `texts`; batches by length."""
    return _by_length(network, texts, lambda encoded: (network.logits(encoded),), batch_rows)[0]


def observe(network: Pooling, texts: list[str], batch_rows: int = 64) -> tuple[Float32, Float32]:
    """(len(texts), d) hidden states and (len(texts), H) logits, aligned with `texts`, of one pass."""
    states, logits = _by_length(network, texts, network.states, batch_rows)
    return states, logits


def _by_length(
    network: Network, texts: list[str], compute: Callable[[Encoded], tuple[Tensor, ...]], batch_rows: int
) -> list[Float32]:
    """What `compute` gives for batches of like length, each array aligned with `texts`."""
    encoded = network.encode(texts)
    order = sorted(range(len(encoded)), key=lambda i: (len(encoded[i]), i))
    parts: list[list[Float32]] = []
    with torch.inference_mode(), devices.precision(network.device):
        queue = [order[start : start + batch_rows] for start in range(0, len(order), batch_rows)]
        while queue:
            batch = queue.pop(0)
            try:
                parts.append([t.float().cpu().numpy() for t in compute([encoded[i] for i in batch])])
                continue
            except torch.cuda.OutOfMemoryError:
                if len(batch) == 1:
                    raise
            devices.make_room()
            queue[:0] = devices.halves(batch)
    if not parts:
        return [np.zeros((0, 0), dtype=np.float32)] * 2
    back = np.argsort(np.asarray(order))
    return [np.concatenate(found)[back] for found in zip(*parts, strict=True)]


def _batches(lengths: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[list[int]]:
    """Random batches of examples of like length: drawn in random groups of eight batches, sorted within. Half
    as much again of a step's time goes into tokens rather than padding (10,300 tokens a second against 6,000)."""
    order = rng.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), 8 * size):
        group = order[start : start + 8 * size]
        group = group[np.argsort(lengths[group], kind="stable")]
        batches += [group[i : i + size].tolist() for i in range(0, len(group), size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _within(plan: list[list[int]], cost: NDArray[np.int64], tokens: int) -> list[list[int]]:
    """The first batches of a plan that the token budget pays for."""
    running = np.cumsum([int(cost[batch].sum()) for batch in plan])
    return plan[: int((running <= tokens).sum())]


def _schedule(step: int, total: int) -> float:
    """Linear warm-up over a tenth of the steps, then linear decay to a tenth."""
    warm = max(total // 10, 1)
    return (step + 1) / warm if step < warm else 1.0 - 0.9 * (step - warm) / max(total - warm, 1)
