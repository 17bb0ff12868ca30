"""Retrieval: train networks, handed back as they are. No novelty, and so no lift; what copying is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from train_networks import as_tensors, networks_of

from wslbench import Models
from wslbench.generation import comparators
from wslbench.typing import Context


class Retrieval:
    """Train networks of the phase that is asked for, drawn at random.

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
        return as_tensors(comparators.retrieved(self._networks.tensors, count, np.random.default_rng(context.seed)))
