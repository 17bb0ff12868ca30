"""Tokens: a network's weights as a sequence of equal pieces, after SANE (Schürholt et al. 2024, arXiv 2406.09997).

Every unit of a layer is a row: its weights, then its bias, and what the norm after it holds for it. A row is cut into
tokens of ``size`` numbers, the last of them filled up with zeros; no token holds numbers of two units. So permuting
the units of a layer permutes whole tokens. Nothing is lost: :func:`from_tokens` gives the tensors back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.architectures import Architecture
from wslbench.errors import EncodingError
from wslbench.zoo.models import FloatArray, Models, Stack
from wslbench.zoo.template import template

SIZE: Final = 32
POSITIONS: Final = ("global", "layer", "within")


class Layer(NamedTuple):
    """Tensors that share their units.

    Attributes
    ----------
    tensors
        Their names, in the order of the numbers in a row.
    rows, columns
        How many units there are, and how many numbers each has.
    """

    tensors: tuple[str, ...]
    rows: int
    columns: int

    def tokens(self, size: int) -> int:
        """How many tokens a unit's numbers fill."""
        return -(-self.columns // size)


class TensorScale(NamedTuple):
    """Mean and standard deviation of a tensor's entries."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class TokenScale:
    """How tokens are standardised: tensor by tensor, as they are in the models that it was fitted on.

    Attributes
    ----------
    tensors
        By name; networks that differ in width share their tensors' names.
    """

    tensors: Mapping[str, TensorScale]

    @classmethod
    def fit(cls, models: Models) -> TokenScale:
        """Fit on train models: entries of all of them weigh alike; what is not finite is left out.

        Raises
        ------
        EncodingError
            If there are no models.
        """
        if not len(models):
            raise EncodingError("there are no models to fit a scale of tokens on")
        sums: dict[str, npt.NDArray[np.float64]] = {}
        for stack in models.by_architecture():
            for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
                values = stack[name].astype(np.float64)
                values = values[np.isfinite(values)]
                with np.errstate(over="ignore"):
                    here = np.array([values.size, values.sum(), np.square(values).sum()])
                sums[name] = sums.get(name, np.zeros(3)) + here
        return cls({name: _scale(*total) for name, total in sums.items()})

    def of(self, name: str) -> TensorScale:
        """The scale of one tensor.

        Raises
        ------
        EncodingError
            If none of the models that it was fitted on has the tensor.
        """
        if name not in self.tensors:
            raise EncodingError(f"no model that the scale of tokens was fitted on has a tensor {name!r}")
        return self.tensors[name]


@dataclass(frozen=True)
class TokenBatch:
    """Networks of any architectures as sequences of tokens, the shorter ones filled up with zeros.

    Attributes
    ----------
    values
        ``[n, length, size]`` float32.
    mask
        ``[n, length, size]``: where a weight stands.
    positions
        ``[n, length, 3]``: a token's place in the network, its layer, and its place in the layer
        (:data:`POSITIONS`); −1 where there is no token.
    architectures
        Of each network.
    """

    values: FloatArray
    mask: npt.NDArray[np.bool_]
    positions: npt.NDArray[np.int64]
    architectures: tuple[Architecture, ...]

    def __len__(self) -> int:
        return len(self.values)

    def state_dict(self, row: int, scale: TokenScale | None = None) -> dict[str, FloatArray]:
        """One network's stored tensors; ``scale`` as it was given to :func:`tokens`."""
        stacked = from_tokens(self.values[row : row + 1], self.architectures[row], scale)
        return {name: tensor[0] for name, tensor in stacked.items()}


def tokens(models: Models, *, size: int = SIZE, scale: TokenScale | None = None) -> TokenBatch:
    """Every model as a sequence of tokens.

    Parameters
    ----------
    models
        The models to encode, of any architectures.
    size
        Numbers a token.
    scale
        How entries are standardised; None: as they are stored.

    Returns
    -------
    TokenBatch
        A row a model, in the order of ``models``, as long as the longest of them.

    Raises
    ------
    EncodingError
        If there are no models, ``size`` is not positive, or a tensor has no scale.

    Notes
    -----
    A row depends on its own model alone, but for the padding.
    """
    if size < 1:
        raise EncodingError(f"tokens of {size} numbers hold nothing: `size` is at least 1")
    if not len(models):
        raise EncodingError("there are no models to cut into tokens")
    stacks = models.by_architecture()
    placed = [_positions(layers_of(stack.architecture), size) for stack in stacks]
    length = max(map(len, placed))
    values = np.zeros((len(models), length, size), np.float32)
    mask = np.zeros(values.shape, np.bool_)
    positions = np.full((len(models), length, len(POSITIONS)), -1, np.int64)
    architectures: list[Architecture] = [stacks[0].architecture] * len(models)
    for stack, place in zip(stacks, placed, strict=True):
        layers = layers_of(stack.architecture)
        values[stack.positions, : len(place)] = np.concatenate(
            [_cut(stack, layer, size, scale) for layer in layers], axis=1
        )
        mask[stack.positions, : len(place)] = _filled(layers, size)
        positions[stack.positions, : len(place)] = place
        for position in stack.positions:
            architectures[position] = stack.architecture
    return TokenBatch(values, mask, positions, tuple(architectures))


def from_tokens(
    values: npt.NDArray[np.floating], architecture: Architecture, scale: TokenScale | None = None
) -> dict[str, FloatArray]:
    """The stored tensors of networks of one architecture, ``[n, *shape]`` by name: the inverse of :func:`tokens`.

    Parameters
    ----------
    values
        ``[n, length, size]`` tokens, as they are in a batch; what stands where no weight does is not looked at.
    architecture
        The networks'.
    scale
        As it was given to :func:`tokens`.

    Raises
    ------
    EncodingError
        If there are fewer tokens than the architecture has, or a tensor has no scale.
    """
    values = np.asarray(values)
    if values.ndim != 3:
        raise EncodingError(f"tokens have three axes, [n, length, size]; these have the shape {list(values.shape)}")
    count, length, size = values.shape
    layers = layers_of(architecture)
    wanted = sum(layer.rows * layer.tokens(size) for layer in layers)
    if length < wanted:
        raise EncodingError(f"an architecture of {wanted} tokens of {size} numbers cannot be made of {length}")
    shapes = template(architecture).stored
    found: dict[str, FloatArray] = {}
    first = 0
    for layer in layers:
        last = first + layer.rows * layer.tokens(size)
        rows = values[:, first:last].reshape(count, layer.rows, -1)
        first, column = last, 0
        for name in layer.tensors:
            width = _columns(shapes[name])
            part = rows[:, :, column : column + width].reshape(count, *shapes[name])
            column += width
            if scale is not None:
                mean, deviation = scale.of(name)
                part = part.astype(np.float64) * deviation + mean
            found[name] = part.astype(np.float32)
    return {name: found[name] for name in shapes}


def layers_of(architecture: Architecture) -> tuple[Layer, ...]:
    """The layers of an architecture, in the order of its ``state_dict``.

    Tensors of one module with the same first axis are one layer; a module that holds vectors alone, as norms do,
    belongs to the layer before it if it has as many units.
    """
    return _layers(architecture.model_dump_json())


@lru_cache(maxsize=1024)
def _layers(described: str) -> tuple[Layer, ...]:
    shapes = template(Architecture.model_validate_json(described)).stored
    modules: dict[tuple[str, int], list[str]] = {}
    for name, shape in shapes.items():
        modules.setdefault((name.rpartition(".")[0], shape[0] if shape else 1), []).append(name)
    layers: list[Layer] = []
    for (_, rows), names in modules.items():
        columns = sum(_columns(shapes[name]) for name in names)
        if columns == len(names) and layers and layers[-1].rows == rows:
            before = layers.pop()
            layers.append(Layer((*before.tensors, *names), rows, before.columns + columns))
        else:
            layers.append(Layer(tuple(names), rows, columns))
    return tuple(layers)


def _columns(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:]))


