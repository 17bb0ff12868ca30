"""The training loop: many networks of one architecture, each with its own data order and hyper-parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wslbench.training.objectives import Objective
from wslbench.training.optimisation import Optimisation
from wslbench.training.pass_size import PassSize
from wslbench.training.stack import ModelStack, Tensors, concatenate
from wslbench.training.stacked_losses import Losses, stacked_losses

Progress = Callable[[float], None]
"""Called with the share of the work of one call that was done since the last time; the shares sum to 1."""


class RunSettings(NamedTuple):
    """What differs between the networks of a stack, one entry a network.

    Attributes
    ----------
    seeds
        Fix the order of the data and the augmentation.
    learning_rates
        Peak rates, which the schedule scales.
    weight_decays
        None: that of the optimisation for all.
    """

    seeds: Sequence[int]
    learning_rates: Sequence[float]
    weight_decays: Sequence[float] | None = None

    def rows(self, first: int, last: int) -> RunSettings:
        """The settings of the networks from ``first`` to before ``last``."""
        decays = None if self.weight_decays is None else self.weight_decays[first:last]
        return RunSettings(self.seeds[first:last], self.learning_rates[first:last], decays)


@dataclass
class TrainingResult:
    """Networks at the asked-for epochs, with running losses.

    Attributes
    ----------
    checkpoints
        Epoch to the networks at its end; batch-norm statistics are not estimated yet.
    running_loss
        Mean training loss of each epoch, as seen by the optimiser ``[epochs, size]``, in nats.
    """

    checkpoints: dict[int, ModelStack] = field(default_factory=dict)
    running_loss: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))


def train_stack(
    stack: ModelStack,
    objective: Objective,
    optimisation: Optimisation,
    settings: RunSettings,
    keep_epochs: Sequence[int],
    progress: Progress | None = None,
    pass_size: PassSize | None = None,
) -> TrainingResult:
    """Train every network of a stack, each from its own seed's data order with its own hyper-parameters.

    Parameters
    ----------
    stack
        The networks at initialisation; not changed.
    objective
        Train data, and the loss.
    settings
        One entry a network.
    keep_epochs
        Epochs, from 1, at whose end the networks are kept. Training ends with the last of them, which may lie before
        the end of the schedule.
    progress
        Called about once an epoch.
    pass_size
        How many networks are one computation; None: all. Every size above one gives the same bits; networks
        trained one by one without stacking agree with them to floating-point tolerance.

    Raises
    ------
    RecipeError
        If a batch is larger than the train set.
    """
    steps_per_epoch = optimisation.steps_per_epoch(objective.train_size)
    networks, stacked = pass_size or PassSize(stack.size, stacked=True)
    losses_of = stacked_losses(stack.architecture, objective, stacked)
    parts = []
    for first in range(0, stack.size, networks):
        last = min(first + networks, stack.size)
        rows = np.arange(first, last)
        share = (last - first) / stack.size
        report = None if progress is None else _scaled(progress, share)
        part = _train_together(
            stack.select(rows),
            objective.select(rows),
            optimisation,
            settings.rows(first, last),
            keep_epochs,
            steps_per_epoch,
            report,
            losses_of,
        )
        parts.append(part)
    if len(parts) == 1:
        return parts[0]
    return TrainingResult(
        {epoch: concatenate([part.checkpoints[epoch] for part in parts]) for epoch in parts[0].checkpoints},
        np.concatenate([part.running_loss for part in parts], axis=1),
    )


def _train_together(
    stack: ModelStack,
    objective: Objective,
    optimisation: Optimisation,
    settings: RunSettings,
    keep_epochs: Sequence[int],
    steps_per_epoch: int,
    progress: Progress | None,
    losses_of: Losses,
) -> TrainingResult:
    generators = [np.random.default_rng(seed) for seed in settings.seeds]
    decays = settings.weight_decays or [optimisation.weight_decay] * stack.size
    optimiser = optimisation.stacked_optimiser(stack.parameters, settings.learning_rates, decays)
    result = TrainingResult()
    running: list[NDArray[np.float64]] = []
    last_epoch = min(optimisation.epochs, max(keep_epochs))
    for epoch in range(1, last_epoch + 1):
        order = np.stack([generator.permutation(objective.train_size) for generator in generators])
        total = torch.zeros(stack.size, dtype=torch.float64, device=stack.device)
        for batch_number in range(steps_per_epoch):
            start = batch_number * optimisation.samples
            batch = objective.draw(order[:, start : start + optimisation.samples], generators)
            losses = losses_of(optimiser.leaves(), batch)
            step = (epoch - 1) * steps_per_epoch + batch_number
            optimisation.step(optimiser, losses.sum(), step, steps_per_epoch)
            total += losses.detach().double()
        running.append((total / steps_per_epoch).cpu().numpy())
        if epoch in keep_epochs:
            result.checkpoints[epoch] = _copy(stack, optimiser.parameters)
        if progress is not None:
            progress(1 / last_epoch)
    result.running_loss = np.stack(running)
    return result


def _copy(stack: ModelStack, parameters: Tensors) -> ModelStack:
    kept: dict[str, Tensor] = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    return ModelStack(stack.architecture, kept, dict(stack.statistics))


def _scaled(progress: Progress, share: float) -> Progress:
    return lambda part: progress(share * part)
