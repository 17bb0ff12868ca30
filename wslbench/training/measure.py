"""What a stack of networks does on data: logits, mean cross-entropy, accuracy. Evaluation mode, clean data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from wslbench.training.stack import ModelStack, evaluation_forward

EVALUATION_BATCH = 300


class Performance(NamedTuple):
    """Mean cross-entropy in nats ``[size]`` and accuracy as a fraction ``[size]``, float64."""

    loss: Tensor
    accuracy: Tensor


@torch.no_grad()
def logits_of(stack: ModelStack, inputs: Tensor, batch_size: int = EVALUATION_BATCH) -> Tensor:
    """Logits ``[size, n, classes]`` of every network on the same ``inputs [n, ...]``."""
    forward = evaluation_forward(stack.architecture, batch_size)
    parts = [forward(stack.parameters, stack.statistics, batch) for batch in torch.split(inputs, batch_size)]
    return torch.cat(parts, dim=1)


@torch.no_grad()
def performance(stack: ModelStack, inputs: Tensor, labels: Tensor) -> Performance:
    """Loss and accuracy of every network over a whole data set."""
    return performance_in_batches(stack, torch.split(inputs, EVALUATION_BATCH), labels)


@torch.no_grad()
def performance_in_batches(stack: ModelStack, batches: Iterable[Tensor], labels: Tensor) -> Performance:
    """As :func:`performance`, of inputs that come in batches in the order of ``labels [n]``.

    Logits are dropped batch by batch: those of a whole data set would not fit for large stacks.
    """
    forward = evaluation_forward(stack.architecture, EVALUATION_BATCH)
    loss = torch.zeros(stack.size, dtype=torch.float64)
    correct = torch.zeros(stack.size, dtype=torch.float64)
    start = 0
    for batch in batches:
        logits = forward(stack.parameters, stack.statistics, batch)
        here = labels[start : start + len(batch)]
        log_probability = logits.double().log_softmax(-1)
        picked = log_probability.gather(-1, here.expand(logits.shape[:-1]).unsqueeze(-1)).squeeze(-1)
        loss -= picked.sum(-1).cpu()
        correct += (logits.argmax(-1) == here).sum(-1).double().cpu()
        start += len(batch)
    return Performance(loss / start, correct / start)
