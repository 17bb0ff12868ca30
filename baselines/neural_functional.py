"""Neural functional: a network whose input is a network's weights and whose layers commute with permuting units.

Zhou et al. 2023, *Permutation Equivariant Neural Functionals* (arXiv 2302.14040), section 3.2; the same layers stand
in Navon et al. 2023, *Equivariant Architectures for Learning in Deep Weight Spaces* (arXiv 2301.12780). Hidden units
may be permuted, inputs and outputs may not (HNP). Such layers are made of means over units, so their parameters do
not depend on how many units there are: all widths of one chain of layers share one network, and a width that was
never seen is predicted by it as well.

A chain of layers is read as a graph. Its vertices are the groups of hidden units that may be permuted, taken from
``wslbench.symmetry``; everything that belongs to one unit is a channel of it: biases and batch norms, the weights
from the fixed inputs in the first layer, and to the fixed outputs in the last. Weights between two hidden groups are
channels of pairs of units, one a kernel position (or pixel, where channels are flattened before a linear layer).

Kernels are multiplied by √fan-in, so that 1 is a unit's gain at any width. Variances enter by their logarithm, all
else by asinh, standardised over the train models. Each unit is also told the logarithms of the root mean squares of
the weights that enter and that leave it; the network as a whole is told the logarithms of its sizes.

Covered are chains: every hidden unit leaves one weight tensor and enters one. Shortcuts and attention are not. An
architecture whose chain differs in more than its widths from all those in ``fit`` has no trained network: it gets the
mean value of the train models, or equal probabilities of their phases. Activation functions are not told apart.

Every setting is fixed. ``search/neural_functional.md`` says which others were tried, inside train folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from neural_training import Objective, Schedule, train
from torch import Tensor, nn

from wslbench import Models
from wslbench.architectures import Architecture
from wslbench.errors import ArchitectureError
from wslbench.symmetry import SymmetryGroup, symmetries
from wslbench.typing import Context
from wslbench.zoo import Stack

Array = npt.NDArray[np.float64]

VARIANCE_EPSILON: Final = 1e-5
LARGEST: Final = 1e15  # of a weight; anything larger, infinite or missing is as good as this
FURTHEST: Final = 6.0  # standard deviations


class Settings(NamedTuple):
    """How large the network is, and how it is trained.

    Attributes
    ----------
    layers
        Equivariant layers.
    units
        Channels of a hidden unit.
    pairs
        Channels of a pair of hidden units.
    head
        Hidden units of the head.
    dropout
        Share of the head's inputs and hidden units that are dropped in training.
    thinning
        Share of the units of the networks that are read which are left out of all means in training, so that no
        prediction hangs on a few of them.
    members
        Networks whose predictions are averaged, each with validation cells of its own.
    schedule
        How each is trained.
    """

    layers: int
    units: int
    pairs: int
    head: int
    dropout: float
    thinning: float
    members: int
    schedule: Schedule


SETTINGS: Final = Settings(
    layers=2,
    units=16,
    pairs=4,
    head=32,
    dropout=0.3,
    thinning=0.6,
    members=4,
    schedule=Schedule(epochs=40, patience=10, batch=32, rate=3e-3, decay=1e-2, averaging=0.98),
)


class Chain(NamedTuple):
    """A network without branches, as its symmetries show it.

    Attributes
    ----------
    matrices
        Names of the weight tensors ``[out, in, ...]``, from the input to the output.
    vectors
        For each of them, the names of the vectors that belong to its outputs.
    places
        For each but the first, ``[units, ranks]`` positions along its axis 1 that hold each unit entering it.
    shapes
        Shape of every tensor named above.
    """

    matrices: tuple[str, ...]
    vectors: tuple[tuple[str, ...], ...]
    places: tuple[npt.NDArray[np.int64], ...]
    shapes: dict[str, tuple[int, ...]]

    @property
    def structure(self) -> str:
        """What two architectures have to share in order to share a network: everything but their widths."""
        ranks = [self.shapes[self.matrices[0]][1], *(places.shape[1] for places in self.places)]
        layers = []
        for matrix, vectors, rank in zip(self.matrices, self.vectors, ranks, strict=True):
            kinds = ",".join(name.rpartition(".")[2] for name in vectors)
            layers.append(f"{rank}x{'x'.join(map(str, self.shapes[matrix][2:]))}({kinds})")
        return " ".join([*layers, str(self.shapes[self.matrices[-1]][0])]).replace(".", "_")


def chain_of(architecture: Architecture) -> Chain:
    """An architecture as a chain.

    Raises
    ------
    ArchitectureError
        If it is none, or its symmetries cannot be derived.
    """
    group = symmetries(architecture)
    with torch.device("meta"):
        state = architecture.module().state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if tensor.is_floating_point()}
    links = [_link(group, number) for number in range(len(group.orbits))]
    matrices = tuple(name for name, shape in shapes.items() if len(shape) > 1)
    if (
        not links
        or [*(first for first, _ in links), links[-1][1]] != list(matrices)
        or any(entered != left for (_, entered), (left, _) in pairwise(links))
    ):
        raise ArchitectureError("its weight tensors are no chain in which each takes what the one before it puts out")
    owners = {
        name: number for number, touched in enumerate(group.touched) for name, _ in touched if name not in matrices
    }
    vectors = [
        [name for name in shapes if name not in matrices and owners.get(name, len(links)) == number]
        for number in range(len(matrices))
    ]
    places = tuple(group.places(number, name, 1)[0] for number, (_, name) in enumerate(links))
    return Chain(matrices, tuple(map(tuple, vectors)), places, shapes)


def _link(group: SymmetryGroup, number: int) -> tuple[str, str]:
    """Names of the weight tensors that an orbit's units leave and enter."""
    orbit, touched = group.orbits[number], group.touched[number]
    if orbit.blocks is not None or len(orbit.units) != 1 or group.held[number]:
        raise ArchitectureError(
            f"units of {orbit.name} move in blocks, as attention heads do; chains alone are covered"
        )
    left = [name for name, axis in touched if len(group.shapes[name]) > 1 and axis == 0]
    entered = [name for name, axis in touched if len(group.shapes[name]) > 1 and axis == 1]
    whole = all(np.isin(group.placements[key].units, orbit.units).all() for key in touched)
    if (len(left), len(entered)) != (1, 1) or not whole:
        raise ArchitectureError(
            f"units of {orbit.name} leave {len(left)} weight tensors and enter {len(entered)}, not one each, as with "
            f"shortcuts or attention; chains alone are covered"
        )
    return left[0], entered[0]


