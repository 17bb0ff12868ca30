"""Derivation: from a traced network to its symmetry group, checked on numbers."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from wslbench.architectures import Architecture
from wslbench.errors import ArchitectureError
from wslbench.symmetry.classes import orbits
from wslbench.symmetry.elements import apply, random
from wslbench.symmetry.flow import Axis, BatchNorm, Flow, traced
from wslbench.symmetry.group import NormScale, Orbit, Placement, SymmetryGroup
from wslbench.symmetry.rules import follow
from wslbench.symmetry.ties import MAGNITUDE, SIGN, Ids
from wslbench.zoo.template import build

_TRACING = threading.Lock()  # torch traces in one thread at a time
_TOLERANCE = 1e-8  # in float64, relative to the largest output


@lru_cache(maxsize=256)
def _of(described: str) -> SymmetryGroup:
    architecture = Architecture.model_validate_json(described)
    return derive(build(architecture), architecture.example_input())


def symmetries(architecture: Architecture) -> SymmetryGroup:
    """The symmetry group of an architecture, derived once a process.

    Raises
    ------
    ArchitectureError
        If the network cannot be built or traced, or has an operation that has no rule.
    """
    with _TRACING:
        return _of(architecture.model_dump_json())


def derive(module: nn.Module, example: Tensor, *, verify: bool = True) -> SymmetryGroup:
    """Derive the symmetry group of any network from its trace.

    Parameters
    ----------
    module
        The network. It is traced in eval mode.
    example
        Inputs, with at least two along the first axis, at the largest size that the network will see: a position
        that the example does not reach would seem to have no part in the function.
    verify
        Whether to check on numbers, in float64, that a random element of the group leaves the outputs alone.

    Returns
    -------
    SymmetryGroup
        Permutations of hidden units, and scalings: positive ones through ReLU, signs through tanh, any but zero
        where only linear maps or a batch norm follow. Rotations of attention heads' queries and keys, which exist
        as well, are not part of it. Every element keeps the function; for networks unlike those that wslbench
        builds (mixing over tokens, say) there may be symmetries that the group lacks.

    Raises
    ------
    ArchitectureError
        If the network cannot be traced, has an operation without a rule, or fails the check.
    """
    flow, shapes = followed(module, example)
    group = _group(flow, {name: shapes[name] for name, _ in flow.axes})
    if verify:
        _verify(group, module, example)
    return group


def followed(module: nn.Module, example: Tensor) -> tuple[Flow, dict[str, tuple[int, ...]]]:
    """A network's flow, to its end, and the shapes of its stored tensors. Raises as :func:`derive` does."""
    program = traced(module, example)
    flow = Flow(program)
    follow(flow, program.graph)
    _settle(flow)
    return flow, {name: tuple(tensor.shape) for name, tensor in program.state_dict.items()}


def flow_of(architecture: Architecture) -> Flow:
    """The flow of an architecture's network. Raises as :func:`symmetries` does."""
    with _TRACING:
        return followed(build(architecture), architecture.example_input())[0]


def _settle(flow: Flow) -> None:
    """Freeze what does not fit into a tensor's axes, and units that stand in several heads."""
    while True:
        roots = flow.roots()
        unfit = [name for name in flow.spread if not _one_axis(flow, name, roots)]
        holders = defaultdict(set)
        for units, heads in flow.contained:
            for unit, head in zip(roots[units].ravel().tolist(), heads.ravel().tolist(), strict=True):
                holders[unit].add(int(roots[head]) or head)
        torn = [unit for unit, heads in holders.items() if unit and len(heads) > 1]
        if not unfit and not torn:
            break
        for name in unfit:
            flow.freeze(flow.spread.pop(name))
            for (tensor, _), axis in flow.axes.items():
                if tensor == name:
                    flow.units.freeze(axis.units)
                    flow.scales.freeze(axis.scales)
        flow.units.freeze(np.array(torn, np.int64))
    for name in flow.spread:
        _add_axis(flow, name, roots)


def _varying(ids: Ids) -> list[int]:
    return [axis for axis in range(ids.ndim) if (ids != ids.take([0], axis)).any()]


def _one_axis(flow: Flow, name: str, roots: Ids) -> bool:
    used_otherwise = any(tensor == name for tensor, _ in flow.axes)
    return not used_otherwise and len(_varying(roots[flow.spread[name].units.numpy()])) <= 1


