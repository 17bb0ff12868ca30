"""Neural graphs: units as nodes, weights as edges, after Kofinas et al. (2403.12143) and Lim et al. (2312.04501)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import Batch, Data

from wslbench.encodings.graph_topology import EDGE_KINDS, NODE_FEATURES, Topology, topology
from wslbench.errors import EncodingError
from wslbench.zoo.models import Models, Stack

FloatArray = npt.NDArray[np.float32]

# What a unit without that tensor would have in its place.
_NEUTRAL = {"bias": 0.0, "gain": 1.0, "shift": 0.0, "mean": 0.0, "variance": 1.0}


def graphs(models: Models, *, kernel: int | None = None) -> Batch:
    """Every model as a graph: channels, units and heads are nodes, kernels are features of edges.

    Parameters
    ----------
    models
        The models to encode, of any architectures.
    kernel
        Columns of ``edge_attr``; where None, as many as the largest kernel among these models has entries. A method
        that meets other architectures later fixes it once.

    Returns
    -------
    torch_geometric.data.Batch
        One graph a model, in the order of ``models``, with the attributes

        ``x [nodes, 5]``
            What a unit holds, by column of :data:`NODE_FEATURES`: its bias; gain and shift of the batch or layer norm
            that reads it; that batch norm's running mean and variance. 0 or, for gain and variance, 1 where there is
            none.
        ``edge_index [2, edges]``, ``edge_attr [edges, kernel]``
            Edges in the direction of the network. A kernel's entries come in row-major order, then zeros; a unit that
            is read at several places (pixels of a flattened channel) has the entries of all of them on one edge. A
            shortcut has weight 1; what connects a head to its queries, keys and values has none.
        ``node_kind``, ``edge_kind``
            Indices into :data:`NODE_KINDS` and :data:`EDGE_KINDS`.
        ``node_layer``
            At which step of the network units are computed: 0 for the inputs.
        ``node_position``
            Place of a unit that must not be exchanged (an input, a class, a position); −1 for all others.

    Raises
    ------
    ArchitectureError
        If a network cannot be traced, or has an operation without a rule.
    EncodingError
        If there are no models, a kernel has more entries than ``kernel``, or a tensor has no place in a graph.

    Notes
    -----
    Built with array operations over whole stacks; graphs of one architecture share what does not depend on weights.
    """
    if len(models) == 0:
        raise EncodingError("there are no models to encode as graphs")
    stacks = models.by_architecture()
    layouts = [topology(stack.architecture) for stack in stacks]
    largest = max((layout.kernel for layout in layouts), default=0)
    if kernel is not None and largest > kernel:
        worst = next(stack for stack, layout in zip(stacks, layouts, strict=True) if layout.kernel == largest)
        raise EncodingError(f"architecture {worst.name!r} has kernels of {largest} entries, but `kernel` is {kernel}")
    found: list[Data | None] = [None] * len(models)
    for stack, layout in zip(stacks, layouts, strict=True):
        shared = _shared(layout)
        nodes = torch.from_numpy(_node_features(stack, layout))
        edges = torch.from_numpy(_edge_features(stack, layout, largest if kernel is None else kernel))
        for row, position in enumerate(stack.positions.tolist()):
            found[position] = Data(x=nodes[row], edge_attr=edges[row], **shared)
    return Batch.from_data_list(found)


def _shared(layout: Topology) -> dict[str, Any]:
    """What all graphs of an architecture have in common."""
    names = ("edge_index", "edge_kind", "node_kind", "node_layer", "node_position")
    return {name: torch.from_numpy(getattr(layout, name)) for name in names}


def _node_features(stack: Stack, layout: Topology) -> FloatArray:
    """``[models, nodes, len(NODE_FEATURES)]``."""
    neutral = np.array([_NEUTRAL[name] for name in NODE_FEATURES], np.float32)
    features = np.tile(neutral, (len(stack), len(layout.node_kind), 1))
    for name, feature, nodes in layout.nodes:
        features[:, nodes, feature] = stack[name].reshape(len(stack), -1)
    return features


def _edge_features(stack: Stack, layout: Topology, kernel: int) -> FloatArray:
    """``[models, edges, kernel]``."""
    features = np.zeros((len(stack), len(layout.edge_kind), kernel), np.float32)
    for name, first, entries in layout.edges:
        values = stack[name].reshape(len(stack), -1)[:, entries]
        features[:, first : first + len(entries), : entries.shape[1]] = np.where(entries >= 0, values, 0)
    features[:, layout.edge_kind == EDGE_KINDS.index("residual"), :1] = 1
    return features