@dataclass
class Graph:
    """Networks of one structure.

    Attributes
    ----------
    units
        ``[n, channels, size]`` features of the units of each hidden group.
    pairs
        ``[n, channels, size, size before]`` features of the weights between neighbouring groups.
    whole
        ``[n, channels]`` features of whole networks.
    shares
        ``[n, size]`` weight of each unit in a mean over its group: 1 / size, and 0 for padding.
    """

    units: list[Tensor]
    pairs: list[Tensor]
    whole: Tensor
    shares: list[Tensor]

    def __len__(self) -> int:
        return len(self.whole)

    @property
    def features(self) -> list[Tensor]:
        """Units, pairs, and the whole."""
        return [*self.units, *self.pairs, self.whole]

    def with_features(self, features: Sequence[Tensor]) -> Graph:
        """The same networks with other features, in the order of ``features``."""
        groups = len(self.units)
        return Graph(list(features[:groups]), list(features[groups:-1]), features[-1], self.shares)

    def at(self, rows: Tensor) -> Graph:
        """The networks at these rows."""
        chosen = self.with_features([values[rows] for values in self.features])
        return replace(chosen, shares=[share[rows] for share in self.shares])

    def to(self, device: str, dtype: torch.dtype) -> Graph:
        """The same networks elsewhere, and in another precision."""
        moved = self.with_features([values.to(device, dtype) for values in self.features])
        return replace(moved, shares=[share.to(device, dtype) for share in self.shares])

    @cached_property
    def means(self) -> list[Tensor]:
        """``[n, channels]`` means of the features over units and pairs."""
        return self.averaged(self.features)

    @property
    def mean_squares(self) -> list[Tensor]:
        """``[n, channels]`` means of their squares."""
        return self.averaged([values.square() for values in self.features])

    def thinned(self, share: float) -> Graph:
        """The same networks with a random share of their units left out of all means."""
        kept = [nn.functional.dropout(each, share) for each in self.shares]
        return replace(self, shares=[each / each.sum(1, keepdim=True).clamp_min(1e-6) for each in kept])

    def averaged(self, features: Sequence[Tensor]) -> list[Tensor]:
        """``[n, channels]`` means over units and pairs, as ``shares`` weighs them."""
        shares = self.shares
        units = [(values * share[:, None]).sum(2) for values, share in zip(features, shares, strict=False)]
        pairs = [
            ((values * before[:, None, None]).sum(3) * share[:, None]).sum(2)
            for values, (before, share) in zip(features[len(shares) : -1], pairwise(shares), strict=True)
        ]
        return [*units, *pairs, features[-1]]


