"""Chains: networks without branches as units, and as pairs of units that a weight goes between.

The vertices of a chain are its groups of hidden units that may be permuted, as ``wslbench.symmetry`` finds them. What
belongs to one unit is a channel of it: biases and batch norms, the weights from the fixed inputs in the first layer,
and to the fixed outputs in the last. Weights between two hidden groups are channels of pairs of units, one a kernel
position (or pixel, where channels are flattened before a linear layer). So permuting hidden units permutes axes, and
all widths of one chain of layers have the same channels. This is what the layers of Zhou et al. 2023 (arXiv 2302.14040,
section 3.2) and Navon et al. 2023 (arXiv 2301.12780) work on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.architectures import Architecture
from wslbench.errors import ArchitectureError, EncodingError
from wslbench.symmetry import SymmetryGroup, symmetries
from wslbench.zoo.models import Models, Stack
from wslbench.zoo.template import template

Array = npt.NDArray[np.float64]

VARIANCE_EPSILON: Final = 1e-5
LARGEST: Final = 1e15  # of a weight; anything larger, infinite or missing is as good as this


class Chain(NamedTuple):
    """A network without branches, as its symmetries show it.

    Attributes
    ----------
    matrices
        Names of the weight tensors ``[out, in, ...]``, from the input to the output.
    vectors
        For each of them, the names of the vectors that belong to its outputs.
    places
        For each but the first, ``[units, ranks]`` positions along its axis 1 that hold each unit entering it.
    shapes
        Shape of every tensor named above.
    """

    matrices: tuple[str, ...]
    vectors: tuple[tuple[str, ...], ...]
    places: tuple[npt.NDArray[np.int64], ...]
    shapes: dict[str, tuple[int, ...]]

    @property
    def structure(self) -> str:
        """What two architectures have to share for the same channels: everything but their widths."""
        ranks = [self.shapes[self.matrices[0]][1], *(places.shape[1] for places in self.places)]
        layers = []
        for matrix, vectors, rank in zip(self.matrices, self.vectors, ranks, strict=True):
            kinds = ",".join(name.rpartition(".")[2] for name in vectors)
            layers.append(f"{rank}x{'x'.join(map(str, self.shapes[matrix][2:]))}({kinds})")
        return " ".join([*layers, str(self.shapes[self.matrices[-1]][0])]).replace(".", "_")


class ChainFeatures(NamedTuple):
    """Networks of one structure, as features of what they consist of.

    Attributes
    ----------
    structure
        Their chain but for its widths, as :attr:`Chain.structure` writes it.
    positions
        ``[n]`` where among the models that were encoded each network stands.
    units
        For each group of hidden units, ``[n, channels, size]``: what belongs to a unit, then the logarithm of the root
        mean square of the weights that enter it, and of those that leave it.
    pairs
        For each group but the first, ``[n, channels, size, size before]``: the weights between it and the one before.
    whole
        ``[n, channels]``: the biases of the outputs, and the logarithms of the sizes of all groups.
    present
        For each group, ``[n, size]``: False where a unit is none, but fills a narrow network up to a wider one.
    """

    structure: str
    positions: npt.NDArray[np.intp]
    units: tuple[Array, ...]
    pairs: tuple[Array, ...]
    whole: Array
    present: tuple[npt.NDArray[np.bool_], ...]

    def __len__(self) -> int:
        """How many networks there are."""
        return len(self.positions)


def chains(models: Models) -> list[ChainFeatures]:
    """Networks without branches as features of their hidden units, and of the weights between them.

    Kernels are multiplied by √fan-in, so that 1 is a unit's gain at any width. Variances enter by their logarithm, all
    else by asinh. What is not a number, or larger than 1e15, counts as 1e15.

    Parameters
    ----------
    models
        The models to encode, of any architectures.

    Returns
    -------
    list of ChainFeatures
        One for each architecture that is a chain, in order of first appearance; models of others are in none. Those
        of equal structure can be joined by :func:`padded`.

    Notes
    -----
    Activation functions are not told apart. :func:`chain_of` says why an architecture is no chain.
    """
    found = []
    for stack in models.by_architecture():
        chain = _stacked_chain(stack)
        if chain is not None:
            found.append(_features(stack, chain))
    return found


def padded(parts: Sequence[ChainFeatures]) -> ChainFeatures:
    """Networks of one structure and any widths together; groups of units are filled up with zeros.

    Raises
    ------
    EncodingError
        If there is nothing to join, or structures differ.
    """
    structures = sorted({part.structure for part in parts})
    if len(structures) != 1:
        raise EncodingError(f"only chains of one structure can be joined, these are of {len(structures)}: {structures}")
    return ChainFeatures(
        structures[0],
        np.concatenate([part.positions for part in parts]),
        tuple(_together(kind) for kind in zip(*(part.units for part in parts), strict=True)),
        tuple(_together(kind) for kind in zip(*(part.pairs for part in parts), strict=True)),
        np.concatenate([part.whole for part in parts]),
        tuple(_together(kind) for kind in zip(*(part.present for part in parts), strict=True)),
    )


def chain_of(architecture: Architecture) -> Chain:
    """An architecture as a chain: every hidden unit leaves one weight tensor and enters one.

    Raises
    ------
    ArchitectureError
        If it is none, as with shortcuts or attention, or its symmetries cannot be derived.
    """
    return _chain_of(architecture.model_dump_json())


@lru_cache(maxsize=1024)
def _chain_of(described: str) -> Chain:
    architecture = Architecture.model_validate_json(described)
    group = symmetries(architecture)
    shapes = template(architecture).stored
    links = [_link(group, number) for number in range(len(group.orbits))]
    matrices = tuple(name for name, shape in shapes.items() if len(shape) > 1)
    if (
        not links
        or [*(first for first, _ in links), links[-1][1]] != list(matrices)
        or any(entered != left for (_, entered), (left, _) in pairwise(links))
    ):
        raise ArchitectureError("its weight tensors are no chain in which each takes what the one before it puts out")
    owners = {
        name: number for number, touched in enumerate(group.touched) for name, _ in touched if name not in matrices
    }
    vectors = [
        [name for name in shapes if name not in matrices and owners.get(name, len(links)) == number]
        for number in range(len(matrices))
    ]
    places = tuple(group.places(number, name, 1)[0] for number, (_, name) in enumerate(links))
    return Chain(matrices, tuple(map(tuple, vectors)), places, shapes)


def _link(group: SymmetryGroup, number: int) -> tuple[str, str]:
    """Names of the weight tensors that an orbit's units leave and enter."""
    orbit, touched = group.orbits[number], group.touched[number]
    if orbit.blocks is not None or len(orbit.units) != 1 or group.held[number]:
        raise ArchitectureError(
            f"units of {orbit.name} move in blocks, as attention heads do; chains alone are covered"
        )
    left = [name for name, axis in touched if len(group.shapes[name]) > 1 and axis == 0]
    entered = [name for name, axis in touched if len(group.shapes[name]) > 1 and axis == 1]
    whole = all(np.isin(group.placements[key].units, orbit.units).all() for key in touched)
    if (len(left), len(entered)) != (1, 1) or not whole:
        raise ArchitectureError(
            f"units of {orbit.name} leave {len(left)} weight tensors and enter {len(entered)}, not one each, as with "
            f"shortcuts or attention; chains alone are covered"
        )
    return left[0], entered[0]


