"""The stacked training loop: many networks of one architecture, each with its own data order and rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from wslbench.errors import RecipeError
from wslbench.training.augmentation import Augmentation, AugmentedImages
from wslbench.training.stack import ModelStack, Tensors, training_forward

Progress = Callable[[float], None]
"""Called with the number of steps of the whole stack done since the last call."""


class Optimisation(BaseModel):
    """SGD with momentum and weight decay, as torch's: the decay is added to the gradient.

    Attributes
    ----------
    batch_size
        Images a step. The last, incomplete batch of an epoch is left out, so that all batches are alike.
    schedule
        ``constant``, or ``cosine`` to 0 over ``epochs``; both after a linear warm-up.
    warmup_epochs
        Length of the warm-up. In epochs, not as a share of the run: a run that goes on for twice as long
        then has the shorter run as its first half (for the constant schedule).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float | None = Field(default=None, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)

    def rate_factor(self, step: int, steps_per_epoch: int) -> float:
        """Factor on the learning rate at ``step``, counted from 0."""
        warmup = self.warmup_epochs * steps_per_epoch
        if step < warmup:
            return (step + 1) / warmup
        if self.schedule == "constant":
            return 1.0
        total = self.epochs * steps_per_epoch
        return 0.5 * (1.0 + float(np.cos(np.pi * (step - warmup) / max(1.0, total - warmup))))


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
    inputs: Tensor,
    labels: Tensor,
    optimisation: Optimisation,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    keep_epochs: Sequence[int],
    augmentation: Augmentation | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train every network of a stack, each from its own seed's data order at its own learning rate.

    Parameters
    ----------
    stack
        The networks at initialisation; not changed.
    inputs, labels
        Train set ``[n, ...]`` and ``[n]``.
    learning_rates, seeds
        One a network. The seed fixes the order of the data and the augmentation.
    keep_epochs
        Epochs, from 1, at whose end the networks are kept.
    progress
        Called with the number of steps done, about once an epoch.

    Raises
    ------
    RecipeError
        If a batch is larger than the train set.
    """
    steps_per_epoch = len(labels) // optimisation.batch_size
    if steps_per_epoch == 0:
        raise RecipeError(f"batch size {optimisation.batch_size} is larger than the train set ({len(labels)})")
    forward = training_forward(stack.architecture)
    images = AugmentedImages(inputs, augmentation or Augmentation())
    generators = [np.random.default_rng(seed) for seed in seeds]
    parameters = {name: tensor.detach().clone() for name, tensor in stack.parameters.items()}
    optimiser = StackedSGD(parameters, torch.tensor(learning_rates), optimisation.momentum, optimisation.weight_decay)

    result = TrainingResult()
    running: list[NDArray[np.float64]] = []
    for epoch in range(1, optimisation.epochs + 1):
        order = np.stack([generator.permutation(len(labels)) for generator in generators])
        total = torch.zeros(stack.size, dtype=torch.float64)
        for batch_number in range(steps_per_epoch):
            start = batch_number * optimisation.batch_size
            index = order[:, start : start + optimisation.batch_size]
            batch = images.batch(index, generators)
            targets = labels[torch.from_numpy(index)]
            losses = stacked_cross_entropy(forward(optimiser.leaves(), batch), targets)
            step = (epoch - 1) * steps_per_epoch + batch_number
            optimiser.step(losses.sum(), optimisation.rate_factor(step, steps_per_epoch))
            total += losses.detach().double()
        running.append((total / steps_per_epoch).numpy())
        if epoch in keep_epochs:
            kept = {name: tensor.detach().clone() for name, tensor in optimiser.parameters.items()}
            result.checkpoints[epoch] = ModelStack(stack.architecture, kept, dict(stack.statistics))
        if progress is not None:
            progress(steps_per_epoch)
    result.running_loss = np.stack(running)
    return result


def stacked_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of each network ``[size]`` from logits ``[size, batch, classes]``."""
    size, batch, classes = logits.shape
    flat = cross_entropy(logits.reshape(-1, classes), targets.reshape(-1), reduction="none")
    return flat.reshape(size, batch).mean(1)


class StackedSGD:
    """SGD with momentum on stacked tensors, one learning rate a network.

    The gradient of the *sum* of the networks' losses is each network's own gradient: none sees another.
    """

    def __init__(self, parameters: Tensors, learning_rates: Tensor, momentum: float, weight_decay: float) -> None:
        self.parameters = parameters
        self._learning_rates = learning_rates
        self._momentum = momentum
        self._weight_decay = weight_decay
        self._velocity = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}

    def leaves(self) -> Tensors:
        """The parameters as leaves of a new graph."""
        for tensor in self.parameters.values():
            tensor.requires_grad_(True)
        return self.parameters

    def step(self, loss: Tensor, rate_factor: float) -> None:
        """One step down the gradient of ``loss``, at ``rate_factor`` times the learning rates."""
        names = list(self.parameters)
        gradients = torch.autograd.grad(loss, [self.parameters[name] for name in names])
        with torch.no_grad():
            for name, gradient in zip(names, gradients, strict=True):
                tensor = self.parameters[name].requires_grad_(False)
                velocity = self._velocity[name].mul_(self._momentum).add_(gradient)
                velocity.add_(tensor, alpha=self._weight_decay)
                rates = (self._learning_rates * rate_factor).to(tensor.dtype)
                tensor.sub_(velocity * rates.reshape(-1, *[1] * (tensor.dim() - 1)))