def _scale(count: float, total: float, squares: float) -> TensorScale:
    """Where entries do not differ, or are too large to say, they are left as large as they are."""
    mean = total / count if count else 0.0
    variance = squares / count - mean * mean if count else 0.0
    if not np.isfinite([mean, variance]).all():
        return TensorScale(0.0, 1.0)
    return TensorScale(float(mean), float(np.sqrt(variance)) if variance > 1e-12 * max(1.0, mean * mean) else 1.0)


def _cut(stack: Stack, layer: Layer, size: int, scale: TokenScale | None) -> FloatArray:
    """``[n, tokens, size]`` of one layer."""
    parts = []
    for name in layer.tensors:
        part = stack[name].reshape(len(stack), layer.rows, -1)
        if scale is not None:
            mean, deviation = scale.of(name)
            part = ((part.astype(np.float64) - mean) / deviation).astype(np.float32)
        parts.append(part)
    empty = layer.tokens(size) * size - layer.columns
    parts.append(np.zeros((len(stack), layer.rows, empty), np.float32))
    return np.concatenate(parts, axis=2).reshape(len(stack), -1, size)


def _filled(layers: tuple[Layer, ...], size: int) -> npt.NDArray[np.bool_]:
    """``[tokens, size]``: where a weight stands."""
    parts = []
    for layer in layers:
        row = np.arange(layer.tokens(size) * size) < layer.columns
        parts.append(np.tile(row.reshape(-1, size), (layer.rows, 1)))
    return np.concatenate(parts)


def _positions(layers: tuple[Layer, ...], size: int) -> npt.NDArray[np.int64]:
    """``[tokens, 3]``."""
    counts = [layer.rows * layer.tokens(size) for layer in layers]
    everywhere = np.arange(sum(counts))
    layer = np.repeat(np.arange(len(counts)), counts)
    within = np.concatenate([np.arange(count) for count in counts])
    return np.stack([everywhere, layer, within], axis=1)
