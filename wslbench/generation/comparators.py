"""What can be drawn without learning anything: copies, noise around copies, averages, and a Gaussian a weight.

A generator has to rise above what these reach. All of them work on ``[n, *shape]`` arrays by name, the train networks
of one phase. Batch-norm statistics are passed along without noise: they are re-estimated before a draw is judged.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from wslbench.symmetry import SymmetryGroup, align, apply

FloatArray = npt.NDArray[np.float32]
Tensors = dict[str, FloatArray]

_STATISTICS = ("running_mean", "running_var")


def retrieved(tensors: Mapping[str, FloatArray], count: int, random: np.random.Generator) -> Tensors:
    """``count`` of the networks themselves, none twice as long as there are others."""
    rows = _rows(tensors, count, random)
    return {name: tensor[rows] for name, tensor in tensors.items()}


def noisy(tensors: Mapping[str, FloatArray], scale: float, count: int, random: np.random.Generator) -> Tensors:
    """Networks with normal noise on every weight, ``scale`` times the root mean square of its tensor."""
    drawn = retrieved(tensors, count, random)
    return {
        name: tensor if name.endswith(_STATISTICS) else _shaken(tensor, scale, random) for name, tensor in drawn.items()
    }


def averaged(
    group: SymmetryGroup, tensors: Mapping[str, FloatArray], of: int, count: int, random: np.random.Generator
) -> Tensors:
    """Means of ``of`` networks each, the others aligned with the first by weight matching.

    Parameters
    ----------
    group
        Symmetry group of the architecture.
    of
        At least 2, or it is retrieval.

    Raises
    ------
    ArchitectureError
        If the tensors are not of this architecture.
    """
    first = retrieved(tensors, count, random)
    total = {name: tensor.astype(np.float64) for name, tensor in first.items()}
    for _ in range(of - 1):
        for name, tensor in _aligned(group, retrieved(tensors, count, random), first).items():
            total[name] += tensor
    return {name: (tensor / of).astype(np.float32) for name, tensor in total.items()}


def gaussian(
    tensors: Mapping[str, FloatArray], count: int, random: np.random.Generator, group: SymmetryGroup | None = None
) -> Tensors:
    """Every weight from a normal law of its own, with its mean and standard deviation over the networks.

    Parameters
    ----------
    group
        Where it is given, the networks are aligned with one of them, drawn at random, before.

    Raises
    ------
    ArchitectureError
        If the tensors are not of this architecture.
    """
    networks = dict(tensors)
    if group is not None:
        reference = {name: tensor[:1] for name, tensor in retrieved(tensors, 1, random).items()}
        networks = _aligned(group, networks, reference)
    drawn = {}
    for name, tensor in networks.items():
        mean, deviation = tensor.mean(axis=0, dtype=np.float64), tensor.std(axis=0, dtype=np.float64)
        noise = 0.0 if name.endswith(_STATISTICS) else random.normal(size=(count, *mean.shape))
        drawn[name] = np.broadcast_to(mean + deviation * noise, (count, *mean.shape)).astype(np.float32)
    return drawn


def _aligned(group: SymmetryGroup, tensors: Mapping[str, FloatArray], reference: Mapping[str, FloatArray]) -> Tensors:
    return dict(apply(group, align(group, tensors, reference, scaling=True), tensors))


def _rows(tensors: Mapping[str, FloatArray], count: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Shuffled over and over, until there are enough."""
    available = len(next(iter(tensors.values())))
    rounds = -(-count // available)
    return np.concatenate([random.permutation(available) for _ in range(rounds)])[:count]


def _shaken(tensor: FloatArray, scale: float, random: np.random.Generator) -> FloatArray:
    flat = tensor.reshape(len(tensor), -1)
    size = np.sqrt(np.square(flat, dtype=np.float64).mean(axis=1))
    shape = (-1, *[1] * (tensor.ndim - 1))
    shaken: FloatArray = (tensor + scale * size.reshape(shape) * random.normal(size=tensor.shape)).astype(np.float32)
    return shaken