def _stacked_chain(stack: Stack) -> Chain | None:
    """The chain that a stack's networks are; None if they are none, or do not hold the tensors that they should."""
    try:
        chain = chain_of(stack.architecture)
    except ArchitectureError:
        return None
    names = stack.keys()
    return chain if all(name in names and stack.shape(name) == shape for name, shape in chain.shapes.items()) else None


def _features(stack: Stack, chain: Chain) -> ChainFeatures:
    last = len(chain.matrices) - 1
    units: list[list[Array]] = [[] for _ in range(last)]
    pairs: list[Array] = []
    whole: list[Array] = []
    for number, vectors in enumerate(chain.vectors):
        kernel = _kernel(stack, chain, number)
        if number == 0:
            units[0].append(np.arcsinh(kernel[..., 0]))
        elif number < last:
            pairs.append(np.arcsinh(kernel))
        else:
            units[-1].append(np.arcsinh(kernel).reshape(len(stack), -1, kernel.shape[3]))
        if number < last:
            units[number].append(_log_size(kernel, (1, 3)))
        if number > 0:
            units[number - 1].append(_log_size(kernel, (1, 2)))
        for name in vectors:
            if number < last:
                units[number].append(_vector(stack, name)[:, None])
            else:
                whole.append(_vector(stack, name))
    sizes = [kind[0].shape[2] for kind in units]
    whole.append(np.tile(np.log(sizes), (len(stack), 1)))
    return ChainFeatures(
        chain.structure,
        stack.positions,
        tuple(np.concatenate(kind, axis=1) for kind in units),
        tuple(pairs),
        np.concatenate(whole, axis=1),
        tuple(np.ones((len(stack), size), bool) for size in sizes),
    )


def _kernel(stack: Stack, chain: Chain, number: int) -> Array:
    """``[n, channels, out, in]`` times √fan-in; the network's inputs are channels, with one unit going in."""
    values = _finite(stack[chain.matrices[number]])
    values *= np.sqrt(np.prod(values.shape[2:]))
    if number > 0:
        values = values[:, :, chain.places[number - 1]]
    entering = values.shape[2] if number > 0 else 1
    return np.moveaxis(values.reshape(*values.shape[:2], entering, -1), 3, 1)


def _vector(stack: Stack, name: str) -> Array:
    values = _finite(stack[name])
    return np.log(np.maximum(values, 0) + VARIANCE_EPSILON) if name.endswith("running_var") else np.arcsinh(values)


def _finite(values: npt.NDArray[np.float32]) -> Array:
    return np.clip(np.nan_to_num(values.astype(np.float64), nan=LARGEST), -LARGEST, LARGEST)


def _log_size(kernel: Array, axes: tuple[int, int]) -> Array:
    """Logarithm of the root mean square over two axes, as a channel of the units along the one that is left."""
    size: Array = np.log(np.sqrt(np.square(kernel).mean(axis=axes)) + VARIANCE_EPSILON)
    return size[:, None]


def _together(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One after the other, each filled up with zeros to the largest shape."""
    shape = [max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True)]
    result = np.zeros((sum(map(len, arrays)), *shape), arrays[0].dtype)
    first = 0
    for array in arrays:
        result[(slice(first, first + len(array)), *map(slice, array.shape[1:]))] = array
        first += len(array)
    return result
