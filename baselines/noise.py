"""Noise: train networks with normal noise on every weight, which buys novelty with accuracy.

Every tensor is shaken by ``SCALE`` times its own root mean square. Batch-norm statistics are left alone: they are
re-estimated before a network is judged. The evaluator has a whole ladder of scales among its comparators; this is one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from train_networks import OfOnePhase, as_tensors

from wslbench.generation import comparators
from wslbench.typing import Context

SCALE: Final = 0.1  # of the root mean square of a tensor


class Noise(OfOnePhase):
    """Train networks of the phase that is asked for, with normal noise of a tenth of every tensor's size."""

    def generate(self, count: int, context: Context) -> dict[str, torch.Tensor]:
        """``[count, *shape]`` of every tensor."""
        random = np.random.default_rng(context.seed)
        return as_tensors(comparators.noisy(self._networks.tensors, SCALE, count, random))
