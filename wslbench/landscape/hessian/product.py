"""Hessian-vector products of every network of a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, vmap

from wslbench.training import ModelStack, Objective
from wslbench.training.activations import count_activations
from wslbench.training.objectives import Side
from wslbench.training.stack import Tensors, evaluation_template, training_template

ACTIVATIONS_KEPT = 4_000_000
"""Numbers that the networks of a group put out in one pass forward. The graph of a gradient keeps a few times as many:
beyond this a processor's cache no longer helps, and below it small networks wait for one another's overhead."""

HessianProduct = Callable[[Tensors], Tensors]

BatchNormMode = Literal["running", "batch"]
"""``running``: evaluation mode, with the stored statistics. ``batch``: statistics of the samples themselves, which then
depend on the weights."""


class KeptGradient:
    """The gradients of some networks' losses, with what is needed to differentiate them again, as often as asked.

    One forward and one backward pass are paid when it is made; a product costs one pass through the kept graph of
    the gradient (Pearlmutter 1994, Neural Computation 6). All activations stay in memory meanwhile: few networks at a
    time, as :func:`in_groups` gives them.

    Parameters
    ----------
    stack, objective
        The networks, and what they are measured by.
    samples, side
        The loss is the objective's mean over the samples of these numbers on one side, as they are.
    batch_norm
        See :data:`BatchNormMode`.
    """

    def __init__(
        self, stack: ModelStack, objective: Objective, samples: NDArray[np.int64], side: Side, batch_norm: BatchNormMode
    ) -> None:
        self._of_stack = stack, objective
        self._measured = samples, side, batch_norm
        self._rows = self._kept = np.arange(stack.size)
        self._build(self._rows)

    def __call__(self, vector: Tensors) -> Tensors:
        """``H v`` for the vectors ``[networks that are kept, *shape]`` by parameter name."""
        known = {name: self._carried(tensor) for name, tensor in vector.items()}
        # What has no graph is linear in all parameters: its row of the Hessian is zero.
        curved = {name: gradient for name, gradient in self._gradient.items() if gradient.requires_grad}
        if not curved:
            return {name: torch.zeros_like(tensor) for name, tensor in vector.items()}
        image = torch.autograd.grad(
            list(curved.values()),
            list(self._parameters.values()),
            [known[name] for name in curved],
            retain_graph=True,
            materialize_grads=True,
        )
        kept = torch.from_numpy(self._kept)
        return {name: tensor[kept.to(tensor.device)] for name, tensor in zip(self._parameters, image, strict=True)}

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Go on with these of the kept networks only.

        The others are carried along until they are half of all: a new graph costs about as much as a product.
        """
        self._kept = self._kept[wanted]
        if self._kept.size and 2 * self._kept.size <= len(self._rows):
            self._build(self._rows[self._kept])

    def _build(self, rows: NDArray[np.int64]) -> None:
        self._rows, self._kept = rows, np.arange(len(rows))
        all_networks, of_all = self._of_stack
        stack, objective = all_networks.select(rows), of_all.select(rows)
        samples, side, batch_norm = self._measured
        running = batch_norm == "running"
        template = (evaluation_template if running else training_template)(stack.architecture)
        batch = objective.clean(samples, side)

        def loss_of_one(parameters: Tensors, statistics: Tensors, *tensors: Tensor) -> Tensor:
            state = (parameters, statistics) if running else parameters
            return objective.loss(lambda x: functional_call(template, state, (x,)), *tensors)

        with torch.enable_grad():
            self._parameters = {n: tensor.detach().requires_grad_() for n, tensor in stack.parameters.items()}
            losses = vmap(loss_of_one, in_dims=(0, 0, *batch.dims))(self._parameters, stack.statistics, *batch.tensors)
            # No network sees another: the gradient of the sum is every network's own.
            gradient = torch.autograd.grad(
                losses.sum(), list(self._parameters.values()), create_graph=True, materialize_grads=True
            )
        self._gradient = dict(zip(self._parameters, gradient, strict=True))

    def _carried(self, tensor: Tensor) -> Tensor:
        """Rows of the kept networks among those of all that are carried, the others zero."""
        if self._kept.size == len(self._rows):
            return tensor
        carried = tensor.new_zeros(len(self._rows), *tensor.shape[1:])
        carried[torch.from_numpy(self._kept).to(tensor.device)] = tensor
        return carried


def in_groups(
    stack: ModelStack, objective: Objective, samples: NDArray[np.int64], side: Side, most: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """The rows of a stack in groups whose activations on these samples are kept at a time; at most ``most`` in one."""
    with torch.device("meta"):
        network = evaluation_template(stack.architecture)
    of_one = count_activations(network, stack.architecture.example_input(1).to("meta"))
    together = max(1, ACTIVATIONS_KEPT // (objective.clean(samples, side).samples * of_one))
    if most is not None:
        together = min(together, most)
    for first in range(0, stack.size, together):
        yield np.arange(first, min(first + together, stack.size))


def hessian_product(
    stack: ModelStack,
    objective: Objective,
    samples: NDArray[np.int64],
    side: Side = "train",
    batch_norm: BatchNormMode = "running",
) -> HessianProduct:
    """``v -> H v`` for every network of a stack: the gradient, differentiated again.

    The loss is the objective's mean over the samples of these numbers on one side, as they are. Vectors and images are
    ``[size, *shape]`` by parameter name. The gradients of all networks stay in memory with their graphs as long as the
    function does.
    """
    groups = [
        (rows, KeptGradient(stack.select(rows), objective.select(rows), samples, side, batch_norm))
        for rows in in_groups(stack, objective, samples, side)
    ]

    def product(vector: Tensors) -> Tensors:
        images = [kept({name: tensor[rows] for name, tensor in vector.items()}) for rows, kept in groups]
        return {name: torch.cat([image[name] for image in images]) for name in vector}

    return product
