"""Graph encoder: message passing over neural graphs, in which hidden units have no order.

Units are nodes and weights are edges (:func:`wslbench.encodings.graphs`), so one network reads models of every
architecture and width, and cannot tell a model from one with its hidden units in another order (Kofinas et al. 2024,
*Graph neural networks for learning equivariant representations of neural networks*, arXiv 2403.12143; Lim et al. 2023,
*Graph metanetworks for processing diverse neural architectures*, arXiv 2312.04501). What it consists of:

* weights are multiplied by √fan-in, so that 1 is a unit's gain at any width, squashed by asinh, and described by
  Fourier features besides, sines and cosines of rising frequency (Kofinas et al.), in which small differences show;
* a layer updates every edge from its ends, then every node from its edges, on the side of its inputs and on that of
  its outputs, by mean, maximum and standard deviation, plain and scaled with the logarithm of their number (PNA,
  Corso et al. 2020, arXiv 2004.05718);
* the read-out takes mean, maximum and standard deviation over the nodes of each kind, and over the edges.

Every setting is fixed. ``search/graph_encoder.md`` says which others were tried, inside train folds.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from neural_training import Objective, Schedule, train
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.utils import degree

from wslbench import Models
from wslbench.architectures import Architecture
from wslbench.encodings import graphs, topology
from wslbench.errors import ArchitectureError, EncodingError
from wslbench.typing import Context

AGGREGATIONS: Final = 3  # mean, maximum, standard deviation
SCALERS: Final = 3  # as it is, amplified, attenuated
LEAST_VARIANCE: Final = 1e-5
FREQUENCIES: Final = (1.0, 2.0, 4.0)
KINDS: Final = 4  # of nodes, and of edges
VARIANCE: Final = 4  # the column of x that holds a batch norm's
FEWEST_EPOCHS: Final = 6


class Settings(NamedTuple):
    """How large the network is, and how it is trained.

    Attributes
    ----------
    width, edge_width, layers
        Numbers a node and an edge, and rounds of messages.
    dropout
        Share of the read-out's numbers left out in training.
    edges
        Most edges over all epochs: large graphs are seen in fewer of them.
    schedule
        How the network is trained.
    """

    width: int = 32
    edge_width: int = 16
    layers: int = 2
    dropout: float = 0.2
    edges: int = 40_000_000
    schedule: Schedule = Schedule(epochs=40, patience=15, batch=32, rate=2e-3, decay=0.05, averaging=0.95)


class GraphEncoder:
    """Message passing over neural graphs: edge updates, Fourier features of weights, PNA aggregation.

    Attributes
    ----------
    parameters
        After ``fit``: numbers that were fitted.
    history
        After ``fit``: the validation loss of every epoch, and which epoch was kept.
    """

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - it cannot be changed
        self.settings = settings

    def supports(self, architecture: Architecture) -> str | None:
        """Why an architecture cannot be read: what its units are, and what connects them, has to be known."""
        try:
            topology(architecture)
        except (ArchitectureError, EncodingError) as error:
            return f"{architecture.builder} networks have no neural graph: {error}"
        return None

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Train with early stopping on held-out cells of the train models."""
        torch.manual_seed(context.seed)
        self._device = context.device
        encoded = graphs(models)
        self._kernel = encoded.edge_attr.shape[1]
        each = encoded.to_data_list()
        self._objective = Objective(target, context)
        self._network = Network(encoded, self._objective.outputs, self.settings).to(context.device)
        self.parameters = sum(parameter.numel() for parameter in self._network.parameters())
        edges = max(1, encoded.num_edges)
        epochs = max(FEWEST_EPOCHS, min(self.settings.schedule.epochs, self.settings.edges // edges))
        self.history = train(
            self._network,
            lambda rows: self._network(Batch.from_data_list([each[row] for row in rows.tolist()]).to(context.device)),
            self._objective,
            context,
            self.settings.schedule._replace(epochs=epochs),
        )
        self._network.double()

    def predict(self, models: Models) -> npt.NDArray[np.float64]:
        """Probabilities ``[n, classes]``, or values ``[n]``; in float64, as CUDA adds edges up in no fixed order."""
        encoded = graphs(models)
        encoded.x, encoded.edge_attr = encoded.x.double(), resized(encoded.edge_attr, self._kernel).double()
        each = encoded.to_data_list()
        batch = self.settings.schedule.batch
        outputs = []
        with torch.no_grad():
            for first in range(0, len(each), batch):
                outputs.append(self._network(Batch.from_data_list(each[first : first + batch]).to(self._device)))
        return self._objective.predictions(torch.cat(outputs))


class Network(nn.Module):
    """From a batch of neural graphs to outputs.

    Parameters
    ----------
    example
        The train models' graphs: numbers are standardised, and degrees counted, as they are there.
    outputs
        Numbers to put out a graph.
    settings
        Sizes.
    """

    def __init__(self, example: Batch, outputs: int, settings: Settings) -> None:
        super().__init__()
        typical = float(degree(example.edge_index[1], example.num_nodes).log1p().mean())
        self.nodes, self.edges = Standardised(node_numbers(example)), Standardised(edge_numbers(example))
        described = node_description(example).shape[1]
        width, edge_width, layers, dropout, *_ = settings
        self.node_entry = nn.Linear(self.nodes.columns + described, width)
        self.edge_entry = nn.Linear(self.edges.columns + KINDS, edge_width)
        self.layers = nn.ModuleList(Layer(width, edge_width, typical) for _ in range(layers))
        pooled = AGGREGATIONS * (width * KINDS + edge_width)
        self.read_out = nn.Sequential(
            nn.LayerNorm(pooled),
            nn.Dropout(dropout),
            nn.Linear(pooled, 2 * width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, outputs),
        )

    def forward(self, batch: Batch) -> Tensor:
        """``[graphs, outputs]``."""
        numbers = torch.cat([self.nodes(node_numbers(batch)), node_description(batch)], 1)
        hidden = self.node_entry(numbers)
        kinds = nn.functional.one_hot(batch.edge_kind, KINDS).float()
        edges = self.edge_entry(torch.cat([self.edges(edge_numbers(batch)), kinds], 1))
        for layer in self.layers:
            hidden, edges = layer(hidden, edges, batch.edge_index)
        # One pool a kind of node: a graph's number times the kinds, plus the kind.
        by_kind = summaries(hidden, batch.batch * KINDS + batch.node_kind, batch.num_graphs * KINDS)
        by_edge = summaries(edges, batch.batch[batch.edge_index[1]], batch.num_graphs)
        outputs: Tensor = self.read_out(torch.cat([by_kind.reshape(batch.num_graphs, -1), by_edge], 1))
        return outputs


class Layer(nn.Module):
    """One round of messages: edges from their ends, then nodes from their edges on either side.

    Parameters
    ----------
    width, edge_width
        Numbers a node, and an edge.
    typical
        Mean over nodes of log(1 + how many edges enter), by which aggregates are scaled.
    """

    def __init__(self, width: int, edge_width: int, typical: float) -> None:
        super().__init__()
        self.typical = typical
        self.norm, self.edge_norm = nn.LayerNorm(width), nn.LayerNorm(edge_width)
        # Ends enter by a sum of linear maps: what depends on a node alone is worked out once a node, not once an edge.
        self.source, self.target = nn.Linear(width, edge_width), nn.Linear(width, edge_width)
        self.edge, self.edge_out = nn.Linear(edge_width, edge_width), nn.Linear(edge_width, edge_width)
        gathered = 2 * edge_width * AGGREGATIONS * SCALERS
        self.update = nn.Sequential(nn.Linear(width + gathered, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, hidden: Tensor, edges: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes ``[nodes, width]`` and edges ``[edges, edge_width]`` to the same shapes; ``ends`` is ``[2, edges]``."""
        normed = self.norm(hidden)
        message = self.edge(self.edge_norm(edges))
        message = message + self.source(normed).index_select(0, ends[0])
        message = nn.functional.silu(message + self.target(normed).index_select(0, ends[1]))
        edges = edges + self.edge_out(message)
        sides = [gathered(message, side, len(hidden), self.typical) for side in (ends[1], ends[0])]
        hidden = hidden + self.update(torch.cat([normed, *sides], 1))
        return hidden, edges


def gathered(messages: Tensor, ends: Tensor, nodes: int, typical: float) -> Tensor:
    """PNA: what a node's messages are like, plain, and scaled up and down with how many there are.

    Returns
    -------
    ``[nodes, messages' columns × AGGREGATIONS × SCALERS]``; zeros where no edge ends.
    """
    plain = summaries(messages, ends, nodes)
    factor = degree(ends, nodes, dtype=messages.dtype)[:, None].log1p() / typical
    return torch.cat([plain, plain * factor, plain / factor.clamp_min(math.log(2) / typical)], 1)


def summaries(rows: Tensor, groups: Tensor, count: int) -> Tensor:
    """Mean, maximum and standard deviation of the rows of each group; zeros for a group without any.

    Rows are gathered and added whole: at 16 numbers a row, training is nearly twice as fast as with aggregations that
    give every number an index of its own.

    Returns
    -------
    ``[count, columns × AGGREGATIONS]``.
    """
    empty = rows.new_zeros(count, rows.shape[1])
    sizes = degree(groups, count, dtype=rows.dtype)[:, None].clamp_min(1)
    mean = empty.index_add(0, groups, rows) / sizes
    variance = empty.index_add(0, groups, rows * rows) / sizes - mean * mean
    spread = torch.where(variance > LEAST_VARIANCE, variance.clamp_min(LEAST_VARIANCE).sqrt(), 0)
    highest: Tensor = Maximum.apply(rows, groups, count)  # type: ignore[no-untyped-call]
    return torch.cat([mean, highest, spread], 1)


class Maximum(torch.autograd.Function):
    """The highest row of each group, ``[count, columns]``, and 0 for a group without any."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, groups: Tensor, count: int) -> Tensor:
        """Keep what tells which rows were highest."""
        highest = rows.new_zeros(count, rows.shape[1])
        highest.scatter_reduce_(0, groups[:, None].expand_as(rows), rows, "amax", include_self=False)
        ctx.save_for_backward(rows, highest, groups)
        return highest

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        """To the highest rows, all of them where several are."""
        rows, highest, groups = ctx.saved_tensors
        gradient: Tensor = gradients[0].index_select(0, groups)
        return gradient.masked_fill_(rows != highest.index_select(0, groups), 0), None, None


class Standardised(nn.Module):
    """Squashed numbers in units of their spread among the train models, with Fourier features of them."""

    mean: Tensor
    spread: Tensor
    frequencies: Tensor

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        squashed = torch.asinh(example)
        self.register_buffer("mean", squashed.mean(0))
        self.register_buffer("spread", squashed.std(0).clamp_min(1e-3))
        self.register_buffer("frequencies", torch.tensor(FREQUENCIES))
        self.columns = example.shape[1] * (1 + 2 * len(FREQUENCIES))

    def forward(self, numbers: Tensor) -> Tensor:
        """``[n, columns]``, of ``[n, numbers]``."""
        scaled = ((torch.asinh(numbers) - self.mean) / self.spread).clamp(-10, 10)
        angles = (scaled[..., None] * self.frequencies).flatten(1)
        return torch.cat([scaled, angles.sin(), angles.cos()], 1)


def resized(kernels: Tensor, columns: int) -> Tensor:
    """``[edges, columns]``: of kernels larger than any that was learned from, only the first entries are read."""
    return nn.functional.pad(kernels, (0, columns - kernels.shape[1]))


def node_numbers(batch: Batch) -> Tensor:
    """``[nodes, 5]``: what units hold, a variance as its logarithm."""
    numbers: Tensor = batch.x.clone()
    numbers[:, VARIANCE] = numbers[:, VARIANCE].clamp_min(1e-12).log()
    return numbers


def edge_numbers(batch: Batch) -> Tensor:
    """``[edges, kernel]``: weights times the square root of how many units their target reads."""
    fan_in = degree(batch.edge_index[1], batch.num_nodes)[batch.edge_index[1]]
    scaled: Tensor = batch.edge_attr * fan_in.sqrt()[:, None]
    return scaled


def node_description(batch: Batch) -> Tensor:
    """``[nodes, …]``: a node's kind, where in the network it stands, and which input or class it is."""
    kinds = nn.functional.one_hot(batch.node_kind, KINDS).float()
    depth = batch.node_layer.float()
    place = batch.node_position.float()
    rates = torch.tensor([1.0, 0.3, 0.1, 0.03], device=depth.device) * math.pi / 2
    waves = [
        torch.cat([(numbers[:, None] * rates).sin(), (numbers[:, None] * rates).cos()], 1) for numbers in (depth, place)
    ]
    return torch.cat([kinds, waves[0], waves[1] * (place >= 0)[:, None]], 1)
