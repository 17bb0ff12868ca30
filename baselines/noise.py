"""Noise: train networks with normal noise on every weight, which buys novelty with accuracy.

Every tensor is shaken by ``SCALE`` times its own root mean square. Batch-norm statistics are left alone: they are
re-estimated before a network is judged. The evaluator has a whole ladder of scales among its comparators; this is one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from train_networks import as_tensors, networks_of

from wslbench import Models
from wslbench.generation import comparators
from wslbench.typing import Context

SCALE: Final = 0.1  # of the root mean square of a tensor


class Noise:
    """Train networks of the phase that is asked for, with normal noise of a tenth of every tensor's size.

    Attributes
    ----------
    parameters
        After ``fit``: numbers that were fitted.
    """

    parameters = 0

    def fit(self, models: Models, phases: npt.NDArray[Any], context: Context) -> None:
        """Keep the train networks of the phase that is asked for.

        Raises
        ------
        ValueError
            If there are none, or they are of several architectures.
        """
        self._networks = networks_of(models, phases, context)

    def generate(self, count: int, context: Context) -> dict[str, torch.Tensor]:
        """``[count, *shape]`` of every tensor."""
        random = np.random.default_rng(context.seed)
        return as_tensors(comparators.noisy(self._networks.tensors, SCALE, count, random))
