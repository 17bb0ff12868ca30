"""Objective: what networks are trained on and judged by, whatever they are: classifiers, PINNs, language models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.errors import LandscapeError
from wslbench.training.stack import ModelStack

Network = Callable[[Tensor], Tensor]
"""One network as a function of its inputs ``[batch, ...]``."""

Batch = tuple[Tensor, ...]
"""A batch for a whole stack: tensors ``[size, batch, ...]``, or ``[size]`` for a coefficient."""

FloatArray = NDArray[np.float64]

Side = Literal["train", "test"]
"""Which samples: those that networks are trained on, or held-out ones."""


class CleanBatch(NamedTuple):
    """The same samples for every network.

    Attributes
    ----------
    tensors
        What :meth:`Objective.loss` takes after the network.
    dims
        For each tensor, 0 if it has a row a network, None if all networks share it.
    samples
        How many inputs a network sees in it.
    """

    tensors: Batch
    dims: tuple[int | None, ...]
    samples: int


class DrawnSamples(NamedTuple):
    """Some samples of one side, in order, each mixed with another or as it is.

    Attributes
    ----------
    rows
        Sample numbers ``[n]``.
    partners
        The sample that each is mixed with ``[n]``; None: not mixed.
    weights
        Of ``rows`` against ``partners`` ``[n]``.
    """

    rows: NDArray[np.int64]
    partners: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None


class Values(NamedTuple):
    """Error in per cent and loss of every network ``[size]`` on the clean samples of one side."""

    error: FloatArray
    loss: FloatArray


class Objective(Protocol):
    """Data and loss of a stack of networks.

    Attributes
    ----------
    train_size
        Samples that an epoch runs through.
    test_size
        Held-out samples.
    measured
        The columns that :meth:`measure` gives.
    """

    train_size: int
    test_size: int
    measured: tuple[str, ...]

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        """The same for some of the networks: only coefficients that differ between networks are cut."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same with its data on another device."""
        ...

    def inputs_each(self, batch_size: int) -> int:
        """Inputs that a network sees in a step of ``batch_size`` samples."""
        ...

    def draw(self, index: NDArray[np.int64], generators: Sequence[np.random.Generator]) -> Batch:
        """Train samples ``index [size, batch]``, augmented; row ``i`` draws from ``generators[i]`` alone."""
        ...

    def loss(self, network: Network, *batch: Tensor) -> Tensor:
        """Mean loss of one network on its row of a batch, a scalar."""
        ...

    def clean(self, rows: NDArray[np.int64], side: Side = "train") -> CleanBatch:
        """Samples of one side as they are, for Hessians."""
        ...

    def clean_inputs(self, batch_size: int) -> Iterable[Tensor]:
        """The inputs of the clean train set in stored order, for batch-norm statistics."""
        ...

    def measure(self, stack: ModelStack) -> dict[str, FloatArray]:
        """What is known of every network in evaluation mode: a value ``[size]`` for each of :attr:`measured`."""
        ...

    def error_of(self, measured: Mapping[str, FloatArray]) -> FloatArray:
        """The error in per cent that curves are judged by, from what :meth:`measure` gave."""
        ...

    def values(self, stack: ModelStack, side: Side = "train") -> Values:
        """Error and loss on all clean samples of one side, for curves."""
        ...

    def representation(
        self, stack: ModelStack, layer: str | None = None, side: Side = "test", drawn: DrawnSamples | None = None
    ) -> Tensor:
        """What CKA compares: ``[size, samples, features]``, the output of one layer.

        Parameters
        ----------
        layer
            A module's dotted name; its output is flattened to features. None: the logits, or the last hidden layer
            where the output is a single number.
        drawn
            Which samples; None: all, or as many as are ever compared.

        Raises
        ------
        LandscapeError
            If the networks have no such layer, or the samples cannot be mixed.
        """
        ...

    def dead(self, measured: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
        """Which networks are no better than a constant answer (``measured`` as :meth:`measure` gives it)."""
        ...


def unmixed_rows(drawn: DrawnSamples, what: str) -> NDArray[np.int64]:
    """The rows of samples that cannot be mixed.

    Raises
    ------
    LandscapeError
        If they are to be mixed.
    """
    if drawn.partners is not None:
        raise LandscapeError(f"mixup mixes images; {what} cannot be mixed: take a definition without mixup")
    return drawn.rows
