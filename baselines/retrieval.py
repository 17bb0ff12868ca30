"""Retrieval: train networks, handed back as they are. No novelty, and so no lift; what copying is worth."""

from __future__ import annotations

import numpy as np
import torch
from train_networks import OfOnePhase, as_tensors

from wslbench.generation import comparators
from wslbench.typing import Context


class Retrieval(OfOnePhase):
    """Train networks of the phase that is asked for, drawn at random."""

    def generate(self, count: int, context: Context) -> dict[str, torch.Tensor]:
        """``[count, *shape]`` of every tensor."""
        return as_tensors(comparators.retrieved(self._networks.tensors, count, np.random.default_rng(context.seed)))
