"""What simple generators share: the train networks of one phase as stacked arrays. No method by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from wslbench import Models
from wslbench.architectures import Architecture
from wslbench.typing import Context


class TrainNetworks(NamedTuple):
    """Networks of one architecture, ``[n, *shape]`` by name."""

    architecture: Architecture
    tensors: dict[str, npt.NDArray[np.float32]]


def networks_of(models: Models, phases: npt.NDArray[Any], context: Context) -> TrainNetworks:
    """The networks of the phase that is asked for.

    Raises
    ------
    ValueError
        If there are none, or they are of several architectures.
    """
    stacks = models[np.flatnonzero(np.asarray(phases) == context.target_phase)].by_architecture()
    if len(stacks) != 1:
        raise ValueError(
            f"the train networks of phase {context.target_phase} are of {len(stacks)} architectures instead of one"
        )
    (stack,) = stacks
    return TrainNetworks(stack.architecture, {name: np.array(stack[name]) for name in stack.keys()})  # noqa: SIM118


def as_tensors(drawn: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    """The same as torch tensors."""
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in drawn.items()}


class OfOnePhase:
    """Keeps the train networks of the phase that is asked for, and fits nothing."""

    parameters = 0

    def fit(self, models: Models, phases: npt.NDArray[Any], context: Context) -> None:
        """Keep them.

        Raises
        ------
        ValueError
            If there are none, or they are of several architectures.
        """
        self._networks = networks_of(models, phases, context)
