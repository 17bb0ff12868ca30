"""How many numbers a network computes on its way: what a pass costs in time and in memory follows them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from wslbench.architectures import Architecture


def activations(architecture: Architecture, inputs: torch.Tensor) -> int:
    """Numbers that the leaves of a network put out for ``inputs``; their values do not matter, nor their device."""
    return _activations(architecture.model_dump_json(), tuple(inputs.shape), inputs.dtype)


@lru_cache(maxsize=256)
def _activations(architecture_json: str, shape: tuple[int, ...], dtype: torch.dtype) -> int:
    with torch.device("meta"):
        network = Architecture.model_validate_json(architecture_json).module().eval()
        inputs = torch.zeros(shape, dtype=dtype)
    total = 0

    def count(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel()

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(inputs)
    return total
