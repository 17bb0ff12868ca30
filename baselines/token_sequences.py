"""Networks as sequences of standardised tokens, aligned with one another, and the way back. No method by itself.

* Every network is brought to canonical order and aligned, by weight matching, with one train network of its
  architecture: the order of its hidden units says nothing. A network of an architecture that training did not show
  stays in canonical order.
* Numbers are made comparable: weights times √fan-in, so that widths share a scale, under asinh; variances as
  logarithms. Then tensors are standardised, as they are in the train networks; those of names that training did not
  show are taken as they are. All of it can be undone, and variances come back positive.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wslbench import Models, symmetry
from wslbench.architectures import Architecture
from wslbench.encodings import TokenScale, from_tokens, tokens
from wslbench.encodings.weight_tokens import TensorScale
from wslbench.typing import Context
from wslbench.zoo import Stack

Tensors = dict[str, npt.NDArray[np.float32]]

QUARTERS: Final = 4  # of the depth
PLACES: Final = 4  # numbers that tell where a token stands
LARGEST: Final = 8.0  # standardised numbers beyond count as that
LEAST_VARIANCE: Final = 1e-12


class Sequences(NamedTuple):
    """Networks as sequences of standardised tokens.

    Attributes
    ----------
    values
        ``[n, length, size]``.
    mask
        ``[n, length, size]``: 1 where a weight stands.
    places
        ``[n, length, PLACES]``: place in the network, layer, place in the layer, and how much of the token is filled.
    quarter
        ``[n, length]``: of the depth.
    lengths
        ``[n]`` tokens a network.
    """

    values: Tensor
    mask: Tensor
    places: Tensor
    quarter: Tensor
    lengths: Tensor

    def to(self, device: str) -> Sequences:
        """The same on a device."""
        return Sequences(*(each.to(device) for each in self))

    def double(self) -> Sequences:
        """The same in double precision."""
        return self._replace(values=self.values.double(), mask=self.mask.double(), places=self.places.double())

    def at(self, rows: Any) -> Sequences:
        """Those of some networks."""
        return Sequences(*(each[rows] for each in self))

    def windows(self, rows: Tensor, starts: Tensor, length: int) -> Sequences:
        """``length`` tokens from ``starts`` on of the networks at ``rows``; ``lengths`` says how many there are."""
        index = (starts[:, None] + torch.arange(length, device=rows.device)).clamp_max(self.values.shape[1] - 1)
        at = (rows[:, None], index)
        lengths = (self.lengths[rows] - starts).clamp(0, length)
        return Sequences(self.values[at], self.mask[at], self.places[at], self.quarter[at], lengths)

    def all_windows(self, length: int) -> tuple[Tensor, Sequences]:
        """Windows that hold every token once, network by network, and the row of each."""
        counts = -(-self.lengths // length)
        rows = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        before = (counts.cumsum(0) - counts)[rows]
        starts = (torch.arange(len(rows), device=counts.device) - before) * length
        return rows, self.windows(rows, starts, length)

    def present(self) -> Tensor:
        """``[n, length]``: where there is a token."""
        return torch.arange(self.values.shape[1], device=self.values.device) < self.lengths[:, None]


class Reader:
    """From networks to sequences of tokens and back.

    Parameters
    ----------
    models, target, context
        As ``fit`` gets them. Where a phase is going to be asked for, one of its networks is what others are aligned
        with, and scales that do not matter to what a network computes are folded out as well: they would tell phases
        apart, but new networks have to share them.
    size
        Numbers a token.
    """

    def __init__(self, models: Models, target: npt.NDArray[Any], context: Context, size: int) -> None:
        self._size = size
        self._scaling = context.target_phase is not None
        self._references: dict[str, Tensors] = {}
        random = np.random.default_rng(context.seed)
        for stack in models.by_architecture():
            preferred = np.flatnonzero(np.asarray(target)[stack.positions] == context.target_phase)
            row = random.choice(preferred if len(preferred) else len(stack))
            reference = {name: tensor[row : row + 1] for name, tensor in stack.arrays().items()}
            self._references[stack.architecture.model_dump_json()] = reference
        self.train = self.aligned(models)
        self._scale = TokenScale.fit(self.train.mapped(comparable))

    def aligned(self, models: Models) -> Models:
        """Every network in canonical order, then aligned with the train network that its architecture is matched to."""

        def move(stack: Stack) -> Tensors:
            group, tensors = symmetry.symmetries(stack.architecture), stack.arrays()
            tensors = symmetry.apply(group, symmetry.canonicalise(group, tensors, scaling=False), tensors)
            reference = self._references.get(stack.architecture.model_dump_json())
            if reference is None:
                return tensors
            found = symmetry.align(group, tensors, reference, scaling=self._scaling)
            return symmetry.apply(group, found, tensors)

        return models.mapped(move)

    def read(self, models: Models) -> Sequences:
        """Aligned networks as sequences."""
        names = {name for stack in models.by_architecture() for name in stack.keys()}  # noqa: SIM118 - no mapping
        scale = TokenScale(dict.fromkeys(names, TensorScale(0.0, 1.0)) | dict(self._scale.tensors))
        batch = tokens(models.mapped(comparable), size=self._size, scale=scale)
        layers = batch.positions[:, :, 1]
        filled = batch.mask.mean(2, keepdims=True)
        depth = layers.max(axis=1, keepdims=True) + 1
        return Sequences(
            torch.from_numpy(batch.values.clip(-LARGEST, LARGEST)),
            torch.from_numpy(batch.mask.astype(np.float32)),
            torch.from_numpy(np.concatenate([batch.positions, filled], axis=2).astype(np.float32)),
            torch.from_numpy(np.maximum(layers, 0) * QUARTERS // depth),
            torch.from_numpy((layers >= 0).sum(1)),
        )

    def written(self, values: npt.NDArray[np.float64], architecture: Architecture) -> Tensors:
        """The tensors that ``[n, length, size]`` standardised tokens stand for: the way back."""
        stacked = from_tokens(values.clip(-LARGEST, LARGEST), architecture, self._scale)
        return {name: original(name, tensor) for name, tensor in stacked.items()}


def comparable(stack: Stack) -> Tensors:
    """Weights times √fan-in under asinh, variances as logarithms; 0 for what is no number."""
    found = {}
    for name, stored in stack.arrays().items():
        values = np.nan_to_num(stored.astype(np.float64))
        if is_variance(name):
            values = np.log(np.maximum(values, LEAST_VARIANCE))
        else:
            values = np.arcsinh(values * root_fan_in(stack.shape(name)))
        found[name] = values.astype(np.float32)
    return found


def original(name: str, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Undo :func:`comparable`."""
    values = tensor.astype(np.float64)
    values = np.exp(values) if is_variance(name) else np.sinh(values) / root_fan_in(tensor.shape[1:])
    limits = np.finfo(np.float32)
    return values.clip(limits.tiny if is_variance(name) else limits.min, limits.max).astype(np.float32)


def is_variance(name: str) -> bool:
    """Whether a tensor is a batch norm's variance."""
    return name.endswith("running_var")


def root_fan_in(shape: tuple[int, ...]) -> float:
    """√fan-in of a weight; 1 for what is a number a unit."""
    return math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 1.0
