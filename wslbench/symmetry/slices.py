"""Slices: what the units of an orbit hold in a stack of tensors, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from wslbench.symmetry.elements import Array, Elements, gathered
from wslbench.symmetry.group import SymmetryGroup
from wslbench.symmetry.ties import Ids


def unit_slices(group: SymmetryGroup, number: int, name: str, axis: int, values: Array) -> Array:
    """``[n, blocks, size, numbers]``: what stands in a tensor at the place of each unit of an orbit.

    Parameters
    ----------
    group, number
        The group, and the position of one of its orbits.
    name, axis
        Along which its units stand.
    values
        ``[n, *shape]``: that tensor of every model.
    """
    lines = np.moveaxis(values, axis + 1, 1)[:, group.places(number, name, axis)]
    return lines.reshape(*lines.shape[:3], -1)


def exchanged(group: SymmetryGroup, number: int, source: Ids, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors, with the units of one orbit (and those that they hold) permuted.

    Parameters
    ----------
    group, number
        The group, and the position of one of its orbits.
    source
        ``[n, units]``: the unit that comes to stand at the place of each unit of the group.
    tensors
        ``[n, *shape]`` arrays by name.
    """
    moved = dict(tensors)
    axes = [key for each in (number, *group.held[number]) for key in group.touched[each]]
    for name, axis in dict.fromkeys(axes):
        moved[name] = gathered(moved[name], axis, group.positions(name, axis, source))
    return moved


def follow_up(elements: Elements, source: Ids) -> None:
    """Permute further, in place."""
    elements.source[:] = np.take_along_axis(elements.source, source, 1)


def copied(group: SymmetryGroup, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors that the group acts on, as float64; a network that is not finite throughout is all zeros."""
    whole = finite(group, tensors)
    copies = {name: np.array(tensors[name], np.float64) for name in group.shapes}
    for values in copies.values():
        values[~whole] = 0
    return copies


def finite(group: SymmetryGroup, tensors: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
    """``[n]``: the networks whose every number is finite."""
    whole = [np.isfinite(tensors[name]).reshape(len(tensors[name]), -1).all(axis=1) for name in group.shapes]
    every: npt.NDArray[np.bool_] = np.all(whole, axis=0)
    return every
