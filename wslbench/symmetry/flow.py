"""Flow: which hidden unit every number of every activation belongs to, followed through a traced network.

Units are integers. A layer with weights makes new ones; whatever merely moves numbers (a reshape, a transpose, a slice)
is carried out on the integers themselves; whatever combines numbers (a sum, a batch norm) ties units together.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node

from wslbench.errors import ArchitectureError
from wslbench.symmetry.ties import Ids, ScaleTies, Ties

# What a tensor of one number a unit does to it: is added, or multiplied, or is a batch norm's statistic.
Role = Literal["bias", "gain", "shift", "mean", "variance"]
ConnectionKind = Literal["residual", "gate", "attention"]


class Value(NamedTuple):
    """Units and scales of an activation's numbers: int64 tensors of its shape, mostly expanded views."""

    units: Tensor
    scales: Tensor


class Axis(NamedTuple):
    """What moves along one axis of a stored tensor.

    Attributes
    ----------
    units
        ``[size]`` units; 0 stays.
    scales
        ``[size]`` scales that the tensor is multiplied by, to the power ``exponent``; 0 is 1.
    exponent
        1 for what a layer puts out, −1 for what it takes in, 2 for a variance.
    """

    units: Ids
    scales: Ids
    exponent: int


class BatchNorm(NamedTuple):
    """A batch norm whose input may be scaled: its gain makes up for what epsilon breaks."""

    gain: str
    variance: str
    scales: Ids
    epsilon: float


class Layer(NamedTuple):
    """A tensor that turns units into units: a linear layer, a convolution, an embedding."""

    weight: str
    in_axis: int
    out_axis: int
    sources: Ids
    targets: Ids


class Connection(NamedTuple):
    """Units that hand their values to others without a weight: by a shortcut, a gate, or attention inside a head."""

    kind: ConnectionKind
    sources: Ids
    targets: Ids


class Flow:
    """The units of a traced network, as far as its steps were followed.

    Parameters
    ----------
    program
        The traced network.
    """

    def __init__(self, program: ExportedProgram) -> None:
        signature = program.graph_signature
        self.tensors: dict[str, str] = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.constants = frozenset(signature.inputs_to_buffers.values())
        self.units = Ties()
        self.scales = ScaleTies()
        self.axes: dict[tuple[str, int], Axis] = {}
        self.norms: dict[str, BatchNorm] = {}
        self.spread: dict[str, Value] = {}  # tensors that are added number by number, such as position embeddings
        self.contained: list[tuple[Ids, Ids]] = []  # units and the head that they stand in
        self.layers: list[Layer] = []
        self.connections: list[Connection] = []
        self.values: dict[Node, Any] = {}
        self.live: set[Node] = set()
        self.nodes = Ties()  # ids of one unit at one point of the network: unlike `units`, not tied across shortcuts
        self.roles: dict[str, Role] = {}
        self.count = 1
        self._starts: list[int] = []

    def fresh(self, size: int) -> Ids:
        """``[size]`` ids that nothing else has, for units and scales alike."""
        self.count += size
        self._starts.append(self.count - size)
        return np.arange(self.count - size, self.count, dtype=np.int64)

    def step_of(self, number: int) -> int:
        """At which step an id was made: ids that were made together have the same."""
        return bisect_right(self._starts, number)

    def part(self, name: str, role: Role) -> str:
        """Note what a tensor does to the units along its one axis; its name."""
        self.roles.setdefault(name, role)
        return name

    def stored(self, node: Any) -> str | None:
        """Name of the stored tensor that a node stands for, None for anything that was computed."""
        return self.tensors.get(node.name) if isinstance(node, Node) and node.op == "placeholder" else None

    def value(self, node: Node) -> Value:
        """Units of an operand. A parameter that is used number by number has a new unit in each of them.

        A buffer that is used so is a constant: it is the same in every network, so nothing may move in it.
        """
        name = self.stored(node)
        if name is None:
            found: Value = self.values[node]
            return found
        if name in self.constants:
            return fixed(shape_of(node))
        if name not in self.spread:
            shape = shape_of(node)
            ids = torch.from_numpy(self.fresh(int(np.prod(shape, dtype=np.int64)))).reshape(shape)
            self.spread[name] = Value(ids, ids)
        return self.spread[name]

    def along(self, name: str, axis: int, units: Ids, scales: Ids, exponent: int = 1) -> Axis:
        """Say what moves along a stored tensor's axis; a second use of it ties both."""
        new = Axis(units, scales, exponent)
        known = self.axes.setdefault((name, axis), new)
        if known is not new:
            self.units.join(known.units, units)
            self.scales.join(known.scales, scales, inverse=known.exponent != exponent)
        return known

    def level(self, value: Value, *axes: int) -> Value:
        """Tie what stands along all other axes: a layer treats it alike. ``[sizes of axes]`` units and scales."""
        units, scales = (_front(ids, axes) for ids in value)
        self.units.join(units[..., :1], units)
        self.nodes.join(units[..., :1], units)
        self.scales.join(scales[..., :1], scales)
        return Value(torch.from_numpy(units[..., 0]), torch.from_numpy(scales[..., 0]))

    def freeze(self, value: Value) -> None:
        """Nothing may move or be scaled here."""
        self.units.freeze(stored_once(value.units))
        self.scales.freeze(stored_once(value.scales))

    def roots(self) -> Ids:
        """``[count]``: the unit that each unit turned out to be the same as."""
        return self.units.roots(self.count)


