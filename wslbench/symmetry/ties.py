"""Ties: which numbers must be the same, collected as pairs and resolved all at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ids = npt.NDArray[np.int64]

# What a scale may be, as bits: its magnitude is free, its sign is free.
MAGNITUDE, SIGN = 1, 2


class Ties:
    """Ids that are tied to each other, directly or along a chain. Id 0 is what nothing may move."""

    def __init__(self) -> None:
        self._pairs: list[Ids] = []
        self._roots: Ids | None = None

    def join(self, first: Ids, second: Ids) -> None:
        """Tie ids pairwise; the arrays are broadcast against each other."""
        pairs = _pairs(first, second)
        pairs = np.unique(pairs[:, pairs[0] != pairs[1]], axis=1)
        if pairs.size:
            self._pairs.append(pairs)
            self._roots = None

    def freeze(self, ids: Ids) -> None:
        """Tie ids to what nothing may move."""
        self.join(np.unique(ids), np.zeros(1, np.int64))

    def roots(self, count: int) -> Ids:
        """``[count]``: the smallest id that each of the ids 0 … count−1 is tied to."""
        if self._roots is None or len(self._roots) != count:
            pairs = np.concatenate([np.zeros((2, 0), np.int64), *self._pairs], axis=1)
            self._pairs = [pairs]
            self._roots = _smallest(_components(pairs, count))
        return self._roots


class ScaleTies:
    """Scales that equal each other or each other's inverse, and what each may be. Scale 0 is 1 for ever."""

    def __init__(self) -> None:
        self._pairs: list[Ids] = []
        self._limits: list[tuple[Ids, int]] = [(np.zeros(1, np.int64), 0)]

    def join(self, first: Ids, second: Ids, *, inverse: bool = False) -> None:
        """Each scale of ``first`` equals that of ``second``, or its inverse; the arrays are broadcast."""
        pairs = np.unique(_pairs(first, second), axis=1)
        if inverse:
            crossed = [2 * pairs[0], 2 * pairs[1] + 1, 2 * pairs[0] + 1, 2 * pairs[1]]
        else:
            crossed = [2 * pairs[0], 2 * pairs[1], 2 * pairs[0] + 1, 2 * pairs[1] + 1]
        self._pairs.append(np.stack([np.concatenate(crossed[::2]), np.concatenate(crossed[1::2])]))

    def limit(self, ids: Ids, freedom: int) -> None:
        """Scales may be no freer than this combination of :data:`MAGNITUDE` and :data:`SIGN`."""
        self._limits.append((np.unique(ids), freedom))

    def freeze(self, ids: Ids) -> None:
        """Scales are 1."""
        self.limit(ids, 0)

    def resolve(self, count: int) -> tuple[Ids, Ids, Ids]:
        """Classes of the scales 0 … count−1.

        Returns
        -------
        tuple
            ``[count]`` class numbers; ``[count]`` exponents, 1 or −1, of the class's scale; ``[classes]`` freedoms.

        Notes
        -----
        A graph with two nodes a scale, s and 1/s: an equality joins s with s, an inversion s with 1/s. A scale in
        whose component both of its nodes lie equals its own inverse, so only its sign is left.
        """
        pairs = np.concatenate([np.zeros((2, 0), np.int64), *self._pairs], axis=1)
        component = _components(pairs, 2 * count)
        upright, inverted = component[0::2], component[1::2]
        numbers, classes = np.unique(np.minimum(upright, inverted), return_inverse=True)
        freedoms = np.full(len(numbers), MAGNITUDE | SIGN, np.int64)
        for ids, freedom in self._limits:
            np.bitwise_and.at(freedoms, classes[ids], freedom)
        np.bitwise_and.at(freedoms, classes[upright == inverted], SIGN)
        return classes.astype(np.int64), np.where(upright <= inverted, 1, -1), freedoms


def _pairs(first: Ids, second: Ids) -> Ids:
    first, second = np.broadcast_arrays(first, second)
    return np.stack([first.ravel(), second.ravel()]).astype(np.int64)


def _components(pairs: Ids, count: int) -> Ids:
    graph = coo_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _smallest(component: Ids) -> Ids:
    smallest = np.full(component.max(initial=0) + 1, len(component), np.int64)
    np.minimum.at(smallest, component, np.arange(len(component)))
    return smallest[component]