def read(stack: Stack, chain: Chain) -> Graph:
    """Features of a stack of networks, float64, not standardised."""
    last = len(chain.matrices) - 1
    units: list[list[Array]] = [[] for _ in range(last)]
    pairs: list[Array] = []
    whole: list[Array] = []
    for number, vectors in enumerate(chain.vectors):
        kernel = _kernel(stack, chain, number)
        if number == 0:
            units[0].append(np.arcsinh(kernel[..., 0]))
        elif number < last:
            pairs.append(np.arcsinh(kernel))
        else:
            units[-1].append(np.arcsinh(kernel).reshape(len(stack), -1, kernel.shape[3]))
        if number < last:
            units[number].append(_log_size(kernel, (1, 3)))
        if number > 0:
            units[number - 1].append(_log_size(kernel, (1, 2)))
        for name in vectors:
            if number < last:
                units[number].append(_vector(stack, name)[:, None])
            else:
                whole.append(_vector(stack, name))
    sizes = [kind[0].shape[2] for kind in units]
    whole.append(np.tile(np.log(sizes), (len(stack), 1)))
    return Graph(
        [torch.from_numpy(np.concatenate(kind, axis=1)) for kind in units],
        [torch.from_numpy(kind) for kind in pairs],
        torch.from_numpy(np.concatenate(whole, axis=1)),
        [torch.full((len(stack), size), 1 / size, dtype=torch.float64) for size in sizes],
    )


def _kernel(stack: Stack, chain: Chain, number: int) -> Array:
    """``[n, channels, out, in]`` times √fan-in; the network's inputs are channels, with one unit going in."""
    values = _finite(stack[chain.matrices[number]])
    values *= np.sqrt(np.prod(values.shape[2:]))
    if number > 0:
        values = values[:, :, chain.places[number - 1]]
    entering = values.shape[2] if number > 0 else 1
    return np.moveaxis(values.reshape(*values.shape[:2], entering, -1), 3, 1)


def _vector(stack: Stack, name: str) -> Array:
    values = _finite(stack[name])
    return np.log(np.maximum(values, 0) + VARIANCE_EPSILON) if name.endswith("running_var") else np.arcsinh(values)


def _finite(values: npt.NDArray[np.float32]) -> Array:
    return np.clip(np.nan_to_num(values.astype(np.float64), nan=LARGEST), -LARGEST, LARGEST)


def _log_size(kernel: Array, axes: tuple[int, int]) -> Array:
    """Logarithm of the root mean square over two axes, as a channel of the units along the one that is left."""
    size: Array = np.log(np.sqrt(np.square(kernel).mean(axis=axes)) + VARIANCE_EPSILON)
    return size[:, None]


def padded(graphs: Sequence[Graph]) -> Graph:
    """Networks of one structure and any widths as one graph; groups of units are filled up with zeros."""

    def together(tensors: Sequence[Tensor]) -> Tensor:
        shape = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
        result = tensors[0].new_zeros(sum(map(len, tensors)), *shape)
        first = 0
        for tensor in tensors:
            result[(slice(first, first + len(tensor)), *map(slice, tensor.shape[1:]))] = tensor
            first += len(tensor)
        return result

    result = graphs[0].with_features(
        [together(kind) for kind in zip(*(graph.features for graph in graphs), strict=True)]
    )
    return replace(result, shares=[together(kind) for kind in zip(*(graph.shares for graph in graphs), strict=True)])


class Scale:
    """Standardises each channel of graphs of one structure, as it was in the train models."""

    def __init__(self, graph: Graph) -> None:
        self._means = [mean.mean(0) for mean in graph.means]
        centred = [values - _as(mean, values) for values, mean in zip(graph.features, self._means, strict=True)]
        self._deviations = [mean.mean(0).sqrt() + 1e-6 for mean in graph.with_features(centred).mean_squares]

    def __call__(self, graph: Graph) -> Graph:
        """Features of mean 0 and deviation 1, none further out than ``FURTHEST``."""
        return graph.with_features(
            [
                ((values - _as(mean, values)) / _as(deviation, values)).clamp(-FURTHEST, FURTHEST)
                for values, mean, deviation in zip(graph.features, self._means, self._deviations, strict=True)
            ]
        )