def _add_axis(flow: Flow, name: str, roots: Ids) -> None:
    """Write down what moves in a tensor that is added number by number."""
    value = flow.spread[name]
    units = roots[value.units.numpy()]
    axes = _varying(units) or [axis for axis, size in enumerate(units.shape) if size == 1][-1:]
    axis = axes[0] if axes else units.ndim - 1
    lines = [np.moveaxis(ids, axis, 0).reshape(units.shape[axis], -1) for ids in (units, value.scales.numpy())]
    flow.scales.join(lines[1][:, :1], lines[1])  # one scale a position: it multiplies a whole slice
    flow.along(name, axis, lines[0][:, 0], lines[1][:, 0])


def _group(flow: Flow, shapes: dict[str, tuple[int, ...]]) -> SymmetryGroup:
    roots = flow.roots()
    found = orbits(flow)
    numbers = np.full(flow.count, -1, np.int64)
    places = np.concatenate([np.zeros(0, np.int64), *(orbit.units.ravel() for orbit in found)])
    numbers[places] = np.arange(len(places))
    classes, exponents, freedoms = flow.scales.resolve(flow.count)
    used = np.unique(np.concatenate([np.zeros(0, np.int64), *(classes[axis.scales] for axis in flow.axes.values())]))
    used = used[freedoms[used] > 0]
    dense = np.full(len(freedoms), -1, np.int64)
    dense[used] = np.arange(len(used))

    def scale(ids: Ids) -> tuple[Ids, Ids]:
        return dense[classes[ids]], np.where(dense[classes[ids]] >= 0, exponents[ids], 0)

    placements = {}
    for key, axis in flow.axes.items():
        placement = _placement(axis, numbers[roots[axis.units]], *scale(axis.scales))
        if (placement.units >= 0).any() or (placement.scales >= 0).any():
            placements[key] = placement
    norms = (_norm(norm, *scale(norm.scales)) for norm in flow.norms.values())
    return SymmetryGroup(
        shapes={name: shape for name, shape in shapes.items() if any(name == tensor for tensor, _ in placements)},
        placements=placements,
        orbits=tuple(Orbit(orbit.name, numbers[orbit.units], orbit.blocks) for orbit in found),
        magnitude_free=freedoms[used] & MAGNITUDE > 0,
        sign_free=freedoms[used] & SIGN > 0,
        norms=tuple(norm for norm in norms if (norm.scales >= 0).any()),
    )


def _placement(axis: Axis, units: Ids, scales: Ids, exponents: Ids) -> Placement:
    order = np.argsort(units, kind="stable")
    _, starts, counts = np.unique(units[order], return_index=True, return_counts=True)
    ranks = np.empty_like(units)
    ranks[order] = np.arange(len(units)) - np.repeat(starts, counts)
    ranks[units < 0] = 0
    return Placement(units, ranks, scales, axis.exponent * exponents)


def _norm(norm: BatchNorm, scales: Ids, exponents: Ids) -> NormScale:
    return NormScale(norm.gain, norm.variance, scales, exponents, norm.epsilon)


def _verify(group: SymmetryGroup, module: nn.Module, example: Tensor) -> None:
    """Compare outputs of shaken weights before and after a random element."""
    network = copy.deepcopy(module).double().eval()
    example = example.double() if example.is_floating_point() else example
    generator = torch.Generator().manual_seed(0)
    variances = {norm.variance for norm in group.norms}
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name in group.shapes:
                noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                shaken = tensor * torch.exp(0.3 * noise) if name in variances else tensor + 0.1 * noise
                tensor.copy_(shaken)
        before = network(example)
        state = {
            name: tensor.numpy()[None].copy() for name, tensor in network.state_dict().items() if name in group.shapes
        }
        moved = apply(group, random(group, 1, seed=0), state)
        for name, tensor in network.state_dict().items():
            if name in moved:
                tensor.copy_(torch.from_numpy(moved[name][0]))
        after = network(example)
    off = float((after - before).abs().max() / before.abs().max().clamp_min(torch.finfo(torch.float64).tiny))
    if not off <= _TOLERANCE:
        raise ArchitectureError(
            f"the symmetries derived for {type(module).__name__} do not hold: a random one changes its outputs by "
            f"{off:.1e} of the largest. The network does something whose rule is wrong; please report it"
        )
