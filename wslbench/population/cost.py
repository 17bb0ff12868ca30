"""What a block costs, in arbitrary but common units: for progress bars, and for running the costliest first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch

from wslbench.architectures import Architecture
from wslbench.datasets import ConvectionDataset, Dataset
from wslbench.population.blocks import Block
from wslbench.population.objective import recipe_dataset, train_size_of
from wslbench.population.recipe import Recipe

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


def activations(architecture: Architecture, inputs: torch.Tensor) -> float:
    """Numbers that the leaves of the network put out for ``inputs``, which are on the meta device."""
    return _activations(architecture.model_dump_json(), tuple(inputs.shape), inputs.dtype)


@lru_cache(maxsize=256)
def _activations(architecture_json: str, shape: tuple[int, ...], dtype: torch.dtype) -> float:
    with torch.device("meta"):
        network = Architecture.model_validate_json(architecture_json).module().eval()
        inputs = torch.zeros(shape, dtype=dtype)
    total = 0.0

    def count(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel()

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(inputs)
    return total
