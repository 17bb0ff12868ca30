"""Blocks: the cells of a zoo that are trained and measured together, the unit of work of a build.

Learning rate, weight decay, convection coefficient and seed do not change shapes: all runs of one architecture and
batch size are one stack. Blocks are cut so that several workers have something to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wslbench.architectures import Architecture
from wslbench.population.recipe import Cell, Recipe

RUNS_PER_BLOCK = 70
"""Runs that a block has at most, where its cells allow: more of them in one stack are hardly faster."""


class Run(NamedTuple):
    """One training run of a block."""

    cell: Cell
    seed: int


class Block(NamedTuple):
    """Cells of one architecture and batch size.

    Attributes
    ----------
    key
        A name that can be a file's.
    architecture
        Of all of them.
    cells
        In the grid's order: the order of the stack, seeds within cells.
    """

    key: str
    architecture: Architecture
    architecture_name: str
    batch_size: int
    cells: tuple[Cell, ...]

    def runs(self, recipe: Recipe) -> list[Run]:
        """A run a network of the stack."""
        return [Run(cell, seed) for cell in self.cells for seed in range(recipe.seeds)]


def blocks_of(recipe: Recipe) -> Iterator[Block]:
    """The blocks of a zoo, by load, then batch size."""
    together: dict[tuple[str, int], list[Cell]] = {}
    for cell in recipe.cells():
        key = recipe.architecture_name(cell.load), recipe.optimisation_of(cell).samples
        together.setdefault(key, []).append(cell)
    cells_each = max(1, RUNS_PER_BLOCK // recipe.seeds)
    for (name, batch_size), cells in together.items():
        for number, first in enumerate(range(0, len(cells), cells_each)):
            some = tuple(cells[first : first + cells_each])
            architecture = recipe.architecture_of(some[0].load)
            yield Block(f"{name}_batch-{batch_size}_{number}", architecture, name, batch_size, some)
