"""How many numbers a network computes on its way: what a pass costs in time and in memory follows them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from wslbench.architectures import Architecture


def activations(architecture: Architecture, inputs: Tensor) -> int:
    """Numbers that the leaves of a network put out for ``inputs``, whose values do not matter."""
    return _activations(architecture.model_dump_json(), tuple(inputs.shape), inputs.dtype)


def count_activations(network: nn.Module, inputs: Tensor) -> int:
    """The same of a network that is there; it runs on ``inputs``, and on the meta device for free."""
    total = 0

    def count(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += output.numel()

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [module.register_forward_hook(count) for module in leaves]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return total


@lru_cache(maxsize=256)
def _activations(architecture_json: str, shape: tuple[int, ...], dtype: torch.dtype) -> int:
    with torch.device("meta"):
        network = Architecture.model_validate_json(architecture_json).module().eval()
        return count_activations(network, torch.zeros(shape, dtype=dtype))
