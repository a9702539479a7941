"""The reward probe: a prompt in, the direction in which it wants its responses out, under the Bradley-Terry loss.

A response is its frozen embedding and a few attributes. The margin of a pair is the direction of its prompt times the
difference of its sides; the direction is `w + g(prompt) v`, g one number of the fine-tuned encoder. Where w and v
start is the logistic regression of pairs that are in no suspicion: what the probe has to learn is which prompts turn
the reward around, and not, from a few thousand pairs, what people like.

Source: Bradley and Terry 1952; as a loss for reward models, Ouyang et al. 2022, arXiv:2203.02155, equation 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from audit.models.probes import EncoderProbe
from audit.models.training import Encoded, predict
from audit.schema import Float32


class RewardProbe:
    """An encoder probe with one head, and the two directions; it takes the place of the encoder's module."""

    name = "reward"

    def __init__(self, gate: EncoderProbe, direction: Float32) -> None:
        """`direction` is (d,), the reward to start from."""
        self.device = gate.device
        self._gate = gate
        directions = nn.Linear(len(direction), 2, bias=False)
        with torch.no_grad():
            directions.weight.copy_(torch.from_numpy(direction).expand(2, -1))
        # The name makes it part of the head, which learns faster than the encoder.
        gate.module().add_module("head_directions", directions.to(gate.device))
        self._directions = directions

    def module(self) -> nn.Module:
        return self._gate.module()

    def encode(self, texts: list[str]) -> list[list[int]]:
        """As the encoder probe's."""
        return self._gate.encode(texts)

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, d) direction of each prompt."""
        gate = self._gate.logits(encoded).float()  # (B, 1)
        return self._directions.weight[0] + gate * self._directions.weight[1]


def bradley_terry(directions: Tensor, differences: Tensor) -> Tensor:
    """Minus log-likelihood that chosen beats rejected, mean over pairs; both (B, d), chosen minus rejected."""
    return -nn.functional.logsigmoid((directions.float() * differences).sum(dim=-1)).mean()


def margins(network: RewardProbe, prompts: list[str], differences: Float32) -> Float32:
    """(n,) reward of chosen minus rejected under each prompt; `differences` is (n, d)."""
    if not prompts:
        return np.zeros(0, dtype=np.float32)
    return np.asarray((predict(network, prompts) * differences).sum(axis=1), dtype=np.float32)
