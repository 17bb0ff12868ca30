"""Hessian-vector products of every network of a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from wslbench.training import ModelStack, Objective
from wslbench.training.objectives import Side
from wslbench.training.stack import Tensors, evaluation_template, networks_per_pass, training_template

HessianProduct = Callable[[Tensors], Tensors]

BatchNormMode = Literal["running", "batch"]
"""``running``: evaluation mode, with the stored statistics. ``batch``: statistics of the samples themselves, which then
depend on the weights."""


def hessian_product(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    side: Side = "train",
    batch_norm: BatchNormMode = "running",
) -> HessianProduct:
    """``v -> H v`` for every network of a stack: forward-mode over reverse-mode differentiation.

    The loss is the objective's mean over the samples of these numbers on one side, as they are.
    """
    running = batch_norm == "running"
    template = (evaluation_template if running else training_template)(stack.architecture)
    batch = objective.clean(samples, side)

    def product_of_one(parameters: Tensors, statistics: Tensors, vector: Tensors, *tensors: Tensor) -> Tensors:
        def loss(at: Tensors) -> Tensor:
            state = (at, statistics) if running else at
            return objective.loss(lambda x: functional_call(template, state, (x,)), *tensors)

        return jvp(grad(loss), (parameters,), (vector,))[1]  # type: ignore[no-any-return]

    stacked = vmap(product_of_one, in_dims=(0, 0, 0, *batch.dims), chunk_size=networks_per_pass(batch.samples))
    return lambda vector: stacked(stack.parameters, stack.statistics, vector, *batch.tensors)