def _as(channels: Tensor, values: Tensor) -> Tensor:
    """``[channels]`` along axis 1 of ``values``."""
    return channels.view(-1, *[1] * (values.ndim - 2))


class Channels(nn.Linear):
    """A linear map of axis 1, whatever axes follow; many times faster than a convolution of one pixel."""

    def forward(self, values: Tensor) -> Tensor:
        """``[n, in, ...]`` to ``[n, out, ...]``."""
        mapped = torch.einsum("dc,nc...->nd...", self.weight, values)
        return mapped if self.bias is None else mapped + _as(self.bias, mapped)


class Equivariant(nn.Module):
    """A linear layer that commutes with permutations of hidden units.

    The whole sees the means of everything. A unit sees itself, the means of the weights that enter it and that leave
    it, and what the whole sees; a pair sees itself, and what its two units see.

    Parameters
    ----------
    units, pairs, whole
        Channels that come in: of each group of units, of each pair of groups, of whole networks.
    wide, narrow
        Channels that go out: of units and whole networks, and of pairs.
    """

    def __init__(self, units: Sequence[int], pairs: Sequence[int], whole: int, wide: int, narrow: int) -> None:
        super().__init__()
        everything = sum(units) + sum(pairs) + whole
        seen = [own + a + b + everything for own, a, b in zip(units, [0, *pairs], [*pairs, 0], strict=True)]
        self.whole = Channels(everything, wide)
        self.units = nn.ModuleList(Channels(channels, wide) for channels in seen)
        self.pairs = nn.ModuleList(Channels(channels, narrow, bias=False) for channels in pairs)
        self.entered = nn.ModuleList(Channels(channels, narrow) for channels in seen[1:])
        self.left = nn.ModuleList(Channels(channels, narrow) for channels in seen[:-1])

    def forward(self, graph: Graph) -> Graph:
        """Features of the same networks."""
        everything = torch.cat(graph.means, 1)
        seen = []
        for number, units in enumerate(graph.units):
            parts = [units]
            if number > 0:
                parts.append((graph.pairs[number - 1] * graph.shares[number - 1][:, None, None]).sum(3))
            if number < len(graph.pairs):
                parts.append((graph.pairs[number] * graph.shares[number + 1][:, None, :, None]).sum(2))
            seen.append(torch.cat([*parts, everything[:, :, None].expand(-1, -1, units.shape[2])], 1))
        mixed = [mix(each) for mix, each in zip(self.units, seen, strict=True)]
        for number, pairs in enumerate(graph.pairs):
            entered, left = self.entered[number](seen[number + 1]), self.left[number](seen[number])
            mixed.append(self.pairs[number](pairs) + entered[:, :, :, None] + left[:, :, None])
        return graph.with_features([*mixed, self.whole(everything)])


class Functional(nn.Module):
    """Equivariant layers with ReLUs between them, the means and mean squares of all features, and a head.

    Parameters
    ----------
    like
        A graph of the structure that it is for.
    outputs
        Numbers that come out of it.
    settings
        Its sizes.
    """

    def __init__(self, like: Graph, outputs: int, settings: Settings) -> None:
        super().__init__()
        units, pairs, whole = [u.shape[1] for u in like.units], [p.shape[1] for p in like.pairs], like.whole.shape[1]
        pooled = 2 * (sum(units) + sum(pairs) + whole)
        self.thinning = settings.thinning
        self.layers = nn.ModuleList()
        for _ in range(settings.layers):
            self.layers.append(Equivariant(units, pairs, whole, settings.units, settings.pairs))
            units, pairs, whole = [settings.units] * len(units), [settings.pairs] * len(pairs), settings.units
            pooled += 2 * (sum(units) + sum(pairs) + whole)
        self.head = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(pooled, settings.head),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.head, outputs),
        )

    def forward(self, graph: Graph) -> Tensor:
        """``[n, outputs]``, which no permutation of hidden units changes."""
        if self.training:
            graph = graph.thinned(self.thinning)
        pooled = [*graph.means, *graph.mean_squares]
        for layer in self.layers:
            graph = layer(graph)
            graph = graph.with_features([values.relu() for values in graph.features])
            pooled += [*graph.means, *graph.mean_squares]
        outputs: Tensor = self.head(torch.cat(pooled, 1))
        return outputs


