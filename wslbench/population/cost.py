"""What a block costs, in arbitrary but common units: for progress bars, and for running the costliest first."""

from __future__ import annotations

from typing import NamedTuple

import torch

from wslbench.datasets import ConvectionDataset, Dataset
from wslbench.population.blocks import Block
from wslbench.population.objective import recipe_dataset, train_size_of
from wslbench.population.recipe import Recipe
from wslbench.training.activations import activations

_PER_SAMPLE = 350.0


class Cost(NamedTuple):
    """Of training a block, and of fitting the curves that measure it."""

    training: float
    curves: float

    @property
    def total(self) -> float:
        """Both."""
        return self.training + self.curves


def block_cost(recipe: Recipe, block: Block) -> Cost:
    """The cost of a block.

    On a processor a small network's cost follows its activations, plus a constant for every sample.
    """
    samples = train_size_of(recipe)
    each = _PER_SAMPLE + activations(block.architecture, example_inputs(recipe, 1, "meta"))
    cells = len(block.cells)
    runs = cells * recipe.seeds
    epochs = {
        "continued": 2 * recipe.measured_epoch,
        "none": recipe.measured_epoch,
        "longer": 3 * recipe.measured_epoch,
    }
    pairs = len(recipe.pairs) + 2 * recipe.longer_curve_pairs
    if recipe.continued_epoch is not None:
        pairs += min(recipe.seeds, len(recipe.pairs))
    training = each * samples * epochs[recipe.unfinished_check] * runs
    return Cost(training, each * samples * recipe.curve.epochs * pairs * cells)


def example_inputs(recipe: Recipe, count: int, device: str = "cpu") -> torch.Tensor:
    """Inputs ``[count, ...]`` of the shape and type that the recipe's networks take; their values mean nothing."""
    data = recipe_dataset(recipe)
    if isinstance(data, ConvectionDataset):
        return torch.zeros(count, 2, device=device)
    if isinstance(data, Dataset):
        return torch.zeros(count, *data.train_inputs.shape[1:], device=device)
    context = int(str(recipe.architecture.arguments["context"]))
    return torch.zeros(count, context, dtype=torch.int64, device=device)
