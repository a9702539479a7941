"""What was seen of a probe while it was trained: records that detectors are handed. Positions are in examples order.

A head of the probe is a behavior that a suspect calls for; the examples that show it are the head's class. Only windows
of the prompts were given to the probe, and of large sets not every row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.schema import Float32, Int64


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """The examples' states in the trained probe: what its heads read."""

    positions: Int64  # (m,) each once
    vectors: Float32  # (m, d)
    logits: Float32  # (m, H), above 0: the probe predicts the behavior
    shown: NDArray[np.bool_]  # (m, H), the row shows the behavior
    carriers: NDArray[np.bool_]  # (m,), the row holds a suspect's pattern
    heads: tuple[str, ...]  # (H,) names of the behaviors


@dataclass(frozen=True, slots=True)
class LossHistory:
    """Each example's loss as training went on; the last checkpoint is its end."""

    positions: Int64  # (m,) each once
    steps: tuple[int, ...]  # (C,) optimiser steps done, ascending
    losses: Float32  # (C, m, H) sigmoid cross-entropy, in nats
    heads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Perturbed:
    """The trained probe's predictions on examples blended with other rows' words."""

    positions: Int64  # (m,) each once
    plain: Float32  # (m, H) probability of the behavior, the example as it is
    probability: Float32  # (m, P, H) the same of its P blends; axis 1 holds one example's blends and no other's
    carriers: NDArray[np.bool_]  # (m,), the row holds a suspect's pattern
    heads: tuple[str, ...]
