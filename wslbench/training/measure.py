"""What a stack of networks does on data: logits, mean cross-entropy, accuracy. Evaluation mode, clean data."""

from __future__ import annotations

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
    return performance_of_logits(logits_of(stack, inputs), labels)


def performance_of_logits(logits: Tensor, labels: Tensor) -> Performance:
    """Loss and accuracy from logits ``[size, n, classes]`` and labels ``[n]``."""
    log_probability = logits.double().log_softmax(-1)
    picked = log_probability.gather(-1, labels.expand(logits.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    correct = logits.argmax(-1) == labels
    return Performance(-picked.mean(-1), correct.double().mean(-1))
