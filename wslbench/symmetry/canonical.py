"""Canonical form: one network for all that differ by a symmetry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from wslbench.symmetry.elements import Array, Elements, apply, check, compose, identity, scaled
from wslbench.symmetry.group import Placement, SymmetryGroup
from wslbench.symmetry.slices import copied, exchanged, follow_up, unit_slices
from wslbench.symmetry.ties import Ids


def canonicalise(
    group: SymmetryGroup,
    tensors: Mapping[str, Array],
    *,
    permutation: bool = True,
    scaling: bool = True,
) -> Elements:
    """Elements that bring a stack of models to canonical form: equal for models that differ by a symmetry.

    Layer by layer, in the order in which the network computes them: what leaves a unit is scaled to norm 1 with a
    positive sum, as far as its scale is free; then units are sorted by what enters them.

    Parameters
    ----------
    group
        Symmetry group of the architecture.
    tensors
        ``[n, *shape]`` arrays by name.
    permutation, scaling
        What is folded out.

    Returns
    -------
    Elements
        One a model; :func:`apply` carries them out.

    Raises
    ------
    ArchitectureError
        If the stack is not of this architecture.

    Notes
    -----
    Units that nothing enters (all of it zero) keep their scale, and an order among themselves that depends on where
    they stood. Two units that agree up to rounding may change places by rounding.
    """
    check(group, tensors)
    values = copied(group, tensors)
    scales = canonical_scales(group, values) if scaling else identity(group, _count(values))
    if not permutation:
        return scales
    return compose(group, scales, _sorted(group, apply(group, scales, values)))


def canonical_scales(group: SymmetryGroup, tensors: Mapping[str, Array]) -> Elements:
    """The part of :func:`canonicalise` that scales."""
    elements = identity(group, _count(tensors))
    scales = elements.scales
    level = _levels(group)
    for layer in range(int(level.max(initial=-1)) + 1):
        squares, sums = np.zeros_like(scales), np.zeros_like(scales)
        for name, axis in _pivots(group, level, layer):
            placement = group.placements[name, axis]
            here = np.flatnonzero(_leaves(placement) & (level[placement.scales] == layer))
            values = np.moveaxis(scaled(group, name, tensors, scales), axis + 1, 1)[:, here]
            values = values.reshape(*values.shape[:2], -1)
            for found, numbers in ((squares, (values**2).sum(-1)), (sums, values.sum(-1))):
                np.add.at(found.T, placement.scales[here], numbers.T)
        here = level == layer
        norms = np.sqrt(squares)
        sizes = np.where(group.magnitude_free & (norms > 0), 1 / np.where(norms > 0, norms, 1), 1)
        signs = np.where(group.sign_free & (sums < 0), -1, 1)
        scales[:, here] = (sizes * signs)[:, here]
    return elements


def _count(tensors: Mapping[str, Array]) -> int:
    return len(next(iter(tensors.values()), []))


def _leaves(placement: Placement) -> npt.NDArray[np.bool_]:
    leaves: npt.NDArray[np.bool_] = (placement.scales >= 0) & (placement.exponents == 1)
    return leaves


def _levels(group: SymmetryGroup) -> Ids:
    """``[scales]``: in which order scales are settled; those that leave the same tensor first are settled together."""
    level = np.full(group.scales, -1, np.int64)
    number = 0
    for placement in group.placements.values():
        new = np.unique(placement.scales[_leaves(placement)])
        new = new[level[new] < 0]
        if len(new):
            level[new] = number
            number += 1
    return level


def _pivots(group: SymmetryGroup, level: Ids, layer: int) -> list[tuple[str, int]]:
    """Where scales of a layer are read off: tensors in which nothing else is still to be settled, if there are any."""
    candidates = [key for key, each in group.placements.items() if (level[each.scales[_leaves(each)]] == layer).any()]

    def settled(name: str, axis: int) -> bool:
        others = [group.placements[name, other].scales for other in group.axes[name] if other != axis]
        others += [norm.scales for norm in group.norms if norm.gain == name]  # a gain makes up for its input's scale
        return all((level[scales[scales >= 0]] < layer).all() for scales in others)

    return [key for key in candidates if settled(*key)] or candidates[:1]


def _sorted(group: SymmetryGroup, tensors: dict[str, Array]) -> Elements:
    """The part of :func:`canonicalise` that permutes. Heads are sorted after, and by, what they hold."""
    elements = identity(group, _count(tensors))
    done: list[int] = []
    for number, orbit in enumerate(group.orbits):
        if orbit.blocks is None:
            for each in (*group.held[number], number):
                source = _order(group, each, tensors, done)
                tensors = exchanged(group, each, source, tensors)
                follow_up(elements, source)
            done += [number, *group.held[number]]
    return elements


def _order(group: SymmetryGroup, number: int, tensors: Mapping[str, Array], done: list[int]) -> Ids:
    """``[n, units]``: the exchange that sorts the units of an orbit by what they hold where all else has its place."""
    units, held = group.orbits[number].units, group.held[number]
    keys = [_key(group, number, tensors, done)]
    for each in held:
        inside = _key(group, each, tensors, done)
        keys.append(inside.reshape(len(inside), 1, inside.shape[1], -1))
    key = np.concatenate(keys, axis=-1)
    order = np.argsort(key[..., 0], axis=-1, kind="stable")
    firsts = np.take_along_axis(key[..., 0], order, -1)
    for model, row in zip(*np.nonzero((firsts[..., 1:] == firsts[..., :-1]).any(-1)), strict=True):
        order[model, row] = np.lexsort(key[model, row].T[::-1])
    source = np.tile(np.arange(group.units), (len(key), 1))
    source[:, units] = units[np.arange(len(units))[:, None], order]
    for each in held:
        inside = group.orbits[each].units
        source[:, inside] = inside[order[:, 0]]
    return source


def _key(group: SymmetryGroup, number: int, tensors: Mapping[str, Array], done: list[int]) -> Array:
    """``[n, blocks, size, numbers]``: what units are sorted by."""
    settled = np.concatenate([np.zeros(0, np.int64), *(group.orbits[each].units.ravel() for each in done)])
    others: list[Array] = []
    found = [np.zeros((_count(tensors), *group.orbits[number].units.shape, 0))]
    for name, axis in group.touched[number]:
        moving = [group.placements[name, other].units for other in group.axes[name] if other != axis]
        free = all(np.isin(units[units >= 0], settled).all() for units in moving)
        (found if free else others).append(unit_slices(group, number, name, axis, tensors[name]))
    return np.concatenate(found if len(found) > 1 else [*found, *others[:1]], axis=-1)