class NeuralFunctional:
    """Layers on weights that commute with permuting units, shared by all widths of a chain; means, and an MLP head.

    Attributes
    ----------
    settings
        What ``fit`` uses.
    parameters
        After ``fit``: how many numbers were fitted.
    """

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings

    def supports(self, architecture: Architecture) -> str | None:
        """Why an architecture is not covered, or None."""
        try:
            chain_of(architecture)
        except ArchitectureError as error:
            return str(error)
        return None

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Train on all models that are chains, each structure's network by the same steps."""
        self._device, self._prior = context.device, prior(target, context)
        found: dict[str, list[tuple[Any, Graph]]] = {}
        for stack in models.by_architecture():
            if (chain := stacked_chain(stack)) is not None:
                found.setdefault(chain.structure, []).append((stack.positions, read(stack, chain)))
        self._scales: dict[str, Scale] = {}
        graphs: dict[str, Graph] = {}
        for structure, parts in found.items():
            graph = padded([graph for _, graph in parts])
            self._scales[structure] = Scale(graph)
            graphs[structure] = self._scales[structure](graph).to(context.device, torch.float32)
        covered = [positions for parts in found.values() for positions, _ in parts]
        self._members: list[nn.ModuleDict] = []
        if covered:
            self._fit_members(graphs, np.concatenate(covered), target, context)
        self.parameters = sum(each.numel() for networks in self._members for each in networks.parameters())

    def _fit_members(self, graphs: dict[str, Graph], covered: Any, target: npt.NDArray[Any], context: Context) -> None:
        """``covered`` are the positions of the models that the graphs hold, in their order."""
        self._objective = objective = Objective(np.asarray(target)[covered], context)
        for seed in range(self.settings.members * context.seed, self.settings.members * (context.seed + 1)):
            told = replace(context, groups=context.groups[covered], seed=seed)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                networks = nn.ModuleDict(
                    {name: Functional(graph, objective.outputs, self.settings) for name, graph in graphs.items()}
                ).to(context.device)
                forward = partial(outputs_at, graphs=graphs, networks=networks, outputs=objective.outputs)
                train(networks, forward, objective, told, self.settings.schedule)
            self._members.append(networks.double())

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``: the mean over members, each in float64 on its own."""
        predictions = np.tile(self._prior, (len(models), *[1] * self._prior.ndim))
        for stack in models.by_architecture():
            chain = stacked_chain(stack)
            if chain is None or chain.structure not in self._scales:
                continue
            graph = self._scales[chain.structure](read(stack, chain)).to(self._device, torch.float64)
            with torch.no_grad():
                outputs = [networks[chain.structure](graph) for networks in self._members]
            predictions[stack.positions] = np.mean([self._objective.predictions(each) for each in outputs], axis=0)
        return predictions


def outputs_at(rows: Tensor, graphs: dict[str, Graph], networks: nn.ModuleDict, outputs: int) -> Tensor:
    """``[len(rows), outputs]`` of the networks at these rows of all graphs, one after the other."""
    result = torch.zeros(len(rows), outputs, device=rows.device)
    start = 0
    for structure, graph in graphs.items():
        within = rows - start
        here = (within >= 0) & (within < len(graph))
        if here.any():
            result[here] = networks[structure](graph.at(within[here]))
        start += len(graph)
    return result


def stacked_chain(stack: Stack) -> Chain | None:
    """The chain that a stack's networks are; None if they are none, or do not hold the tensors that they should."""
    try:
        chain = chain_of(stack.architecture)
    except ArchitectureError:
        return None
    names = stack.keys()
    return chain if all(name in names and stack.shape(name) == shape for name, shape in chain.shapes.items()) else None


def prior(target: npt.NDArray[Any], context: Context) -> Array:
    """What is predicted without a network: equal probabilities of the phases that occur, or the mean value."""
    if not context.classes:
        return np.asarray(np.mean(np.asarray(target, np.float64)))
    occurs = np.isin(np.array(context.classes, dtype=object), np.asarray(target, dtype=object))
    return np.asarray(occurs / occurs.sum())
