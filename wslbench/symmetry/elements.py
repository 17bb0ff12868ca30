"""Elements of a symmetry group, and what they do to stacks of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wslbench.errors import ArchitectureError
from wslbench.symmetry.group import SymmetryGroup
from wslbench.symmetry.ties import Ids

Array = npt.NDArray[Any]
Tensors = dict[str, Array]

_LARGEST = 2.0  # random scales lie between its inverse and it


@dataclass(frozen=True, eq=False)
class Elements:
    """Elements of a symmetry group, one a model: first scale, then permute.

    Attributes
    ----------
    source
        ``[n, units]``: the unit that comes to stand at the place of each unit.
    scales
        ``[n, scales]`` float64, none of them zero.
    """

    source: Ids
    scales: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.source)


def identity(group: SymmetryGroup, count: int = 1) -> Elements:
    """``count`` elements that change nothing."""
    return Elements(np.tile(np.arange(group.units), (count, 1)), np.ones((count, group.scales)))


def random(group: SymmetryGroup, count: int, seed: int, *, permutation: bool = True, scaling: bool = True) -> Elements:
    """Independent random elements.

    Parameters
    ----------
    group
        The group.
    count
        Number of elements.
    seed
        Seed; equal seeds give equal elements.
    permutation
        Whether units are permuted, uniformly.
    scaling
        Whether scales are drawn: magnitudes log-uniform between 1/2 and 2, fair signs, each where it is free.
    """
    generator = np.random.default_rng(seed)
    elements = identity(group, count)
    if permutation:
        for orbit in group.orbits:
            order = np.argsort(generator.random((count, *orbit.units.shape)), axis=-1)
            rows = np.arange(len(orbit.units))[None]
            if orbit.blocks is not None:
                holders = group.orbits[orbit.blocks].units[0]
                rows = elements.source[:, holders] - holders[0]
            elements.source[:, orbit.units] = orbit.units[rows[..., None], order]
    if scaling:
        shape = (count, group.scales)
        magnitudes = np.exp(generator.uniform(-1, 1, shape) * np.log(_LARGEST))
        signs = generator.choice([-1.0, 1.0], shape)
        elements.scales[:] = np.where(group.magnitude_free, magnitudes, 1) * np.where(group.sign_free, signs, 1)
    return elements


def apply(group: SymmetryGroup, elements: Elements, tensors: Mapping[str, Array]) -> Tensors:
    """Transform a stack of models, each by its element. The networks' functions stay what they are.

    Parameters
    ----------
    group
        The symmetry group of the models' architecture.
    elements
        One a model.
    tensors
        ``[n, *shape]`` arrays by name, as in :meth:`wslbench.Models.by_architecture`; those that the group does not
        act on are passed on.

    Returns
    -------
    dict
        New arrays of the same shapes and types.

    Raises
    ------
    ArchitectureError
        If a tensor is missing or has another shape, or there is not one element a model.
    """
    check(group, tensors, len(elements))
    result = dict(tensors)
    for name in group.shapes:
        values = scaled(group, name, tensors, elements.scales)
        for axis in group.axes[name]:
            values = gathered(values, axis, group.positions(name, axis, elements.source))
        result[name] = values
    return result


def check(group: SymmetryGroup, tensors: Mapping[str, Array], count: int | None = None) -> int:
    """Number of models in a stack; ``ArchitectureError`` if it is not one of this group's architecture."""
    for name, shape in group.shapes.items():
        found = np.shape(tensors[name]) if name in tensors else None
        if found is None or found[1:] != shape:
            what = "is missing" if found is None else f"is of shape {found}"
            raise ArchitectureError(
                f"tensor {name!r} {what}: these symmetries act on stacks of the shape (models, "
                f"{', '.join(map(str, shape))})"
            )
        if count is None:
            count = found[0]
        if found[0] != count:
            raise ArchitectureError(f"tensor {name!r} holds {found[0]} models, but {count} are expected")
    return count or 0


def scaled(group: SymmetryGroup, name: str, tensors: Mapping[str, Array], scales: npt.NDArray[np.float64]) -> Array:
    """One tensor of every model, scaled; ``scales`` is ``[n, scales]``."""
    values = np.asarray(tensors[name])
    for axis in group.axes[name]:
        placement = group.placements[name, axis]
        if (placement.scales >= 0).any():
            values = values * _along(_powers(scales, placement.scales, placement.exponents), axis, values)
    for norm in group.norms:
        if norm.gain == name:
            # The input comes in multiplied by s, and is divided by √(s²·variance + ε) instead of √(variance + ε).
            power = _powers(scales, norm.scales, norm.exponents)
            variance = np.asarray(tensors[norm.variance], np.float64)
            made_up = np.sqrt((power**2 * variance + norm.epsilon) / (variance + norm.epsilon)) / power
            values = values * made_up.astype(values.dtype)
    return values


def gathered(values: Array, axis: int, positions: Ids) -> Array:
    """``values[n, …]`` with what stands at ``positions[n, size]`` along an axis (that of one model)."""
    if (positions == np.arange(positions.shape[1])).all():
        return values
    index = positions.reshape(len(positions), *(-1 if each == axis else 1 for each in range(values.ndim - 1)))
    return np.take_along_axis(values, index, axis + 1)


def inverse(group: SymmetryGroup, elements: Elements) -> Elements:
    """The elements that undo these."""
    moved, exponents = _moved_scales(group, elements.source)
    return Elements(np.argsort(elements.source, axis=1), 1 / np.take_along_axis(elements.scales, moved, 1) ** exponents)


def compose(group: SymmetryGroup, first: Elements, second: Elements) -> Elements:
    """The elements that do what ``first`` does and then what ``second`` does."""
    # The second scale is meant for what stands there after the first permutation.
    moved, exponents = _moved_scales(group, np.argsort(first.source, axis=1))
    scales = first.scales * np.take_along_axis(second.scales, moved, 1) ** exponents
    return Elements(np.take_along_axis(first.source, second.source, 1), scales)


def _moved_scales(group: SymmetryGroup, source: Ids) -> tuple[Ids, Ids]:
    """``[n, scales]``: the scale that a permutation brings to the place of each scale, and the power (±1) it has."""
    moved = np.tile(np.arange(group.scales), (len(source), 1))
    exponents = np.ones_like(moved)
    for (name, axis), placement in group.placements.items():
        here = np.flatnonzero(placement.scales >= 0)
        origin = group.positions(name, axis, source)[:, here]
        moved[:, placement.scales[here]] = placement.scales[origin]
        exponents[:, placement.scales[here]] = placement.exponents[origin] // placement.exponents[here]
    return moved, exponents


def _powers(scales: npt.NDArray[np.float64], which: Ids, exponents: Ids) -> npt.NDArray[np.float64]:
    padded = np.concatenate([scales, np.ones((len(scales), 1))], axis=1)  # −1, the last, is no scale
    found: npt.NDArray[np.float64] = padded[:, which] ** exponents
    return found


def _along(factors: npt.NDArray[np.float64], axis: int, values: Array) -> Array:
    shape = [1] * (values.ndim - 1)
    shape[axis] = -1
    return factors.reshape(len(factors), *shape).astype(values.dtype)
