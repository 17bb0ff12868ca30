"""Alignment: the permutation that brings one network's weights as near as can be to another's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from wslbench.errors import ArchitectureError
from wslbench.symmetry.canonical import canonical_scales, canonicalise
from wslbench.symmetry.elements import Array, Elements, apply, check, compose, identity, inverse
from wslbench.symmetry.group import SymmetryGroup
from wslbench.symmetry.slices import copied, exchanged, finite, follow_up, unit_slices
from wslbench.symmetry.ties import Ids

_SWEEPS = 100  # a bound; descent ends by itself, mostly within ten
_GAIN = 1e-9  # of the inner product, relative: less is rounding

Gains = npt.NDArray[np.float64]


def align(
    group: SymmetryGroup,
    tensors: Mapping[str, Array],
    reference: Mapping[str, Array],
    *,
    scaling: bool = False,
    compared: Collection[str] | None = None,
) -> Elements:
    """Weight matching: elements that bring a stack of models near to reference models of the same function class.

    Maximises the inner product of the weights with the reference's over permutations, orbit by orbit, each as a
    linear assignment problem, until no orbit gains (Ainsworth et al. 2023, arXiv 2209.04836, algorithm 1). Attention
    heads are matched with their queries, keys and values inside: an assignment for every pair of heads, then one of
    heads. Descent starts from where the models stand and from the order of their canonical forms, so that a permuted
    copy of the reference is always brought back; for other models what is found is a local optimum. A model that holds
    a number that is not finite, or whose reference does, is left as it is.

    Parameters
    ----------
    group
        Symmetry group of the architecture.
    tensors
        ``[n, *shape]`` arrays by name: the models to move.
    reference
        ``[n, *shape]`` or ``[1, *shape]`` arrays by name: what each is moved towards. It stays where it is.
    scaling
        Whether scales are folded out before matching, and set to the reference's after.
    compared
        Names of the tensors whose inner product counts; None: all. What is left out is moved along.

    Returns
    -------
    Elements
        One a model; :func:`apply` carries them out.

    Raises
    ------
    ArchitectureError
        If the stacks are not of this architecture, or the reference is neither one model nor one a model.
    """
    count = check(group, tensors)
    references = check(group, reference)
    if references not in (1, count):
        raise ArchitectureError(f"there are {references} reference models: give one, or one for each of {count} models")
    counted = frozenset(group.shapes if compared is None else compared)
    both = finite(group, tensors) & finite(group, reference)
    if not scaling:
        return _where(both, _best(group, copied(group, tensors), copied(group, reference), counted), group)
    own, goal = canonical_scales(group, copied(group, tensors)), canonical_scales(group, copied(group, reference))
    scaled = (apply(group, own, copied(group, tensors)), apply(group, goal, copied(group, reference)))
    matched = _best(group, *scaled, counted)
    found = compose(group, compose(group, own, matched), _repeated(inverse(group, goal), count))
    return _where(both, found, group)


def _where(chosen: npt.NDArray[np.bool_], elements: Elements, group: SymmetryGroup) -> Elements:
    """These elements where chosen, else what changes nothing."""
    nothing = identity(group, len(elements))
    return Elements(
        np.where(chosen[:, None], elements.source, nothing.source),
        np.where(chosen[:, None], elements.scales, nothing.scales),
    )


def _best(
    group: SymmetryGroup, tensors: dict[str, Array], reference: dict[str, Array], counted: frozenset[str]
) -> Elements:
    """The better one of two descents: from where the models stand, and from where their canonical forms meet.

    The second start is the answer itself for models that differ from the reference by a permutation alone.
    """
    count = len(next(iter(tensors.values()), []))
    order = canonicalise(group, tensors, scaling=False)
    goal = _repeated(canonicalise(group, reference, scaling=False), count)
    # A product with zeros counts for nothing.
    reference = {name: values if name in counted else np.zeros_like(values) for name, values in reference.items()}
    meeting = compose(group, order, inverse(group, goal))
    here, there = (_descended(group, start, tensors, reference) for start in (identity(group, count), meeting))
    ends = [apply(group, end, tensors) for end in (here, there)]
    nearer = _grown(ends[1], ends[0], reference) > 0
    return Elements(np.where(nearer[:, None], there.source, here.source), here.scales)


def _repeated(elements: Elements, count: int) -> Elements:
    """One element a model, where there may be one for all."""
    rows = np.broadcast_to(np.arange(len(elements)), count)
    return Elements(elements.source[rows], elements.scales[rows])


def _descended(
    group: SymmetryGroup, start: Elements, tensors: dict[str, Array], reference: dict[str, Array]
) -> Elements:
    """Coordinate descent, every model by itself."""
    elements = Elements(start.source.copy(), start.scales)
    tensors = apply(group, start, tensors)
    sizes = sum(np.abs(values).reshape(len(values), -1).sum(1) for values in tensors.values())
    # Units inside heads that move themselves are matched together with the heads.
    movable = [
        number
        for number, orbit in enumerate(group.orbits)
        if orbit.units.size > 1 and (orbit.blocks is None or group.orbits[orbit.blocks].units.size == 1)
    ]
    for _ in range(_SWEEPS):
        gained = np.zeros(len(elements), bool)
        for number in movable:
            source = _assigned(group, number, tensors, reference)
            better = _grown(exchanged(group, number, source, tensors), tensors, reference) > _GAIN * sizes
            source = np.where(better[:, None], source, np.arange(group.units))
            tensors = exchanged(group, number, source, tensors)
            follow_up(elements, source)
            gained |= better
        if not gained.any():
            break
    return elements


def _grown(moved: Mapping[str, Array], tensors: Mapping[str, Array], reference: Mapping[str, Array]) -> Gains:
    """``[n]``: by how much the inner product with the reference grew."""
    grown = np.zeros(len(next(iter(moved.values()), [])))
    for name, values in moved.items():
        if values is not tensors[name]:
            difference = (values - tensors[name]) * reference[name]
            grown = grown + difference.reshape(len(values), -1).sum(1)
    return grown


def _assigned(group: SymmetryGroup, number: int, tensors: Mapping[str, Array], reference: Mapping[str, Array]) -> Ids:
    """``[n, units]``: the best exchange within one orbit, and within what it holds, all else as it stands."""
    count = len(next(iter(tensors.values())))
    source = np.tile(np.arange(group.units), (count, 1))
    held = group.held[number]
    own = _affinities(group, number, tensors, reference, crossed=False)
    inner = [_affinities(group, each, tensors, reference, crossed=True) for each in held]
    for model in range(count):
        for row, units in enumerate(group.orbits[number].units):
            gains = own[model, row, row].copy()
            orders = [_solve_pairs(affinity[model]) for affinity in inner]
            for _, values in orders:
                gains += values
            order = linear_sum_assignment(gains, maximize=True)[1]
            source[model, units] = units[order]
            for each, (chosen, _) in zip(held, orders, strict=True):
                blocks = np.arange(len(order))
                inside = group.orbits[each].units
                source[model, inside] = inside[order[:, None], chosen[blocks, order]]
    return source


def _affinities(
    group: SymmetryGroup,
    number: int,
    tensors: Mapping[str, Array],
    reference: Mapping[str, Array],
    *,
    crossed: bool,
) -> Gains:
    """``[n, blocks, blocks, size, size]``: inner products of what the reference has at a place with each unit's.

    Unless ``crossed``, only a block with itself.
    """
    count, (blocks, size) = len(next(iter(tensors.values()))), group.orbits[number].units.shape
    found = np.zeros((count, blocks, blocks, size, size))
    for name, axis in group.touched[number]:
        goal = unit_slices(group, number, name, axis, reference[name])
        have = unit_slices(group, number, name, axis, tensors[name]).swapaxes(-1, -2)
        if crossed:
            found += goal[:, :, None] @ have[:, None]
        else:
            row = np.arange(blocks)
            found[:, row, row] += goal @ have
    return found


def _solve_pairs(affinity: Gains) -> tuple[Ids, Gains]:
    """For each pair of blocks ``[blocks, blocks, size, size]``: the best order ``[…, size]`` and what it is worth."""
    blocks, _, size, _ = affinity.shape
    orders = np.empty((blocks, blocks, size), np.int64)
    for place in range(blocks):
        for block in range(blocks):
            orders[place, block] = linear_sum_assignment(affinity[place, block], maximize=True)[1]
    return orders, np.take_along_axis(affinity, orders[..., None], -1)[..., 0].sum(-1)
