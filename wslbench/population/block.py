"""Training one block of a zoo: all its runs as one stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wslbench.population.blocks import Block
from wslbench.population.recipe import Recipe
from wslbench.training import (
    ModelStack,
    Objective,
    Optimisation,
    PassSize,
    RunSettings,
    TrainingResult,
    seed_from,
    train_stack,
)
from wslbench.training.batch_norm import REESTIMATION_BATCH, reestimate_from_batches
from wslbench.training.loop import Progress


class TrainedBlock(NamedTuple):
    """Networks of a block by epoch, statistics re-estimated, and the loss that the optimiser saw."""

    checkpoints: dict[int, ModelStack]
    running_loss: NDArray[np.float64]


def train_block(
    recipe: Recipe,
    block: Block,
    objective: Objective,
    pass_size: PassSize | None = None,
    progress: Progress | None = None,
    device: torch.device | None = None,
) -> TrainedBlock:
    """Train all runs of a block, for as long as the recipe's check of unfinished cells wants, and keep the epochs."""
    runs = recipe.optimisation.model_copy(update={"batch_size": block.batch_size})
    later = 2 * recipe.measured_epoch
    if recipe.unfinished_check == "continued":
        longer = runs.model_copy(update={"epochs": later})
        return _train(recipe, block, objective, longer, [*recipe.kept_epochs, later], "", pass_size, progress, device)
    if recipe.unfinished_check == "none":
        return _train(recipe, block, objective, runs, recipe.kept_epochs, "", pass_size, progress, device)
    thirds = [None if progress is None else _share(progress, part / 3) for part in (1, 2)]
    trained = _train(recipe, block, objective, runs, recipe.kept_epochs, "", pass_size, thirds[0], device)
    twice = runs.model_copy(
        update={"epochs": 2 * runs.epochs, "step_epochs": [2 * epoch for epoch in runs.step_epochs]}
    )
    anew = _train(recipe, block, objective, twice, [later], "longer-", pass_size, thirds[1], device)
    return TrainedBlock(trained.checkpoints | {later: anew.checkpoints[later]}, trained.running_loss)


def initial_stack(recipe: Recipe, block: Block, prefix: str = "") -> ModelStack:
    """The runs of a block before their first step."""
    seeds = [
        seed_from(recipe.name, run.cell.cell_id, run.seed, f"{prefix}initialisation") for run in block.runs(recipe)
    ]
    return ModelStack.initialise(block.architecture, seeds)


def _train(
    recipe: Recipe,
    block: Block,
    objective: Objective,
    optimisation: Optimisation,
    keep: Sequence[int],
    prefix: str,
    pass_size: PassSize | None,
    progress: Progress | None,
    device: torch.device | None,
) -> TrainedBlock:
    own = [recipe.optimisation_of(run.cell) for run in block.runs(recipe)]
    settings = RunSettings(
        [seed_from(recipe.name, run.cell.cell_id, run.seed, f"{prefix}data") for run in block.runs(recipe)],
        [run.rate for run in own],
        [run.weight_decay for run in own],
    )
    stack = initial_stack(recipe, block, prefix).to(device or torch.device("cpu"))
    result: TrainingResult = train_stack(stack, objective, optimisation, settings, keep, progress, pass_size)
    checkpoints = {
        epoch: reestimate_from_batches(trained, objective.clean_inputs(REESTIMATION_BATCH))
        for epoch, trained in result.checkpoints.items()
    }
    return TrainedBlock(checkpoints, result.running_loss)


def _share(progress: Progress, share: float) -> Progress:
    return lambda part: progress(share * part)
