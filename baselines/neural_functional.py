"""Neural functional: a network whose input is a network's weights and whose layers commute with permuting units.

Zhou et al. 2023, *Permutation Equivariant Neural Functionals* (arXiv 2302.14040), section 3.2; the same layers stand
in Navon et al. 2023, *Equivariant Architectures for Learning in Deep Weight Spaces* (arXiv 2301.12780). Hidden units
may be permuted, inputs and outputs may not (HNP). Such layers are made of means over units, so their parameters do
not depend on how many units there are: all widths of one chain of layers share one network, and a width that was
never seen is predicted by it as well.

Networks are read as ``wslbench.encodings.chains``: features of hidden units, of the pairs of them that a weight goes
between, and of the whole, standardised over the train models. Several such networks, the members, are trained in the
same steps, each on cells of its own, and their predictions are averaged.

Covered are chains: every hidden unit leaves one weight tensor and enters one. Shortcuts and attention are not. An
architecture whose chain differs in more than its widths from all those in ``fit`` has no trained network: it gets the
mean value of the train models, or equal probabilities of their phases. Activation functions are not told apart.

Every setting is fixed. ``search/neural_functional.md`` says which others were tried, inside train folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from chain_graphs import Graph, Scale, graph_of
from member_training import train_members
from neural_training import Objective, Schedule
from torch import Tensor, nn

from wslbench import Models
from wslbench.architectures import Architecture
from wslbench.encodings import ChainFeatures, chain_of, chains, padded
from wslbench.errors import ArchitectureError
from wslbench.typing import Context

Array = npt.NDArray[np.float64]

Network = TypeVar("Network", bound=nn.Module)

TOGETHER: Final = 64  # networks that are predicted together


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


class Linear(nn.Module):
    """``nn.Linear`` for members along axis 0 of its parameters and of what it gets; one, until more are joined."""

    def __init__(self, incoming: int, outgoing: int, bias: bool = True) -> None:
        super().__init__()
        drawn = nn.Linear(incoming, outgoing, bias)
        self.weight = nn.Parameter(drawn.weight.detach()[None])
        self.bias = nn.Parameter(drawn.bias.detach()[None, None]) if bias else None

    def forward(self, values: Tensor) -> Tensor:
        """``[members, n, in]`` to ``[members, n, out]``."""
        assert self.bias is not None
        return torch.baddbmm(self.bias, values, self.weight.mT)

    def of_units(self, units: Tensor, whole: Tensor) -> Tensor:
        """``[members, n, in, size]`` to ``[members, n, out, size]``; its last inputs are those of the whole."""
        assert self.bias is not None
        own, common = torch.split(self.weight, [units.shape[2], whole.shape[2]], dim=2)
        return torch.matmul(own[:, None], units) + torch.baddbmm(self.bias, whole, common.mT)[..., None]

    def of_pairs(self, pairs: Tensor) -> Tensor:
        """``[members, n, in, size, size before]`` to ``[members, n, out, size, size before]``."""
        mapped = torch.matmul(self.weight[:, None], pairs.flatten(3))
        return mapped.view(*mapped.shape[:3], *pairs.shape[3:])


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
        # What a unit puts out for itself, for the pairs that enter it and for those that leave it.
        self._parts = [[wide, narrow * (number > 0), narrow * (number < len(pairs))] for number in range(len(units))]
        self.whole = Linear(everything, wide)
        self.units = nn.ModuleList(Linear(own, sum(parts)) for own, parts in zip(seen, self._parts, strict=True))
        self.pairs = nn.ModuleList(Linear(channels, narrow, bias=False) for channels in pairs)

    def forward(self, graph: Graph) -> Graph:
        """Features of the same networks."""
        everything = torch.cat(graph.means, -1)
        nothing: list[Tensor] = []
        entering = [nothing, *([each] for each in graph.entering)]
        leaving = [*([each] for each in graph.leaving), nothing]
        put_out = [
            torch.split(cast(Linear, linear).of_units(torch.cat([units, *enter, *leave], 2), everything), parts, dim=2)
            for linear, units, enter, leave, parts in zip(
                self.units, graph.units, entering, leaving, self._parts, strict=True
            )
        ]
        pairs = [
            cast(Linear, linear).of_pairs(pairs) + entered[..., None] + left[..., None, :]
            for linear, pairs, (_, entered, _), (_, _, left) in zip(
                self.pairs, graph.pairs, put_out[1:], put_out, strict=False
            )
        ]
        return graph.with_features([*(units for units, _, _ in put_out), *pairs, self.whole(everything)])


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
        self.layers = nn.ModuleList()
        for _ in range(settings.layers):
            self.layers.append(Equivariant(units, pairs, whole, settings.units, settings.pairs))
            units, pairs, whole = [settings.units] * len(units), [settings.pairs] * len(pairs), settings.units
            pooled += 2 * (sum(units) + sum(pairs) + whole)
        self.head = nn.Sequential(
            nn.Dropout(settings.dropout),
            Linear(pooled, settings.head),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            Linear(settings.head, outputs),
        )

    def forward(self, graph: Graph) -> Tensor:
        """``[members, n, outputs]`` for networks ``[members, n]``; no permutation of hidden units changes it."""
        pooled = [*graph.means, *graph.mean_squares]
        for layer in self.layers:
            graph = layer(graph)
            graph = graph.with_features([values.relu() for values in graph.features])
            pooled += [*graph.means, *graph.mean_squares]
        outputs: Tensor = self.head(torch.cat(pooled, -1))
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
        found: dict[str, list[ChainFeatures]] = {}
        for part in chains(models):
            found.setdefault(part.structure, []).append(part)
        joined = {structure: padded(parts) for structure, parts in found.items()}
        self._scales = {structure: Scale(graph_of(part)) for structure, part in joined.items()}
        graphs = {
            structure: self._scales[structure](graph_of(part)).to(context.device, torch.float32)
            for structure, part in joined.items()
        }
        self._networks = nn.ModuleDict()
        if graphs:
            covered = np.concatenate([part.positions for part in joined.values()])
            told = replace(context, groups=context.groups[covered])
            self._fit_members(graphs, Objective(np.asarray(target)[covered], context), told)
        self.parameters = sum(each.numel() for each in self._networks.parameters())

    def _fit_members(self, graphs: dict[str, Graph], objective: Objective, context: Context) -> None:
        seeds = [self.settings.members * context.seed + member for member in range(self.settings.members)]
        alone = []
        with torch.random.fork_rng(devices=[]):
            for seed in seeds:
                torch.manual_seed(seed)
                networks = {name: Functional(graph, objective.outputs, self.settings) for name, graph in graphs.items()}
                alone.append(nn.ModuleDict(networks))
            members = joined(alone).to(context.device)
            forward = partial(
                outputs_at, graphs=graphs, networks=members, outputs=objective.outputs, thinning=self.settings.thinning
            )
            train_members(members, forward, objective, context, seeds, self.settings.schedule)
        self._objective, self._networks = objective, members.double()

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``: the mean over members, each in float64 on its own."""
        predictions = np.tile(self._prior, (len(models), *[1] * self._prior.ndim))
        for part in chains(models):
            if part.structure not in self._networks:
                continue
            graph = self._scales[part.structure](graph_of(part)).to(self._device, torch.float64)
            for rows in torch.split(torch.arange(len(part), device=self._device), TOGETHER):
                with torch.no_grad():
                    outputs = self._networks[part.structure](graph.at(rows.expand(self.settings.members, -1)))
                each = [self._objective.predictions(said) for said in outputs]
                predictions[part.positions[rows.cpu().numpy()]] = np.mean(each, axis=0)
        return predictions


