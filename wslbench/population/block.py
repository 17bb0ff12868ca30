"""Training one block of a zoo: all its runs as one stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wslbench.population.blocks import Block
from wslbench.population.recipe import Recipe
from wslbench.population.seed_secret import SeedSecret
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
    secret: SeedSecret | None = None,
) -> TrainedBlock:
    """Train all runs of a block, for as long as the recipe's check of unfinished cells wants, and keep the epochs."""

    def train(
        runs: Optimisation, keep: Sequence[int], prefix: str = "", progress: Progress | None = progress
    ) -> TrainedBlock:
        return _train(recipe, block, objective, runs, keep, prefix, pass_size, progress, device, secret)

    runs = recipe.optimisation.model_copy(update={"batch_size": block.batch_size})
    later = 2 * recipe.measured_epoch
    if recipe.unfinished_check == "continued":
        longer = runs.model_copy(update={"epochs": later})
        return train(longer, [*recipe.kept_epochs, later])
    if recipe.unfinished_check == "none":
        return train(runs, recipe.kept_epochs)
    thirds = [None if progress is None else _share(progress, part / 3) for part in (1, 2)]
    trained = train(runs, recipe.kept_epochs, progress=thirds[0])
    twice = runs.model_copy(
        update={"epochs": 2 * runs.epochs, "step_epochs": [2 * epoch for epoch in runs.step_epochs]}
    )
    anew = train(twice, [later], "longer-", thirds[1])
    return TrainedBlock(trained.checkpoints | {later: anew.checkpoints[later]}, trained.running_loss)


def initial_stack(recipe: Recipe, block: Block, prefix: str = "", secret: SeedSecret | None = None) -> ModelStack:
    """The runs of a block before their first step."""
    return ModelStack.initialise(block.architecture, _seeds(recipe, block, f"{prefix}initialisation", secret))


def _seeds(recipe: Recipe, block: Block, word: str, secret: SeedSecret | None) -> list[int]:
    """A seed a run for one of its purposes. With a secret, the one place where it changes what a zoo becomes."""
    key = None if secret is None else secret.key
    return [seed_from(recipe.name, run.cell.cell_id, run.seed, word, key=key) for run in block.runs(recipe)]


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
    secret: SeedSecret | None,
) -> TrainedBlock:
    own = [recipe.optimisation_of(run.cell) for run in block.runs(recipe)]
    settings = RunSettings(
        _seeds(recipe, block, f"{prefix}data", secret),
        [run.rate for run in own],
        [run.weight_decay for run in own],
    )
    stack = initial_stack(recipe, block, prefix, secret).to(device or torch.device("cpu"))
    result: TrainingResult = train_stack(stack, objective, optimisation, settings, keep, progress, pass_size)
    checkpoints = {
        epoch: reestimate_from_batches(trained, objective.clean_inputs(REESTIMATION_BATCH))
        for epoch, trained in result.checkpoints.items()
    }
    return TrainedBlock(checkpoints, result.running_loss)


def _share(progress: Progress, share: float) -> Progress:
    return lambda part: progress(share * part)
