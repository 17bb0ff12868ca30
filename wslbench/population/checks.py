"""What is refused before any training: recipes that cannot run here, and destinations that cannot hold the zoo."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from wslbench.datasets import ConvectionDataset, Dataset
from wslbench.errors import ArchitectureError, RecipeError, ZooError
from wslbench.population.blocks import blocks_of
from wslbench.population.cost import example_inputs
from wslbench.population.objective import recipe_dataset, train_size_of
from wslbench.population.recipe import Recipe

SPARE_BYTES = 50_000_000
"""Left free for tables, logs, and everybody else."""


def check_recipe(recipe: Recipe, destination: Path, jobs: int, device: str = "cpu") -> None:
    """Refuse what would fail later.

    Raises
    ------
    RecipeError
        If an architecture cannot be built or a batch is larger than the train set.
    DatasetError
        If the data set is not there.
    ZooError
        If the device is not there, or the disk is too small.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ZooError(f"device {device!r} is not there: this PyTorch sees no CUDA device; use --device cpu")
    samples = train_size_of(recipe)
    for load in recipe.load.values:
        try:
            tensor_bytes(recipe, load)
        except ArchitectureError as error:
            raise RecipeError(f"recipe {recipe.name!r}, {recipe.load.column} {load:g}: {error}") from error
    check_read_out(recipe)
    for cell in recipe.cells():
        if recipe.optimisation_of(cell).samples > samples:
            raise RecipeError(
                f"recipe {recipe.name!r}, cell {cell.cell_id}: batch_size is larger than the train set ({samples})"
            )
    needed = disk_bytes(recipe, jobs) + SPARE_BYTES
    folder = next(parent for parent in (destination, *destination.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ZooError(
            f"{folder}: {free / 1e9:.1f} GB are free, but growing {recipe.name!r} takes up to {needed / 1e9:.1f} GB: "
            "make room, or choose another destination"
        )


def check_read_out(recipe: Recipe) -> None:
    """Refuse an architecture that does not take the data's inputs, or does not give as many outputs as it needs.

    Raises
    ------
    RecipeError
        With both numbers.
    """
    data = recipe_dataset(recipe)
    if isinstance(data, ConvectionDataset):
        wanted, what = 1, "the solution has 1 component"
    elif isinstance(data, Dataset):
        wanted, what = data.classes, f"{data.name} has {data.classes} classes"
    else:
        wanted, what = data.vocabulary, f"{data.name} has {data.vocabulary} different tokens"
    inputs = example_inputs(recipe, 1, "meta")
    with torch.device("meta"), torch.no_grad():
        network = recipe.architecture_of(recipe.load.values[0]).module().eval()
        try:
            outputs = network(inputs)
        except (RuntimeError, ValueError) as error:
            raise RecipeError(
                f"recipe {recipe.name!r}: the architecture does not take inputs of shape {list(inputs.shape[1:])}, as "
                f"{data.name} has them: {error}"
            ) from error
    if outputs.shape[-1] != wanted:
        raise RecipeError(f"recipe {recipe.name!r}: the architecture has {outputs.shape[-1]} outputs, but {what}")


def tensor_bytes(recipe: Recipe, load: float) -> int:
    """Bytes of one checkpoint of one run."""
    with torch.device("meta"):
        state = recipe.architecture_of(load).module().state_dict()
    return sum(4 * tensor.numel() for tensor in state.values() if tensor.is_floating_point())


def zoo_bytes(recipe: Recipe) -> int:
    """Bytes of all weights of the finished zoo."""
    runs = recipe.seeds * len(recipe.temperature.values)
    return sum(tensor_bytes(recipe, load) * runs * len(recipe.kept_epochs) for load in recipe.load.values)


def disk_bytes(recipe: Recipe, jobs: int) -> int:
    """Bytes that growing the zoo takes at its peak.

    Every trained epoch is staged, the zoo is compacted beside it, and blocks that are being measured wait as files.
    """
    extra = 0 if recipe.continued_epoch is None else 1
    epochs = len(recipe.kept_epochs) + extra
    blocks = sorted(
        (tensor_bytes(recipe, block.cells[0].load) * len(block.cells) * recipe.seeds for block in blocks_of(recipe)),
        reverse=True,
    )
    return sum(blocks) * epochs + zoo_bytes(recipe) + sum(blocks[:jobs]) * epochs