def joined(networks: Sequence[Network]) -> Network:
    """Networks of equal shapes as the members of one."""
    for same in zip(*(network.parameters() for network in networks), strict=True):
        same[0].data = torch.cat([parameter.detach() for parameter in same])
    return networks[0]


def outputs_at(
    rows: Tensor, graphs: dict[str, Graph], networks: nn.ModuleDict, outputs: int, thinning: float
) -> Tensor:
    """``[members, count, outputs]`` for ``rows [members, count]`` of all graphs, one after the other."""
    result = next(networks.parameters()).new_zeros(*rows.shape, outputs)
    first = 0
    for structure, graph in graphs.items():
        here = (rows >= first) & (rows < first + len(graph))
        # As many as the member with most of them has; the others are filled up with networks that are left out again.
        count = int(here.sum(1).max())
        if count:
            columns = here.int().argsort(dim=1, descending=True, stable=True)[:, :count]
            within = (rows.gather(1, columns) - first).clamp(0, len(graph) - 1)
            said = networks[structure](graph.thinned(within, thinning) if networks.training else graph.at(within))
            said = said * here.gather(1, columns)[..., None]
            result = result.scatter_add(1, columns[..., None].expand(-1, -1, outputs), said)
        first += len(graph)
    return result


def prior(target: npt.NDArray[Any], context: Context) -> Array:
    """What is predicted without a network: equal probabilities of the phases that occur, or the mean value."""
    if not context.classes:
        return np.asarray(np.mean(np.asarray(target, np.float64)))
    occurs = np.isin(np.array(context.classes, dtype=object), np.asarray(target, dtype=object))
    return np.asarray(occurs / occurs.sum())
