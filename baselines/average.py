"""Average: means of train networks, aligned with one another by weight matching.

Seeds differ by the order of their hidden units, and by their scales before batch norms; what is left after both are
matched (Ainsworth et al. 2023, *Git Re-Basin*, arXiv 2209.04836) decides whether a mean of two still works.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from train_networks import OfOnePhase, as_tensors

from wslbench.generation import comparators
from wslbench.symmetry import symmetries
from wslbench.typing import Context

OF: Final = 2  # networks a mean


class Average(OfOnePhase):
    """Means of two train networks of the phase that is asked for, aligned by weight matching."""

    def generate(self, count: int, context: Context) -> dict[str, torch.Tensor]:
        """``[count, *shape]`` of every tensor."""
        random = np.random.default_rng(context.seed)
        group = symmetries(self._networks.architecture)
        return as_tensors(comparators.averaged(group, self._networks.tensors, OF, count, random))
