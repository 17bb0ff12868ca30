"""Topology: the neural graph of an architecture without its weights, and where each weight goes in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from wslbench.architectures import Architecture
from wslbench.errors import EncodingError
from wslbench.symmetry.derivation import flow_of
from wslbench.symmetry.flow import Flow
from wslbench.symmetry.ties import Ids
from wslbench.zoo.template import template

NODE_KINDS: Final = ("input", "hidden", "output", "head")
EDGE_KINDS: Final = ("weight", "residual", "gate", "attention")
NODE_FEATURES: Final = ("bias", "gain", "shift", "mean", "variance")


class EdgeWeights(NamedTuple):
    """Edges that carry a tensor.

    Attributes
    ----------
    tensor
        Its name.
    first
        Number of the first of these edges.
    entries
        ``[edges, kernel]``: which entries of the flattened tensor each edge carries, −1 for none.
    """

    tensor: str
    first: int
    entries: Ids


class NodeWeights(NamedTuple):
    """Nodes that carry a tensor of one number a unit.

    Attributes
    ----------
    tensor
        Its name.
    feature
        Column among :data:`NODE_FEATURES`.
    nodes
        ``[size]``: the node of each entry.
    """

    tensor: str
    feature: int
    nodes: Ids


@dataclass(frozen=True, eq=False)
class Topology:
    """The neural graph of an architecture.

    Attributes
    ----------
    node_kind
        ``[nodes]`` index into :data:`NODE_KINDS`.
    node_layer
        ``[nodes]``: at which step of the network units are computed; inputs stand right before their first layer.
    node_position
        ``[nodes]``: place of a unit that must not move (an input, a class, a position), −1 for the others.
    edge_index
        ``[2, edges]``: from, to.
    edge_kind
        ``[edges]`` index into :data:`EDGE_KINDS`.
    kernel
        Most entries that an edge carries.
    """

    node_kind: Ids
    node_layer: Ids
    node_position: Ids
    edge_index: Ids
    edge_kind: Ids
    edges: tuple[EdgeWeights, ...]
    nodes: tuple[NodeWeights, ...]

    @property
    def kernel(self) -> int:
        return max((each.entries.shape[1] for each in self.edges), default=0)


def topology(architecture: Architecture) -> Topology:
    """The topology of an architecture, made once a process.

    Raises
    ------
    ArchitectureError
        If the network cannot be built or traced, or has an operation that has no rule.
    EncodingError
        If a stored tensor has no place in the graph.
    """
    return _topology(architecture.model_dump_json())


@lru_cache(maxsize=256)
def _topology(described: str) -> Topology:
    architecture = Architecture.model_validate_json(described)
    return _Builder(flow_of(architecture), template(architecture).stored).build()


class _Builder:
    """Collects nodes and edges; a node is at first an id of the flow, or, if negative, an input's own."""

    def __init__(self, flow: Flow, shapes: dict[str, tuple[int, ...]]) -> None:
        self._flow = flow
        self._shapes = shapes
        self._node_of = flow.nodes.roots(flow.count)
        self._orders: dict[int, float] = {}  # node -> when it is computed
        self._kinds: dict[int, str] = {}
        self._positions: dict[int, int] = {}
        self._inputs = 0
        self._ends: list[Ids] = []
        self._edge_kinds: list[Ids] = []
        self._edges: list[EdgeWeights] = []

    def build(self) -> Topology:
        for layer in self._flow.layers:
            self._layer(layer.weight, layer.in_axis, layer.out_axis, layer.sources, layer.targets)
        for name in self._flow.spread:
            self._spread(name)
        for connection in self._flow.connections:
            kind = connection.kind
            targets = self._known(connection.targets, "head" if kind == "attention" else "hidden")
            sources = self._known(connection.sources, "head" if kind == "attention" else "hidden")
            sources, targets = np.unique(np.stack([sources, targets]), axis=1)
            self._connect(sources, targets, kind)
        nodes = np.array(sorted(self._orders, key=lambda node: (self._orders[node], -node if node < 0 else node)))
        number = {node: place for place, node in enumerate(nodes.tolist())}
        vectors = self._vectors(number)
        self._check_complete(vectors)
        ends = np.concatenate([np.zeros((2, 0), np.int64), *self._ends], axis=1)
        orders = np.array([self._orders[node] for node in nodes.tolist()])
        return Topology(
            node_kind=np.array([NODE_KINDS.index(self._kinds[node]) for node in nodes.tolist()]),
            node_layer=np.unique(orders, return_inverse=True)[1],
            node_position=np.array([self._positions.get(node, -1) for node in nodes.tolist()]),
            edge_index=np.array([number[node] for node in ends.ravel().tolist()], np.int64).reshape(2, -1),
            edge_kind=np.concatenate([np.zeros(0, np.int64), *self._edge_kinds]),
            edges=tuple(self._edges),
            nodes=tuple(vectors),
        )

    def _layer(self, name: str, in_axis: int, out_axis: int, sources: Ids, targets: Ids) -> None:
        """Edges from every unit that comes in to every one that goes out, each with its kernel."""
        targets = self._known(targets)
        first = min(self._orders[node] for node in targets.tolist())
        sources = np.where(sources > 0, self._node_of[sources], 0)
        if not sources.all():
            sources = np.where(sources > 0, sources, self._new_inputs(len(sources), first))
        entries = np.arange(math.prod(self._shapes[name])).reshape(self._shapes[name])
        entries = np.moveaxis(entries, (in_axis, out_axis), (0, 1))
        entries = entries.reshape(*entries.shape[:2], -1)  # [in, out, pixels of a kernel]
        units, places = np.unique(sources, return_inverse=True)
        order = np.argsort(places, kind="stable")
        counts = np.bincount(places)
        ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        gathered = np.full((len(units), counts.max(), *entries.shape[1:]), -1)
        gathered[places[order], ranks] = entries[order]
        kernels = np.moveaxis(gathered, 1, 2)  # [units, out, places of a unit, pixels]
        self._carry(name, kernels.reshape(len(units) * len(targets), -1))
        self._connect(np.repeat(units, len(targets)), np.tile(targets, len(units)), "weight")

    def _spread(self, name: str) -> None:
        """Embeddings of positions, or a token of its own: inputs, whose numbers for units are weights of edges."""
        axis = next(axis for tensor, axis in self._flow.axes if tensor == name)
        ids = np.moveaxis(self._flow.spread[name].units.numpy(), axis, 0)
        ids = ids.reshape(len(ids), -1)
        if ids.shape[1] == 1 and name in self._flow.roles:
            return  # one number a unit, added or multiplied: a node's feature
        targets = self._known(ids[:, 0])
        sources = self._new_inputs(ids.shape[1], min(self._orders[node] for node in targets.tolist()))
        entries = np.arange(math.prod(self._shapes[name])).reshape(self._shapes[name])
        entries = np.moveaxis(entries, axis, 0).reshape(len(ids), -1).T
        self._carry(name, entries.reshape(-1, 1))
        self._connect(np.repeat(sources, len(targets)), np.tile(targets, len(sources)), "weight")

    def _carry(self, name: str, entries: Ids) -> None:
        self._edges.append(EdgeWeights(name, sum(len(kinds) for kinds in self._edge_kinds), entries))

    def _connect(self, sources: Ids, targets: Ids, kind: str) -> None:
        self._ends.append(np.stack([sources, targets]))
        self._edge_kinds.append(np.full(len(sources), EDGE_KINDS.index(kind)))

    def _known(self, ids: Ids, kind: str = "hidden") -> Ids:
        """The nodes of some ids; new ones are noted."""
        nodes: Ids = self._node_of[ids]
        fixed = self._flow.roots()[nodes] == 0
        for place, (node, is_fixed) in enumerate(zip(nodes.tolist(), fixed.tolist(), strict=True)):
            if node not in self._orders:
                self._orders[node] = float(self._flow.step_of(node))
                self._kinds[node] = "output" if is_fixed and kind == "hidden" else kind
                if is_fixed:
                    self._positions[node] = place
        return nodes

    def _new_inputs(self, count: int, before: float) -> Ids:
        nodes = -1 - self._inputs - np.arange(count)
        self._inputs += count
        for place, node in enumerate(nodes.tolist()):
            self._orders[node], self._kinds[node], self._positions[node] = before - 0.5, "input", place
        return nodes

    def _vectors(self, number: dict[int, int]) -> list[NodeWeights]:
        found: list[NodeWeights] = []
        taken: dict[tuple[int, int], str] = {}
        carried = {each.tensor for each in self._edges}
        for name, role in self._flow.roles.items():
            if name in carried or math.prod(self._shapes[name]) != max(self._shapes[name]):
                continue
            axis = next((axis for tensor, axis in self._flow.axes if tensor == name), 0)
            spread = self._flow.spread.get(name)
            ids = self._flow.axes[name, axis].units if spread is None else spread.units.numpy().ravel()
            nodes = self._node_of[ids].tolist()
            if not all(node in number for node in nodes):
                continue
            feature = NODE_FEATURES.index(role)
            places = np.array([number[node] for node in nodes])
            for place in places.tolist():
                other = taken.setdefault((place, feature), name)
                if other != name:
                    raise EncodingError(
                        f"tensors {other!r} and {name!r} are both the {role} of one unit: no neural graph"
                    )
            found.append(NodeWeights(name, feature, places))
        return found

    def _check_complete(self, vectors: list[NodeWeights]) -> None:
        placed = {each.tensor for each in self._edges} | {each.tensor for each in vectors}
        lost = [name for name in self._shapes if name not in placed]
        if lost:
            raise EncodingError(
                f"tensors {', '.join(lost)} have no place in a neural graph: they neither connect units nor give each "
                "unit a number"
            )
