"""The losses of a stack as one computation, or of a single network as plain PyTorch computes it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.func import functional_call, vmap

from wslbench.architectures import Architecture
from wslbench.training.objectives import Batch, Objective
from wslbench.training.stack import Tensors, training_template

Losses = Callable[[Tensors, Batch], Tensor]
"""Losses ``[size]`` of stacked parameters on a stacked batch, in training mode."""


def stacked_losses(architecture: Architecture, objective: Objective, stacked: bool = True) -> Losses:
    """The losses of all networks of a stack.

    Parameters
    ----------
    stacked
        False: one plain forward pass a network, without vmap. Where a network fills the processor by itself, that
        is faster.
    """
    template = training_template(architecture)

    def loss_of_one(parameters: Tensors, *batch: Tensor) -> Tensor:
        return objective.loss(lambda inputs: functional_call(template, parameters, (inputs,)), *batch)

    # Dropout layers draw different masks for different networks.
    together = vmap(loss_of_one, randomness="different")

    def of_stack(parameters: Tensors, batch: Batch) -> Tensor:
        losses: Tensor = together(parameters, *batch)
        return losses

    def of_single(parameters: Tensors, batch: Batch) -> Tensor:
        alone = {name: tensor.squeeze(0) for name, tensor in parameters.items()}
        return loss_of_one(alone, *(tensor.squeeze(0) for tensor in batch)).unsqueeze(0)

    return of_stack if stacked else of_single
