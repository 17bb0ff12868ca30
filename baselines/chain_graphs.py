"""Chains of weights as torch sees them: features of units and pairs, their means, and a random part of their units.

No method by itself: what ``neural_functional`` works on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from wslbench.encodings import ChainFeatures

FURTHEST: Final = 6.0  # standard deviations


@dataclass
class Graph:
    """Networks of one structure. Axes may stand before those that are named: members that see networks of their own.

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
        """The networks at these rows, along as many axes as ``rows`` has."""
        chosen = self.with_features([values[rows] for values in self.features])
        return replace(chosen, shares=[share[rows] for share in self.shares])

    def to(self, device: str, dtype: torch.dtype) -> Graph:
        """The same networks elsewhere, and in another precision."""
        # Channels stand together, as they are always gathered.
        moved = self.with_features(
            [values.to(device, dtype).movedim(1, -1).contiguous().movedim(-1, 1) for values in self.features]
        )
        return replace(moved, shares=[share.to(device, dtype) for share in self.shares])

    @cached_property
    def entering(self) -> list[Tensor]:
        """``[n, channels, size]`` means of the pairs over the units before."""
        befores = self.shares[:-1]
        return [(pairs * share[..., None, None, :]).sum(-1) for pairs, share in zip(self.pairs, befores, strict=True)]

    @cached_property
    def leaving(self) -> list[Tensor]:
        """``[n, channels, size before]`` means of the pairs over the units after."""
        afters = self.shares[1:]
        return [(pairs * share[..., None, :, None]).sum(-2) for pairs, share in zip(self.pairs, afters, strict=True)]

    @cached_property
    def means(self) -> list[Tensor]:
        """``[n, channels]`` means of the features over units and pairs, as ``shares`` weighs them."""
        over_units = zip([*self.units, *self.entering], [*self.shares, *self.shares[1:]], strict=True)
        return [*((values * share[..., None, :]).sum(-1) for values, share in over_units), self.whole]

    @property
    def mean_squares(self) -> list[Tensor]:
        """``[n, channels]`` means of their squares."""
        return self.with_features([values.square() for values in self.features]).means

    def thinned(self, rows: Tensor, share: float) -> Graph:
        """The networks at these rows without a random share of their units, as far as there are whole ones."""
        kept, shares = [], []
        for present in (each[rows] > 0 for each in self.shares):
            expected = (1 - share) * present.sum(-1, keepdim=True)
            count = (expected + torch.rand_like(expected)).floor()
            order = torch.rand(present.shape, device=rows.device).masked_fill(~present, 2.0).argsort(-1)
            kept.append(order[..., : max(1, int(count.max()))])
            shares.append((torch.arange(kept[-1].shape[-1], device=rows.device) < count) / count.clamp_min(1))
        units = [_gathered(values, rows, at) for values, at in zip(self.units, kept, strict=True)]
        pairs = [
            _gathered(values, rows, at, before) for values, at, before in zip(self.pairs, kept[1:], kept, strict=False)
        ]
        return Graph(units, pairs, self.whole[rows], shares)


def _gathered(values: Tensor, rows: Tensor, *places: Tensor) -> Tensor:
    """Values ``[n, channels, *sizes]`` at rows ``[...]`` and, for each axis of units, at places ``[..., count]``."""
    entry = rows
    for size, at in zip(values.shape[2:], places, strict=True):
        entry = entry[..., None] * size + at.view(*rows.shape, *[1] * (entry.ndim - rows.ndim), -1)
    found = values.movedim(1, -1).flatten(0, -2).index_select(0, entry.flatten())
    return found.view(*entry.shape, -1).movedim(-1, rows.ndim).contiguous()


def graph_of(part: ChainFeatures) -> Graph:
    """Encoded networks, float64, not standardised."""
    shares = [present / present.sum(axis=1, keepdims=True) for present in part.present]
    tensors = ([torch.from_numpy(values) for values in kind] for kind in (part.units, part.pairs, shares))
    units, pairs, weights = tensors
    return Graph(units, pairs, torch.from_numpy(part.whole), weights)


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
