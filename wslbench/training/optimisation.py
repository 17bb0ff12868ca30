"""Optimisation: optimiser and schedule of a training, as recipes write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from wslbench.errors import RecipeError
from wslbench.training.optimisers import StackedAdam, StackedOptimiser, StackedSGD
from wslbench.training.schedules import Schedule
from wslbench.training.stack import Tensors


class Optimisation(Schedule):
    """How networks are trained.

    Attributes
    ----------
    batch_size
        Samples a step. The last, incomplete batch of an epoch is left out, so that all batches are alike. None in a
        recipe whose grid varies it.
    optimiser
        ``sgd`` with momentum (torch's: the decay is added to the gradient), ``adam`` (the same), or ``adamw`` (decay
        apart from the gradient).
    learning_rate
        Peak rate; None in a recipe whose grid varies it.
    betas
        Of Adam.
    clip_norm
        Largest norm of a network's whole gradient; None: any.
    """

    epochs: int = Field(gt=0)
    batch_size: int | None = Field(default=None, gt=0)
    optimiser: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float | None = Field(default=None, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=5e-4, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)

    @property
    def samples(self) -> int:
        """The batch size, where it is settled."""
        if self.batch_size is None:
            raise RecipeError("batch_size is not set")
        return self.batch_size

    @property
    def rate(self) -> float:
        """The peak learning rate, where it is settled."""
        if self.learning_rate is None:
            raise RecipeError("learning_rate is not set")
        return self.learning_rate

    def steps_per_epoch(self, train_size: int) -> int:
        """Whole batches in an epoch.

        Raises
        ------
        RecipeError
            If there is none.
        """
        if self.samples > train_size:
            raise RecipeError(f"batch size {self.samples} is larger than the train set ({train_size})")
        return train_size // self.samples

    def stacked_optimiser(
        self, parameters: Tensors, learning_rates: Sequence[float], weight_decays: Sequence[float]
    ) -> StackedOptimiser:
        """The optimiser at its first step, on copies of stacked ``parameters``."""
        copies = {name: tensor.detach().clone() for name, tensor in parameters.items()}
        device = next(iter(copies.values())).device
        rates, decays = (torch.tensor(list(values), device=device) for values in (learning_rates, weight_decays))
        if self.optimiser == "sgd":
            return StackedSGD(copies, rates, decays, self.momentum, nesterov=self.nesterov, clip_norm=self.clip_norm)
        decoupled = self.optimiser == "adamw"
        return StackedAdam(copies, rates, decays, self.betas, decoupled=decoupled, clip_norm=self.clip_norm)

    def step(self, optimiser: StackedOptimiser, loss: Tensor, step: int, steps_per_epoch: int) -> None:
        """One step down the gradient of ``loss``, the sum of the networks' losses; ``step`` counts from 0."""
        factor = self.rate_factor(step, steps_per_epoch, self.epochs)
        optimiser.step(loss, factor, self.momentum_at(step, steps_per_epoch, self.epochs))
