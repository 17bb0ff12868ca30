"""SymmetryGroup: the permutations and scalings of stored tensors that leave a network's function alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.symmetry.ties import Ids


class Orbit(NamedTuple):
    """Hidden units that may be exchanged for each other.

    Attributes
    ----------
    name
        The layer that the units leave, ``conv1``; that of attention heads ends in ``heads``.
    units
        ``[blocks, size]`` numbers of units. Those of one row may be exchanged freely. Rows are exchanged as wholes,
        as the units of ``blocks`` are.
    blocks
        Position, among the group's orbits, of the one whose units hold these rows (attention heads hold the units
        of their queries, keys and values); None: rows stay.
    """

    name: str
    units: Ids
    blocks: int | None


class Placement(NamedTuple):
    """What moves along one axis of a stored tensor.

    Attributes
    ----------
    units
        ``[size]`` unit at each position, −1 where nothing moves.
    ranks
        ``[size]``: how many earlier positions hold the same unit (pixels of a flattened channel, for one).
    scales
        ``[size]`` scale that each position is multiplied by, −1 for none.
    exponents
        ``[size]`` its power: 1 for what leaves a layer, −1 for what enters it, 2 for a variance.
    """

    units: Ids
    ranks: Ids
    scales: Ids
    exponents: Ids


class NormScale(NamedTuple):
    """A batch norm whose input may be scaled: what it takes to make up for its epsilon exactly.

    Attributes
    ----------
    gain, variance
        Names of the tensors.
    scales, exponents
        ``[channels]`` scale of the input, −1 for none, and its power.
    epsilon
        What is added to the variance.
    """

    gain: str
    variance: str
    scales: Ids
    exponents: Ids
    epsilon: float


@dataclass(frozen=True, eq=False, repr=False)
class SymmetryGroup:
    """The symmetry group of an architecture.

    Attributes
    ----------
    shapes
        Shape of every stored tensor that the group acts on.
    placements
        What moves along each axis of each tensor, by (tensor, axis); axes along which nothing does are left out.
    orbits
        Units that may be exchanged, in the order in which the network computes them.
    magnitude_free, sign_free
        ``[scales]`` booleans: whether the scale's size, and whether its sign, can be chosen.
    norms
        Batch norms whose input may be scaled.
    """

    shapes: Mapping[str, tuple[int, ...]]
    placements: Mapping[tuple[str, int], Placement]
    orbits: tuple[Orbit, ...]
    magnitude_free: npt.NDArray[np.bool_]
    sign_free: npt.NDArray[np.bool_]
    norms: tuple[NormScale, ...]

    @cached_property
    def units(self) -> int:
        """Number of units that stand in some orbit."""
        return sum(orbit.units.size for orbit in self.orbits)

    @property
    def scales(self) -> int:
        """Number of scales that can be chosen independently."""
        return len(self.magnitude_free)

    @cached_property
    def log_permutations(self) -> float:
        """Natural logarithm of the number of different permutations."""
        return math.fsum(orbit.units.shape[0] * math.lgamma(orbit.units.shape[1] + 1) for orbit in self.orbits)

    @cached_property
    def axes(self) -> dict[str, list[int]]:
        """The axes of each tensor along which something moves or is scaled, in the order of the trace."""
        found: dict[str, list[int]] = {}
        for name, axis in self.placements:
            found.setdefault(name, []).append(axis)
        return found

    @cached_property
    def touched(self) -> list[list[tuple[str, int]]]:
        """For each orbit, the (tensor, axis) pairs along which its units stand."""
        return [
            [key for key, placement in self.placements.items() if np.isin(orbit.units, placement.units).any()]
            for orbit in self.orbits
        ]

    @cached_property
    def held(self) -> list[list[int]]:
        """For each orbit, the positions of those whose units stand in its units."""
        return [
            [number for number, each in enumerate(self.orbits) if each.blocks == holder]
            for holder in range(len(self.orbits))
        ]

    @cached_property
    def _where(self) -> dict[tuple[str, int], Ids]:
        """``[units + 1, largest rank + 1]`` position along each axis; the last row takes what does not move."""
        tables = {}
        for key, placement in self.placements.items():
            table = np.zeros((self.units + 1, int(placement.ranks.max(initial=0)) + 1), np.int64)
            table[placement.units, placement.ranks] = np.arange(len(placement.units))
            tables[key] = table
        return tables

    def places(self, number: int, name: str, axis: int) -> Ids:
        """``[blocks, size, ranks]``: where units of an orbit stand along one of the axes that they touch."""
        units, ranks = self.placements[name, axis][:2]
        members = self.orbits[number].units
        return self._where[name, axis][members, : int(ranks[units == members.flat[0]].max()) + 1]

    def positions(self, name: str, axis: int, source: Ids) -> Ids:
        """``[n, size]``: the position along a tensor's axis whose content comes to stand at each position.

        Parameters
        ----------
        name, axis
            A key of ``placements``.
        source
            ``[n, units]``: unit that comes to stand at the place of each unit.
        """
        units, ranks = self.placements[name, axis][:2]
        stays = np.arange(len(units))
        if not (units >= 0).any():
            return np.tile(stays, (len(source), 1))
        found: Ids = np.where(units >= 0, self._where[name, axis][source[:, units], ranks], stays)
        return found

    def __repr__(self) -> str:
        sizes = ", ".join(f"{orbit.name} {'×'.join(map(str, orbit.units.shape))}" for orbit in self.orbits)
        return f"SymmetryGroup({sizes}; e^{self.log_permutations:.1f} permutations, {self.scales} scales)"