def shape_of(node: Node) -> tuple[int, ...]:
    """Shape of what a step computes."""
    return tuple(int(size) for size in node.meta["val"].shape)


def fixed(shape: tuple[int, ...]) -> Value:
    """Numbers that belong to no unit."""
    nothing = torch.zeros((), dtype=torch.int64).expand(shape)
    return Value(nothing, nothing)


def along_axis(units: Ids, scales: Ids, shape: tuple[int, ...], axis: int) -> Value:
    """An activation whose units stand along one axis."""
    sizes = [1] * len(shape)
    sizes[axis] = -1
    return Value(*(torch.from_numpy(ids).reshape(sizes).expand(shape) for ids in (units, scales)))


def stored_once(ids: Tensor) -> Ids:
    """Ids without the repetitions of an expanded axis."""
    for axis, stride in enumerate(ids.stride()):
        if stride == 0:
            ids = ids.narrow(axis, 0, min(1, ids.shape[axis]))
    return ids.numpy()


def repeated(ids: Tensor) -> Tensor:
    """The same ids, with every axis along which they do not change as an expanded one."""
    once = ids
    for axis in range(ids.ndim):
        if ids.shape[axis] > 1 and bool((once == once.narrow(axis, 0, 1)).all()):
            once = once.narrow(axis, 0, 1)
    return once.contiguous().expand(ids.shape)


def _front(ids: Tensor, axes: tuple[int, ...]) -> Ids:
    """``[sizes of axes, everything else]``."""
    for axis, stride in enumerate(ids.stride()):
        if stride == 0 and axis not in [each % ids.ndim for each in axes]:
            ids = ids.narrow(axis, 0, 1)
    front = ids.movedim(axes, tuple(range(len(axes))))
    return front.reshape(*front.shape[: len(axes)], -1).numpy()


def traced(module: nn.Module, example: Tensor) -> ExportedProgram:
    """Trace a network with torch's exporter, in eval mode.

    Raises
    ------
    ArchitectureError
        If the network cannot be traced: its course depends on the values of its input, or it fails on the example.
    """
    try:
        with torch.no_grad():
            return torch.export.export(module.eval(), (example,))
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ArchitectureError(
            f"{type(module).__name__} cannot be traced on an input of shape {tuple(example.shape)}: {reason[0]}. A "
            "network's symmetries are derived from its trace, so its steps must not depend on the values of its input"
        ) from error
