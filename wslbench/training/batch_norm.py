"""Batch-norm re-estimation: the statistics that are stored and measured, from the clean train set.

Always in the stored order of the train set and in batches of one size, so that the same weights get the
same statistics wherever they come from: a run, a point on a curve, a generated model.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.modules.dropout import _DropoutNd

from wslbench.training.stack import ModelStack, Tensors, batch_norms

REESTIMATION_BATCH = 200


@torch.no_grad()
def reestimate_batch_norm(stack: ModelStack, inputs: Tensor, batch_size: int = REESTIMATION_BATCH) -> ModelStack:
    """The same networks with batch-norm statistics averaged over the batches of ``inputs``.

    Every batch counts by its size, so the running mean of the first layer is the exact mean over
    ``inputs``; deeper layers see activations that were normalised by their batch, as in training.

    Parameters
    ----------
    stack
        Networks; their parameters are kept, not copied.
    inputs
        The clean train set ``[n, ...]``, in stored order.
    """
    return reestimate_from_batches(stack, torch.split(inputs, batch_size))


@torch.no_grad()
def reestimate_from_batches(stack: ModelStack, batches: Iterable[Tensor]) -> ModelStack:
    """As :func:`reestimate_batch_norm`, of inputs that come in batches ``[batch, ...]``."""
    template = stack.architecture.module().train()
    for module in template.modules():
        if isinstance(module, _DropoutNd):
            module.eval()  # the statistics of the whole network, as it is evaluated
    layers = list(batch_norms(template))
    if not layers:
        return stack
    for layer in layers:
        layer.num_batches_tracked = None
    # Contiguous whatever the stack is: the layers write into views, and into a copy where there can be no view.
    statistics = {
        name: torch.zeros_like(tensor, memory_format=torch.contiguous_format)
        for name, tensor in stack.statistics.items()
    }

    def forward_one(parameters: Tensors, running: Tensors, batch: Tensor) -> Tensor:
        return functional_call(template, (parameters, running), (batch,))  # type: ignore[no-any-return]

    forward = vmap(forward_one, in_dims=(0, 0, None), randomness="different")
    seen = 0
    for batch in batches:
        seen += len(batch)
        for layer in layers:
            layer.momentum = len(batch) / seen
        forward(stack.parameters, statistics, batch)
    return ModelStack(stack.architecture, stack.parameters, statistics)
