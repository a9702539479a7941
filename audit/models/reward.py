"""The reward of a response under a prompt, and the Bradley-Terry loss on it.

`(1 + u) . v`, u of the prompt and v of the response, both read off one encoder's logits.

Source: Bradley and Terry 1952; as a loss for reward models, Ouyang et al. 2022, arXiv:2203.02155, equation 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from audit.schema import Float32

WIDTH = 32  # of u and v


def rewards(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Rewards of the chosen and of the rejected response, (B,) each, from (3B, 2 * WIDTH) logits of prompt,
    chosen and rejected in turn: the first half of a row is u, the second v."""
    u = 1 + logits[0::3, :WIDTH]
    return (u * logits[1::3, WIDTH:]).sum(dim=-1), (u * logits[2::3, WIDTH:]).sum(dim=-1)


def bradley_terry(logits: Tensor, targets: Tensor) -> Tensor:
    """Minus log-likelihood that chosen beats rejected; targets are not used, the order is the target."""
    chosen, rejected = rewards(logits.float())
    return -nn.functional.logsigmoid(chosen - rejected).mean()


def margins(logits: Float32) -> Float32:
    """(B,) reward of chosen minus rejected, from (3B, 2 * WIDTH) logits as in `rewards`."""
    chosen, rejected = rewards(torch.from_numpy(logits))
    return np.asarray((chosen - rejected).numpy(), dtype=np.float32)
