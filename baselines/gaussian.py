"""Gaussian: every weight drawn on its own, from its mean and spread over aligned train networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from train_networks import as_tensors, networks_of

from wslbench import Models
from wslbench.generation import comparators
from wslbench.symmetry import symmetries
from wslbench.typing import Context


class Gaussian:
    """A normal law a weight, fitted to aligned train networks of the phase that is asked for.

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
        group = symmetries(self._networks.architecture)
        return as_tensors(comparators.gaussian(self._networks.tensors, count, random, group))
