"""Networks of which nothing is known but their tensors: imported, and described by nobody."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wslbench.architectures._checks import positive
from wslbench.errors import ArchitectureError


class Tensors(nn.Module):
    """Tensors by name, without a function: what reads weights alone works, what runs networks or follows them does not.

    All of them are parameters, a batch norm's statistics too. Whole numbers (counters, index buffers) are in no zoo, so
    ``state_dict()`` of such a network lacks them.

    Parameters
    ----------
    shapes
        The shape of every tensor, by its name in the state dict.
    """

    def __init__(self, **shapes: list[int]) -> None:
        super().__init__()
        if not shapes:
            raise ValueError("there is no tensor")
        for name, shape in shapes.items():
            if not isinstance(shape, list) or not all(name.split(".")):
                raise ValueError(f"{name!r} needs the form of a tensor's name, and a shape, not {shape!r}")
            positive(**{f"{name}[{axis}]": size for axis, size in enumerate(shape)})
            *path, leaf = name.split(".")
            module: nn.Module = self
            for part in path:
                # Past nn.Module's own checks, which refuse names such as "type" that state dicts can hold.
                module = module._modules.setdefault(part, nn.Module())  # type: ignore[assignment]
            module._parameters[leaf] = nn.Parameter(torch.zeros(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """There is nothing to compute: raises ``ArchitectureError``."""
        raise ArchitectureError("these networks are tensors by name alone: nobody said what they compute")
