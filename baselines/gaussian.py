"""Gaussian: every weight drawn on its own, from its mean and spread over aligned train networks."""

from __future__ import annotations

import numpy as np
import torch
from train_networks import OfOnePhase, as_tensors

from wslbench.generation import comparators
from wslbench.symmetry import symmetries
from wslbench.typing import Context


class Gaussian(OfOnePhase):
    """A normal law a weight, fitted to aligned train networks of the phase that is asked for."""

    def generate(self, count: int, context: Context) -> dict[str, torch.Tensor]:
        """``[count, *shape]`` of every tensor."""
        random = np.random.default_rng(context.seed)
        group = symmetries(self._networks.architecture)
        return as_tensors(comparators.gaussian(self._networks.tensors, count, random, group))
